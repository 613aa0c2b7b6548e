"""Weights over a real connection to a hub of our own: broken off, gone on with, damaged, not there."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import close_session

from ml.core.errors import ChangedWeightsError, HandlensError
from ml.core.events import Event, Progress
from ml.core.jobs import NeverStop, StopRequest
from ml.networks.weights import download, resolve

TLS = Path(__file__).resolve().parents[1] / "fixtures" / "tls"
"""A certificate for 127.0.0.1 and its key, only for tests."""
CONTENT = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()


@dataclass
class Hub:
    """What the server does next, and what it was asked for."""

    address: str = ""
    break_off_after: int | None = None
    sha256: str = hashlib.sha256(CONTENT).hexdigest()
    ranges: list[str | None] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    redirect_to: str = ""
    tells_sha256: bool = True


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._begin(200, len(CONTENT))

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            hub.ranges.append(wanted)
            if hub.redirect_to and "moved" not in self.path:
                self.send_response(302)
                self.send_header("Location", hub.redirect_to)
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            self._begin(206 if wanted else 200, len(CONTENT) - start)
            end = len(CONTENT) if hub.break_off_after is None else start + hub.break_off_after
            self.wfile.write(CONTENT[start:end])

        def _begin(self, status: int, length: int) -> None:
            if "Authorization" in self.headers:
                hub.credentials.append(self.headers["Authorization"])
            if "missing" in self.path:
                self.send_error(404)
                return
            self.send_response(status)
            self.send_header("ETag", f'"{hub.sha256 if hub.tells_sha256 else "etag"}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    state = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    certificate = TLS / "certificate.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, TLS / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    state.address = f"https://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("HF_ENDPOINT", state.address)
    close_session()  # the library keeps a client with the certificates of its first use
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    close_session()
    server.shutdown()
    thread.join()
    server.server_close()


class StopAt:
    """Cancels once so many events have passed."""

    def __init__(self, events: int) -> None:
        self.left = events

    def requested(self) -> StopRequest:
        self.left -= 1
        return "cancel" if self.left < 0 else ""


def fetched(to: Path, *, repo: str = "timm/some", stop: object = None, known: str = "") -> tuple[list[Event], str]:
    events: list[Event] = []
    steps = download.download_weights(repo, "some", to, stop or NeverStop(), known=known)  # type: ignore[arg-type]
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def test_a_file_that_is_on_no_hub_is_downloaded_too(hub: Hub, tmp_path: Path) -> None:
    hub.break_off_after = 2_000_000
    address = f"{hub.address}/yamnet.pth"
    events = list(download.download_file(address, "some", tmp_path / "y.pth", NeverStop(), limit=4_000_000))
    assert (tmp_path / "y.pth").read_bytes() == CONTENT
    assert all(isinstance(event, Progress) and event.total == len(CONTENT) for event in events)
    for place, limit in (("missing", 4_000_000), ("large", 1_000)):
        address = f"{hub.address}/{place}"
        with pytest.raises(HandlensError, match=rf"Download {address} on another computer"):
            list(download.download_file(address, "some", tmp_path / "x", NeverStop(), limit=limit))
    assert not (tmp_path / "x").exists()


def test_a_download_is_shown_and_checked(hub: Hub, tmp_path: Path) -> None:
    events, sha256 = fetched(tmp_path / "some.safetensors")
    assert (tmp_path / "some.safetensors").read_bytes() == CONTENT
    assert sha256 == hub.sha256
    assert all(isinstance(event, Progress) and event.total == len(CONTENT) for event in events)
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == sorted(done) and done[0] == 0 and done[-1] == len(CONTENT) and len(done) > 5
    assert not list(tmp_path.glob("*.part*"))
    assert not hub.credentials


def test_a_line_that_breaks_is_picked_up_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.break_off_after = 1_000_000
    _, sha256 = fetched(tmp_path / "some.safetensors")
    assert sha256 == hub.sha256
    assert hub.ranges == [None, "bytes=1000000-", "bytes=2000000-"]


def test_a_cancelled_download_goes_on_next_time(hub: Hub, tmp_path: Path) -> None:
    _, sha256 = fetched(tmp_path / "some.safetensors", stop=StopAt(4))
    assert sha256 == ""
    kept = (tmp_path / "some.part").stat().st_size
    assert 0 < kept < len(CONTENT)
    events, sha256 = fetched(tmp_path / "some.safetensors")
    assert sha256 == hub.sha256
    assert isinstance(events[0], Progress) and events[0].done == kept
    assert hub.ranges == [None, f"bytes={kept}-"]


def test_another_file_on_the_hub_is_not_glued_to_what_had_come(hub: Hub, tmp_path: Path) -> None:
    fetched(tmp_path / "some.safetensors", stop=StopAt(4))
    (tmp_path / "some.part.json").write_text('{"url": "elsewhere"}', encoding="utf-8")
    _, sha256 = fetched(tmp_path / "some.safetensors")
    assert sha256 == hub.sha256
    assert hub.ranges == [None, None]


def test_a_note_that_a_kill_left_half_written_is_written_anew(hub: Hub, tmp_path: Path) -> None:
    fetched(tmp_path / "some.safetensors", stop=StopAt(4))
    (tmp_path / "some.part.json").write_text("", encoding="utf-8")
    _, sha256 = fetched(tmp_path / "some.safetensors")
    assert sha256 == hub.sha256


def test_damaged_weights_are_thrown_away(hub: Hub, tmp_path: Path) -> None:
    hub.sha256 = "0" * 64
    with pytest.raises(HandlensError, match=r"arrived damaged.*--weights FILE"):
        fetched(tmp_path / "some.safetensors")
    assert not (tmp_path / "some.safetensors").exists()
    assert not list(tmp_path.glob("*.part*"))


def test_a_line_that_stays_dead_says_how_far_it_came(hub: Hub, tmp_path: Path) -> None:
    fetched(tmp_path / "some.safetensors", stop=StopAt(4))
    hub.break_off_after = 0
    with pytest.raises(HandlensError, match=r"broke off after \d of 3 MB. Train again to continue"):
        fetched(tmp_path / "some.safetensors")
    assert (tmp_path / "some.part").stat().st_size > 0


def test_what_is_not_there_says_what_to_do(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(HandlensError, match=r"could not be downloaded.*--backbone some --weights FILE"):
        fetched(tmp_path / "some.safetensors", repo="timm/missing")


def test_without_a_connection_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://127.0.0.1:9")
    with pytest.raises(HandlensError, match=r"no connection.*resolve/main/model.safetensors on another computer"):
        fetched(tmp_path / "some.safetensors")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://example.org", "ftp://example.org", "example.org"])
def test_a_hub_without_https_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(HandlensError, match=r"over https only, but HF_ENDPOINT is"):
        fetched(tmp_path / "some.safetensors")


def test_a_redirect_to_https_is_followed(hub: Hub, tmp_path: Path) -> None:
    hub.redirect_to = f"{hub.address}/moved"
    assert fetched(tmp_path / "some.safetensors")[1] == hub.sha256


def test_a_redirect_away_from_https_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.redirect_to = "http://127.0.0.1:9/moved"
    with pytest.raises(HandlensError, match=r"sent on to http://127.0.0.1:9, which is not https"):
        fetched(tmp_path / "some.safetensors")
    assert not (tmp_path / "some.safetensors").exists()


def test_a_certificate_that_nobody_vouches_for_is_refused(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(HandlensError, match="no connection"):
        fetched(tmp_path / "some.safetensors")


@pytest.mark.parametrize("tells_sha256", [True, False])
def test_weights_that_changed_are_refused(hub: Hub, tmp_path: Path, tells_sha256: bool) -> None:
    hub.tells_sha256 = tells_sha256
    with pytest.raises(ChangedWeightsError, match=r"not those that were downloaded the first time"):
        fetched(tmp_path / "some.safetensors", known="0" * 64)
    assert bool(hub.ranges) != tells_sha256  # a checksum known beforehand saves the transfer
    assert not (tmp_path / "some.safetensors").exists() and not list(tmp_path.glob("*.part*"))


def test_weights_as_they_were_the_first_time_are_taken(hub: Hub, tmp_path: Path) -> None:
    assert fetched(tmp_path / "some.safetensors", known=hub.sha256)[1] == hub.sha256


NAME = "mobilenetv3_small_100.lamb_in1k"


def resolved(**options: bool) -> str:
    steps = resolve.resolve_weights(NAME, None, NeverStop(), **options)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return str(end.value.sha256)


def test_the_first_download_is_trusted_and_a_later_one_only_if_the_user_agrees(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(resolve, "weights_folder", lambda: cache)
    monkeypatch.setattr(resolve, "data_folder", lambda: tmp_path / "data")
    first = resolved()
    shutil.rmtree(cache)  # as cleaners do
    monkeypatch.setattr(sys.modules[__name__], "CONTENT", CONTENT[::-1])
    hub.sha256 = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(ChangedWeightsError):
        resolved()
    assert first != hub.sha256 == resolved(accept_changed=True)
    shutil.rmtree(cache)
    assert resolved() == hub.sha256  # agreed once is enough
