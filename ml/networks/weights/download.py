"""Download weights from the Hugging Face hub with progress, a SHA-256 check, and resumption across processes.

huggingface_hub provides address and checksum. The transfer itself is done here, because that library (its versions of
2026) starts again in every new process, which is impractical for 100 MB over a slow connection.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO, Any

import certifi
from filelock import FileLock, Timeout

from ml.core.disk import replace_with
from ml.core.errors import ChangedWeightsError, HandlensError
from ml.core.events import Event, Progress
from ml.core.jobs import Stop
from ml.core.messages import msg
from ml.graphs.pretrained import sha256_of

HUB = "https://huggingface.co"
FILE = "model.safetensors"
CHUNK = 1 << 18
READ_TIMEOUT = 30.0
"""Seconds without a byte before a connection counts as lost."""
MAX_ATTEMPTS = 4
"""Attempts without any progress, and the seconds between them."""
RETRY_SECONDS = 1.0


class _BrokenError(Exception):
    """The connection was lost; `str` is the reason."""


def file_url(repo: str) -> str:
    """Return the address of the file for a person."""
    return f"{HUB}/{repo}/resolve/main/{FILE}"


def download_weights(repo: str, name: str, to: Path, stop: Stop, *, known: str = "") -> Generator[Event, None, str]:
    """Download the weights of model `name` from hub repository `repo` to `to`; returns their SHA-256. Yields bytes.

    Returns "" if the user stopped it; the part that has arrived is kept for the next time. Raises HandlensError if
    there is no connection, it is lost for good, or the file is damaged; ChangedWeightsError if its checksum is not
    the `known` one.
    """
    return (yield from _download(lambda: _file_facts(repo, name), file_url(repo), name, to, stop, known=known))


def download_file(url: str, name: str, to: Path, stop: Stop, *, limit: int) -> Generator[Event, None, str]:
    """Download the weights of `name` from the address `url`, as `download_weights` does. At most `limit` bytes."""
    return (yield from _download(lambda: _url_facts(url, name, limit), url, name, to, stop, known=""))


def _download(
    find_facts: Callable[[], dict[str, Any]], address: str, name: str, to: Path, stop: Stop, *, known: str
) -> Generator[Event, None, str]:
    """`address` is for a person."""
    to.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(to.with_suffix(".lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise HandlensError(
            msg("Another training is downloading {name} at this moment. Wait until it has finished.", name=name)
        ) from error
    try:
        facts = find_facts()
        if facts["sha256"]:  # nothing has to arrive first
            _refuse_changed(name, facts["sha256"], known)
        part, note = to.with_suffix(".part"), to.with_suffix(".part.json")
        if not (part.is_file() and _read_facts(note) == facts):
            part.write_bytes(b"")
            note.write_text(json.dumps(facts), encoding="utf-8")
        yield from _transfer(address, part, facts, name, stop)
        if stop.requested():
            return ""
        found = sha256_of(part)
        note.unlink()
        if facts["sha256"] and found != facts["sha256"]:
            part.unlink()
            raise HandlensError(
                msg(
                    "The weights of {name} arrived damaged (their checksum is wrong) and were removed. Train again to "
                    "download them again, or download {address} yourself and train with --weights FILE.",
                    name=name,
                    address=address,
                ),
                details=f"SHA-256 is {found}, expected {facts['sha256']}",
            )
        try:
            _refuse_changed(name, found, known)
        except ChangedWeightsError:
            part.unlink()
            raise
        replace_with(part, to)
        return found
    finally:
        lock.release()


def _refuse_changed(name: str, found: str, known: str) -> None:
    if known and found != known:
        raise ChangedWeightsError(
            msg(
                "The weights of {name} at {endpoint} are not those that were downloaded the first time, so they were "
                "refused. Use them only if you know why they changed.",
                name=name,
                endpoint=_endpoint(),
            ),
            details=f"SHA-256 is {found}, the first time it was {known}",
        )


def _endpoint() -> str:
    """Return the address of the hub. Raises HandlensError if somebody on the way could change what it sends."""
    endpoint = os.environ.get("HF_ENDPOINT") or HUB
    if urllib.parse.urlsplit(endpoint).scheme != "https":
        raise HandlensError(
            msg(
                "Weights are downloaded over https only, but {setting} is {endpoint}. Give it an address that begins "
                "with https, or remove it.",
                setting="HF_ENDPOINT",
                endpoint=endpoint,
            )
        )
    return endpoint


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https addresses and refuses all others."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        address = urllib.parse.urlsplit(newurl)
        if address.scheme != "https":
            raise _InsecureError(f"{address.scheme}://{address.netloc}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _InsecureError(Exception):
    """A redirect leads away from https; `str` is its target."""


def _read_facts(note: Path) -> object:
    """Return the facts of the partial file; None if a kill or a full disk left them incomplete."""
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _file_facts(repo: str, name: str) -> dict[str, Any]:
    """Return address, size and checksum of the file."""
    # Not part of the bare installation, which downloads files with other addresses.
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    endpoint = _endpoint()
    url = hf_hub_url(repo, FILE, endpoint=endpoint)
    try:
        found = get_hf_file_metadata(url, token=False, timeout=10)
    except Exception as error:  # the HTTP library and its errors change with the version
        raise HandlensError(
            msg(
                "The weights of {name} could not be downloaded: there is no connection to {endpoint}, or they are not "
                "there. Download {address} on another computer and train with --backbone {name} --weights FILE.",
                name=name,
                endpoint=endpoint,
                address=file_url(repo),
            ),
            details=repr(error),
        ) from error
    # The ETag of a large file is its SHA-256, that of a small one is not.
    etag = found.etag or ""
    return {"url": url, "size": found.size or 0, "sha256": etag if re.fullmatch("[0-9a-f]{64}", etag) else ""}


def _url_facts(url: str, name: str, limit: int) -> dict[str, Any]:
    """Return address and size of a file that is on no hub."""
    request = urllib.request.Request(url, headers={"User-Agent": "handlens"}, method="HEAD")
    try:
        with _opener().open(request, timeout=READ_TIMEOUT) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
        if not 0 < size <= limit:
            raise ValueError(f"it has {size} bytes")
    except (OSError, http.client.HTTPException, ValueError, _InsecureError) as error:
        raise HandlensError(
            msg(
                "The weights of {name} could not be downloaded: there is no connection, or they are not there. "
                "Download {address} on another computer and train with --weights FILE.",
                name=name,
                address=url,
            ),
            details=repr(error),
        ) from error
    return {"url": url, "size": size, "sha256": ""}


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens https addresses, checks certificates and follows redirects to https only."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _HttpsRedirects())


def _transfer(address: str, part: Path, facts: dict[str, Any], name: str, stop: Stop) -> Generator[Event]:
    size = int(facts["size"])
    left, reached, why = MAX_ATTEMPTS, part.stat().st_size, ""
    yield Progress(stage="download", done=reached, total=size)
    while not stop.requested() and (reached < size or not size):
        try:
            yield from _stream(part, facts, stop)
            if not size:
                return
        except _BrokenError as error:
            why = str(error)
        now = part.stat().st_size
        left = MAX_ATTEMPTS if now > reached else left - 1
        reached = now
        if left == 0:
            raise HandlensError(
                msg(
                    "The download of {name} broke off after {reached:.0f} of {size:.0f} MB. Train again to continue, "
                    "or download {address} yourself and train with --weights FILE.",
                    name=name,
                    reached=reached / 1e6,
                    size=size / 1e6,
                    address=address,
                ),
                details=why,
            )
        if left < MAX_ATTEMPTS:
            time.sleep(RETRY_SECONDS)


def _stream(part: Path, facts: dict[str, Any], stop: Stop) -> Generator[Event]:
    """Append the missing bytes to `part`, in one connection."""
    have, size = part.stat().st_size, int(facts["size"])
    request = urllib.request.Request(facts["url"], headers={"User-Agent": "handlens", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with (
            _opener().open(request, timeout=READ_TIMEOUT) as answer,
            # A server without range requests sends the whole file.
            part.open("ab" if answer.status == 206 else "wb") as file,
        ):
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                yield Progress(stage="download", done=min(file.tell(), size or file.tell()), total=size)
                if stop.requested():
                    return
    except _InsecureError as error:
        raise HandlensError(
            msg(
                "The download was stopped because it was sent on to {address}, which is not https. Try again later, "
                "or download {file} yourself and train with --weights FILE.",
                address=str(error),
                file=facts["url"],
            )
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _BrokenError(str(error)) from error
