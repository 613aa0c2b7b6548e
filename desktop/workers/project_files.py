"""Rename, duplicate, archive and delete whole projects, in a pool thread. Loads the core when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QFile

from desktop.i18n import msg, text


def rename(path: Path, name: str) -> tuple[Path, str]:
    """Return where the project is now, and an empty sentence: the card shows it. Raises HandlensError."""
    from ml.api import rename_project

    return rename_project(path, name), ""


def duplicate(path: Path, name: str) -> tuple[Path, str]:
    """Copy a project under the next free name, and return the copy. Raises HandlensError."""
    from ml.api import duplicate_project, unused_project_name

    return duplicate_project(path, unused_project_name(path, name)), ""


def archive(
    path: Path, to: Path, with_sources: bool, progress: Callable[[float], None], *, stopped: Callable[[], bool]
) -> tuple[Path, str]:
    """Write a project to a ZIP file, and return the sentence about it. Raises HandlensError."""
    from ml.api import archive_project, archived_sentence

    def on_progress(fraction: float) -> bool:
        progress(fraction)
        return stopped()

    made = archive_project(path, to, with_sources=with_sources, on_progress=on_progress)
    return path, text(archived_sentence(made))


def move_to_bin(path: Path) -> tuple[Path, str]:
    """Move a project to the bin of the system. Raises HandlensError where it is open, or where there is no bin."""
    from ml.api import HandlensError, check_not_in_use

    check_not_in_use(path)
    moved = QFile.moveToTrash(str(path))
    if not moved or path.exists():
        raise HandlensError(
            msg(
                "The project could not be moved to the bin of the system. To delete it, remove the folder {path}.",
                path=str(path),
            )
        )
    return path, ""
