"""What a wanted share of wrong names costs where more than one class may be present. Pure arrays, no widgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop.pages.explore_several import SeveralTable
from ml.api import SPLIT_CODES, found_and_named, present, strict_thresholds


@dataclass(frozen=True, kw_only=True, slots=True)
class SeveralClassFigures:
    """For one class: from which probability on it is said, how many of those that show it are found, and how many of
    those it is said of do not show it."""

    name: str
    threshold: float
    there: int
    found: int
    named: int
    wrongly: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SeveralFigures:
    """Thresholds from the validation split; the rest on the `count` samples of the test split, or on validation without
    one. `wanted`: None for the thresholds that the run was made with, which promise nothing."""

    wanted: float | None
    promised: bool
    count: int
    tested: bool
    unlabelled: bool
    """Whether there are samples that nobody has labelled yet."""
    classes: tuple[SeveralClassFigures, ...]

    @property
    def there(self) -> int:
        return sum(each.there for each in self.classes)

    @property
    def found(self) -> int:
        return sum(each.found for each in self.classes)

    @property
    def wrongly(self) -> int:
        return sum(each.wrongly for each in self.classes)


class SeveralWeighing:
    """A run's labelled samples that it did not learn from, by their labels as they are now."""

    def __init__(self, table: SeveralTable, names: tuple[str, ...]) -> None:
        self._names = names[: table.classes]
        self._made_with = np.asarray(table.thresholds)
        self._valid = _part(table, "valid")
        test = _part(table, "test")
        self.tested = len(test[1]) > 0
        self._held = test if self.tested else self._valid
        self.unlabelled = bool((table.labels < 0).any())

    @property
    def count(self) -> int:
        """How many there are to show the price on."""
        return len(self._held[1])

    def figures(self, wanted: float | None) -> SeveralFigures:
        thresholds, promised = self._made_with, False
        if wanted is not None:
            thresholds, promised = strict_thresholds(*self._valid[:2], wanted=wanted, sources=self._valid[2])
        probabilities, truth, _sources = self._held
        scores = found_and_named(present(probabilities, thresholds), truth, self._names)
        return SeveralFigures(
            wanted=wanted,
            promised=promised,
            count=self.count,
            tested=self.tested,
            unlabelled=self.unlabelled,
            classes=tuple(
                SeveralClassFigures(
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


def _part(table: SeveralTable, split: str) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Probabilities (n, classes), which classes are there (n, classes), and files of the labelled rows."""
    rows = np.flatnonzero((table.splits == SPLIT_CODES.index(split)) & (table.labels >= 0))
    probabilities = np.asarray(table.predictions.probabilities[rows])
    return probabilities, table.truth[rows].astype(np.int64), table.sources[rows]
