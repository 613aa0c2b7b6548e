"""Whether a project can be kept where it is: a full disk refuses in many words, few of which say that it is full."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from uuid import uuid4

from ml.writable import try_to_write

_TRIED = 1 << 16
"""Bytes: SQLite needs half as many for the index that its readers share."""


def is_writable(project: Path) -> bool:
    """Whether something can be kept in a project's folder. What `os.access` says of a share is not always so."""
    if not (os.access(project, os.W_OK) and os.access(project / "project.db", os.W_OK)):
        return False
    try:
        # Not by opening the database: closing it again would free the locks that others in this process have on it.
        try_to_write(project)
    except OSError:
        return False
    return True


def says_full(error: OSError) -> bool:
    """Whether the system refused because the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def try_to_fill(folder: Path) -> None:
    """Write a little into `folder` and take it away again. Raises OSError where that is not possible.

    Tried, not asked: what the system says of free space knows nothing of quotas.
    """
    probe = folder / f".{uuid4().hex}"
    handle = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_RDWR)
    try:
        _fill(handle)
    finally:
        probe.unlink()


def _fill(handle: int) -> None:
    """Write to it and close it. A share may say only then that it is full."""
    try:
        left = _TRIED
        while left:
            left -= os.write(handle, bytes(left))
    finally:
        os.close(handle)


def disk_is_full(folder: Path) -> bool:
    try:
        try_to_fill(folder)
    except OSError as error:
        return says_full(error)
    return False
