"""Rename, duplicate and archive whole projects. Nobody may have them open; the source files are only read."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ml.core.disk import is_disk_full_error, making_folder, replacing
from ml.core.errors import HandlensError
from ml.core.jobs import StopRequestedError
from ml.core.messages import Message, msg, nmsg
from ml.project.backup import copy_database
from ml.project.integrity import refuse_links
from ml.project.project import SUFFIX, Project
from ml.project.roots import root_name

FORBIDDEN_IN_NAMES = '<>:"/\\|?*'
"""What no name of a folder may contain on some system."""
LONGEST_FILE_NAME = 100
COPIES_KIND = "copies"
_DATABASE = "project.db"
_NOT_COPIED = {"cache", "backups"}
"""The cache is made again, and backups belong to the original."""
_PACKED = frozenset({".db", ".toml", ".csv", ".json", ".md"})
"""Only these become smaller; arrays and pictures take long and do not."""

OnProgress = Callable[[float], bool]
"""Takes the fraction that is done; returns whether to stop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Archived:
    """What lies in an archive: `files` sources, and how many sources were `missing`."""

    path: Path
    files: int
    missing: int


def check_project_name(name: str) -> None:
    """Raise HandlensError unless a project, and its folder, can have this name."""
    if not name:
        raise HandlensError(msg("Give the project a name."))
    if any(letter in FORBIDDEN_IN_NAMES or not letter.isprintable() for letter in name) or name.startswith("."):
        raise HandlensError(
            msg("A name cannot begin with a dot or contain any of {letters}", letters=FORBIDDEN_IN_NAMES)
        )
    if len(name) > LONGEST_FILE_NAME:
        raise HandlensError(msg("The name is too long. Use at most {most} letters.", most=LONGEST_FILE_NAME))


def rename_project(path: Path, name: str) -> Path:
    """Give a project and its folder another name, and return where it is now. Raises HandlensError."""
    name = name.strip()
    check_project_name(name)
    path = path.absolute()
    target = _beside(path, name)
    same = target.exists() and target.samefile(path)  # only another case of the letters
    if target.exists() and not same:
        raise _taken(target)
    with _alone(path), Project.open(path) as project:
        project.rename(name)
    if target != path:
        try:
            path.rename(target)
        except OSError as error:
            raise _failed(error) from error
    return target


def duplicate_project(path: Path, name: str) -> Path:
    """Copy a project into a folder beside it, without the cache, and return the copy. Raises HandlensError.

    Both use the same source files.
    """
    name = name.strip()
    check_project_name(name)
    path = path.absolute()
    target = _beside(path, name)
    if target.exists():
        raise _taken(target)
    refuse_links(path)
    try:
        with _alone(path), making_folder(target) as draft:
            copy_database(path / _DATABASE, draft / _DATABASE)
            for file in _own_files(path):
                copy = draft / file.relative_to(path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, copy)
    except (OSError, sqlite3.Error, ValueError) as error:
        raise _failed(error) from error
    with Project.open(target) as project:
        project.rename(name)
    return target


def check_not_in_use(path: Path) -> None:
    """Raise HandlensError where somebody has the project open or trains it."""
    with _alone(path.absolute()):
        pass


def unused_project_name(path: Path, name: str) -> str:
    """Return `name`, or `name` and a number, which no project beside `path` has yet."""
    number, wanted = 1, name
    while _beside(path, wanted).exists():
        number += 1
        wanted = f"{name} {number}"
    return wanted


def archive_project(path: Path, to: Path, *, with_sources: bool, on_progress: OnProgress | None = None) -> Archived:
    """Write a project to the ZIP file `to`. Raises HandlensError, and StopRequestedError if `on_progress` says so.

    `with_sources`: the source files lie in a folder beside the project, and the archived project finds them there.
    """
    path, to = path.absolute(), to.absolute()
    if to.is_relative_to(path):
        raise HandlensError(msg("The archive cannot lie inside the project. Choose another place."))
    refuse_links(path)
    try:
        with _alone(path), Project.open(path, to_read=True) as project, replacing(to) as draft:
            sources = _sources(project) if with_sources else {}
            return _pack(project, draft, sources, on_progress or (lambda _fraction: False), to=to)
    except (OSError, sqlite3.Error, ValueError, zipfile.LargeZipFile) as error:
        raise _failed(error) from error


def archived_sentence(made: Archived) -> Message:
    """Say where an archive is and what it lacks."""
    if made.missing:
        return nmsg(
            "The archive is in {path}. {count} source file is missing in it, because it could not be found.",
            "The archive is in {path}. {count} source files are missing in it, because they could not be found.",
            made.missing,
            path=str(made.path),
        )
    return msg("The archive is in {path}.", path=str(made.path))


def _beside(path: Path, name: str) -> Path:
    """Return where a project of that name lies beside this one; one made without the suffix keeps doing without."""
    return path.with_name(name + (SUFFIX if path.suffix.lower() == SUFFIX else ""))


def _pack(project: Project, draft: Path, sources: dict[str, Path], on_progress: OnProgress, *, to: Path) -> Archived:
    path, beside = project.path, f"{project.path.stem} sources"
    own = list(_own_files(path))
    there = {name: file for name, file in sources.items() if file.is_file()}
    total = sum(file.stat().st_size for file in (*own, *there.values())) or 1
    done = 0
    with (
        tempfile.TemporaryDirectory(prefix="handlens-") as folder,
        zipfile.ZipFile(draft, "w", strict_timestamps=False) as archive,
    ):
        database = Path(folder) / _DATABASE
        copy_database(path / _DATABASE, database)
        if sources:
            _point_to(database, beside)
        archive.write(database, f"{path.name}/{_DATABASE}", compress_type=zipfile.ZIP_DEFLATED)
        named = [(f"{path.name}/{file.relative_to(path).as_posix()}", file) for file in own]
        named += [(f"{beside}/{name}", file) for name, file in there.items()]
        for name, file in named:
            if on_progress(done / total):
                raise StopRequestedError
            packed = zipfile.ZIP_DEFLATED if file.suffix.lower() in _PACKED else zipfile.ZIP_STORED
            archive.write(file, name.encode("utf-8", "backslashreplace").decode("utf-8"), compress_type=packed)
            done += file.stat().st_size
    return Archived(path=to, files=len(there), missing=len(sources) - len(there))


def _sources(project: Project) -> dict[str, Path]:
    """Return every source by its path in the project, but not those that lie in the project anyway."""
    inside = {root.name for root in project.roots() if root.kind == COPIES_KIND}
    return {path: project.file(path) for path in project.stamps() if root_name(path) not in inside}


def _point_to(database: Path, beside: str) -> None:
    """Let a copy of a database find its sources in the folder `beside` the project."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'source_relative'", (f"../{beside}",))
        if connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'root'").fetchone():
            connection.execute("UPDATE root SET relative = ? || name WHERE kind != ?", (f"../{beside}/", COPIES_KIND))


def _own_files(project: Path) -> Iterator[Path]:
    """Every file of a project besides its database, caches, backups and locks."""
    for entry in sorted(project.iterdir()):
        if entry.name.startswith((".", "project.db", "project-damaged-")) or entry.name in _NOT_COPIED:
            continue
        if entry.is_dir():
            yield from (file for file in sorted(entry.rglob("*")) if file.is_file())
        elif entry.is_file():
            yield entry


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Make sure that nobody has the project open or trains it, until the block ends."""
    if not (path / _DATABASE).is_file():
        raise HandlensError(msg("There is no project at {path}. Check the name, or plug in its drive.", path=str(path)))
    try:
        with FileLock(path / ".studio.lock", timeout=0), FileLock(path / ".train.lock", timeout=0):
            yield
    except Timeout as error:
        raise HandlensError(
            msg("The project “{project}” is in use. Close it everywhere, then try again.", project=path.stem)
        ) from error


def _taken(path: Path) -> HandlensError:
    return HandlensError(
        msg("“{name}” already exists in {folder}. Choose another name.", name=path.name, folder=str(path.parent))
    )


def _failed(error: Exception) -> HandlensError:
    if isinstance(error, OSError) and is_disk_full_error(error):
        message = msg("The disk is full, so nothing was copied. Free some space and try again.")
    else:
        reason = getattr(error, "strerror", None) or str(error)
        message = msg(
            "The project could not be copied or moved ({reason}). Check that you may write to that folder.",
            reason=reason,
        )
    return HandlensError(message, details=repr(error))
