"""Places that a user names for results: make their folders, and say why they cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

from ml.core.disk import is_disk_full_error
from ml.core.errors import HandlensError
from ml.core.messages import msg, verbatim


def make_folder(folder: Path) -> None:
    """Make `folder` if it is not there, but none above it: a name that is mistyped there would go unnoticed.

    Raises HandlensError where one above is missing, and OSError.
    """
    above = folder.absolute().parent
    if not above.exists():
        raise HandlensError(
            msg("There is no folder {above} to create {name} in. Check the name.", above=str(above), name=folder.name)
        )
    folder.mkdir(exist_ok=True)


def unwritable(target: Path, error: OSError) -> HandlensError:
    """What to say of a file that could not be written."""
    path = str(target)
    if is_disk_full_error(error):
        message = msg(
            "{path} could not be written: the disk is full. Free some space and try again, or choose another disk.",
            path=path,
        )
    elif error.errno in (errno.EACCES, errno.EPERM):
        message = msg("{path} could not be written: permission denied. Choose a folder you may write to.", path=path)
    elif error.errno == errno.EROFS:
        message = msg("{path} could not be written: the disk is read-only. Choose another folder.", path=path)
    else:
        message = msg(
            "{path} could not be written: {reason}. Choose another folder.",
            path=path,
            reason=verbatim(reason_of(error)),
        )
    return HandlensError(message, details=repr(error))


def reason_of(error: OSError) -> str:
    """What the system says, in its own words."""
    return error.strerror or str(error)
