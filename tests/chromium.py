"""A headless Chromium, driven through a pipe with the DevTools protocol."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One tab. `run` evaluates an expression in it and waits for its promise."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive, self._rest, self._number = send, receive, b"", 0
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._ask("Page.enable")

    def open(self, address: str) -> None:
        self._ask("Page.navigate", url=address)
        self.run("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def run(self, expression: str) -> Any:
        answer = self._ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, *, width: int, height: int) -> str:
        """A PNG in Base64 of the page on a phone of that size."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True)
        return str(self._ask("Page.captureScreenshot")["data"])

    def command(self, method: str, **values: Any) -> Any:
        return self._ask(method, **values)

    def _ask(self, method: str, **values: Any) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": values}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                data = os.read(self._receive, 1 << 16)
                assert data, "Chromium ended"
                self._rest += data
            line, self._rest = self._rest.split(b"\0", 1)
            answer = json.loads(line)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]


@contextmanager
def chromium() -> Iterator[Page]:
    assert PROGRAM is not None
    to_child, send = os.pipe()
    receive, from_child = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        command += ["--remote-debugging-pipe", f"--user-data-dir={profile}"]
        # Chromium expects the pipes as its files 3 and 4.
        spare = [fcntl.fcntl(handle, fcntl.F_DUPFD, 10) for handle in (to_child, from_child)]
        nowhere = os.open(os.devnull, os.O_WRONLY)
        actions = [
            (os.POSIX_SPAWN_DUP2, spare[0], 3),
            (os.POSIX_SPAWN_DUP2, spare[1], 4),
            (os.POSIX_SPAWN_DUP2, nowhere, 2),
        ]
        process = os.posix_spawn(PROGRAM, command, os.environ, file_actions=actions)
        for handle in (to_child, from_child, nowhere, *spare):
            os.close(handle)
        try:
            yield Page(send, receive)
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(send)
            os.close(receive)
