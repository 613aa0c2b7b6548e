"""The open project: samples, labels and runs, with signals for changes. No widgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal, Slot

from desktop import style
from desktop.i18n import printable, tr
from desktop.label_writer import LabelFacts, LabelWriter, OnEnd, Written
from ml.api import (
    DEFAULT_EAR,
    DEFAULT_FRONT,
    WRONG_AT_MOST,
    ClassInfo,
    Ear,
    Front,
    HandlensError,
    LabelChange,
    LabelParts,
    Message,
    Origin,
    Predictions,
    Preset,
    Project,
    Remark,
    RunInfo,
    Sample,
    Split,
    TrainJob,
    default_annotator,
    planted_labels,
)


class SampleList(NamedTuple):
    """Samples that one page wants to be shown on Explore, and what they have in common."""

    ids: tuple[int, ...]
    words: str


SampleKey = tuple[tuple[int, ...], Split | None, Origin | None]
"""Labels, split and `set_by` of a sample."""
_KEY: Callable[[Sample], SampleKey] = attrgetter("labels", "split", "set_by")


class Session(QObject):
    """Holds the project and its studio lock until `close`.

    Raises HandlensError if another window has the project open.
    """

    labels_changed = Signal(object)
    """A tuple of `LabelChange`. They are on disk and in `samples` already."""
    samples_changed = Signal()
    """Files were added; samples, classes and labels were read again."""
    writing_changed = Signal(int, float)
    """How many labels are being written in the background, and the fraction that is done; 0 for none."""
    runs_changed = Signal()
    """A run was added, ended or removed."""
    run_changed = Signal(object)
    """The selected run, `RunInfo | None`."""
    remarks_changed = Signal(object)
    """The ids of samples whose flag or note changed."""
    classes_changed = Signal()
    """A class was added, renamed, recoloured or retired."""
    released_changed = Signal()
    """Another run was released."""
    training_changed = Signal(bool)
    """Whether a run is being trained now."""
    training_requested = Signal()
    """Another page wants to train again, with the preset of the newest run."""
    training_refused = Signal(str)
    """Why that is not possible now, in a sentence."""
    originals_found = Signal()
    """The folder with the original files was missing and is back."""

    def __init__(
        self, project: Project, parent: QObject | None = None, *, samples: Sequence[Sample] | None = None
    ) -> None:
        """`samples`: the samples of the project, if they have been read already."""
        super().__init__(parent)
        self._lock = project.lock("studio")
        self.project = project
        self.annotator = default_annotator()
        project.runs.mark_interrupted()
        self.classes: tuple[ClassInfo, ...] = project.classes()
        self._use_colours()
        self._by_id = {sample.id: sample for sample in samples or project.samples()}
        self._writer = LabelWriter(project, self.annotator, self._by_id, self)
        self._writer.written.connect(self._on_written)
        self._writer.busy_changed.connect(self.writing_changed)
        self._samples: tuple[Sample, ...] | None = None
        self._tally: Counter[SampleKey] | None = None
        self._remarks: dict[int, Remark] | None = None
        self._originals_gone = False
        self._predictions: Predictions | None = None
        self.run: RunInfo | None = project.runs.newest()
        self._training = False
        self._requested: SampleList | None = None
        self.planted = planted_labels(project.path)
        """How many labels of a built-in sample are wrong on purpose; None for other projects."""

    # -- what is in it -----------------------------------------------------------------------------------------

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Return all samples with their present labels, ordered by id, from memory."""
        if self._samples is None:
            self._samples = tuple(self._by_id.values())
        return self._samples

    def sample(self, sample_id: int) -> Sample:
        """Return a sample with its present labels. Raises KeyError if there is none."""
        return self._by_id[sample_id]

    def samples_of(self, sample_ids: Iterable[int]) -> list[Sample]:
        """Return many samples, as `sample` does one."""
        by_id = self._by_id
        return [by_id[sample_id] for sample_id in sample_ids]

    def tally(self) -> Mapping[SampleKey, int]:
        """Count the samples by labels, split and who set the labels. Kept up to date without looking at all of them."""
        if self._tally is None:
            self._tally = Counter(map(_KEY, self._by_id.values()))
        return self._tally

    def split_counts(self) -> dict[str, int]:
        """Count the samples of each split, "" for those without a label."""
        counts: Counter[str] = Counter()
        for (_labels, split, _set_by), count in self.tally().items():
            counts[split or ""] += count
        return dict(+counts)

    def reload(self) -> None:
        """Read samples and classes again, after files were added, and announce it."""
        self.finish_writing()
        fresh = {sample.id: sample for sample in self.project.samples()}
        self._by_id.clear()  # the writer of labels shares it
        self._by_id.update(fresh)
        self._samples = self._tally = None
        self._read_classes()
        self.samples_changed.emit()
        self.run_changed.emit(self.run)
        self.labels_changed.emit(())

    def missing_originals(self) -> Message | None:
        """Return why the original files cannot be read; None while their folder is there."""
        try:
            _ = self.project.source_folder
        except HandlensError as error:
            self._originals_gone = True
            return error.message
        if self._originals_gone:
            self._originals_gone = False
            self.originals_found.emit()
        return None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes, as they are shown."""
        return tuple(printable(item.name) for item in self.classes)

    # -- classes -----------------------------------------------------------------------------------------------

    def active_classes(self) -> tuple[ClassInfo, ...]:
        """Return the classes that are in use."""
        return tuple(item for item in self.classes if not item.retired)

    def add_class(self, name: str) -> ClassInfo:
        """Add a class, see `Project.add_class`. Raises HandlensError."""
        added = self.project.add_class(name)
        self._read_classes()
        return added

    def change_class(
        self, index: int, *, name: str | None = None, colour: str | None = None, retired: bool | None = None
    ) -> None:
        """Change a class, see `Project.change_class`. Raises HandlensError."""
        self.project.change_class(index, name=name, colour=colour, retired=retired)
        self._read_classes()

    def _read_classes(self) -> None:
        self.classes = self.project.classes()
        self._use_colours()
        self.classes_changed.emit()

    def _use_colours(self) -> None:
        style.use_class_colours({item.index: item.colour for item in self.classes if item.colour})

    # -- labels ------------------------------------------------------------------------------------------------

    def set_labels(self, sample_ids: Sequence[int], class_indices: Sequence[int]) -> tuple[LabelChange, ...]:
        """Give all these samples the same classes, see `Project.set_labels`. On disk when this returns."""
        return self.restore_labels([(sample_id, tuple(class_indices)) for sample_id in sample_ids])

    def restore_labels(
        self, wanted: Iterable[tuple[int, tuple[int, ...] | None]], *, origins: Mapping[int, Origin] | None = None
    ) -> tuple[LabelChange, ...]:
        """Give each sample its own labels in one step, as undo and redo need it; None removes the labels.

        `origins` as in `Project.restore_labels`. On disk when this returns.
        """
        ends: list[Written] = []
        self.write_labels(wanted, origins=origins, on_end=ends.append)
        self.finish_writing()
        if ends[0].error is not None:
            raise ends[0].error
        return ends[0].changes

    def write_labels(
        self,
        wanted: Iterable[tuple[int, tuple[int, ...] | None]],
        *,
        origins: Mapping[int, Origin] | None = None,
        annotators: Mapping[int, str] | None = None,
        parts: Mapping[int, LabelParts] | None = None,
        on_end: OnEnd,
    ) -> None:
        """Do the same without waiting, if there are many: `on_end` is called when they are on disk, or cannot be."""
        facts = LabelFacts(origins=origins or {}, annotators=annotators or {}, parts=parts or {})
        self._writer.write(list(wanted), facts, on_end)

    def remarks(self) -> Mapping[int, Remark]:
        """Return the flags and notes by sample, from memory; samples without either are left out."""
        if self._remarks is None:
            self._remarks = self.project.remarks()
        return self._remarks

    def set_remarks(self, wanted: Mapping[int, Remark]) -> None:
        """Flag samples and write notes on them. On disk when this returns. Raises HandlensError."""
        known = dict(self.remarks())
        self.project.set_remarks(wanted, annotator=self.annotator)
        for sample_id, remark in wanted.items():
            if remark == Remark():
                known.pop(sample_id, None)
            else:
                known[sample_id] = remark
        self._remarks = known
        self.remarks_changed.emit(tuple(wanted))

    def after_writing(self, edit: Callable[[], None]) -> None:
        """Call `edit` when all labels are on disk: at once if none is being written."""
        self._writer.after(edit)

    def finish_writing(self) -> None:
        """Return when all labels are on disk."""
        self._writer.finish()

    @Slot(object)
    def _on_written(self, written: Written) -> None:
        if self._tally is not None:
            self._tally.subtract(Counter(map(_KEY, self.samples_of(written.samples))))
            self._tally.update(Counter(map(_KEY, written.samples.values())))
        self._by_id.update(written.samples)
        self._samples = None
        self.labels_changed.emit(written.changes)

    # -- runs --------------------------------------------------------------------------------------------------

    def train_job(
        self,
        preset: Preset,
        *,
        epochs: int | None = None,
        seed: int = 0,
        resume: bool = False,
        backbone: str = "",
        weights: Path | None = None,
        front: Front = DEFAULT_FRONT,
        ear: Ear = DEFAULT_EAR,
    ) -> TrainJob:
        self.finish_writing()  # the training reads them from the disk
        return TrainJob(
            project=self.project.path,
            preset=preset,
            epochs=epochs,
            seed=seed,
            resume=resume,
            backbone=backbone,
            weights=weights,
            front=front,
            ear=ear,
        )

    def resumable_run(self) -> RunInfo | None:
        """Return the run that a job with `resume` would continue, or None."""
        return self.project.runs.resumable(tuple(item.name for item in self.classes))

    def set_run(self, number: int | None) -> None:
        """Select finished run `number`, or no run. Raises HandlensError if there is no such run."""
        self.run = None if number is None else self.project.runs.finished(number)
        self._predictions = None
        self.run_changed.emit(self.run)

    def request_samples(self, ids: Iterable[int], words: str) -> None:
        """Let Explore show these samples when it is opened next; `words` name them there."""
        self._requested = SampleList(tuple(ids), words)

    def take_requested(self) -> SampleList | None:
        """Return what `request_samples` left, once."""
        requested, self._requested = self._requested, None
        return requested

    def delete_run(self, run: int) -> None:
        """Delete a run; `undelete_run` brings it back until the project is closed. Raises HandlensError."""
        self.project.delete_run(run)
        self.refresh_runs()

    def undelete_run(self, run: int) -> None:
        """Bring a deleted run back."""
        self.project.runs.undelete(run)
        self.refresh_runs()
        if self.run is None:
            with suppress(HandlensError):  # it never finished
                self.set_run(run)

    @property
    def training(self) -> bool:
        """Whether a run is being trained now."""
        return self._training

    def release(self, run: int, *, name: str, reason: str) -> None:
        """Use run `run` from now on, see `Project.release`. Raises HandlensError."""
        self.project.release(run, name=name, reason=reason)
        self.released_changed.emit()

    def set_training(self, training: bool) -> None:
        """Announce whether a run is being trained."""
        if training != self._training:
            self._training = training
            self.training_changed.emit(training)

    def request_training(self) -> None:
        """Train again without leaving the page. `training` is true then, or `training_refused` has said why not."""
        if self._training:
            self.training_refused.emit(tr("A training is running already."))
        else:
            self.training_requested.emit()

    def refresh_runs(self, *, show: int | None = None) -> None:
        """Announce that a training has ended, and select run `show` if it is given."""
        # A killed process leaves its run marked as running.
        self.project.runs.mark_interrupted()
        self._read_splits()
        self.runs_changed.emit()
        finished = {run.number for run in self.project.runs.all() if run.state == "finished"}
        if show is None and self.run is not None and self.run.number not in finished:  # it was discarded
            self.set_run(max(finished, default=None))
        elif show is not None:
            self.set_run(show)

    def _read_splits(self) -> None:
        """Take over the splits that a training gave to samples that were labelled after the project was made."""
        if not any(count and split is None and labels for (labels, split, _set_by), count in self.tally().items()):
            return
        splits = self.project.splits()
        self._by_id.update(
            {
                sample.id: sample._replace(split=splits.get(sample.path))
                for sample in self._by_id.values()
                if sample.labelled and sample.split is None
            }
        )
        self._samples = self._tally = None

    def predictions(self) -> Predictions | None:
        """Return the predictions of the selected run; None where no run is selected.

        Raises HandlensError if its arrays are missing.
        """
        if self.run is None:
            return None
        if self._predictions is None:
            self._predictions = self.project.predictions(self.run.number)
        return self._predictions

    def rate_in_use(self) -> float:
        """Return the target error among accepted predictions: the one chosen, else the one the run was made for."""
        target_error = None if self.run is None else self.project.runs.target_error(self.run.number)
        return self.project.wrong_at_most or target_error or WRONG_AT_MOST

    def close(self) -> None:
        """Close the project, when the labels that are being written are on disk. There is nothing else to save."""
        self._writer.close()
        style.use_class_colours({})
        self._predictions = None
        # A killed training leaves its run marked as running; the start page says that it is paused.
        with suppress(HandlensError):  # a full disk must not keep the window open
            self.project.runs.mark_interrupted()
            self.project.runs.purge_deleted()
        self.project.close()
        self._lock.release()


def open_session(path: Path) -> Session:
    """Open the project at `path`. Raises HandlensError, and then nothing is left open."""
    project = Project.open(path)
    try:
        return Session(project)
    except HandlensError:
        project.close()
        raise
