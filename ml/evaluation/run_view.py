"""What a run did on its test samples, ready to be shown: scores, the worst mistakes, the surest answers, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ml.core.errors import HandlensError
from ml.core.events import Evaluated, Failed
from ml.core.jobs import EvaluateJob, NeverStop
from ml.core.messages import Message, msg, text
from ml.core.phrases import listed
from ml.core.types import Sample
from ml.evaluation.evaluate import evaluate
from ml.evaluation.thresholds_in_use import labelled_rows
from ml.media.kinds import kind_named
from ml.pictures.contact_sheet import SheetTile
from ml.pictures.render_sample import render_sample
from ml.project.project import Project
from ml.scoring.tasks import task_named

NONE_OF_THEM = msg("none of the classes")
Order = Literal["most wrong", "surest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSample:
    """One test sample: its labels and predictions by class index, and how wrong the prediction is, 0…1."""

    sample: Sample
    row: int
    labels: tuple[int, ...]
    predicted: tuple[int, ...]
    probability: float
    wrongness: float

    @property
    def right(self) -> bool:
        return {*self.labels} == {*self.predicted}


class RunView:
    """The finished run `number` of an open project, the released one if None.

    Raises HandlensError where there is none, or where it cannot be tested.
    """

    def __init__(self, project: Project, number: int | None = None) -> None:
        self.project = project
        self.run = project.run_in_use(number)
        self.names = tuple(item.name for item in project.classes())
        self.evaluated = _evaluated(project.path, self.run.number)
        self._stored = project.predictions(self.run.number)
        samples = {sample.id: sample for sample in project.samples() if sample.labelled}
        rows, _targets = labelled_rows(self._stored, samples, "test")
        self._shown = [self._view(int(row), samples[int(self._stored.sample_ids[row])]) for row in rows]

    def chosen(self, order: Order, most: int) -> list[ShownSample]:
        """Return wrong answers, the most wrong first, or right ones, the surest first."""
        if order == "most wrong":
            return sorted((item for item in self._shown if not item.right), key=lambda item: -item.wrongness)[:most]
        return sorted((item for item in self._shown if item.right), key=lambda item: item.wrongness)[:most]

    def tile(self, item: ShownSample, edge: int) -> SheetTile | None:
        """Return the sample as a picture with its maps and names, or None where its file cannot be read."""
        try:
            drawn = render_sample(
                self.project.kind,
                self.project.file(item.sample.path),
                windowing=self.project.reading,
                start=item.sample.start or 0.0,
                size=(edge, edge),
            )
        except (HandlensError, OSError):
            return None
        return SheetTile(
            picture=drawn,
            maps=kind_named(self.project.kind).turned(np.asarray(self._stored.maps[item.row], dtype=np.float32)),
            shown=item.predicted,
            label=text(self.named(item.labels)),
            predicted=text(self.named(item.predicted)),
            probability=item.probability if task_named(self._stored.task).exclusive else None,
        )

    def named(self, classes: Sequence[int]) -> Message:
        """Return the names of these classes as one phrase."""
        names = [self.names[index] for index in sorted(classes)]
        return listed(names, most=99) if names else NONE_OF_THEM

    def _view(self, row: int, sample: Sample) -> ShownSample:
        probabilities = np.asarray(self._stored.probabilities[row], dtype=np.float64)
        thresholds = None if self._stored.thresholds is None else self._stored.thresholds.tolist()
        task = task_named(self._stored.task)
        known = [label for label in sample.labels if label < len(probabilities)]
        if task.exclusive:
            wrongness = 1.0 - float(probabilities[known].sum())
        else:
            there = np.isin(np.arange(len(probabilities)), known)
            wrongness = float(np.where(there, 1.0 - probabilities, probabilities).max())
        return ShownSample(
            sample=sample,
            row=row,
            labels=sample.labels,
            predicted=tuple(task.predicted(probabilities, thresholds)),
            probability=float(probabilities.max()),
            wrongness=wrongness,
        )


def _evaluated(project: Path, run: int) -> Evaluated:
    for event in evaluate(EvaluateJob(project=project, run=run), NeverStop()):
        if isinstance(event, Evaluated):
            return event
        if isinstance(event, Failed):
            raise HandlensError(event.message, details=event.details)
    raise AssertionError("an evaluation ends with its scores")
