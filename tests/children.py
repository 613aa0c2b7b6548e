"""Run the command line as a child process under a time limit, and tell how it ended and how much memory it held."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from ml.cli import main

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 1 << 30
PATIENCE = 5
"""Wall time may be so many times the limit: a process that waits for ever uses no processor time."""
MOST_CHARACTERS = 1500
"""One sentence that says what happened and one that says what to do are shorter, with two long paths in them."""
FAULT_WORDS = ("Traceback", "nternal error", "fault in Handlens", "HANDLENS_DEBUG")

Ending = Literal["worked", "one message", "several lines", "traceback or crash", "too slow", "over 1 GB"]
ENDINGS: tuple[Ending, ...] = ("worked", "one message", "several lines", "traceback or crash", "too slow", "over 1 GB")
GOOD: tuple[Ending, ...] = ("worked", "one message")


@dataclass(frozen=True)
class Ended:
    """How a child process ended: `code` is None where it was killed at a limit."""

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


def run_child(arguments: Sequence[object], *, limit: float, forked: bool = False) -> Ended:
    """Run a command in a process of its own; its whole family is killed after `limit` seconds of processor time.

    `forked`: in a copy of this process where the system can do that, which saves the seconds in which libraries load.
    """
    words = [str(argument) for argument in arguments]
    begin = _fork if forked and hasattr(os, "fork") else _start
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = begin(words, out.fileno(), err.fileno())
        most, code = 0, None
        try:
            while code is None and time.monotonic() < began + PATIENCE * limit:
                held, busy = _usage(child)
                most = max(most, held)
                if busy > limit:
                    break
                with suppress(psutil.TimeoutExpired):
                    code = child.wait(0.1)
        finally:
            _kill_family(child)
        seconds = time.monotonic() - began
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    return Ended(code, *texts, seconds, most)


def _start(words: list[str], out: int, err: int) -> psutil.Process:
    environment = {name: value for name, value in os.environ.items() if name != "HANDLENS_DEBUG"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "ml.cli", *words]
    return psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=ROOT, env=environment)


def _fork(words: list[str], out: int, err: int) -> psutil.Process:
    sys.stdout.flush()
    if process := os.fork():
        return psutil.Process(process)
    code = 70
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.environ.pop("HANDLENS_DEBUG", None)
        sys.argv = ["handlens", *words]
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _usage(child: psutil.Process) -> tuple[int, float]:
    """Bytes that the child and its children hold, and seconds of processor time that they used.

    What several of them share counts once for each. Wall time says little on a machine that others use.
    """
    held, busy = 0, 0.0
    for one in _family(child):
        with suppress(psutil.Error), one.oneshot():
            held += one.memory_info().rss
            times = one.cpu_times()
            busy += times.user + times.system
    return held, busy


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
