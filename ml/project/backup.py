"""Copies of `project.db` in the folder `backups` of a project: one a day, the newest three, and the way back to one."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from ml.core.disk import is_disk_full_error
from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.project.integrity import refuse_links

FOLDER = "backups"
COPIES = 3
_NAME = re.compile(r"project-(\d{4}-\d{2}-\d{2})\.db")


def backups(project: Path) -> tuple[Path, ...]:
    """Return the copies of a project's database, the newest first."""
    try:
        found = [path for path in (project / FOLDER).iterdir() if _day(path) is not None and not path.is_symlink()]
    except OSError:
        return ()
    return tuple(sorted(found, key=lambda path: path.name, reverse=True))


def day_of(backup: Path) -> date:
    """Return the day when a copy was made. Raises ValueError for another file."""
    day = _day(backup)
    if day is None:
        raise ValueError(backup.name)
    return day


def back_up(project: Path) -> Path | None:
    """Copy the database unless there is a copy of today, and keep the newest `COPIES`. Return the new copy.

    None where there is one already or none could be made: a project must open all the same.
    """
    target = project / FOLDER / f"project-{datetime.now(UTC).date().isoformat()}.db"
    if target.exists():
        return None
    draft = target.with_name(f".{uuid4().hex}.part")
    try:
        target.parent.mkdir(exist_ok=True)
        for leftover in target.parent.glob(".*.part"):
            leftover.unlink(missing_ok=True)
        copy_database(project / "project.db", draft)
        draft.replace(target)
        for old in backups(project)[COPIES:]:
            old.unlink(missing_ok=True)
    except (OSError, sqlite3.Error, ValueError):
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        return None
    return target


def restore(project: Path, backup: Path | None = None) -> tuple[Path, Path]:
    """Put a copy, the newest if None, in the place of the database. Return the copy and where the old database is now.

    Raises HandlensError where there is no copy or the project is in use.
    """
    refuse_links(project)
    candidates = backups(project) if backup is None else (backup,)
    chosen = next((each for each in candidates if _is_sound(each)), None)
    if chosen is None:
        raise HandlensError(
            msg(
                "The project “{project}” has no sound backup of its database, so nothing can be restored. Put back a "
                "copy of the whole folder.",
                project=project.name,
            )
        )
    try:
        with FileLock(project / ".studio.lock", timeout=0), FileLock(project / ".train.lock", timeout=0):
            return chosen, _exchange(project, chosen)
    except Timeout as error:
        raise HandlensError(
            msg("The project “{project}” is in use. Close it everywhere, then restore it.", project=project.name)
        ) from error
    except OSError as error:
        if is_disk_full_error(error):
            raise HandlensError(
                msg("The backup could not be restored because the disk is full. Free some space and try again."),
                details=repr(error),
            ) from error
        raise HandlensError(
            msg(
                "The backup could not be restored ({reason}). Check that you may write to the project’s folder.",
                reason=error.strerror or str(error),
            ),
            details=repr(error),
        ) from error


def _exchange(project: Path, backup: Path) -> Path:
    """Copy the backup first, then rename twice: whatever happens, the damaged database is still there."""
    draft = project / f".{uuid4().hex}.part"
    try:
        shutil.copyfile(backup, draft)
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        aside = project / f"project-damaged-{datetime.now(UTC):%Y-%m-%d-%H%M%S}-{draft.name[1:5]}.db"
        for suffix in ("-wal", "-shm", "-journal", ""):
            with suppress(FileNotFoundError):
                (project / f"project.db{suffix}").rename(f"{aside}{suffix}")
        draft.replace(project / "project.db")
    finally:
        draft.unlink(missing_ok=True)
    return aside


def copy_database(database: Path, draft: Path) -> None:
    """Write a copy without gaps. Raises sqlite3.Error and ValueError if the database or the copy is not sound."""
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as source:
        source.execute("PRAGMA trusted_schema = OFF")
        # SQLite would make the file with 0644 whatever the umask allows; it fills an empty one.
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666))
        source.execute("VACUUM INTO ?", (str(draft),))
    if not _is_sound(draft):
        raise ValueError("the copy is damaged")
    with closing(sqlite3.connect(f"{draft.absolute().as_uri()}?mode=rw", uri=True)) as copy:
        # Projects are in WAL mode, which a copy does not take over.
        copy.execute("PRAGMA journal_mode = WAL")
    with draft.open("rb+") as file:
        os.fsync(file.fileno())


def _day(path: Path) -> date | None:
    match = _NAME.fullmatch(path.name)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _is_sound(database: Path) -> bool:
    """Return whether SQLite finds no error in a file that nobody has open."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.Error:
        return False
