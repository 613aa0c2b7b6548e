"""Why the disk would not give us a file, in words for the person who owns it."""

from __future__ import annotations

import errno

_CLOUD_ERRORS = range(358, 405)
"""Windows' ERROR_CLOUD_FILE_…: the name is on this machine, the bytes are not."""

EMPTY = "The file is empty."

_REASONS = {
    errno.EACCES: "The file may not be opened; allow reading it and look again.",
    errno.EPERM: "The file may not be opened; allow reading it and look again.",
    errno.ENOENT: "The file is no longer there.",
    errno.ENOTDIR: "The file is no longer there.",
    errno.ELOOP: "The file is a link that leads back to itself.",
    errno.EISDIR: "This is a folder with the name of a file.",
    errno.ENAMETOOLONG: "The name of the file is too long for this computer; shorten it or its folders.",
}


def disk_reason(error: BaseException) -> str | None:
    """One sentence if `error` comes from the disk, None if it comes from a decoder."""
    if not isinstance(error, OSError):
        return None
    if getattr(error, "winerror", None) in _CLOUD_ERRORS:
        return "The file is only in the cloud; make it available on this computer and look again."
    if error.errno is None:
        return None
    return _REASONS.get(
        error.errno, "The disk could not deliver the file; check the disk or the network connection and look again."
    )
