"""The size of a project's cache, and how it is cleared: everything in it can be computed again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ml.project.project import Project

KEPT_LONGEST = ("thumbnails", "embeddings-")
"""Beginnings of the names of parts that are small beside the time they save; they are removed last."""
REMOVED_FIRST = "grids-"
"""The feature grids are most of the cache, and only the maps of a first model need them."""


def cache_bytes(project: Path) -> int:
    """Return the bytes of the cache of the project at `project`."""
    return sum(_bytes_in(part) for part in _parts(project))


def clear_cache(project: Project) -> int:
    """Remove the cache, and return how many bytes became free. Raises HandlensError while the project is trained."""
    return shrink_cache(project, most=0)


def shrink_cache(project: Project, *, most: int) -> int:
    """Remove parts of the cache until it has at most `most` bytes, and return how many became free.

    Raises HandlensError while the project is trained.
    """
    lock = project.lock("train")
    try:
        before = cache_bytes(project.path)
        left = before
        for part in sorted(_parts(project.path), key=_order):
            if left <= most:
                break
            size = _bytes_in(part)
            shutil.rmtree(part, ignore_errors=True)
            left -= size - _bytes_in(part)
        return before - left
    finally:
        lock.release()


def _parts(project: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from [each for each in (project / "cache").iterdir() if each.is_dir() and not each.is_symlink()]


def _order(part: Path) -> tuple[int, str]:
    last = next((1 + place for place, name in enumerate(reversed(KEPT_LONGEST)) if part.name.startswith(name)), 0)
    return (-1 if part.name.startswith(REMOVED_FIRST) else last), part.name


def _bytes_in(folder: Path) -> int:
    total = 0
    for place, _folders, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # removed in between
                total += (Path(place) / name).lstat().st_size
    return total
