"""Why a project could not be opened, and whether a backup can replace it."""

from __future__ import annotations

from pathlib import Path

from desktop.i18n import error_text, tr


def backup_day(error: BaseException) -> str:
    """Return the day of the backup that can replace the damaged database, ISO 8601; empty where there is none."""
    return str(getattr(error, "backup", ""))


def why_not_opened(error: BaseException, path: Path) -> str:
    """Return one sentence for any error, also for one that nobody expected of a file."""
    if getattr(error, "message", None) is not None:
        return error_text(error)
    return tr(
        "The project in {folder} cannot be opened because one of its files is damaged. Put back a copy of the folder "
        "from a backup.",
        folder=str(path),
    )
