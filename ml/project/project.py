"""What the user owns: a folder that holds labels with their history, splits and runs. Create it, open it, change it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from ml.core.disk import disk_is_full, is_disk_full_error, is_writable, making_folder, try_to_write
from ml.core.errors import HandlensError
from ml.core.messages import Message, dumps, loads, msg
from ml.core.scan_report import AT_RANDOM, ScanReport, SplitPlan, Unreadable
from ml.core.types import (
    ClassInfo,
    Cut,
    FrameSampling,
    LabelChange,
    LabelColumns,
    LabelSpan,
    Origin,
    PictureReading,
    Reading,
    RunInfo,
    Sample,
    Split,
    Windowing,
)
from ml.core.untrusted import LONGEST_NAME, LONGEST_PATH, parse_json
from ml.project import store as tables
from ml.project.backup import back_up
from ml.project.class_looks import KEY as CLASS_LOOKS
from ml.project.class_looks import ClassLook, looks_in, looks_text
from ml.project.data_findings import KEY as DATA_FINDINGS
from ml.project.data_findings import DataFindings, data_findings_in
from ml.project.integrity import check_rows, check_schema, frames_of, read_meta, reading_of, refuse_links, windowing_of
from ml.project.labels import (
    Parts,
    append_changes,
    count_splits,
    default_annotator,
    read_history,
    read_labelled_paths,
    read_samples,
    read_spans,
)
from ml.project.merge_record import KEY as LAST_MERGE
from ml.project.merge_record import MergeRecord, record_in, record_text
from ml.project.merge_undo import MergedChange, read_ends, read_merged, read_merged_remarks
from ml.project.predictions import Predictions, check_predictions, read_predictions
from ml.project.releases import KEY as RELEASES
from ml.project.releases import RunRelease, releases_in, releases_text
from ml.project.remarks import Remark, append_remarks, read_remarks
from ml.project.roots import COPIES, Root, RootKind, place_of, read_roots, root_name, unused_name
from ml.project.runs import Runs
from ml.project.states import LabelStates, read_states
from ml.project.store import FULL, Store, damaged
from ml.project.update.add import add, assign
from ml.project.update.insert import (
    check_class_name,
    class_indices,
    files_in_project,
    fill,
    frames_meta,
    label_untouched,
    source_meta,
    windowing_meta,
)
from ml.project.update.reconcile import Reconciled, reconcile
from ml.project.update.relink import Found, KnownFile, compare
from ml.project.update.rewindow import rewindow
from ml.scoring.tasks import task_named

SUFFIX = ".handlens"
LABELS_AT_ONCE = 12_500
"""The labels that one transaction writes, which takes about 0.1 s."""
PAUSE, LONG_PAUSE = 0.03, 0.11
"""Seconds between two of them. SQLite lets a writer that has waited for 0.1 s try again after 25 ms, later after up to
0.1 s: the long pause is for slow machines."""


class Project:
    """An open project. Every method that changes something has it on disk when it returns."""

    def __init__(self, path: Path, store: Store, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._store = store
        self._meta = _checked_meta(store)
        self.name = self._meta["name"]
        self.kind = self._meta["kind"]
        # Projects from before there were two tasks have no such entry.
        self.task = self._meta.get("task", "single")
        self.runs = Runs(path, store)
        self._roots = self._read_roots()

    # -- making and opening ------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, *, name: str, report: ScanReport, plan: SplitPlan) -> Project:
        """Make a new project folder at `path` from what a scan found. It appears whole or not at all."""
        path = path.absolute()
        if path.exists():
            raise HandlensError(
                msg(
                    "“{name}” already exists in {folder}. Choose another name or open it.",
                    name=path.name,
                    folder=str(path.parent),
                )
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try_to_write(path.parent)
        except OSError as error:
            raise HandlensError(_not_created(path.parent, error), details=repr(error)) from error
        try:
            with making_folder(path) as draft:
                store = Store(draft / "project.db", create=True)
                try:
                    fill(store, name=name, report=report, plan=plan, final=path)
                finally:
                    store.close()
        except OSError as error:
            raise HandlensError(_not_written(error), details=repr(error)) from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, to_read: bool = False) -> Project:
        """Open the project folder at `path` (its `project.db` may be given as well).

        One that cannot be written to, as on a shared drive or a full disk, is opened only with `to_read`; it is
        `read_only` then.
        """
        path = path.absolute()
        if path.name == "project.db":
            path = path.parent
        if not path.exists():
            raise HandlensError(
                msg("There is no project at {path}. Check the name, or plug in its drive.", path=str(path))
            )
        if path.suffix.lower() == ".onnx" and path.is_file():
            raise HandlensError(
                msg("{path} is a model. Choose the folder of the project it came from.", path=str(path))
            )
        if not (path / "project.db").is_file():
            raise HandlensError(
                msg(
                    "{path} is not a Handlens project. Choose the folder of a project, or an unused name for a new "
                    "one.",
                    path=str(path),
                )
            )
        refuse_links(path)
        read_only = not is_writable(path)
        if read_only and not to_read:
            raise HandlensError(
                msg(
                    "The project “{project}” is read-only, so nothing can be saved in it. Copy it to a folder you may "
                    "write to and open the copy.",
                    project=path.name,
                )
            )
        full = not read_only and disk_is_full(path)
        if full and not to_read:
            raise HandlensError(FULL)
        read_only |= full
        store = Store(path / "project.db", read_only=read_only, full=full)
        try:
            project = cls(path, store, read_only=read_only)
            if not to_read:
                back_up(path)
                store.upgrade()
        except BaseException:
            store.close()
            raise
        return project

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def lock(self, what: str) -> FileLock:
        """Take the lock for "train" or "studio" in this project; the system frees it however its holder ends."""
        lock = FileLock(self.path / f".{what}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise HandlensError(_in_use(self.name, what)) from error
        return lock

    # -- what is in it -----------------------------------------------------------------------------------------

    @property
    def windowing(self) -> Windowing | None:
        """How recordings and logs are cut; None for images."""
        return windowing_of(self._meta)

    @property
    def picture_reading(self) -> PictureReading | None:
        """How pictures with more than 8 bits or several pages are read; None where each is read by itself."""
        return reading_of(self._meta)

    @property
    def frames(self) -> FrameSampling | None:
        """Which frames of videos are pictures of the project; None where there are no videos."""
        return frames_of(self._meta)

    @property
    def cut(self) -> Cut | None:
        """How a file becomes several samples; None where none does."""
        return self.windowing or self.frames

    @property
    def reading(self) -> Reading | None:
        """How files become samples: `windowing` or `picture_reading`."""
        return self.windowing or self.picture_reading

    @property
    def split_by(self) -> str:
        return self._meta["split_by"]

    @property
    def split_why(self) -> Message:
        """How the files were split, for the user."""
        stored = self._meta["split_why"]
        return loads(stored) if stored else AT_RANDOM

    @property
    def label_sources(self) -> tuple[Path, ...]:
        """The label files, and folders of such, that the labels came from at first; empty where folders gave them."""
        return tuple(Path(path) for path in parse_json(self._meta.get("label_sources", "[]")))

    @property
    def label_columns(self) -> LabelColumns | None:
        """The columns of the label files, where a person chose them."""
        stored = parse_json(self._meta.get("label_columns", "[]"))
        return LabelColumns(*stored) if len(stored) == len(LabelColumns._fields) else None

    def data_findings(self) -> DataFindings:
        """What was found in the files when the project was made; nothing where an earlier version made it."""
        with self._store.reading() as connection:
            stored = connection.execute(
                sa.select(tables.meta.c.value).where(tables.meta.c.key == DATA_FINDINGS)
            ).scalar_one_or_none()
        return DataFindings() if stored is None else data_findings_in(stored)

    @property
    def by_hand(self) -> bool:
        """Whether the project began without labels, so that no folder names a class."""
        return "by_hand" in self._meta

    @property
    def wrong_at_most(self) -> float | None:
        """The share of wrong answers among the accepted ones that the user chose; None: nobody has chosen."""
        chosen = self._meta.get("wrong_at_most")
        return None if chosen is None else float(chosen)

    def set_wrong_at_most(self, share: float | None) -> None:
        """What is exported, predicted and trained from now on keeps to this share, 0…1; None takes the choice back."""
        if share is not None:
            self._set_meta({"wrong_at_most": repr(float(share))})
            return
        with self._store.writing() as connection:
            connection.execute(tables.meta.delete().where(tables.meta.c.key == "wrong_at_most"))
        self._meta.pop("wrong_at_most", None)

    def releases(self) -> tuple[RunRelease, ...]:
        """Every release, the oldest first."""
        return releases_in(self._meta.get(RELEASES, "[]"))

    def release(self, run: int, *, name: str = "", reason: str = "") -> RunRelease:
        """Use run `run` from now on. Raises HandlensError unless it is finished."""
        number = self.runs.finished(run).number
        at = datetime.now(UTC).isoformat(timespec="seconds")
        made = RunRelease(
            run=number,
            name=name.strip()[:LONGEST_NAME],
            reason=reason.strip()[:LONGEST_PATH],
            at=at,
            by=default_annotator(),
        )
        self._set_meta({RELEASES: releases_text((*self.releases(), made))})
        return made

    def released(self) -> RunRelease | None:
        """Return the release that is in force; None where nobody released a run, or its run is no longer there."""
        made = self.releases()
        if not made:
            return None
        there = {run.number for run in self.runs.all() if run.state == "finished"}
        return made[-1] if made[-1].run in there else None

    def run_in_use(self, run: int | None = None) -> RunInfo:
        """Run number `run`, else the released one, else the newest finished one; raises where there is none."""
        released = self.released() if run is None else None
        return self.runs.finished(run if released is None else released.run)

    def label_spans(self, path: str | None = None) -> dict[int, tuple[LabelSpan, ...]]:
        """For samples whose present labels were given for a part of the recording, by sample: which, and which part.

        Only of the file `path` where it is given.
        """
        with self._store.reading() as connection:
            return read_spans(connection, path)

    @property
    def source_folder(self) -> Path:
        """Where the sources are. Raises where the folder has gone."""
        relative = self.path / self._meta["source_relative"]
        absolute = Path(self._meta["source_absolute"])
        for folder in (absolute, relative):
            if folder.is_dir():
                return folder.resolve()
        raise HandlensError(
            msg(
                "The folder with the originals, {folder}, is missing. Plug in its drive, or say where it is now.",
                folder=str(absolute),
            ),
            command=f'handlens relink "{self.path}" --to FOLDER',
        )

    def file(self, path: str) -> Path:
        """Where the file of this path is. Raises HandlensError where the source folder, and with it the file, has gone.

        Folders that were added may have gone as well; then the file is simply not there.
        """
        name = root_name(path)
        if name and name not in self._roots:
            self._roots = self._read_roots()  # another process may have added it
        root = self._roots.get(name)
        if root is None:
            return self.source_folder / path
        return root.folder(self.path) / path.removeprefix(f"{name}/")

    def roots(self) -> tuple[Root, ...]:
        """What was added beside the source folder, by name."""
        self._roots = self._read_roots()
        return tuple(self._roots.values())

    def add_root(self, folder: Path, kind: RootKind) -> Root:
        """Take files of another folder into the project; a root there is already is used again."""
        folder = self.path / COPIES if kind == "copies" else folder
        with self._store.writing() as connection:
            there = read_roots(connection)
            for root in there.values():
                if root.kind == kind and root.folder(self.path) == folder:
                    return root
            taken = {*there, *(each.name for each in self.source_folder.iterdir())}
            root = Root(name=unused_name(folder, taken), kind=kind, **place_of(folder, self.path))
            connection.execute(tables.roots.insert().values(dataclasses.asdict(root)))
        self._roots = {**there, root.name: root}
        return root

    def relink(self, folder: Path, root: str = "") -> Found:
        """The source folder, or the root of this name, moved to `folder`.

        Raises HandlensError where the known files are not there, or there is no such root.
        """
        columns = tables.sources.c
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(columns.path, columns.size, columns.digest)).all()
        if root and root not in {each.name for each in self.roots() if each.kind != "copies"}:
            raise HandlensError(
                msg("“{project}” has no added folder “{name}”. Check the name.", project=self.name, name=root)
            )
        mine = [row for row in rows if root_name(row.path) == root]
        prefix = f"{root}/" if root else ""
        found = compare([KnownFile(row.path.removeprefix(prefix), row.size, row.digest) for row in mine], folder)
        if not root:
            self._set_meta(source_meta(folder, self.path))
            return found
        with self._store.writing() as connection:
            here = tables.roots.c.name == root
            connection.execute(tables.roots.update().where(here).values(**place_of(folder, self.path)))
        self._roots = self._read_roots()
        return found

    def _read_roots(self) -> dict[str, Root]:
        with self._store.reading() as connection:
            return read_roots(connection)

    def classes(self) -> tuple[ClassInfo, ...]:
        """Every class by its index, those that are not used any more too: runs know them by their index."""
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(tables.classes).order_by(tables.classes.c.index)).mappings().all()
            stored = connection.execute(
                sa.select(tables.meta.c.value).where(tables.meta.c.key == CLASS_LOOKS)
            ).scalar_one_or_none()
        looks = looks_in(stored or "{}")
        found = []
        for row in rows:
            look = looks.get(row["index"], ClassLook())
            found.append(ClassInfo(index=row["index"], name=row["name"], colour=look.colour, retired=look.retired))
        return tuple(found)

    def add_class(self, name: str) -> ClassInfo:
        """A new class, after the others. One of that name that is not used any more is used again."""
        name = name.strip()
        known = self.classes()
        former = next((item for item in known if item.name == name and item.retired), None)
        if former is not None:
            return self.change_class(former.index, retired=False)
        self._check_new_name(name, known)
        with self._store.writing() as connection:
            connection.execute(tables.classes.insert().values(index=len(known), name=name))
        return ClassInfo(index=len(known), name=name)

    def change_class(
        self, index: int, *, name: str | None = None, colour: str | None = None, retired: bool | None = None
    ) -> ClassInfo:
        """Rename class `index`, give it a colour ("" for the usual one), or set whether it is used; None: as it is.

        Raises HandlensError where another class has the name.
        """
        known = self.classes()
        changed = dataclasses.replace(
            known[index],
            name=known[index].name if name is None else name.strip(),
            colour=known[index].colour if colour is None else colour,
            retired=known[index].retired if retired is None else retired,
        )
        if changed.name != known[index].name:
            self._check_new_name(changed.name, known)
            with self._store.writing() as connection:
                connection.execute(
                    tables.classes.update().where(tables.classes.c.index == index).values(name=changed.name)
                )
        looks = {
            item.index: ClassLook(colour=item.colour, retired=item.retired)
            for item in (*known[:index], changed, *known[index + 1 :])
        }
        self._set_meta({CLASS_LOOKS: looks_text(looks)})
        return changed

    def _check_new_name(self, name: str, known: Sequence[ClassInfo]) -> None:
        """Raise HandlensError where no class can have this name."""
        if not name:
            raise HandlensError(msg("A class needs a name."))
        check_class_name(name)
        if any(item.name == name for item in known):
            raise HandlensError(msg("There is already a class called “{name}”.", name=name))

    def samples(self) -> tuple[Sample, ...]:
        """Every sample with its present labels, ordered by id."""
        with self._store.reading() as connection:
            return read_samples(connection, task=self.task)

    def count_splits(self) -> dict[Split | None, int]:
        """How many of `samples` each split has; None for samples without a label."""
        with self._store.reading() as connection:
            return count_splits(connection, task=self.task)

    def labelled_paths(self) -> tuple[str, ...]:
        """The files with a sample that shows a class, in alphabetical order."""
        with self._store.reading() as connection:
            return read_labelled_paths(connection)

    def unreadable(self) -> tuple[Unreadable, ...]:
        """The files that were left out when the project was made or files were added."""
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(tables.unreadable).order_by(tables.unreadable.c.path))
            return tuple(Unreadable(path=row.path, reason=loads(row.reason)) for row in rows)

    # -- labels ------------------------------------------------------------------------------------------------

    def set_labels(
        self, sample_ids: Sequence[int], class_indices: Sequence[int], *, annotator: str | None = None
    ) -> tuple[LabelChange, ...]:
        """Label every given sample with the classes. On disk when this returns.

        No classes: the label is taken away; in a multi-label project: the samples show none of them.
        """
        return self.restore_labels([(sample_id, tuple(class_indices)) for sample_id in sample_ids], annotator=annotator)

    def restore_labels(
        self,
        wanted: Iterable[tuple[int, tuple[int, ...] | None]],
        *,
        annotator: str | None = None,
        origins: Mapping[int, Origin] | None = None,
        annotators: Mapping[int, str] | None = None,
        parts: Mapping[int, Parts] | None = None,
    ) -> tuple[LabelChange, ...]:
        """Give each sample its own labels, as undo and redo need it; None: nobody has labelled it.

        `origins` by sample, "person" where there is none: "confirmed" says that the labels it has are right.
        `annotators` by sample, `annotator` where there is none; `parts` as in `append_changes`. Many samples are
        written in several transactions, see `restore_in_pieces`.
        """
        pieces = self.restore_in_pieces(
            wanted, annotator=annotator, origins=origins, annotators=annotators, parts=parts
        )
        return tuple(change for piece in pieces for change in piece)

    def restore_in_pieces(
        self,
        wanted: Iterable[tuple[int, tuple[int, ...] | None]],
        *,
        annotator: str | None = None,
        origins: Mapping[int, Origin] | None = None,
        annotators: Mapping[int, str] | None = None,
        parts: Mapping[int, Parts] | None = None,
    ) -> Iterator[tuple[LabelChange, ...]]:
        """Write labels as `restore_labels` does, and yield the changes of each transaction when it is on disk.

        Between two transactions, other writers to the project get their turn.
        """
        listed, annotator = list(wanted), annotator or default_annotator()
        go_on = 0.0
        for begin in range(0, len(listed), LABELS_AT_ONCE):
            if begin:  # the caller has worked on the last piece meanwhile
                time.sleep(max(0.0, go_on - time.monotonic()))
            began = time.monotonic()
            piece = listed[begin : begin + LABELS_AT_ONCE]
            with self._store.writing_rows() as cursor:
                changes = append_changes(cursor, piece, annotator, origins or {}, annotators, parts)
            ended = time.monotonic()
            go_on = ended + (PAUSE if ended - began < LONG_PAUSE else LONG_PAUSE)
            yield changes

    def history(self, sample_id: int) -> tuple[LabelChange, ...]:
        """Who set which label when, the oldest first."""
        with self._store.reading() as connection:
            return read_history(connection, sample_id)

    def label_states(self) -> LabelStates:
        """The labels of every sample with all that was ever said of it, by file, to compare two copies."""
        with self._store.reading() as connection:
            return read_states(connection)

    def remarks(self) -> dict[int, Remark]:
        """The flags and notes of samples, by sample; those without either are left out."""
        with self._store.reading() as connection:
            return read_remarks(connection)

    def set_remarks(self, wanted: Mapping[int, Remark], *, annotator: str | None = None) -> None:
        """Flag samples and write notes on them. An empty one takes both back."""
        with self._store.writing() as connection:
            append_remarks(connection, wanted, annotator or default_annotator())

    def last_merge(self) -> MergeRecord | None:
        """What the last merge wrote, as long as it is not taken back."""
        return record_in(self._meta.get(LAST_MERGE, ""))

    def set_last_merge(self, record: MergeRecord | None) -> None:
        self._set_meta({LAST_MERGE: record_text(record)})

    def history_ends(self) -> tuple[int, int]:
        """The newest rows of the histories of labels and of remarks."""
        with self._store.reading() as connection:
            return read_ends(connection)

    def merged(self, record: MergeRecord) -> tuple[tuple[MergedChange, ...], tuple[tuple[int, bool], ...]]:
        """The labels that a merge took over, and by sample the remarks, each with whether it was changed since."""
        with self._store.reading() as connection:
            return read_merged(connection, record), read_merged_remarks(connection, record)

    # -- splits and new files ------------------------------------------------------------------------------------

    def splits(self) -> dict[str, Split]:
        """The split of every source that has one, by path."""
        query = sa.select(tables.sources.c.path, tables.sources.c.split).where(tables.sources.c.split.is_not(None))
        with self._store.reading() as connection:
            return {row.path: row.split for row in connection.execute(query)}

    def groups(self) -> dict[str, str]:
        """The group of every source that has one, by path: sources of a group are never divided by the split."""
        query = sa.select(tables.sources.c.path, tables.sources.c.group_name)
        with self._store.reading() as connection:
            return {row.path: row.group_name for row in connection.execute(query) if row.group_name}

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Size in bytes and time of change (ns) of every source, by path, as they were when it was imported."""
        columns = tables.sources.c
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(columns.path, columns.size, columns.mtime_ns)).all()
        return {row.path: (row.size, row.mtime_ns) for row in rows}

    def extents(self) -> dict[str, tuple[float, int]]:
        """The size of every source, by path: pixels of the longer side, or seconds; and its time of change (ns)."""
        columns = tables.sources.c
        query = sa.select(columns.path, columns.width, columns.height, columns.duration, columns.mtime_ns)
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        return {row.path: (row.duration or float(max(row.width, row.height)), row.mtime_ns) for row in rows}

    def digests(self) -> dict[str, str]:
        """The SHA-256 of every source, by path."""
        columns = tables.sources.c
        with self._store.reading() as connection:
            return {row.path: row.digest for row in connection.execute(sa.select(columns.path, columns.digest))}

    def as_report(self) -> ScanReport:
        """The project's sources as a scan would report them, under their present labels."""
        with self._store.reading() as connection:
            files = files_in_project(
                connection, task=self.task, from_table=bool(self.label_sources), by_hand=self.by_hand
            )
        return ScanReport(
            folder=self._meta["source_absolute"],
            kind=self.kind,
            files=files,
            windowing=self.windowing,
            frames=self.frames,
            task=self.task,
        )

    def reconcile(self, report: ScanReport) -> Reconciled:
        """Before new files are added: let the known ones follow theirs to where `report` found them."""
        with self._store.writing() as connection:
            return reconcile(connection, report, task=self.task, cut=self.cut)

    def assign(self, plan: SplitPlan) -> None:
        """Write the splits and groups of `plan` for sources that have none yet; splits that exist are kept.

        The first time also why they were dealt out so."""
        self._say_why(plan)
        with self._store.writing() as connection:
            assign(connection, plan)

    def rewindow(self, windowing: Windowing) -> bool:
        """Cut the recordings of a project without labels and runs into other windows; False where it has some.

        Raises HandlensError where the project is open in a window, which knows the samples as they are.
        """
        with self.lock("studio"), self._store.writing() as connection:
            done = rewindow(connection, windowing)
        if done:
            self._meta |= windowing_meta(windowing)
        return done

    def add(self, report: ScanReport, plan: SplitPlan, *, origin: Origin = "import") -> int:
        """Take in the files of `report` that are new; what is known stays as it is. Returns the number of new files.

        `reconcile` before that, or a file that was moved is a new one. `origin`: who gave the labels."""
        self._say_why(plan)
        if self.cut is None and report.frames is not None:  # the first videos
            self._set_meta(frames_meta(report.frames))
        with self._store.writing() as connection:
            return add(connection, report, plan, task=self.task, cut=self.cut, origin=origin)

    def set_stamps(self, stamps: Mapping[str, tuple[int, int]]) -> None:
        """Note the size and the time of change of files whose contents are as they were."""
        source = tables.sources
        rows = [{"at": path, "its_size": size, "its_time": when} for path, (size, when) in stamps.items()]
        change = source.update().where(source.c.path == sa.bindparam("at"))
        if rows:
            with self._store.writing() as connection:
                connection.execute(
                    change.values(size=sa.bindparam("its_size"), mtime_ns=sa.bindparam("its_time")), rows
                )

    @property
    def passed_over(self) -> str:
        """A fingerprint of the names that lie in the source folder but are not in the project, when last asked."""
        return self._meta.get("passed_over", "")

    def pass_over(self, fingerprint: str) -> None:
        """Offer these files no more, see `passed_over`."""
        self._set_meta({"passed_over": fingerprint})

    def _say_why(self, plan: SplitPlan) -> None:
        if not self.splits():
            self._set_meta({"split_why": dumps(plan.why)})

    def take_labels(self, report: ScanReport, plan: SplitPlan) -> int:
        """Give the labels that tables bring to samples that nobody ever labelled. Returns how many got one."""
        with self._store.writing() as connection:
            indices = class_indices(connection, report.class_counts)
            given = label_untouched(connection, report.files, indices, exclusive=task_named(self.task).exclusive)
        self.assign(plan)
        if report.labels is not None:
            self._set_meta({"label_sources": json.dumps(report.labels.sources)})
        return given

    def rename(self, name: str) -> None:
        """Give the project another name; its folder keeps its own, see `ml.project.manage.rename_project`."""
        self._set_meta({"name": name})
        self.name = name

    # -- runs ----------------------------------------------------------------------------------------------------

    def delete_run(self, run: int) -> None:
        """Delete run `run`, so that `Runs.undelete` can bring it back until `Runs.purge_deleted`.

        Raises HandlensError where the run is in use or is being trained.
        """
        released = self.released()
        if released is not None and released.run == run:
            raise HandlensError(
                msg("Run {run} is released, so it cannot be deleted. Release another run first.", run=str(run))
            )
        info = next((each for each in self.runs.all() if each.number == run), None)
        if info is None:
            raise HandlensError(msg("There is no run {run} in this project.", run=str(run)))
        if info.state == "running" or self.runs.adjusting(run):
            self.lock("train").release()  # raises while somebody trains
            self.runs.mark_interrupted()
        self.runs.delete(run)

    def predictions(self, run: int) -> Predictions:
        """What run `run` said of every sample there was when it ended."""
        folder = self.runs.results(run) / "predictions"
        if not folder.is_dir():
            raise HandlensError(msg("Run {run} has no predictions. Train again to get them.", run=str(run)))
        try:
            predictions = read_predictions(folder, task=self.task)
            check_predictions(predictions, classes=len(self.classes()))
        except (OSError, ValueError) as error:
            if folder.parent != self.runs.results(run):  # a better model has just replaced the first one
                return self.predictions(run)
            raise HandlensError(
                msg(
                    "The predictions of run {run} are damaged (folder {folder}). Train again to get new ones.",
                    run=str(run),
                    folder=folder.relative_to(self.path).as_posix(),
                ),
                details=repr(error),
            ) from error
        return predictions

    def _set_meta(self, values: dict[str, str]) -> None:
        with self._store.writing() as connection:
            for key, value in values.items():
                tables.set_meta_value(connection, key, value)
        self._meta.update(values)


def _checked_meta(store: Store) -> dict[str, str]:
    """Return the single values of a project once the whole database has been checked."""
    try:
        with store.reading() as connection:
            check_schema(connection)
            meta = read_meta(connection)
            check_rows(connection, windowing_of(meta))
    except ValueError as error:
        raise damaged(store.path, str(error)) from error
    return meta


def _not_created(folder: Path, error: OSError) -> Message:
    if is_disk_full_error(error):
        return msg(
            "The project cannot be created in {folder} because the disk is full. Free some space and try again.",
            folder=str(folder),
        )
    return msg(
        "The project cannot be created in {folder} ({reason}). Choose a folder you may write to.",
        folder=str(folder),
        reason=error.strerror or str(error),
    )


def _not_written(error: OSError) -> Message:
    if is_disk_full_error(error):
        return msg("The project could not be written because the disk is full. Free some space and try again.")
    return msg("The project could not be written ({reason}). Try again.", reason=error.strerror or str(error))


def _in_use(name: str, what: str) -> Message:
    if what == "train":
        return msg("The project “{project}” is being trained. Wait for it to end or stop it there.", project=name)
    return msg("The project “{project}” is open in another window. Close it there first.", project=name)
