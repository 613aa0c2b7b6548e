"""What a run changed: which samples it mended, which it spoilt, and which it gets most wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.api import SPLIT_CODES, Predictions, Project, leaning

MOST_SHOWN = 8
Labels = Mapping[int, tuple[int, ...]]
"""The present class indices of every labelled sample, by its id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """A sample of the test split that the run calls something else. `maps` (classes, h, w).

    `predicted` is the class whose map tells most about the mistake, `fraction` its probability.
    """

    sample_id: int
    labels: tuple[int, ...]
    said: tuple[int, ...]
    predicted: int
    fraction: float
    maps: NDArray[np.float16]


class Found(NamedTuple):
    """Over all classes of a multi-label run: how many are `there` and were `found`, and of those `named` how many
    `wrongly`."""

    found: int
    there: int
    wrongly: int
    named: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """`mended` were wrong in the run before and are right now, `spoilt` the other way round; None without one."""

    mistakes: tuple[Mistake, ...]
    mended: int | None = None
    spoilt: int | None = None
    found: Found | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    """Labelled rows (n,) of a run, what was said (n, classes), what is so (n, classes), and whether that is right."""

    rows: NDArray[np.int64]
    said: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    right: NDArray[np.bool_]


def outcome(project: Project, *, before: int | None, after: int, labels: Labels) -> Outcome:
    """Look at run `after` on its test split by the present `labels`."""
    now = project.predictions(after)
    judged = _judged(now, labels)
    mistakes = _worst(now, judged, labels)
    found = _found(judged) if now.several and len(judged.rows) else None
    if before is None:
        return Outcome(mistakes=mistakes, found=found)
    then = project.predictions(before)
    earlier = _judged(then, labels, test_only=False)
    was_right = dict(zip(then.sample_ids[earlier.rows].tolist(), earlier.right.tolist(), strict=True))
    both = [
        (was_right[sample_id], right)
        for sample_id, right in zip(now.sample_ids[judged.rows].tolist(), judged.right.tolist(), strict=True)
        if sample_id in was_right
    ]
    return Outcome(
        mistakes=mistakes,
        mended=sum(right and not was for was, right in both),
        spoilt=sum(was and not right for was, right in both),
        found=found,
    )


def _judged(predictions: Predictions, labels: Labels, *, test_only: bool = True) -> _Judged:
    """The labelled rows (of the test split)."""
    keep = np.array([sample_id in labels for sample_id in predictions.sample_ids.tolist()], dtype=np.bool_)
    if test_only:
        keep &= np.asarray(predictions.splits) == SPLIT_CODES.index("test")
    rows = np.flatnonzero(keep)
    probabilities = np.asarray(predictions.probabilities[rows])
    said = np.zeros(probabilities.shape, dtype=np.bool_)
    if predictions.thresholds is not None:
        said = np.asarray(probabilities >= predictions.thresholds)
    elif len(rows):
        said[np.arange(len(rows)), np.argmax(probabilities, axis=1)] = True
    truth, beyond = np.zeros_like(said), np.zeros(len(rows), dtype=np.bool_)
    for place, sample_id in enumerate(predictions.sample_ids[rows].tolist()):
        known = [index for index in labels[sample_id] if index < probabilities.shape[1]]
        truth[place, known] = True
        beyond[place] = len(known) < len(labels[sample_id])
    return _Judged(rows=rows, said=said, truth=truth, right=np.asarray((said == truth).all(axis=1) & ~beyond))


def _worst(predictions: Predictions, judged: _Judged, labels: Labels) -> tuple[Mistake, ...]:
    """The mistakes it is most sure of."""
    wrong = np.flatnonzero(~judged.right)
    if not len(wrong):
        return ()
    probabilities = np.asarray(predictions.probabilities[judged.rows[wrong]])
    if predictions.thresholds is None:
        telling = np.argmax(probabilities, axis=1)
        sure = probabilities.max(axis=1)
    else:
        away = np.abs(leaning(probabilities, predictions.thresholds) - 0.5)
        away = np.where(judged.said[wrong] != judged.truth[wrong], away, -1.0)
        telling, sure = np.argmax(away, axis=1), away.max(axis=1)
    return tuple(
        Mistake(
            sample_id=(sample_id := int(predictions.sample_ids[judged.rows[wrong[place]]])),
            labels=labels[sample_id],
            said=tuple(int(index) for index in np.flatnonzero(judged.said[wrong[place]])),
            predicted=int(telling[place]),
            fraction=float(probabilities[place, telling[place]]),
            maps=np.array(predictions.maps[judged.rows[wrong[place]]]),
        )
        for place in np.argsort(-sure, kind="stable")[:MOST_SHOWN]
    )


def _found(judged: _Judged) -> Found:
    hits = int((judged.said & judged.truth).sum())
    named = int(judged.said.sum())
    return Found(found=hits, there=int(judged.truth.sum()), wrongly=named - hits, named=named)
