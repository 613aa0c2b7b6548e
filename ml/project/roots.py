"""The folders that a project's files lie in: the source folder, and what was added beside it later.

A path in a project is relative to the source folder, unless it begins with the name of a root, which begins with “+”.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from ml.project import store as tables

RootKind = Literal["folder", "files", "copies"]
"""All of a folder, single files of one, or copies in the project's own folder."""
MARK = "+"
COPIES = "added"
"""The folder inside the project for copies of what has no lasting place of its own, such as pasted pictures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Root:
    """`name` begins the path of each of its files; `absolute` and `relative` (to the project) say where they are."""

    name: str
    kind: RootKind
    absolute: str
    relative: str

    def folder(self, project: Path) -> Path:
        """Return where its files are, for the project at `project`; the folder may have gone."""
        if self.kind == "copies":
            return project / COPIES
        absolute, relative = Path(self.absolute), project / self.relative
        return relative.resolve() if relative.is_dir() and not absolute.is_dir() else absolute


def read_roots(connection: sa.Connection) -> dict[str, Root]:
    """Return all roots but the source folder, by name; none in a project of an earlier version."""
    if not sa.inspect(connection).has_table(tables.roots.name):
        return {}
    rows = connection.execute(sa.select(tables.roots).order_by(tables.roots.c.name)).mappings()
    return {row["name"]: Root(**row) for row in rows}


def root_name(path: str) -> str:
    """Return the name of the root that a path begins with; empty for the source folder."""
    first, slash, _rest = path.partition("/")
    return first if slash and first.startswith(MARK) else ""


def unused_name(folder: Path, taken: Collection[str]) -> str:
    """Return a name for a new root that says which folder it is."""
    wanted = MARK + (folder.name or "files").encode("utf-8", "backslashreplace").decode("utf-8")
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted} {number}"
    return name


def place_of(folder: Path, project: Path) -> dict[str, str]:
    """Return where a folder is, from the system's and from the project's point of view."""
    folder = folder.absolute()
    try:
        relative = os.path.relpath(folder, project)
    except ValueError:  # another drive on Windows
        relative = str(folder)
    return {"absolute": str(folder), "relative": Path(relative).as_posix()}


def innermost(path: Path, folders: Iterable[tuple[str, Path]]) -> tuple[str, Path] | None:
    """Return that of the named folders which holds `path` most closely; None where none does."""
    holding = [(name, folder) for name, folder in folders if path.is_relative_to(folder)]
    return max(holding, key=lambda item: len(item[1].parts), default=None)
