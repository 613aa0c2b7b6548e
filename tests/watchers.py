"""A watched folder under test: `handlens watch` as a process or thread, a real HTTP receiver and a real broker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

from ml.inference.answers import answer_row
from ml.inference.rules import RuleSet, read_rules
from ml.inference.watch import CsvLines, FolderWatch, WatchPlan, memory_file
from ml.inference.watch_memory import WatchMemory
from ml.runtime.model import ReleasedModel

ROOT = Path(__file__).resolve().parents[1]
COLOURS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}


def picture(path: Path, colour: str) -> Path:
    """A picture of one colour, as large as a camera's thumbnail, renamed into its place."""
    draft = path.with_name(f".{path.name}.part")
    Image.new("RGB", (96, 64), COLOURS[colour]).save(draft, format="PNG")
    return draft.replace(path)


def wait_until(true: Callable[[], bool], *, limit: float = 120.0) -> None:
    """Return as soon as something is so."""
    until = time.monotonic() + limit
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


class Watcher:
    """One `handlens watch --json`, its lines as they come."""

    def __init__(self, arguments: Sequence[object]) -> None:
        self.lines: list[dict[str, Any]] = []
        self._new = threading.Condition()
        command = [sys.executable, "-m", "ml.cli", "watch", *map(str, arguments), "--json"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._new:
                self.lines.append(json.loads(line))
                self._new.notify_all()
        with self._new:
            self._new.notify_all()

    def named(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    def wait_for(self, event: str, count: int = 1, *, limit: float = 120.0) -> list[dict[str, Any]]:
        """Return the events of that name once there are so many."""
        with self._new:
            there = self._new.wait_for(
                lambda: len(self.named(event)) >= count or self._process.poll() is not None, timeout=limit
            )
        if there and len(self.named(event)) < count:
            raise AssertionError(f"it ended before {event}: {self._close()}")
        assert there, (event, self.lines)
        return self.named(event)

    def kill(self) -> None:
        """As a power cut ends it."""
        self._process.kill()
        self._close()

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl+C; return the exit code and what it said on stderr."""
        self._process.send_signal(signal.SIGINT)
        error = self._close()
        return self._process.returncode, error

    def _close(self) -> str:
        self._process.wait(120)
        self._reader.join(120)
        assert self._process.stderr is not None and self._process.stdout is not None
        error = self._process.stderr.read()
        self._process.stderr.close()
        self._process.stdout.close()
        return error


@contextmanager
def watching(*arguments: object) -> Iterator[Watcher]:
    """A watcher that has begun; killed at the end if it still runs."""
    watcher = Watcher(arguments)
    try:
        watcher.wait_for("watching", limit=240)
        yield watcher
    finally:
        if watcher._process.poll() is None:
            watcher.kill()


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self._new = threading.Condition()

    def _tell(self, name: str, what: Any = None) -> None:
        with self._new:
            self.told.append((name, what))
            self._new.notify_all()

    def answered(self, answer: Any) -> None:
        self._tell("answered", answer)

    def fired(self, event: Any) -> None:
        self._tell("fired", event)

    def delivered(self, event: Any, action: str, problem: Any, again: bool) -> None:
        self._tell("delivered" if problem is None else "undelivered", (event, action, problem, again))

    def folder_gone(self) -> None:
        self._tell("gone")

    def folder_back(self) -> None:
        self._tell("back")

    def cannot_write(self, path: Path, error: OSError) -> None:
        self._tell("unwritable", path)

    def named(self, name: str) -> list[Any]:
        return [what for event, what in self.told if event == name]

    def wait_for(self, name: str, count: int = 1, *, limit: float = 120.0) -> list[Any]:
        """Return what was told under that name once it was so often."""
        with self._new:
            assert self._new.wait_for(lambda: len(self.named(name)) >= count, timeout=limit), (name, self.told)
        return self.named(name)


@contextmanager
def watching_here(
    model: Path, folder: Path, *, rules: Path | None = None, csv: Path | None = None
) -> Iterator[Recorder]:
    """The same in a thread of this process, which is sooner there."""
    released = ReleasedModel.open(model)
    lines = CsvLines(released.info)
    plan = WatchPlan(
        folder=folder,
        log=folder.parent / "alarms.jsonl",
        csv=csv,
        header=lines.header(),
        rows=lambda answer: lines.lines(answer_row(answer, released.info)),
        rules=RuleSet() if rules is None else read_rules(rules, released.info.classes),
    )
    memory = WatchMemory(memory_file(folder, csv))
    recorder, stop = Recorder(), threading.Event()
    watch = FolderWatch(released, plan, memory, recorder)
    thread = threading.Thread(target=watch.run, args=(stop.is_set,))
    thread.start()
    try:
        yield recorder
    finally:
        stop.set()
        thread.join(20)
        memory.close()


class Receiver:
    """An HTTP server that keeps what is posted to it. `statuses` are its first answers; then it answers 200."""

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self.events: list[dict[str, Any]] = []
        self.refused = 0
        left = list(statuses)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = left.pop(0) if left else 200
                if status == 200:
                    receiver.events.append(json.loads(body) | {"key": self.headers["Idempotency-Key"]})
                else:
                    receiver.refused += 1
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.address = f"http://127.0.0.1:{self._server.server_port}/alarm"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def mosquitto() -> str | None:
    """The MQTT broker, or None where it is not installed."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def broker(program: str, folder: Path, port: int, *, user: str, password: str) -> Iterator[None]:
    """A Mosquitto that accepts one user."""
    passwords = folder / "passwords"
    maker = shutil.which("mosquitto_passwd") or str(Path(program).parents[1] / "bin" / "mosquitto_passwd")
    subprocess.run([maker, "-b", "-c", str(passwords), user, password], check=True, capture_output=True)
    passwords.chmod(0o644)  # as root it becomes another user
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nuser root\n")
    process = subprocess.Popen([program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port) or process.poll() is not None)
        assert process.poll() is None, "the broker ended"
        yield
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
