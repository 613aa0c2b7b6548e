"""The predictions of a multi-label run as columns: a sample may have several classes, or none. Pure arrays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from desktop.models.prediction_table import Filter, PredictionTable
from ml.api import SPLIT_CODES, Predictions, Sample, leaning, mistaken


class SeveralTable(PredictionTable):
    """As `PredictionTable`. A row is right where exactly the classes it is labelled with are said.

    How sure is measured from each class's threshold: `own` is the least of how sure it is of what is so, `_margin` of
    anything it says. `labels` is 0 for what is labelled, be it with none of the classes, and -1 for what is not.
    """

    def __init__(self, predictions: Predictions, samples: Iterable[Sample]) -> None:
        shape = predictions.probabilities.shape
        assert predictions.thresholds is not None
        self.thresholds = predictions.thresholds
        self.told = np.zeros(shape, dtype=np.bool_)
        """(N, classes) which classes are said to be there."""
        self.truth = np.zeros(shape, dtype=np.bool_)
        """(N, classes) as labelled now."""
        self._beyond = np.zeros(shape[0], dtype=np.bool_)
        """(N,) labelled with a class that the run did not know."""
        self._margin = np.zeros(shape[0], dtype=np.float32)
        super().__init__(predictions, samples)

    def said(self, row: int) -> tuple[int, ...]:
        """The classes it says are there, the surest first."""
        probabilities = np.asarray(self.predictions.probabilities[row])
        order = np.argsort(-probabilities, kind="stable")
        return tuple(int(index) for index in order if self.told[row, index])

    def labelled_before(self, row: int) -> tuple[int, ...] | None:
        if int(self.predictions.splits[row]) == SPLIT_CODES.index("none"):
            return None
        assert self.predictions.targets is not None
        return tuple(int(index) for index in np.flatnonzero(self.predictions.targets[row]))

    def update(self, samples: Iterable[Sample]) -> None:
        wanted = [(row, sample) for sample in samples if (row := self.row(sample.id)) is not None]
        if not wanted:
            return
        rows = np.array([row for row, _sample in wanted], dtype=np.int64)
        self.truth[rows] = False
        self._beyond[rows] = False
        for row, sample in wanted:
            self.labels[row] = 0 if sample.labelled else -1
            self.splits[row] = SPLIT_CODES.index(sample.split or "none")
            self.sources[row] = sample.source_id
            for index in sample.labels:
                if index < self.classes:
                    self.truth[row, index] = True
                else:
                    self._beyond[row] = True
        lean = leaning(np.asarray(self.predictions.probabilities[rows]), self.thresholds)
        own = np.where(self.truth[rows], lean, 1.0 - lean).min(axis=1)
        self.own[rows] = np.where(self._beyond[rows], 0.0, own)

    def sureness(self) -> NDArray[np.float32]:
        """(N,) how far the class that is nearest to its threshold is from it."""
        return self._margin

    def wrong(self) -> NDArray[np.bool_]:
        return np.asarray((self.labels >= 0) & ((self.told != self.truth).any(axis=1) | self._beyond))

    def wrong_at(self, row: int) -> bool:
        told = bool((self.told[row] != self.truth[row]).any() or self._beyond[row])
        return bool(self.labels[row] >= 0) and told

    def right(self) -> NDArray[np.bool_]:
        return np.asarray((self.labels >= 0) & ~self.wrong())

    def has_label(self, index: int) -> NDArray[np.bool_]:
        if index < 0:
            return np.asarray((self.labels >= 0) & ~self.truth.any(axis=1) & ~self._beyond)
        if index >= self.classes:
            return np.zeros(len(self.ids), dtype=np.bool_)
        return np.asarray(self.truth[:, index])

    def in_cell(self, label: int, predicted: int) -> NDArray[np.bool_]:
        found = self.has_label(label) & self.told[:, predicted]
        return np.asarray(found if label == predicted else found & ~self.truth[:, predicted])

    def confusion(self, chosen: Filter) -> NDArray[np.int64]:
        rows = self.select(chosen)
        rows = rows[self.labels[rows] >= 0]
        return mistaken(self.told[rows], self.truth[rows].astype(np.int64))

    def totals(self, chosen: Filter) -> NDArray[np.int64]:
        rows = self.select(chosen)
        return np.asarray(self.truth[rows].sum(axis=0, dtype=np.int64))

    def _judge(self, part: slice) -> None:
        probabilities = np.asarray(self.predictions.probabilities[part])
        if not len(probabilities):
            return
        lean = leaning(probabilities, self.thresholds)
        self.told[part] = lean >= 0.5
        best = np.argmax(probabilities, axis=1)
        self.predicted[part] = best
        self.top[part] = probabilities[np.arange(len(best)), best]
        self._margin[part] = np.abs(lean - 0.5).min(axis=1)


def table_of(predictions: Predictions, samples: Iterable[Sample]) -> PredictionTable:
    """The table for a run, of either task."""
    return SeveralTable(predictions, samples) if predictions.several else PredictionTable(predictions, samples)
