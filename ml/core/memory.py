"""Recognise a lack of memory: each library reports it in its own words, and few of them say “memory”."""

from __future__ import annotations

import errno
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from ml.core.errors import HandlensError
from ml.core.messages import msg

MEMORY_RAN_OUT = msg(
    "Memory ran out. Close other programs, or use fewer or smaller files or a smaller preset, then try again."
)
TRAINING_KILLED = msg(
    "The system ended the work, most likely because memory ran short. "
    "Close other programs or choose a smaller preset, then resume the training."
)
"""Of a child process that did not end by itself, see `killed_for_memory`."""
WORK_KILLED = msg(
    "The system ended the work, most likely because memory ran short. "
    "Close other programs, or use fewer or smaller files, then try again."
)

_WORDS = (
    "out of memory",  # CUDA, MPS, SQLite
    "not enough memory",  # PyTorch on Windows
    "allocate memory",  # “can't …” by PyTorch, “cannot …” by the system
    "unable to allocate",  # NumPy
    "failed to allocate",  # ONNX Runtime
    "bad_alloc",
    "bad allocation",
    "failed to map segment",  # the loader of shared libraries
    "paging file is too small",  # the same on Windows
    "can't start new thread",
    "pthread_create failed",  # OpenBLAS
    "thread creation failed",
)
_NOT_MEMORY = ("static tls block",)
"""A library that was loaded too late: “cannot allocate memory in static TLS block”."""
_NUMBERS = {errno.ENOMEM}
_WINDOWS_NUMBERS = {8, 14, 1450, 1455}
"""Windows' ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY, ERROR_NO_SYSTEM_RESOURCES and ERROR_COMMITMENT_LIMIT."""
_STATUS_NO_MEMORY = 0xC0000017


def is_memory_shortage(error: BaseException) -> bool:
    """Return whether the error, or one that caused it, is a lack of memory in main memory or on any device."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if _reports_shortage(current):
            return True
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return False


def _reports_shortage(error: BaseException) -> bool:
    # torch.OutOfMemoryError, by its name: torch takes seconds to load.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, HandlensError) or not isinstance(error, Exception):
        return False
    if isinstance(error, OSError):
        if error.errno in _NUMBERS or getattr(error, "winerror", None) in _WINDOWS_NUMBERS:
            return True
        if error.filename is not None:
            return False  # a file may be called anything
    words = str(error).lower()
    return any(each in words for each in _WORDS) and not any(each in words for each in _NOT_MEMORY)


def killed_for_memory(exit_code: int | None) -> bool:
    """Return whether a child process with this exit code most likely ended because memory ran out.

    The kernel ends the largest process with SIGKILL; a C++ library that cannot allocate aborts.
    """
    if exit_code is None:
        return False
    signals = (getattr(signal, name, None) for name in ("SIGKILL", "SIGABRT"))
    if exit_code < 0:
        return sys.platform != "win32" and -exit_code in signals
    return exit_code & 0xFFFFFFFF == _STATUS_NO_MEMORY


def start_threads(count: int, *, name: str = "") -> ThreadPoolExecutor:
    """Return a pool whose threads all run already; with one thread where the system has no room for more.

    Raises RuntimeError if there is no room for a single one.
    """
    try:
        return _started(count, name)
    except RuntimeError as error:
        if count < 2 or not is_memory_shortage(error):
            raise
    return _started(1, name)


def _started(count: int, name: str) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(count, thread_name_prefix=name)
    complete = Event()
    try:
        for _ in range(count):
            pool.submit(complete.wait)  # an idle thread would be given the next one, too
    except RuntimeError:
        complete.set()
        pool.shutdown(cancel_futures=True)
        raise
    complete.set()
    return pool
