"""Memory that was let go of, given back to the system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def give_back() -> None:
    """Where the C library keeps what was freed for later (glibc does, hundreds of megabytes of it): ask it not to.

    To be called between stages that need much memory of different shapes.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)
