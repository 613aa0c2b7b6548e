"""Files that were moved or renamed since they were imported stay the samples they were; those that are gone are left
out until they are back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import sqlalchemy as sa

from ml.project import store as tables
from ml.project.labels import append_change, default_annotator, read_samples
from ml.project.samples import FoundFile, ScanReport, Task

_GONE = "The file is not in the folder any more; put it back and add the folder again."


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """`moved` known files lie elsewhere now; `gone` ones were found nowhere."""

    moved: int = 0
    gone: tuple[str, ...] = ()


def follow(connection: sa.Connection, report: ScanReport, *, task: Task) -> Followed:
    """Let the known sources follow their files to where `report` found them.

    A source whose path is gone and whose bytes lie at a new path is that file, moved: it keeps its samples, its split
    and what a person said of it; a label that its folder gave follows the folder. Whatever else is gone stands among
    the unreadable files from now on, so that nothing learns from it, until a scan finds it again.
    """
    columns = tables.sources.c
    known = {
        row.path: _Source(row.id, row.path, row.digest)
        for row in connection.execute(sa.select(columns.id, columns.path, columns.digest))
    }
    fresh = [file for file in report.files if file.path not in known]
    lost = _lost(known.keys(), fresh, report)
    moves = _pairs([known[path] for path in sorted(lost)], fresh)
    left = {path for path in lost if known[path].id in moves}
    connection.execute(
        tables.unreadable.delete().where(tables.unreadable.c.path == sa.bindparam("found")),
        [{"found": path} for path in [*(file.path for file in report.files), *left]],
    )
    if moves:
        _move(connection, moves)
        _labels_follow(connection, moves, task=task)
    gone = tuple(sorted(lost - left))
    if gone:
        connection.execute(
            tables.unreadable.insert().prefix_with("OR REPLACE"), [{"path": path, "reason": _GONE} for path in gone]
        )
    return Followed(moved=len(moves), gone=gone)


class _Source(NamedTuple):
    id: int
    path: str
    digest: str


def _lost(known: Set[str], fresh: Sequence[FoundFile], report: ScanReport) -> set[str]:
    """Known paths where no file is any more. Where upper and lower case are one, the old name still finds the file
    that has a new one."""
    seen = {file.path for file in report.files} | {item.path for item in report.unreadable}
    renamed = {file.path.casefold() for file in fresh}
    folder = Path(report.folder)
    return {path for path in known - seen if path.casefold() in renamed or not (folder / path).exists()}


def _pairs(lost: Sequence[_Source], fresh: Sequence[FoundFile]) -> dict[int, FoundFile]:
    """Where each lost source went, by its id. Of several copies those of one name belong together."""
    free: dict[str, list[FoundFile]] = defaultdict(list)
    for file in sorted(fresh, key=lambda file: file.path):
        free[file.digest].append(file)
    moves: dict[int, FoundFile] = {}
    for same_name in (True, False):
        for source in lost:
            name = PurePosixPath(source.path).name
            found = [file for file in free[source.digest] if not same_name or PurePosixPath(file.path).name == name]
            if source.id not in moves and found:
                moves[source.id] = found[0]
                free[source.digest].remove(found[0])
    return moves


def _move(connection: sa.Connection, moves: Mapping[int, FoundFile]) -> None:
    source = tables.sources
    connection.execute(
        source.update()
        .where(source.c.id == sa.bindparam("moved"))
        .values(path=sa.bindparam("to"), size=sa.bindparam("bytes"), mtime_ns=sa.bindparam("changed")),
        [
            {"moved": identity, "to": file.path, "bytes": file.size, "changed": file.mtime_ns}
            for identity, file in moves.items()
        ],
    )


def _labels_follow(connection: sa.Connection, moves: Mapping[int, FoundFile], *, task: Task) -> None:
    """What a folder said, the new folder says now; what a table says of a file does not hang on its folder."""
    wanted = {
        identity: file.class_names
        for identity, file in moves.items()
        if file.labelled and not file.from_table and file.spans is None
    }
    if task == "single":
        _rename_classes(connection, wanted)
    rows = connection.execute(sa.select(tables.classes)).mappings()
    indices: dict[str, int] = {row["name"]: row["index"] for row in rows}
    for name in sorted({name for names in wanted.values() for name in names} - indices.keys()):
        indices[name] = len(indices)
        connection.execute(tables.classes.insert().values(index=indices[name], name=name))
    said_by_person = set(
        connection.execute(
            sa.select(tables.label_changes.c.sample_id).where(tables.label_changes.c.origin != "import")
        ).scalars()
    )
    for sample in read_samples(connection, task=task):
        if sample.source_id not in wanted or sample.id in said_by_person:
            continue
        new = tuple(indices[name] for name in wanted[sample.source_id])
        if new != sample.labels or not sample.labelled:
            append_change(connection, sample.id, new, default_annotator(), "import")


def _rename_classes(connection: sa.Connection, wanted: Mapping[int, tuple[str, ...]]) -> None:
    """A class whose whole folder got another name is called by that: the runs that know it go on knowing it."""
    rows = connection.execute(sa.select(tables.classes)).mappings()
    names: dict[int, str] = {row["index"]: row["name"] for row in rows}
    now: dict[int, set[tuple[str, ...] | None]] = defaultdict(set)
    for sample in read_samples(connection, task="single"):
        if sample.set_by == "import":
            now[sample.labels[0]].add(wanted.get(sample.source_id))
    for index, found in now.items():
        new = next(iter(found))
        if len(found) == 1 and new is not None and new[0] not in names.values():
            connection.execute(tables.classes.update().where(tables.classes.c.index == index).values(name=new[0]))
            names[index] = new[0]
