"""What a run changed: which samples it mended, which it spoilt, and which it gets most wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.api import SPLIT_CODES, Predictions, Project

MOST_SHOWN = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """A sample of the test split that the run calls something else. `maps` (classes, h, w)."""

    sample_id: int
    label: int
    predicted: int
    fraction: float
    maps: NDArray[np.float16]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """`mended` were wrong in the run before and are right now, `spoilt` the other way round; None without one."""

    mistakes: tuple[Mistake, ...]
    mended: int | None = None
    spoilt: int | None = None


def outcome(project: Project, *, before: int | None, after: int, labels: Mapping[int, int]) -> Outcome:
    """Look at run `after` on its test split by the present `labels` (sample id to class index)."""
    now = project.predictions(after)
    rows, verdicts = _judged(now, labels)
    mistakes = _worst(now, rows[~verdicts], labels)
    if before is None:
        return Outcome(mistakes=mistakes)
    then = project.predictions(before)
    then_rows, then_verdicts = _judged(then, labels, test_only=False)
    earlier = dict(zip(then.sample_ids[then_rows].tolist(), then_verdicts.tolist(), strict=True))
    both = [
        (earlier[sample_id], verdict)
        for sample_id, verdict in zip(now.sample_ids[rows].tolist(), verdicts.tolist(), strict=True)
        if sample_id in earlier
    ]
    return Outcome(
        mistakes=mistakes,
        mended=sum(verdict and not was for was, verdict in both),
        spoilt=sum(was and not verdict for was, verdict in both),
    )


def _judged(
    predictions: Predictions, labels: Mapping[int, int], *, test_only: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The labelled rows (of the test split) and whether each is right."""
    wanted = np.array([labels.get(sample_id, -1) for sample_id in predictions.sample_ids.tolist()], dtype=np.int64)
    keep = wanted >= 0
    if test_only:
        keep &= np.asarray(predictions.splits) == SPLIT_CODES.index("test")
    rows = np.flatnonzero(keep)
    said = np.argmax(predictions.probabilities[rows], axis=1) if len(rows) else np.zeros(0, dtype=np.int64)
    return rows, np.asarray(said == wanted[rows])


def _worst(predictions: Predictions, rows: NDArray[np.int64], labels: Mapping[int, int]) -> tuple[Mistake, ...]:
    """The mistakes it is most sure of."""
    sure = predictions.probabilities[rows].max(axis=1) if len(rows) else np.zeros(0)
    chosen = rows[np.argsort(-sure, kind="stable")[:MOST_SHOWN]]
    return tuple(
        Mistake(
            sample_id=(sample_id := int(predictions.sample_ids[row])),
            label=labels[sample_id],
            predicted=int(np.argmax(predictions.probabilities[row])),
            fraction=float(predictions.probabilities[row].max()),
            maps=np.array(predictions.maps[row]),
        )
        for row in chosen
    )
