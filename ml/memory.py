"""Return freed memory to the system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def release_memory() -> None:
    """Call `malloc_trim`: glibc keeps hundreds of megabytes of freed memory for later.

    Call it between stages that allocate large arrays of different shapes.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)
