"""How far `handlens predict` has come: one line on stderr, where that is a terminal."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ml.core.messages import nmsg, text
from ml.core.phrases import duration

BETWEEN = 0.2
"""Seconds between two looks of the line."""
_SURE_AFTER = 3.0
"""Seconds until the time that is left can be told."""


class FileProgress:
    """A line with the files done so far and, once they are counted, how many there are and the time left.

    `count` is called in a thread with a function that says whether to stop.
    """

    def __init__(self, count: Callable[[Callable[[], bool]], int | None], *, done: int = 0) -> None:
        self._before = self._done = done
        self._total: int | None = None
        self._count = count
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, name="count", daemon=True)
        self._shown = sys.stderr.isatty()
        self._width = 0
        self._began = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        if self._shown:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self.clear()
        if self._shown:
            self._thread.join()

    def move(self) -> None:
        """One more file is done."""
        self._done += 1
        now = time.monotonic()
        if self._shown and now - self._drawn >= BETWEEN:
            self._drawn = now
            self._draw(self._words(now - self._began))

    def make_room(self, *, on_stderr: bool) -> None:
        """Something is about to be printed, on stdout or `on_stderr`."""
        if on_stderr or sys.stdout.isatty():
            self.clear()

    def clear(self) -> None:
        """Take the line away, so that others can be written."""
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0

    def _look(self) -> None:
        self._total = self._count(self._stopped.is_set)

    def _draw(self, words: str) -> None:
        words = words[: max(10, shutil.get_terminal_size().columns - 1)]
        sys.stderr.write("\r" + words.ljust(self._width))
        sys.stderr.flush()
        self._width = len(words)

    def _words(self, seconds: float) -> str:
        if self._total is None or self._total < self._done:
            return text(nmsg("{count} file", "{count} files", self._done))
        here = self._done - self._before
        if seconds < _SURE_AFTER or not here:
            return text(nmsg("{count} of {total} files", "{count} of {total} files", self._done, total=self._total))
        left = duration((self._total - self._done) * seconds / here)
        return text(
            nmsg(
                "{count} of {total} files, {left} left",
                "{count} of {total} files, {left} left",
                self._done,
                total=self._total,
                left=left,
            )
        )
