"""Ctrl+C in a terminal reaches every process of the program; only the first is to answer it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def children_deaf_to_interrupts() -> Iterator[None]:
    """Child processes that are started inside never hear Ctrl+C, not even while they are still loading.

    A Ctrl+C in the meantime reaches this process afterwards. Does nothing on Windows, which has no signal masks.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # starting it inside would undo the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
