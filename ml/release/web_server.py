"""Serves the folder of a page to browsers: on this computer, or in the local network to those who have the token."""

from __future__ import annotations

import secrets
import socket
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}


class PageServer(ThreadingHTTPServer):
    """Answers GET for the files that lie directly in `folder`, and nothing else.

    In the local network (`lan`) the address has a token that nobody guesses. Port 0 takes a free one. Raises OSError
    where the port is taken.
    """

    daemon_threads = True

    def __init__(self, folder: Path, *, port: int = 0, lan: bool = False) -> None:
        self.token = secrets.token_urlsafe(9) if lan else ""
        handler = partial(_Handler, directory=str(folder), prefix=f"/{self.token}/" if lan else "/")
        super().__init__((EVERYWHERE if lan else LOOPBACK, port), handler)
        self.address = (
            f"http://{_own_address() if lan else LOOPBACK}:{self.server_port}/{self.token and self.token + '/'}"
        )


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **_TYPES}  # noqa: RUF012 - overrides the class's own

    def __init__(self, *arguments: Any, prefix: str, **options: Any) -> None:
        self._prefix = prefix  # the base class answers inside of its __init__
        super().__init__(*arguments, **options)

    def translate_path(self, path: str) -> str:
        """Return the file in the folder, or a name that no file has."""
        path = urlsplit(path).path
        name = path.removeprefix(self._prefix) if path.startswith(self._prefix) else "/"
        file = Path(self.directory) / (name or "index.html")
        known = "/" not in name and "\\" not in name and not name.startswith(".") and file.is_file()
        return str(file if known and not file.is_symlink() else Path(self.directory) / "\0missing")

    def send_head(self) -> Any:
        try:
            return super().send_head()
        except ValueError:  # the name that no file has
            self.send_error(404)
            return None

    def end_headers(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: the addresses have the token."""


def _own_address() -> str:
    """Return this computer's address in the local network. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])
