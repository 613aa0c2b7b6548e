"""Run the command line as a child process under a time limit, and tell how it ended and how much memory it held."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 1 << 30
MOST_CHARACTERS = 1500
"""One sentence that says what happened and one that says what to do are shorter, with two long paths in them."""
FAULT_WORDS = ("Traceback", "nternal error", "fault in Handlens", "HANDLENS_DEBUG")

Ending = Literal["worked", "one message", "several lines", "traceback or crash", "too slow", "over 1 GB"]
ENDINGS: tuple[Ending, ...] = ("worked", "one message", "several lines", "traceback or crash", "too slow", "over 1 GB")
GOOD: tuple[Ending, ...] = ("worked", "one message")


@dataclass(frozen=True)
class Ended:
    """How a child process ended: `code` is None where it was killed at the time limit."""

    code: int | None
    out: str
    err: str
    seconds: float
    most_bytes: int

    @property
    def ending(self) -> Ending:
        """The worst that can be said of it."""
        if self.code is None:
            return "too slow"
        if self.most_bytes > MOST_BYTES:
            return "over 1 GB"
        if self.code < 0 or self.code > 2 or any(words in self.err for words in FAULT_WORDS):
            return "traceback or crash"
        if self.code == 0:
            return "worked"
        one = len(self.err.splitlines()) == 1 and len(self.err) <= MOST_CHARACTERS
        return "one message" if one else "several lines"


def run_child(arguments: Sequence[object], *, limit: float, module: str = "ml.cli") -> Ended:
    """Run `python -m MODULE ARGUMENTS…`; its whole family is killed after `limit` seconds."""
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("HANDLENS_DEBUG", None)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        child = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=ROOT, env=environment)
        most, code = 0, None
        try:
            while code is None and time.monotonic() < began + limit:
                most = max(most, _memory(child))
                with suppress(psutil.TimeoutExpired):
                    code = child.wait(0.05)
        finally:
            _kill_family(child)
        seconds = time.monotonic() - began
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    return Ended(code, *texts, seconds, most)


def _memory(child: psutil.Process) -> int:
    """Bytes that the child and its children hold; what several of them share counts once for each."""
    held = 0
    for one in _family(child):
        with suppress(psutil.Error):
            held += one.memory_info().rss
    return held


def _family(child: psutil.Process) -> list[psutil.Process]:
    try:
        return [child, *child.children(recursive=True)]
    except psutil.Error:
        return []


def _kill_family(child: psutil.Process) -> None:
    for one in _family(child):
        with suppress(psutil.Error):
            one.kill()
    child.wait()
