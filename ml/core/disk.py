"""Whether a project can be kept where it is: a full disk refuses in many words, few of which say that it is full."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from uuid import uuid4

from ml.core.messages import Message, msg

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


def is_disk_full_error(error: OSError) -> bool:
    """Whether the system refused because the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def check_free_space(folder: Path) -> None:
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
        check_free_space(folder)
    except OSError as error:
        return is_disk_full_error(error)
    return False


def try_to_write(folder: Path) -> None:
    """Make an empty file and take it away again. Raises OSError where that is not possible.

    Not through `tempfile`, which on Windows takes a refusal for a name that is taken and tries hundreds of thousands.
    """
    probe = folder / f".{uuid4().hex}"
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_RDWR))
    probe.unlink()


_CLOUD_ERRORS = range(358, 405)
"""Windows' ERROR_CLOUD_FILE_…: the name is on this machine, the bytes are not."""

EMPTY = msg("The file is empty.")
UNREADABLE = msg("The file could not be read.")
_CLOSED = msg("The file may not be opened. Allow reading it and try again.")
_GONE = msg("The file is no longer there.")

_REASONS = {
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.ENOENT: _GONE,
    errno.ENOTDIR: _GONE,
    errno.ELOOP: msg("The file is a link that leads back to itself."),
    errno.EISDIR: msg("This is a folder with the name of a file."),
    errno.ENAMETOOLONG: msg(
        "The name of the file is too long for this computer. Shorten it or the names of its folders."
    ),
}


def disk_reason(error: BaseException) -> Message | None:
    """One sentence if `error` comes from the disk, None if it comes from a decoder."""
    if not isinstance(error, OSError):
        return None
    if getattr(error, "winerror", None) in _CLOUD_ERRORS:
        return msg("The file is only in the cloud. Make it available on this computer and try again.")
    if error.errno is None:
        return None
    return _REASONS.get(
        error.errno,
        msg("The disk could not deliver the file. Check the disk or the network connection and try again."),
    )
