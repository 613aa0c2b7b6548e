"""What a run comes to by the labels as they are now: its score, what it changed, and what it gets most wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.api import (
    HandlensError,
    Predictions,
    Project,
    Sample,
    relative_to_threshold,
    task_named,
)

MOST_SHOWN = 8
Labels = Mapping[int, tuple[int, ...]]
"""The present class indices of labelled samples, by their ids."""


class EvaluationSet(NamedTuple):
    """The labelled samples that runs are compared on: those of the test, or without one those kept aside to check by.
    `sources` has the file of each."""

    labels: Labels
    sources: Mapping[int, int]
    tested: bool


@dataclass(frozen=True, slots=True)
class RunScore:
    """The `score` of a run on `count` samples: the share that is right, or the mean average precision where more than
    one class may be present. With its 95 % interval where there is one."""

    score: float | None
    count: int
    tested: bool
    interval: tuple[float, float] | None = None


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
    """`mended` were wrong in the run before and are right now, `spoilt` the other way round, and `earlier` is its score
    on the same samples; None without one."""

    standing: RunScore
    mistakes: tuple[Mistake, ...] = ()
    earlier: float | None = None
    mended: int | None = None
    spoilt: int | None = None
    found: Found | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    """Rows (n,) of a run, what it said (n, classes), what is so (n, classes), and whether that is right."""

    rows: NDArray[np.int64]
    said: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    right: NDArray[np.bool_]


def judges(samples: Iterable[Sample]) -> EvaluationSet:
    """Those that can judge a run, with their labels as they are now."""
    labelled = [sample for sample in samples if sample.labelled and sample.split in ("valid", "test")]
    tested = any(sample.split == "test" for sample in labelled)
    kept = [sample for sample in labelled if (sample.split == "test") == tested]
    return EvaluationSet({s.id: s.labels for s in kept}, {s.id: s.source_id for s in kept}, tested)


def run_scores(project: Project, runs: Sequence[int], samples: Iterable[Sample]) -> dict[int, RunScore]:
    """How these runs do by the present labels; without those whose predictions are gone."""
    by, found = judges(samples), {}
    for run in runs:
        try:
            predictions = project.predictions(run)
        except HandlensError:
            continue
        found[run] = _standing(predictions, _judged(predictions, by.labels), by)
    return found


def outcome(project: Project, *, before: int | None, after: int, samples: Iterable[Sample]) -> Outcome:
    """Look at run `after` by the present labels."""
    by, now = judges(samples), project.predictions(after)
    judged = _judged(now, by.labels)
    standing, mistakes = _standing(now, judged, by), _worst(now, judged, by.labels)
    found = _found(judged) if not task_named(now.task).exclusive and len(judged.rows) else None
    try:
        then = None if before is None else project.predictions(before)
    except HandlensError:  # deleted to save space
        then = None
    if then is None:
        return Outcome(standing=standing, mistakes=mistakes, found=found)
    earlier = _judged(then, by.labels)
    was_right = dict(zip(then.sample_ids[earlier.rows].tolist(), earlier.right.tolist(), strict=True))
    both = [
        (was_right[sample_id], right)
        for sample_id, right in zip(now.sample_ids[judged.rows].tolist(), judged.right.tolist(), strict=True)
        if sample_id in was_right
    ]
    return Outcome(
        standing=standing,
        mistakes=mistakes,
        earlier=_standing(then, earlier, by).score,
        mended=sum(right and not was for was, right in both),
        spoilt=sum(was and not right for was, right in both),
        found=found,
    )


def _judged(predictions: Predictions, labels: Labels) -> _Judged:
    """The rows of these samples."""
    rows = np.flatnonzero(np.isin(predictions.sample_ids, np.fromiter(labels, dtype=np.int64, count=len(labels))))
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


def _standing(predictions: Predictions, judged: _Judged, by: EvaluationSet) -> RunScore:
    count = len(judged.rows)
    if count == 0:
        return RunScore(None, 0, by.tested)
    task, probabilities = task_named(predictions.task), np.asarray(predictions.probabilities[judged.rows])
    sample_ids = predictions.sample_ids[judged.rows].tolist()
    labels = [by.labels[sample_id] for sample_id in sample_ids]
    if task.exclusive:  # a class that the run did not know cannot be right
        missing = max(0, max(each[0] for each in labels) + 1 - probabilities.shape[1])
        probabilities = np.pad(probabilities, ((0, 0), (0, missing)))
    score, _loss = task.score_and_loss(probabilities, task.targets(labels, classes=probabilities.shape[1]))
    files = {by.sources[sample_id] for sample_id in sample_ids}
    return RunScore(score, count, by.tested, task.score_interval(score, len(files)))


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
        away = np.abs(relative_to_threshold(probabilities, predictions.thresholds) - 0.5)
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
