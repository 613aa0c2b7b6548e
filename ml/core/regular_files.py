"""Refuse what only looks like a file: a pipe waits for ever, and a device such as /dev/zero never ends."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import msg

NOT_A_FILE = msg("This is a pipe, a device or a socket, not a file. Choose a file.")


def check_regular(path: Path) -> os.stat_result:
    """Return the facts of a regular file, or of what a link leads to. Call it before opening a path of the user's.

    Raises UnreadableError for a pipe, a device or a socket; IsADirectoryError for a folder; OSError where the system
    refuses to look.
    """
    info = path.stat()
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(info.st_mode):
        raise UnreadableError(NOT_A_FILE, details=f"{path}: {stat.filemode(info.st_mode)}")
    return info


def refuse_irregular(path: Path) -> None:
    """Raise HandlensError, with the path, for a pipe, a device or a socket; what else is wrong shows at opening."""
    try:
        check_regular(path)
    except UnreadableError as error:
        message = msg("{path} is a pipe, a device or a socket, not a file. Choose a file.", path=str(path))
        raise HandlensError(message, details=error.details) from error
    except OSError:
        return
