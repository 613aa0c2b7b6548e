"""Files that were moved, renamed or changed since they were imported stay the samples they were; those that are gone
are left out until they are back."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import sqlalchemy as sa

from ml.core.messages import msg
from ml.core.scan_report import FoundFile, ScanReport
from ml.core.types import Cut, TaskName, Windowing
from ml.project import store as tables
from ml.project.labelfiles.windows import pieces_of
from ml.project.labels import Given, append_imports, read_samples
from ml.project.roots import root_name
from ml.project.update.insert import class_indices, leave_out
from ml.scoring.tasks import task_named

_GONE = msg("The file is no longer in the folder. Put it back and add the folder again.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """`moved` known files lie elsewhere now, `changed` ones hold other bytes under their old name, `gone` ones were
    found nowhere. A gone file whose name another has now is called as `replaced` says."""

    moved: int = 0
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def reconcile(connection: sa.Connection, report: ScanReport, *, task: TaskName, cut: Cut | None) -> Reconciled:
    """Let the known sources follow their files to where `report` found them.

    A file is known by its name and its bytes. A source whose name does not hold its bytes any more, but a new one
    does, is that file, moved: it keeps its samples, its split and what a person said of it; a label that its folder
    gave follows the folder. One whose name holds bytes that nobody knows was changed, and keeps all of that as well.
    Whatever else is gone stands among the unreadable files from now on, so that nothing learns from it, until a scan
    finds it again.
    """
    columns = tables.sources.c
    query = sa.select(columns.id, columns.path, columns.digest).order_by(columns.path)
    everything = [_Source(row.id, row.path, row.digest) for row in connection.execute(query)]
    # What was added from elsewhere is not looked for in the folder.
    known = [source for source in everything if not root_name(source.path)]
    held = _held(report)
    away = [source for source in known if held.get(source.path) != source.digest]
    here = {source.path for source in known} - {source.path for source in away}
    fresh = [file for file in report.files if file.path not in here]
    moves = _pairs(away, fresh)
    old_paths = [source.path for source in away if source.id in moves]
    missed = [source for source in away if source.id not in moves]
    moved_to = {file.path for file in moves.values()}
    new = {file.path: file for file in fresh if file.path not in moved_to}
    changes = _changes(connection, missed, new, digests={source.digest for source in everything}, cut=cut)
    nameless = [source for source in missed if source.path in held and source.id not in changes]
    gone = _lost([source for source in missed if source.path not in held], fresh, report)
    gone |= _named_anew(nameless, taken={*held, *(source.path for source in everything)})
    connection.execute(
        tables.unreadable.delete().where(tables.unreadable.c.path == sa.bindparam("found")),
        [{"found": path} for path in [*held, *old_paths]],
    )
    _write(connection, moves | changes, gone)
    # Before the labels: those of files that are gone have no say in what a class is called.
    leave_out(connection, dict.fromkeys(gone.values(), _GONE))
    if moves:
        _labels_follow(connection, moves, task=task)
    changed = tuple(sorted(file.path for file in changes.values()))
    return Reconciled(moved=len(moves), changed=changed, gone=tuple(sorted(gone.values())))


def replaced(path: str) -> str:
    """What a file that is gone is called from when on another has its name."""
    return f"{path} (replaced)"


class _Source(NamedTuple):
    id: int
    path: str
    digest: str


def _held(report: ScanReport) -> dict[str, str]:
    """The digest of what lies at each path. Where a task is not exclusive, one of several copies stands for all."""
    held = {file.path: file.digest for file in report.files}
    for copies in report.duplicates:
        digest = next((held[path] for path in copies.paths if path in held), None)
        if digest is not None:
            held.update(dict.fromkeys(copies.paths, digest))
    return held


def _pairs(away: Sequence[_Source], fresh: Iterable[FoundFile]) -> dict[int, FoundFile]:
    """Where each source went, by its id. Of several copies those of one name belong together."""
    moves: dict[int, FoundFile] = {}
    for same_name in (True, False):
        taken = {file.path for file in moves.values()}
        free: dict[tuple[str, str], deque[FoundFile]] = defaultdict(deque)
        for file in sorted(fresh, key=lambda file: file.path):
            if file.path not in taken:
                free[file.digest, PurePosixPath(file.path).name if same_name else ""].append(file)
        for source in away:
            found = free.get((source.digest, PurePosixPath(source.path).name if same_name else ""))
            if source.id not in moves and found:
                moves[source.id] = found.popleft()
    return moves


def _changes(
    connection: sa.Connection,
    missed: Iterable[_Source],
    new: Mapping[str, FoundFile],
    *,
    digests: Collection[str],
    cut: Cut | None,
) -> dict[int, FoundFile]:
    """The `new` files that sources became without being moved, by the sources' ids.

    Not where these are bytes that another source has, too: as a copy the file belongs on that one's side of the test.
    Nor where a recording is cut into other windows now: what was said of the old ones is not true of these.
    """
    changes: dict[int, FoundFile] = {}
    met = set(digests)
    for source in missed:
        file = new.get(source.path)
        if file is not None and file.digest not in met and _cut_alike(connection, source, file, cut):
            changes[source.id] = file
            met.add(file.digest)
    return changes


def _cut_alike(connection: sa.Connection, source: _Source, file: FoundFile, cut: Cut | None) -> bool:
    """Whether the samples of a source begin where those of the file would; where they end is then as in the file."""
    if cut is None:
        return True
    samples = tables.samples
    query = sa.select(samples.c.id, samples.c.start).where(samples.c.source_id == source.id).order_by(samples.c.start)
    rows = connection.execute(query).all()
    windows = pieces_of(file, cut)
    if not windows and not isinstance(cut, Windowing):
        return all(row.start is None for row in rows)
    if [row.start for row in rows] != [start for start, _end in windows]:
        return False
    for row, (_start, end) in zip(rows, windows, strict=True):
        connection.execute(samples.update().where(samples.c.id == row.id).values(end=end))
    return True


def _lost(missed: Iterable[_Source], fresh: Iterable[FoundFile], report: ScanReport) -> dict[int, str]:
    """Paths, by the sources' ids, where no file is any more. Where upper and lower case are one, the old name still
    finds the file that has a new one."""
    broken = {item.path for item in report.unreadable}
    renamed = {file.path.casefold() for file in fresh}
    folder = Path(report.folder)
    return {
        source.id: source.path
        for source in missed
        if source.path not in broken and (source.path.casefold() in renamed or not _is_there(folder / source.path))
    }


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # in a folder that may not be opened, or on a drive that hangs
        return True
    return True


def _named_anew(nameless: Iterable[_Source], taken: set[str]) -> dict[int, str]:
    """A path of its own for each source that is gone while another file has its name."""
    names: dict[int, str] = {}
    for source in nameless:
        name = replaced(source.path)
        while name in taken:
            name = replaced(name)
        taken.add(name)
        names[source.id] = name
    return names


def _write(connection: sa.Connection, files: Mapping[int, FoundFile], gone: Mapping[int, str]) -> None:
    """What the sources are now, by their ids. First none has a path that another could be waiting for."""
    source = tables.sources
    row = source.update().where(source.c.id == sa.bindparam("source"))
    waiting = [{"source": identity, "to": f"/{identity}"} for identity in [*files, *gone]]
    facts = ("path", "size", "mtime_ns", "digest", "width", "height", "duration", "rate", "channels")
    known = [
        {"source": identity} | {f"its_{fact}": getattr(f, fact) for fact in facts} for identity, f in files.items()
    ]
    to_path = row.values(path=sa.bindparam("to"))
    for statement, values in (
        (to_path, waiting),
        (row.values({fact: sa.bindparam(f"its_{fact}") for fact in facts}), known),
        (to_path, [{"source": identity, "to": path} for identity, path in gone.items()]),
    ):
        if values:
            connection.execute(statement, values)


def _labels_follow(connection: sa.Connection, moves: Mapping[int, FoundFile], *, task: TaskName) -> None:
    """What a folder said, the new folder says now; what a table says of a file does not hang on its folder."""
    wanted = {
        identity: file.class_names
        for identity, file in moves.items()
        if file.labelled and not file.from_table and file.spans is None
    }
    if task_named(task).exclusive:
        _rename_classes(connection, wanted)
    indices = class_indices(connection, {name for names in wanted.values() for name in names})
    said_by_person = set(
        connection.execute(
            sa.select(tables.label_changes.c.sample_id).where(tables.label_changes.c.origin != "import")
        ).scalars()
    )
    given: dict[int, list[Given]] = {}
    for sample in read_samples(connection, task=task):
        if sample.source_id not in wanted or sample.id in said_by_person:
            continue
        new = tuple(indices[name] for name in wanted[sample.source_id])
        if new != sample.labels or not sample.labelled:
            given[sample.id] = [(index, None, None) for index in new]
    append_imports(connection, given)


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
