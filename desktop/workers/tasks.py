"""Short background work, such as thumbnails: numbered requests, and no late results."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, QRunnable, Qt, QThreadPool, Signal, Slot

_log = logging.getLogger(__name__)


class Tasks(QObject):
    """A small thread pool. Pictures are passed as QImage, never as QPixmap.

    `submit` returns a number; `done(number, result)` or `failed(number, exception)` follows in the thread of this
    object, unless the number was forgotten or `close` was called in between. A function must not touch widgets.
    """

    done = Signal(int, object)
    failed = Signal(int, object)
    _arrived = Signal(int, object, object)

    def __init__(self, parent: QObject | None = None, *, threads: int = 2) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)
        self._wanted: set[int] = set()
        self._next = 0
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(self, function: Callable[..., object], *args: object) -> int:
        """Run `function(*args)` in the pool and return the number of the request."""
        self._next += 1
        self._wanted.add(self._next)
        self._pool.start(_Task(self, self._next, function, args))
        return self._next

    def submit_stoppable(self, function: Callable[..., object], *args: object) -> int:
        """Run `function(*args, stopped=…)`, which ends early once `stopped()`: when its result is not wanted any more.

        For work without a limit in time, which `close` would wait for.
        """
        number = self._next + 1
        return self.submit(partial(function, *args, stopped=lambda: not self.wanted(number)))

    def forget(self, number: int) -> None:
        """Drop the result of `number`. It never starts if it has not started yet."""
        self._wanted.discard(number)

    def forget_all(self) -> None:
        self._wanted.clear()

    def wanted(self, number: int) -> bool:
        return number in self._wanted

    def close(self) -> None:
        """Drop all requests and wait for the running functions."""
        self.forget_all()
        self._pool.clear()
        self._pool.waitForDone()

    @Slot(int, object, object)
    def _deliver(self, number: int, result: object, error: object) -> None:
        if number not in self._wanted:
            return
        self._wanted.discard(number)
        if error is None:
            self.done.emit(number, result)
        else:
            self.failed.emit(number, error)


class _Task(QRunnable):
    def __init__(self, tasks: Tasks, number: int, function: Callable[..., object], args: tuple[object, ...]) -> None:
        super().__init__()
        self._tasks = tasks
        self._number = number
        self._function = function
        self._args = args

    def run(self) -> None:
        if not self._tasks.wanted(self._number):
            return
        try:
            result, error = self._function(*self._args), None
        except Exception as raised:  # everything goes to `failed`: a pool thread has no caller to raise to
            _log.debug("task %d failed", self._number, exc_info=True)
            result, error = None, raised
        self._tasks._arrived.emit(self._number, result, error)
