"""The predictions of a run as columns that can be sorted and filtered at once. Pure arrays, no widgets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.api import (
    SPLIT_CODES,
    Predictions,
    Sample,
    confusion,
    multilabel_confusion,
    relative_to_threshold,
    task_named,
)

Order = Literal["wrong", "unsure", "right", "unlike"]
Verdict = Literal["all", "wrong", "right"]
_CHUNK = 1 << 16
_ID, _LABELS, _SPLIT, _SOURCE = map(attrgetter, ("id", "labels", "split", "source_id"))
_CODES = {None if name == "none" else name: code for code, name in enumerate(SPLIT_CODES)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which rows to look at; None lets everything through."""

    split: int | None = None
    """An index into `SPLIT_CODES`."""
    label: int | None = None
    predicted: int | None = None
    """With a label: the column of a cell of the confusion matrix."""
    verdict: Verdict = "all"
    only: tuple[int, ...] | None = None
    """The ids of the samples to choose from."""
    in_that_order: bool = False
    """Whether `only` says the order, too."""


class PredictionTable:
    """Rows as in `Predictions`; labels and splits as they are now. `table_of` makes the one that a run needs."""

    exclusive = True
    """Whether each sample has one class; otherwise `truth` and `told` say which classes are there, see `ml`'s Task."""
    thresholds: NDArray[np.float32] | None = None
    """(classes,) from where on a class counts as present, where the task is not exclusive."""
    truth: NDArray[np.bool_]
    """(N, classes) as labelled now, where the task is not exclusive."""

    def __init__(self, predictions: Predictions, samples: Iterable[Sample]) -> None:
        self.predictions = predictions
        self.ids = np.asarray(predictions.sample_ids)
        self.classes = int(predictions.probabilities.shape[1])
        count = len(predictions)
        self.predicted = np.zeros(count, dtype=np.int64)
        self.top = np.zeros(count, dtype=np.float32)
        self.labels = np.full(count, -1, dtype=np.int64)
        self.splits = np.full(count, SPLIT_CODES.index("none"), dtype=np.uint8)
        self.sources = np.zeros(count, dtype=np.int64)
        """The file of each row."""
        self.own = np.zeros(count, dtype=np.float32)
        """Probability of the label; 0 for a class that the run did not know."""
        self._order = np.argsort(self.ids, kind="stable")
        self._sorted = self.ids[self._order]
        for begin in range(0, count, _CHUNK):
            self._judge(slice(begin, begin + _CHUNK))
        self.update(samples)

    def row(self, sample_id: int) -> int | None:
        """The row of a sample; None if the run did not see it."""
        place = int(np.searchsorted(self._sorted, sample_id))
        if place >= len(self._sorted) or self._sorted[place] != sample_id:
            return None
        return int(self._order[place])

    def predicted_classes(self, row: int) -> tuple[int, ...]:
        """The classes that are said of a row."""
        return (int(self.predicted[row]),)

    def labelled_before(self, row: int) -> tuple[int, ...] | None:
        """The labels when the run was made; None where nobody had said anything."""
        before = int(self.predictions.labels[row])
        return None if before < 0 else (before,)

    def update(self, samples: Iterable[Sample]) -> None:
        """Take over the present labels and splits of these samples."""
        found = list(samples)
        if not found or not len(self._sorted):
            return
        # Column by column: tuples of all four would cost several times as much, and 50,000 samples are usual.
        ids = np.fromiter(map(_ID, found), dtype=np.int64, count=len(found))
        places = np.minimum(np.searchsorted(self._sorted, ids), len(self._sorted) - 1)
        known = self._sorted[places] == ids
        rows = self._order[places[known]]
        first = [labels[0] if labels else -1 for labels in map(_LABELS, found)]
        self.labels[rows] = np.array(first, dtype=np.int64)[known]
        codes = map(_CODES.__getitem__, map(_SPLIT, found))
        self.splits[rows] = np.fromiter(codes, dtype=np.uint8, count=len(found))[known]
        self.sources[rows] = np.fromiter(map(_SOURCE, found), dtype=np.int64, count=len(found))[known]
        judged = (self.labels[rows] >= 0) & (self.labels[rows] < self.classes)
        self.own[rows] = 0.0
        self.own[rows[judged]] = self.predictions.probabilities[rows[judged], self.labels[rows[judged]]]

    def sureness(self) -> NDArray[np.float32]:
        """(N,) what the least sure are sorted by: the number on the tile."""
        return self.top

    def wrong(self) -> NDArray[np.bool_]:
        """(N,) labelled, and not as it was predicted."""
        return np.asarray((self.labels >= 0) & (self.labels != self.predicted))

    def wrong_at(self, row: int) -> bool:
        """Whether this row is labelled, and not as it was predicted."""
        return bool(self.labels[row] >= 0 and self.labels[row] != self.predicted[row])

    def right(self) -> NDArray[np.bool_]:
        """(N,) labelled as it was predicted."""
        return np.asarray((self.labels >= 0) & (self.labels == self.predicted))

    def has_label(self, index: int) -> NDArray[np.bool_]:
        """(N,) labelled with this class; with -1 in multi-label runs: with none of them."""
        return np.asarray(self.labels == index)

    def in_cell(self, label: int, predicted: int) -> NDArray[np.bool_]:
        """(N,) in this cell of the confusion matrix."""
        return np.asarray((self.labels == label) & (self.predicted == predicted))

    def select(self, chosen: Filter) -> NDArray[np.int64]:
        """The rows that pass the filter, in no particular order."""
        keep = np.ones(len(self.ids), dtype=np.bool_)
        if chosen.only is not None:
            keep &= np.isin(self.ids, np.array(chosen.only, dtype=np.int64))
        if chosen.split is not None:
            keep &= self.splits == chosen.split
        if chosen.label is not None:
            keep &= self.has_label(chosen.label)
        if chosen.label is not None and chosen.predicted is not None:
            keep &= self.in_cell(chosen.label, chosen.predicted)
        if chosen.verdict == "wrong":
            keep &= self.wrong()
        elif chosen.verdict == "right":
            keep &= self.right()
        return np.flatnonzero(keep)

    def sort(self, rows: NDArray[np.int64], order: Order) -> NDArray[np.int64]:
        """The rows in the order asked for; ties keep the order of the samples. "right" keeps only what is right."""
        if order == "unsure":
            key = self.sureness()[rows]
        elif order == "unlike":
            unlike = self.predictions.unlike
            key = np.zeros(len(rows), dtype=np.float32) if unlike is None else -np.asarray(unlike)[rows]
        elif order == "right":
            rows = rows[self.right()[rows]]
            key = -self.own[rows]
        else:
            # Nobody can say whether an unlabelled one is wrong: they come last.
            key = np.where(self.labels[rows] >= 0, self.own[rows], np.float32(2.0))
        return rows[np.argsort(key, kind="stable")]

    def confusion(self, chosen: Filter) -> NDArray[np.int64]:
        """(classes, classes) counts of the labelled rows that pass: row = label, column = prediction."""
        rows = self.select(chosen)
        rows = rows[(self.labels[rows] >= 0) & (self.labels[rows] < self.classes)]
        return confusion(self.labels[rows], self.predicted[rows], classes=self.classes)

    def totals(self, chosen: Filter) -> NDArray[np.int64] | None:  # noqa: ARG002 - others need it
        """(classes,) how many rows that pass have each class, where that is not the sum of a row of `confusion`."""
        return None

    def counts(self, chosen: Filter) -> tuple[int, int]:
        """How many of the labelled rows that pass are wrong, and how many there are."""
        rows = self.select(chosen)
        return int(self.wrong()[rows].sum()), int((self.labels[rows] >= 0).sum())

    def splits_present(self) -> tuple[int, ...]:
        return tuple(int(code) for code in np.unique(self.splits))

    def _judge(self, part: slice) -> None:
        """Fill prediction and its probability."""
        probabilities = np.asarray(self.predictions.probabilities[part])
        if not len(probabilities):
            return
        best = np.argmax(probabilities, axis=1)
        self.predicted[part] = best
        self.top[part] = probabilities[np.arange(len(best)), best]


class _PresenceTable(PredictionTable):
    """For tasks that are not exclusive. A row is right where exactly the classes it is labelled with are said.

    How sure is measured from each class's threshold: `own` is the least of how sure it is of what is so, `_margin` of
    anything it says. `labels` is 0 for what is labelled, be it with none of the classes, and -1 for what is not.
    """

    exclusive = False

    def __init__(self, predictions: Predictions, samples: Iterable[Sample]) -> None:
        shape = predictions.probabilities.shape
        assert predictions.thresholds is not None
        self.thresholds: NDArray[np.float32] = predictions.thresholds
        self.predicted_mask = np.zeros(shape, dtype=np.bool_)
        """(N, classes) which classes are said to be there."""
        self.truth = np.zeros(shape, dtype=np.bool_)
        self._beyond = np.zeros(shape[0], dtype=np.bool_)
        """(N,) labelled with a class that the run did not know."""
        self._margin = np.zeros(shape[0], dtype=np.float32)
        super().__init__(predictions, samples)

    def predicted_classes(self, row: int) -> tuple[int, ...]:
        """The classes it says are there, the surest first."""
        probabilities = np.asarray(self.predictions.probabilities[row])
        order = np.argsort(-probabilities, kind="stable")
        return tuple(int(index) for index in order if self.predicted_mask[row, index])

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
        lean = relative_to_threshold(np.asarray(self.predictions.probabilities[rows]), self.thresholds)
        own = np.where(self.truth[rows], lean, 1.0 - lean).min(axis=1)
        self.own[rows] = np.where(self._beyond[rows], 0.0, own)

    def sureness(self) -> NDArray[np.float32]:
        """(N,) how far the class that is nearest to its threshold is from it."""
        return self._margin

    def wrong(self) -> NDArray[np.bool_]:
        return np.asarray((self.labels >= 0) & ((self.predicted_mask != self.truth).any(axis=1) | self._beyond))

    def wrong_at(self, row: int) -> bool:
        differs = bool((self.predicted_mask[row] != self.truth[row]).any() or self._beyond[row])
        return bool(self.labels[row] >= 0) and differs

    def right(self) -> NDArray[np.bool_]:
        return np.asarray((self.labels >= 0) & ~self.wrong())

    def has_label(self, index: int) -> NDArray[np.bool_]:
        if index < 0:
            return np.asarray((self.labels >= 0) & ~self.truth.any(axis=1) & ~self._beyond)
        if index >= self.classes:
            return np.zeros(len(self.ids), dtype=np.bool_)
        return np.asarray(self.truth[:, index])

    def in_cell(self, label: int, predicted: int) -> NDArray[np.bool_]:
        found = self.has_label(label) & self.predicted_mask[:, predicted]
        return np.asarray(found if label == predicted else found & ~self.truth[:, predicted])

    def confusion(self, chosen: Filter) -> NDArray[np.int64]:
        rows = self.select(chosen)
        rows = rows[self.labels[rows] >= 0]
        return multilabel_confusion(self.predicted_mask[rows], self.truth[rows].astype(np.int64))

    def totals(self, chosen: Filter) -> NDArray[np.int64]:
        rows = self.select(chosen)
        return np.asarray(self.truth[rows].sum(axis=0, dtype=np.int64))

    def _judge(self, part: slice) -> None:
        probabilities = np.asarray(self.predictions.probabilities[part])
        if not len(probabilities):
            return
        lean = relative_to_threshold(probabilities, self.thresholds)
        self.predicted_mask[part] = lean >= 0.5
        best = np.argmax(probabilities, axis=1)
        self.predicted[part] = best
        self.top[part] = probabilities[np.arange(len(best)), best]
        self._margin[part] = np.abs(lean - 0.5).min(axis=1)


def table_of(predictions: Predictions, samples: Iterable[Sample]) -> PredictionTable:
    """The table for a run, whatever its task."""
    table = PredictionTable if task_named(predictions.task).exclusive else _PresenceTable
    return table(predictions, samples)
