"""Files and folders from anywhere join a project: where they lie, or as copies in the project."""

from __future__ import annotations

import dataclasses
import shutil
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.core.errors import HandlensError, UnreadableError
from ml.core.jobs import NeverStop, Stop, StopRequestedError
from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import counted_files
from ml.core.phrases import files as files_of
from ml.core.scan_report import FoundFile, ScanReport, SplitPlan, Unreadable
from ml.core.types import KindName, Split
from ml.media.kinds import kind_named
from ml.project.project import Project
from ml.project.roots import COPIES, innermost
from ml.project.scan.examine import Examined
from ml.project.scan.folder import entries_below
from ml.project.scan.layout import places
from ml.project.scan.multilabel import NEGATIVE_FOLDERS, for_task
from ml.project.scan.scan import found_file, with_frames
from ml.project.split.plan import plan_split
from ml.project.update.examining import Show, examine_all, is_text, show_nothing, usable
from ml.scoring.tasks import task_named

_BAD_NAME = msg("The file name contains damaged characters. Rename the file and look again.")
_MISSING = msg("There is no such file or folder. Check the name.")
_NEAR = 2
"""Folders above a single file that may name its class."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What became of files that were to join a project.

    `new` files are in it now, `known` ones were there already or came twice, and `relabelled` of those have another
    label now. `unlabelled` counts the new ones without a label.
    """

    kind: KindName
    new: int = 0
    known: int = 0
    relabelled: int = 0
    unlabelled: int = 0
    classes: tuple[str, ...] = ()
    """New classes."""
    unreadable: tuple[Unreadable, ...] = ()

    def message(self) -> Message:
        """Say what became of the files, without the reasons of the unreadable ones."""
        sentences = [_new_sentence(self)]
        if self.unlabelled:
            sentences.append(
                nmsg("{count} of them has no label yet.", "{count} of them have no label yet.", self.unlabelled)
            )
        if self.known:
            sentences.append(
                nmsg("{count} was in the project already.", "{count} were in the project already.", self.known)
            )
        if self.relabelled:
            sentences.append(nmsg("{count} got a new label.", "{count} got a new label.", self.relabelled))
        if self.unreadable:
            sentences.append(nmsg("{count} could not be read.", "{count} could not be read.", len(self.unreadable)))
        whole = sentences[0]
        for sentence in sentences[1:]:
            whole = msg("{first} {second}", first=whole, second=sentence)
        return whole


def _new_sentence(added: Added) -> Message:
    if not added.new:
        return msg("No new {files} were added.", files=files_of(added.kind))
    count = counted_files(added.new, added.kind)
    if added.classes:
        return nmsg(
            "{count_files} was added, with {count_classes}.",
            "{count_files} were added, with {count_classes}.",
            added.new,
            count_files=count,
            count_classes=_new_classes(len(added.classes)),
        )
    return nmsg("{count_files} was added.", "{count_files} were added.", added.new, count_files=count)


def _new_classes(count: int) -> Message:
    return nmsg("{count} new class", "{count} new classes", count)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    """A file to add: the folder that was given (its own for a single file), and the class that its folders name."""

    path: Path
    given: Path
    single: bool
    class_name: str | None


def add_files(
    project: Project,
    paths: Sequence[Path],
    *,
    label: str | None = None,
    split: Split | None = "train",
    copy: bool = False,
    stop: Stop | None = None,
    show: Show = show_nothing,
) -> Added:
    """Take files, and those in folders, into a project. What it knows already is not taken again.

    `label` is the class of all of them, a new one if need be; without it, folders name classes as far as the project
    has these. `split` keeps the files on one side, unless they belong together with files of another; None deals them
    out. `copy` puts copies into the project's own folder, for files that do not last.

    Raises HandlensError where nothing can be taken, and StopRequestedError.
    """
    stop = stop or NeverStop()
    unreadable: list[Unreadable] = []
    candidates = _candidates(project, paths, unreadable)
    places_of = {str(item.path): item.path for item in candidates}
    outcomes = examine_all(places_of, project.kind, project.windowing, stop, show) if candidates else {}
    there = project.digests()
    digests, known_paths = set(there.values()), set[str]()
    taken: list[tuple[_Candidate, Examined]] = []
    again = 0
    by_digest = defaultdict(list)
    for path, digest in there.items():
        by_digest[digest].append(path)
    for item in candidates:
        outcome = outcomes[str(item.path)]
        if isinstance(outcome, UnreadableError):
            unreadable.append(Unreadable(path=str(item.path), reason=outcome.message))
        elif outcome.digest in digests:
            again += 1
            known_paths.update(by_digest[outcome.digest])
        else:
            digests.add(outcome.digest)
            taken.append((item, outcome))
    if stop.requested():
        raise StopRequestedError
    before = {item.name for item in project.classes()}
    files = _stored(project, taken, label=label, known=there.keys(), copy=copy)
    _insert(project, files, split=split, person=label is not None)
    relabelled = _relabel(project, known_paths, label) if label is not None else 0
    return Added(
        kind=project.kind,
        new=len(files),
        known=again,
        relabelled=relabelled,
        unlabelled=sum(not file.labelled for file in files),
        classes=tuple(item.name for item in project.classes() if item.name not in before),
        unreadable=tuple(unreadable),
    )


# -- what is given -----------------------------------------------------------------------------------------------------


def _candidates(project: Project, paths: Sequence[Path], unreadable: list[Unreadable]) -> list[_Candidate]:
    """Every file that is to be tried, once; what cannot be tried goes to `unreadable`."""
    names = set() if project.label_sources or project.by_hand else {item.name for item in project.classes()}
    if not task_named(project.task).exclusive:
        names |= NEGATIVE_FOLDERS
    found: dict[Path, _Candidate] = {}
    for path in dict.fromkeys(each.expanduser().resolve() for each in paths):
        if not is_text(str(path)):
            shown = str(path).encode("utf-8", "backslashreplace").decode("utf-8")
            unreadable.append(Unreadable(path=shown, reason=_BAD_NAME))
        elif path.is_dir():
            for item in _of_folder(project, path, names, unreadable):
                found.setdefault(item.path, item)
        elif path.exists():
            near = [part for part in path.parts[:-1][::-1][:_NEAR] if _named(part) in names]
            name = _named(near[0]) if near else None
            found[path] = _Candidate(path=path, given=path.parent, single=True, class_name=name)
        else:
            unreadable.append(Unreadable(path=str(path), reason=_MISSING))
    return list(found.values())


def _of_folder(
    project: Project, folder: Path, names: Collection[str], unreadable: list[Unreadable]
) -> list[_Candidate]:
    try:
        entries = list(entries_below(folder))
    except OSError as error:
        reason = msg("The folder cannot be opened. Allow reading it or choose another folder.")
        raise HandlensError(reason, details=repr(error)) from error
    suffixes = kind_named(project.kind).suffixes
    unreadable += [
        Unreadable(path=str(folder / entry.path), reason=entry.obstacle)
        for entry in entries
        if entry.obstacle is not None and (entry.folder or Path(entry.path).suffix.lower() in suffixes)
    ]
    found = places(usable(folder, entries, project.kind))
    of_folders = {place.class_name for place in found}
    # “Holiday/May” names no classes, but where one folder does, its neighbours name new ones.
    trusted = bool(of_folders & set(names))
    whole = _named(folder.name) if _named(folder.name) in names else None
    return [
        _Candidate(
            path=folder / place.path,
            given=folder,
            single=False,
            class_name=place.class_name if trusted and place.class_name is not None else whole,
        )
        for place in found
    ]


def _named(name: str) -> str:
    return unicodedata.normalize("NFC", name)


# -- what is stored ----------------------------------------------------------------------------------------------------


def _stored(
    project: Project,
    taken: Sequence[tuple[_Candidate, Examined]],
    *,
    label: str | None,
    known: Collection[str],
    copy: bool,
) -> list[FoundFile]:
    """Return the files under the paths that the project is to know them by, with their classes."""
    files, used = [], set(known)
    for item, examined in taken:
        path = _copied(project, item.path) if copy else _path_in(project, item)
        if path in used:  # other contents under a known name: an update of the folder follows these
            continue
        used.add(path)
        files.append(found_file(path, label if label is not None else item.class_name, None, examined))
    return files


def _path_in(project: Project, item: _Candidate) -> str:
    folders = [("", project.source_folder.resolve())]
    folders += [(root.name, root.folder(project.path).resolve()) for root in project.roots()]
    held = innermost(item.path, folders)
    if held is None:
        root = project.add_root(item.given, "files" if item.single else "folder")
        held = root.name, item.given
    name, folder = held
    path = item.path.relative_to(folder).as_posix()
    return f"{name}/{path}" if name else path


def _copied(project: Project, path: Path) -> str:
    """Copy a file into the project, under a name that is free there, and return its path."""
    root = project.add_root(project.path, "copies")
    folder = project.path / COPIES
    try:
        folder.mkdir(exist_ok=True)
        target, number = folder / path.name, 1
        while target.exists():
            number += 1
            target = folder / f"{path.stem} {number}{path.suffix}"
        shutil.copy2(path, target)
    except OSError as error:
        raise HandlensError(
            msg("“{file}” could not be copied into the project. Free some space and try again.", file=path.name),
            details=repr(error),
        ) from error
    return f"{root.name}/{target.name}"


def _insert(project: Project, files: Sequence[FoundFile], *, split: Split | None, person: bool) -> None:
    if not files:
        return
    whole = project.as_report()
    frames = with_frames(dataclasses.replace(whole, files=tuple(files))).frames
    whole = dataclasses.replace(whole, frames=frames)
    report = for_task(dataclasses.replace(whole, files=tuple(files)), project.task)
    plan = _plan(project, whole, report.files, split)
    project.add(report, plan, origin="person" if person else "import")


def _plan(project: Project, whole: ScanReport, files: Sequence[FoundFile], split: Split | None) -> SplitPlan:
    """Deal the new files out among those that are there; what belongs to a known group goes to its side."""
    existing = project.splits()
    together = dataclasses.replace(whole, files=(*whole.files, *files))
    plan = plan_split(together, split_by=project.split_by, existing=existing)
    if split is None:
        return plan
    held = {plan.groups[path] for path in existing if path in plan.groups}
    sides = {file.path: plan.splits[file.path] if plan.groups.get(file.path) in held else split for file in files}
    return dataclasses.replace(plan, splits=sides)


def _relabel(project: Project, paths: Collection[str], label: str) -> int:
    """Give the known files this class as well, and return how many had another label."""
    samples = [sample for sample in project.samples() if sample.path in paths]
    index = {item.name: item.index for item in project.classes()}.get(label)
    if index is None and samples:
        index = project.add_class(label).index
    other = [sample for sample in samples if sample.labels != (index,)]
    if index is not None and other:
        project.set_labels([sample.id for sample in other], [index])
    return len({sample.path for sample in other})
