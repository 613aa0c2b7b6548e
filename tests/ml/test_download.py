"""Weights over a real connection to a hub of our own: broken off, gone on with, damaged, not there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ml.core.errors import HandlensError
from ml.core.events import Event, Progress
from ml.core.jobs import NeverStop, StopRequest
from ml.networks.weights import download

CONTENT = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()


@dataclass
class Hub:
    """What the server does next, and what it was asked for."""

    address: str = ""
    break_off_after: int | None = None
    sha256: str = hashlib.sha256(CONTENT).hexdigest()
    ranges: list[str | None] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._begin(200, len(CONTENT))

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            hub.ranges.append(wanted)
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
            self.send_header("ETag", f'"{hub.sha256}"')
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
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", state.address)
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
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


def fetched(to: Path, *, repo: str = "timm/some", stop: object = None) -> tuple[list[Event], str]:
    events: list[Event] = []
    steps = download.download_weights(repo, "some", to, stop or NeverStop())  # type: ignore[arg-type]
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


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
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HandlensError, match=r"no connection.*resolve/main/model.safetensors on another computer"):
        fetched(tmp_path / "some.safetensors")
