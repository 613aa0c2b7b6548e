"""Notice what has changed in the source folder since the project last looked, and take it in."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ml.core.errors import UnreadableError
from ml.core.jobs import NeverStop, Stop, StopRequestedError
from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import counted_classes, counted_files
from ml.core.scan_report import FoundFile, LabelNotes, ScanReport, Unreadable
from ml.core.types import KindName
from ml.media.kinds import kind_named
from ml.project.labelfiles.apply import apply
from ml.project.labelfiles.read import read_labels
from ml.project.project import Project
from ml.project.roots import root_name
from ml.project.scan.folder import entries_below
from ml.project.scan.layout import places
from ml.project.scan.multilabel import NEGATIVE_FOLDERS, for_task
from ml.project.scan.scan import duplicates_among, found_file, may_be_timed
from ml.project.update.examining import Show, examine_all, show_nothing, usable
from ml.project.update.insert import fingerprint
from ml.project.update.join import Joined, join
from ml.project.update.relink import is_same
from ml.scoring.tasks import task_named

_MOST_READ = 256
"""Files of the old size that were touched are read, to see whether they are others now; at most so many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceChanges:
    """Paths in the source folder: `new` ones, `changed` ones with other contents, and `gone` ones."""

    kind: KindName
    new: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    """Names of class folders that the project has no class for."""
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    stamps: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False)
    """Size and time of change of every file there is now."""

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)

    def message(self) -> Message:
        """Say what has changed, in one or two sentences."""
        sentences = []
        if self.new:
            sentences.append(_new_sentence(self))
        other = len(self.changed) + len(self.gone)
        if other:
            sentences.append(
                nmsg(
                    "{count_files} in the folder was changed or removed.",
                    "{count_files} in the folder were changed or removed.",
                    other,
                    count_files=counted_files(other, self.kind),
                )
            )
        return sentences[0] if len(sentences) == 1 else msg("{first} {second}", first=sentences[0], second=sentences[1])


def _new_sentence(changes: SourceChanges) -> Message:
    files = counted_files(len(changes.new), changes.kind)
    if changes.classes:
        return msg(
            "The folder has {count_files} and {count_classes} that are not in the project yet.",
            count_files=files,
            count_classes=counted_classes(len(changes.classes)),
        )
    return nmsg(
        "The folder has {count_files} that is not in the project yet.",
        "The folder has {count_files} that are not in the project yet.",
        len(changes.new),
        count_files=files,
    )


def source_changes(project: Project, stop: Stop | None = None) -> SourceChanges:
    """Compare the source folder with the project, by names, sizes and times of change. Decodes nothing.

    Raises HandlensError where the folder has gone, and StopRequestedError.
    """
    stop, folder = stop or NeverStop(), project.source_folder
    roots = {root.name for root in project.roots()}
    names = [name for name in _names_in(project, folder, stop) if root_name(name) not in roots]
    stamps = {name: stamp for name in names if (stamp := _stamp(folder / name)) is not None}
    known = {path: stamp for path, stamp in project.stamps().items() if not root_name(path)}
    left_out = {item.path for item in project.unreadable()}
    new = tuple(name for name in names if name not in known and name not in left_out)
    back = tuple(name for name in names if name in known and name in left_out)
    if fingerprint((*new, *back)) == project.passed_over:
        new, back = (), ()
    return SourceChanges(
        kind=project.kind,
        new=new,
        classes=_new_classes(project, names, new),
        changed=(*_changed(project, folder, stamps, known, left_out, stop), *back),
        gone=tuple(path for path in known if path not in stamps and path not in left_out),
        stamps=stamps,
    )


def update_from_source(project: Project, *, stop: Stop | None = None, show: Show = show_nothing) -> Joined:
    """Take in what has changed in the source folder; only files that are new or changed are decoded.

    Raises HandlensError where the folder has gone, and StopRequestedError.
    """
    stop = stop or NeverStop()
    changes = source_changes(project, stop)
    report = _report(project, changes, stop, show)
    joined = join(project, report)
    known = project.stamps()
    project.set_stamps({path: changes.stamps[path] for path in changes.stamps.keys() & known.keys()})
    left_out = {item.path for item in project.unreadable()}
    copies = [path for path in changes.new if path not in known and path not in left_out]
    project.pass_over(fingerprint([*copies, *(path for path in changes.changed if path in left_out)]))
    return joined


def _report(project: Project, changes: SourceChanges, stop: Stop, show: Show) -> ScanReport:
    """Return what a scan would report; what has not changed is known from the project."""
    folder = project.source_folder
    whole, left_out = project.as_report(), {item.path for item in project.unreadable()}
    as_before = changes.stamps.keys() - {*changes.changed, *changes.new}
    files = [file for file in whole.files if file.path in as_before and file.path not in left_out]
    wanted = {name: folder / name for name in (*changes.new, *changes.changed)}
    outcomes = examine_all(wanted, project.kind, project.windowing, stop, show)
    unreadable = []
    by_path = {place.path: place for place in places(sorted(changes.stamps))}
    for name, outcome in outcomes.items():
        if isinstance(outcome, UnreadableError):
            unreadable.append(Unreadable(path=name, reason=outcome.message))
        else:
            place = by_path[name]
            files.append(found_file(name, place.class_name, place.ready_split, outcome))
    files, notes = _with_labels(project, folder, files, sorted(changes.stamps))
    report = dataclasses.replace(
        whole,
        folder=str(folder),
        files=tuple(files),
        labels=notes,
        unreadable=tuple(unreadable),
        duplicates=duplicates_among(files),
    )
    return for_task(report, project.task)


def _with_labels(
    project: Project, folder: Path, files: list[FoundFile], names: Sequence[str]
) -> tuple[list[FoundFile], LabelNotes | None]:
    """Read the label files again where labels come from these; then folders are no classes."""
    if project.by_hand and not project.label_sources:
        return [dataclasses.replace(file, class_name=None, from_table=True) for file in files], None
    if not project.label_sources:
        return files, None
    tables = tuple(path for path in project.label_sources if path.exists())
    if not tables:
        bare = [file if file.from_table else dataclasses.replace(file, class_name=None) for file in files]
        return bare, None
    timed = may_be_timed(kind_named(project.kind), names)
    reading = read_labels(tables, folder, names, timed=timed, columns=project.label_columns)
    return apply(files, reading, tables)


def _names_in(project: Project, folder: Path, stop: Stop) -> list[str]:
    entries = []
    for entry in entries_below(folder):
        if stop.requested():
            raise StopRequestedError
        entries.append(entry)
    tables = {path.absolute() for path in project.label_sources}
    return [name for name in usable(folder, entries, project.kind) if not tables or folder / name not in tables]


def _new_classes(project: Project, names: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    if project.label_sources or project.by_hand:
        return ()
    wanted, known = set(new), {item.name for item in project.classes()}
    found = {place.class_name for place in places(names) if place.path in wanted and place.class_name is not None}
    if not task_named(project.task).exclusive:
        found = {name for name in found if name.lower() not in NEGATIVE_FOLDERS}
    return tuple(sorted(found - known))


def _changed(
    project: Project,
    folder: Path,
    stamps: dict[str, tuple[int, int]],
    known: dict[str, tuple[int, int]],
    left_out: set[str],
    stop: Stop,
) -> list[str]:
    """Return known files with other contents: of another size, or touched and read."""
    other = [path for path in stamps.keys() & known.keys() if stamps[path] != known[path] and path not in left_out]
    changed = [path for path in other if stamps[path][0] != known[path][0]]
    touched = sorted(set(other) - set(changed))
    # A copy of the whole folder has new times: then its sizes have to do.
    if touched and len(touched) <= _MOST_READ:
        digests = project.digests()
        for path in touched:
            if stop.requested():
                raise StopRequestedError
            if not is_same(folder / path, digests[path]):
                changed.append(path)
    return sorted(changed)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        info = os.stat(path)  # noqa: PTH116 - a hundred thousand times
    except OSError:
        return None
    return info.st_size, info.st_mtime_ns
