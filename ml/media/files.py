"""Why the disk would not give us a file, in words for the person who owns it."""

from __future__ import annotations

import errno

from ml.core.messages import Message, msg

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
