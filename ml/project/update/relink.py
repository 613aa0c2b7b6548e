"""Whether a folder holds the files that a project was made from, or only others of the same names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ml.core.errors import HandlensError
from ml.core.messages import msg

_READ = 16
"""So many files are read and compared; of the others their size has to do."""
_MOST_DIFFER = 0.5


class KnownFile(NamedTuple):
    """A file as it was imported; `path` relative to the folder, `digest` SHA-256."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Of the `known` files of a project, in another folder: how many are not there, and how many are others now."""

    known: int
    missing: int
    changed: int


def compare(known: Sequence[KnownFile], folder: Path) -> Found:
    """Look for the known files in `folder`. Raises HandlensError where it is not the folder they were in."""
    sizes = {file.path: size for file in known if (size := _size(folder / file.path)) is not None}
    there = [file for file in known if file.path in sizes]
    if not there:
        raise HandlensError(
            msg("None of the project's files is in {folder}. Choose the folder that contains them.", folder=str(folder))
        )
    same_size = [file for file in there if sizes[file.path] == file.size]
    # Recordings of one length have one size whatever is heard; the smallest files are read soonest.
    read = sorted(same_size, key=lambda file: (file.size, file.path))[:_READ]
    changed = [file for file in read if not is_same(folder / file.path, file.digest)]
    other = len(there) - len(same_size)
    if other > _MOST_DIFFER * len(there) or len(changed) > _MOST_DIFFER * len(read):
        raise HandlensError(
            msg(
                "The files in {folder} have the same names as the project's files, but different contents. Choose the "
                "folder with the originals.",
                folder=str(folder),
            )
        )
    return Found(known=len(known), missing=len(known) - len(there), changed=other + len(changed))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def is_same(path: Path, digest: str) -> bool:
    """Return whether the file can be read and has this digest."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False
