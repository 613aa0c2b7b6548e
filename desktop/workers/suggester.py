"""Suggestions while somebody labels: features from a child process, a few-shot model in a thread. No widgets here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from desktop.i18n import error_text, text, tr
from desktop.workers.job_thread import JobThread
from desktop.workers.tasks import Tasks
from ml.api import (
    Event,
    Failed,
    FeaturesJob,
    FeaturesReady,
    FewShot,
    Progress,
    Project,
    Runner,
    Sample,
    StageStarted,
    TaskName,
    Worker,
    all_like,
    embeddings_in,
    most_similar,
    most_useful,
    reduced,
    task_named,
    uncertainty,
)

State = Literal["none", "computing", "loading", "ready", "stopped", "failed"]
Labels = tuple[int, ...] | None
"""Class indices; None for a sample without a label."""
LEAST_LABELS = 3
"""Of each class, before anything is guessed."""
DOUBT = 0.5
"""From this uncertainty on a guess is worth a look."""
USEFUL = 40
"""Samples that are put first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Guesses:
    """What the few-shot model says of every sample. Rows are those of `Suggester.ids`."""

    probabilities: NDArray[np.float32]
    doubt: NDArray[np.float32]
    useful: tuple[int, ...]
    """Sample ids."""


class Suggester(QObject):
    """Computes features once, and follows every label. All heavy work is done elsewhere."""

    changed = Signal()
    """Other guesses, or another state."""
    progressed = Signal(float)
    """The fraction of the features that is computed; negative when that has ended."""

    def __init__(self, parent: QObject | None = None, *, runner: Runner | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self._thread: JobThread | None = None
        self._few: FewShot | None = None
        self._request = 0
        self._pending: dict[int, Labels] = {}
        self._labels: dict[int, tuple[int, ...]] = {}
        self._classes = 0
        self._task: TaskName = "single"
        self._project: Project | None = None
        self._samples: dict[int, Sample] = {}
        self._share, self._decoding = 0.0, True
        self._open: set[int] = set()
        self._open_rows = np.zeros(0, dtype=np.bool_)
        self._has_enough: bool | None = None
        self.ids: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._rows: dict[int, int] = {}
        self.guesses: Guesses | None = None
        self.state: State = "none"
        self.problem = ""

    # -- the project ---------------------------------------------------------------------------------------------

    def set_project(self, project: Project, samples: Sequence[Sample], classes: int) -> None:
        """Work for this project; `start` begins."""
        self._few, self._rows, self.guesses = None, {}, None
        self._project, self._task = project, project.task
        self.set_samples(samples, classes)

    def set_samples(self, samples: Sequence[Sample], classes: int) -> None:
        """Work for these samples of the project; `start` looks at the new ones. Until then, old guesses are kept."""
        self._end_thread()
        self._tasks.forget_all()
        self._request, self._pending = 0, {}
        self._has_enough, self.state, self.problem = None, "none", ""
        self._classes = classes
        self._samples = {sample.id: sample for sample in samples}
        self._labels = {sample.id: sample.labels for sample in samples if sample.labelled}
        self._open = {sample.id for sample in samples if not sample.labelled and not sample.ignored}
        self._mark_open()

    def _mark_open(self) -> None:
        """Say of each row whether its sample waits for a label."""
        ids = self.ids if self._rows else np.zeros(0, dtype=np.int64)
        self._open_rows = np.isin(ids, np.fromiter(self._open, dtype=np.int64, count=len(self._open)))

    def start(self) -> None:
        """Compute the features, unless they are there or on their way."""
        if self._project is None or self.state in ("computing", "loading", "ready") or self._project.read_only:
            return
        job = FeaturesJob(project=self._project.path)
        self._thread = JobThread(job, self._runner or Worker().run, self)
        self._thread.happened.connect(self._on_event)
        self._thread.ended.connect(self._on_ended)
        self.state, self.problem = "computing", ""
        self._thread.start()
        self.changed.emit()

    def stop(self) -> None:
        """Make room for a training; `start` continues later."""
        if self._thread is not None:
            self._thread.cancel()

    def close(self) -> None:
        """End everything without another signal."""
        self.blockSignals(True)
        self._end_thread()
        self._tasks.close()
        self._project, self._few = None, None

    # -- what the user does --------------------------------------------------------------------------------------

    def follow(self, samples: Sequence[Sample]) -> None:
        """Follow the labels of these samples; new guesses come with `changed`."""
        self._has_enough = None
        for sample in samples:
            if sample.labelled:
                self._labels[sample.id] = sample.labels
            else:
                self._labels.pop(sample.id, None)
            is_open = not sample.labelled and not sample.ignored
            (self._open.add if is_open else self._open.discard)(sample.id)
            row = self._rows.get(sample.id)
            if row is not None:
                self._pending[row] = sample.labels if sample.labelled else None
                self._open_rows[row] = is_open
        self._update()

    def set_class_count(self, classes: int) -> None:
        """Follow a class that was added."""
        if classes > self._classes:
            self._classes, self._has_enough = classes, None
            self._update()

    # -- what it says --------------------------------------------------------------------------------------------

    def guess(self, sample_id: int) -> tuple[tuple[int, ...], float] | None:
        """Return the classes that a sample probably shows and how sure that is; None while nothing is guessed."""
        row = self._rows.get(sample_id)
        if self.guesses is None or row is None or not self.enough():
            return None
        answer = self.guesses.probabilities[row]
        if not len(answer):  # older than the first class
            return None
        if not task_named(self._task).exclusive:
            found = tuple(np.flatnonzero(answer >= 0.5).tolist())
            return found, float(np.maximum(answer, 1 - answer).min(initial=1.0))
        best = int(np.argmax(answer))
        return (best,), float(answer[best])

    def in_doubt(self) -> NDArray[np.int64]:
        """Return the samples without a label whose guess is worth a look."""
        if self.guesses is None or not self.enough():
            return np.zeros(0, dtype=np.int64)
        return np.asarray(self.ids[(self.guesses.doubt >= DOUBT) & self._open_rows])

    def enough(self) -> bool:
        """Return whether two classes have enough labels to guess the rest."""
        if self._has_enough is None:
            self._has_enough = self._count_enough()
        return self._has_enough

    def _count_enough(self) -> bool:
        counts = np.zeros(max(1, self._classes), dtype=np.int64)
        for chosen in self._labels.values():
            for index in chosen:
                counts[index] += 1
        return int((counts >= LEAST_LABELS).sum()) >= (2 if task_named(self._task).exclusive else 1)

    def useful(self) -> tuple[int, ...]:
        """Return the samples that are most useful to label next, the most useful first."""
        return () if self.guesses is None else self.guesses.useful

    def similar(self, sample_ids: Sequence[int], *, count: int) -> list[int]:
        """Return the samples most similar to these, themselves first."""
        rows = np.array([self._rows[each] for each in sample_ids if each in self._rows], dtype=np.int64)
        if self._few is None or not len(rows):
            return []
        found = most_similar(self._few.features, rows, np.arange(len(self.ids)), count=count)
        return [int(each) for each in self.ids[found]]

    def alike(self, sample_id: int, *, count: int) -> list[int]:
        """Return the unlabelled samples of one sort with this one, itself first."""
        row = self._rows.get(sample_id)
        if self._few is None or row is None:
            return []
        free = self._open_rows.copy()
        free[row] = True
        probabilities = self.guesses.probabilities if self.guesses is not None and self.enough() else None
        found = all_like(self._few.features, probabilities, row, np.flatnonzero(free), count=count)
        return [int(each) for each in self.ids[found]]

    # -- the features --------------------------------------------------------------------------------------------

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self._decoding = event.stage == "decode"
        elif isinstance(event, Progress):
            done = event.done / max(1, event.total)
            self.progressed.emit(0.3 * done if self._decoding else 0.3 + 0.7 * done)

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        self._end_thread()
        self.progressed.emit(-1.0)
        if isinstance(event, FeaturesReady) and self._project is not None:
            self.state = "loading"
            samples = [self._samples[each] for each in event.sample_ids if each in self._samples]
            folder = self._project.path / "cache" / event.folder
            exclusive = task_named(self._task).exclusive
            self._request = self._tasks.submit(_load, folder, samples, self._classes, exclusive)
        elif isinstance(event, Failed):
            self.state, self.problem = "failed", text(event.message)
        else:
            self.state = "stopped"
        self.changed.emit()

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()

    # -- the model -----------------------------------------------------------------------------------------------

    def _update(self) -> None:
        """Fit again in the thread; while it is busy, labels gather."""
        if self._few is None or self._request:
            return
        pending, self._pending = self._pending, {}
        self._request = self._tasks.submit(partial(_fit, self._few, pending, self._classes, self._task, self.ids))

    @Slot(int, object)
    def _on_done(self, _number: int, result: object) -> None:
        self._request = 0
        if isinstance(result, _Loaded):
            self._few, self.ids = result.few, result.ids
            self._rows = {sample_id: row for row, sample_id in enumerate(result.ids.tolist())}
            self._mark_open()
            if self.guesses is not None and len(self.guesses.doubt) != len(result.ids):
                self.guesses = None  # of the rows before; the next ones follow at once
            self._pending = {self._rows[each]: labels for each, labels in self._labels.items() if each in self._rows}
            self.state = "ready"
            self._update()
        elif isinstance(result, Guesses):
            if len(result.doubt) == len(self.ids):
                self.guesses = result
            if self._pending or result.probabilities.shape[1] < self._classes:
                self._update()
        self.changed.emit()

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        self._request = 0
        self.state, self.problem = "failed", tr("There are no suggestions. {problem}", problem=error_text(error))
        self.changed.emit()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    few: FewShot
    ids: NDArray[np.int64]


def _load(folder: Path, samples: Sequence[Sample], classes: int, exclusive: bool) -> _Loaded:
    """Read the features. Runs in a thread."""
    features = embeddings_in(folder, samples)
    if features is None:
        raise OSError("features are missing")
    few = FewShot(reduced(features), classes=classes, exclusive=exclusive, whiten=False)
    return _Loaded(few=few, ids=np.array([sample.id for sample in samples], dtype=np.int64))


def _fit(few: FewShot, labels: Mapping[int, Labels], classes: int, task: TaskName, ids: NDArray[np.int64]) -> Guesses:
    """Follow the labels. Runs in a thread, one call at a time."""
    while few.classes < classes:
        few.add_class()
    exclusive = task_named(task).exclusive
    few.set_labels({row: None if exclusive and chosen == () else chosen for row, chosen in labels.items()})
    probabilities = few.probabilities()
    doubt = uncertainty(probabilities, task_named(task))
    known = few.labelled_rows()
    free = np.setdiff1d(np.arange(len(ids)), known)
    useful = most_useful(few.features, doubt, free, known=known, count=USEFUL)
    return Guesses(probabilities=probabilities, doubt=doubt, useful=tuple(ids[useful].tolist()))
