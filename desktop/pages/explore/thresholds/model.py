"""What a wanted share of wrong answers costs, computed from a run's predictions. Pure arrays, no widgets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from desktop.models.prediction_table import PredictionTable
from ml.api import (
    SPLIT_CODES,
    SelectiveRisk,
    Thresholds,
    choose_thresholds,
    error_controlled_thresholds,
    precision_recall,
    predicted_labels,
    risk_coverage_curve,
    selective_risk,
)

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
"""The shares of wrong answers among the accepted ones that can be asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassFigures:
    """For one class: from which probability on it is accepted, and of how many named so how many are set aside."""

    name: str
    threshold: float
    named: int
    rejected: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ThresholdReport:
    """`chosen` from the validation split; `price` and the rest on the test split, or on validation without one."""

    chosen: Thresholds
    price: SelectiveRisk
    tested: bool
    unlabelled: bool
    """Whether there are samples that nobody has labelled yet."""
    classes: tuple[ClassFigures, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Shares 0…1: set aside, wrong among the accepted, and what that may be with 95 % confidence."""

    rejected: NDArray[np.float64]
    error: NDArray[np.float64]
    limit: NDArray[np.float64]


class ThresholdModel:
    """A run's labelled samples that it did not learn from, by their labels as they are now. Single-label only."""

    def __init__(self, table: PredictionTable, names: tuple[str, ...]) -> None:
        self._names = names[: table.classes]
        self._valid = _part(table, "valid")
        test = _part(table, "test")
        self.tested = len(test[1]) > 0
        self._held = test if self.tested else self._valid
        self._held_ids = np.asarray(table.ids[_rows(table, "test" if self.tested else "valid")])
        self.unlabelled = bool((table.labels < 0).any())

    @property
    def count(self) -> int:
        """How many there are to show the price on."""
        return len(self._held[1])

    def samples(self, wanted: float) -> dict[str, NDArray[np.int64]]:
        """Return the ids of the samples that the figures count: "accepted", "rejected", and "wrong" of the accepted.

        "class 3" are the rejected ones that class 3 is predicted for.
        """
        chosen = choose_thresholds(*self._valid[:2], wanted=wanted, sources=self._valid[2])
        probabilities, labels, _sources = self._held
        best = np.argmax(probabilities, axis=1)
        accepted = probabilities.max(axis=1) >= np.asarray(chosen.per_class)[best]
        found = {
            "accepted": self._held_ids[accepted],
            "rejected": self._held_ids[~accepted],
            "wrong": self._held_ids[accepted & (best != labels)],
        }
        return found | {
            f"class {index}": self._held_ids[~accepted & (best == index)] for index in range(len(self._names))
        }

    def figures(self, wanted: float) -> ThresholdReport:
        chosen = choose_thresholds(*self._valid[:2], wanted=wanted, sources=self._valid[2])
        probabilities, labels, sources = self._held
        best = np.argmax(probabilities, axis=1)
        accepted = probabilities.max(axis=1) >= np.asarray(chosen.per_class)[best]
        return ThresholdReport(
            chosen=chosen,
            price=selective_risk(probabilities, labels, chosen.per_class, sources=sources),
            tested=self.tested,
            unlabelled=self.unlabelled,
            classes=tuple(
                ClassFigures(
                    name=name,
                    threshold=chosen.per_class[index],
                    named=int((best == index).sum()),
                    rejected=int(((best == index) & ~accepted).sum()),
                )
                for index, name in enumerate(self._names)
            ),
        )

    @property
    def chosen_by(self) -> int:
        """How many there are to choose by."""
        return len(self._valid[1])

    @cached_property
    def stuck(self) -> bool:
        """Whether the strictest share that can be asked for comes to the same as the loosest."""
        strict, loose = (
            choose_thresholds(*self._valid[:2], wanted=rate, sources=self._valid[2]).per_class
            for rate in (RATES[0], RATES[-1])
        )
        return strict == loose

    def curve(self) -> Curve:
        rejected, error, limit = risk_coverage_curve(*self._held[:2], sources=self._held[2])
        return Curve(rejected=rejected, error=error, limit=limit)


def nearest_rate(share: float) -> int:
    """The place in `RATES` that is nearest, as people see it: by factors."""
    return int(np.argmin(np.abs(np.log(RATES) - np.log(max(share, 1e-6)))))


def _rows(table: PredictionTable, split: str) -> NDArray[np.int64]:
    """Return the labelled rows of a split."""
    inside = (table.splits == SPLIT_CODES.index(split)) & (table.labels >= 0) & (table.labels < table.classes)
    return np.asarray(np.flatnonzero(inside))


def _part(table: PredictionTable, split: str) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Probabilities, labels and files of the labelled rows."""
    rows = _rows(table, split)
    return np.asarray(table.predictions.probabilities[rows]), table.labels[rows], table.sources[rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class PresenceClassReport:
    """For one class: from which probability on it is said, how many of those that show it are found, and how many of
    those it is said of do not show it."""

    name: str
    threshold: float
    there: int
    found: int
    named: int
    wrongly: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PresenceThresholdReport:
    """Thresholds from the validation split; the rest on the `count` samples of the test split, or on validation without
    one. `wanted`: None for the thresholds that the run was made with, which promise nothing."""

    wanted: float | None
    promised: bool
    count: int
    tested: bool
    unlabelled: bool
    """Whether there are samples that nobody has labelled yet."""
    classes: tuple[PresenceClassReport, ...]

    @property
    def there(self) -> int:
        return sum(each.there for each in self.classes)

    @property
    def found(self) -> int:
        return sum(each.found for each in self.classes)

    @property
    def wrongly(self) -> int:
        return sum(each.wrongly for each in self.classes)


class PresenceThresholdModel:
    """A run's labelled samples that it did not learn from, by their labels as they are now."""

    def __init__(self, table: PredictionTable, names: tuple[str, ...]) -> None:
        self._names = names[: table.classes]
        self._made_with = np.asarray(table.thresholds)
        self._valid = _presence_part(table, "valid")
        test = _presence_part(table, "test")
        self.tested = len(test[1]) > 0
        self._held = test if self.tested else self._valid
        held_rows = _presence_rows(table, "test" if self.tested else "valid")
        self._held_ids = np.asarray(table.ids[held_rows])
        self.unlabelled = bool((table.labels < 0).any())

    @property
    def count(self) -> int:
        """How many there are to show the price on."""
        return len(self._held[1])

    def samples(self, wanted: float | None) -> dict[str, NDArray[np.int64]]:
        """Return the ids of the samples for which class 3 is missed or wrongly predicted, under "class 3"."""
        thresholds = self._made_with
        if wanted is not None:
            thresholds, _promised = error_controlled_thresholds(*self._valid[:2], wanted=wanted, sources=self._valid[2])
        probabilities, truth, _sources = self._held
        mistaken = np.asarray(probabilities >= np.asarray(thresholds)) != (truth > 0)
        return {f"class {index}": self._held_ids[mistaken[:, index]] for index in range(len(self._names))}

    def figures(self, wanted: float | None) -> PresenceThresholdReport:
        thresholds, promised = self._made_with, False
        if wanted is not None:
            thresholds, promised = error_controlled_thresholds(*self._valid[:2], wanted=wanted, sources=self._valid[2])
        probabilities, truth, _sources = self._held
        scores = precision_recall(predicted_labels(probabilities, thresholds), truth, self._names)
        return PresenceThresholdReport(
            wanted=wanted,
            promised=promised,
            count=self.count,
            tested=self.tested,
            unlabelled=self.unlabelled,
            classes=tuple(
                PresenceClassReport(
                    name=name,
                    threshold=float(thresholds[index]),
                    there=int(scores[name]["n"]),
                    found=int(scores[name]["found"]),
                    named=int(scores[name]["named"]),
                    wrongly=int(scores[name]["wrongly"]),
                )
                for index, name in enumerate(self._names)
            ),
        )


def _presence_rows(table: PredictionTable, split: str) -> NDArray[np.int64]:
    """Return the labelled rows of a split."""
    return np.asarray(np.flatnonzero((table.splits == SPLIT_CODES.index(split)) & (table.labels >= 0)))


def _presence_part(
    table: PredictionTable, split: str
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Probabilities (n, classes), which classes are there (n, classes), and files of the labelled rows."""
    rows = _presence_rows(table, split)
    probabilities = np.asarray(table.predictions.probabilities[rows])
    return probabilities, table.truth[rows].astype(np.int64), table.sources[rows]
