"""Score finished runs by the present labels, compare two of them, and list the worst mistakes of one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import Finished
from ml.core.messages import Message, msg
from ml.core.types import Sample
from ml.project.predictions import SPLIT_CODES, Predictions
from ml.project.project import Project
from ml.scoring.multilabel import relative_to_threshold
from ml.scoring.tasks import task_named

MOST_MISTAKES = 8
Labels = Mapping[int, tuple[int, ...]]
"""The present class indices of labelled samples, by sample id."""


class EvaluationSet(NamedTuple):
    """The labelled samples that runs are compared on: the test set, or the validation set where there is no test.

    `sources` maps each sample to its file.
    """

    labels: Labels
    sources: Mapping[int, int]
    tested: bool


@dataclass(frozen=True, slots=True)
class RunScore:
    """The `score` of a run on `count` samples: its accuracy, or its mean average precision for a multi-label run.

    `interval` is the 95 % confidence interval of an accuracy.
    """

    score: float | None
    count: int
    tested: bool
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """A sample that the run predicts wrongly. `maps` (classes, h, w).

    `map_class` is the class whose map explains the mistake best, `fraction` its probability.
    """

    sample_id: int
    labels: tuple[int, ...]
    predicted: tuple[int, ...]
    map_class: int
    fraction: float
    maps: NDArray[np.float16]


class LabelCounts(NamedTuple):
    """Counts over all classes of a multi-label run: `found` of the `present` labels, and `wrong` of the `predicted`."""

    found: int
    present: int
    wrong: int
    predicted: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunComparison:
    """A run beside the run before it, on the same samples and by the same labels.

    `earlier_score` is the score of the earlier run. `fixed` counts samples that only the later run predicts correctly,
    `broken` those that only the earlier one does. All three are None without an earlier run.
    """

    score: RunScore
    mistakes: tuple[Mistake, ...] = ()
    earlier_score: float | None = None
    fixed: int | None = None
    broken: int | None = None
    label_counts: LabelCounts | None = None


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """Of the `count` samples of class `index`, how many each of two runs finds."""

    index: int
    count: int
    before: int
    after: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDifference:
    """Two runs on the same samples and by the same labels. `fixed` and `broken` are sample ids in ascending order.

    `both_wrong` are samples that neither predicts correctly.
    """

    before: RunScore
    after: RunScore
    fixed: tuple[int, ...]
    broken: tuple[int, ...]
    both_wrong: tuple[int, ...]
    classes: tuple[ClassDifference, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decisions:
    """Rows (n,) of a run, the predicted and the true classes (n, classes), and whether they agree (n,)."""

    rows: NDArray[np.int64]
    predicted: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    correct: NDArray[np.bool_]


def evaluation_set(samples: Iterable[Sample]) -> EvaluationSet:
    """Return the samples that runs are scored on, with their present labels."""
    labelled = [sample for sample in samples if sample.labelled and sample.split in ("valid", "test")]
    tested = any(sample.split == "test" for sample in labelled)
    chosen = [sample for sample in labelled if (sample.split == "test") == tested]
    return EvaluationSet({s.id: s.labels for s in chosen}, {s.id: s.source_id for s in chosen}, tested)


def run_scores(project: Project, runs: Sequence[int], samples: Iterable[Sample]) -> dict[int, RunScore]:
    """Score these runs by the present labels. Runs whose predictions were deleted are left out."""
    on, scores = evaluation_set(samples), {}
    for run in runs:
        try:
            predictions = project.predictions(run)
        except HandlensError:
            continue
        scores[run] = _score(predictions, _decide(predictions, on.labels), on)
    return scores


def compare_runs(project: Project, *, before: int | None, after: int, samples: Iterable[Sample]) -> RunComparison:
    """Compare run `after` with run `before` by the present labels."""
    on, now = evaluation_set(samples), project.predictions(after)
    decisions = _decide(now, on.labels)
    score, mistakes = _score(now, decisions, on), _worst(now, decisions, on.labels)
    label_counts = _count_labels(decisions) if not task_named(now.task).exclusive and len(decisions.rows) else None
    try:
        then = None if before is None else project.predictions(before)
    except HandlensError:  # deleted to save space
        then = None
    if then is None:
        return RunComparison(score=score, mistakes=mistakes, label_counts=label_counts)
    earlier = _decide(then, on.labels)
    fixed, broken = _count_changes((then, earlier), (now, decisions))
    return RunComparison(
        score=score,
        mistakes=mistakes,
        earlier_score=_score(then, earlier, on).score,
        fixed=fixed,
        broken=broken,
        label_counts=label_counts,
    )


def run_difference(project: Project, *, before: int, after: int, samples: Iterable[Sample]) -> RunDifference:
    """Compare two runs sample by sample and class by class, on what both predicted. Raises HandlensError."""
    on = evaluation_set(samples)
    was, now = project.predictions(before), project.predictions(after)
    common = {*was.sample_ids.tolist()} & {*now.sample_ids.tolist()} & {*on.labels}
    on = on._replace(labels={sample_id: on.labels[sample_id] for sample_id in sorted(common)})
    decided = _decide(was, on.labels), _decide(now, on.labels)
    ids = np.asarray(was.sample_ids[decided[0].rows]), np.asarray(now.sample_ids[decided[1].rows])
    # Both in the order of the ids: a run may hold its samples in another one.
    orders = np.argsort(ids[0], kind="stable"), np.argsort(ids[1], kind="stable")
    ordered = ids[0][orders[0]]
    right = decided[0].correct[orders[0]], decided[1].correct[orders[1]]
    return RunDifference(
        before=_score(was, decided[0], on),
        after=_score(now, decided[1], on),
        fixed=tuple(ordered[~right[0] & right[1]].tolist()),
        broken=tuple(ordered[right[0] & ~right[1]].tolist()),
        both_wrong=tuple(ordered[~right[0] & ~right[1]].tolist()),
        classes=_class_differences(on, decided),
    )


def data_versions(project: Project, runs: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return for each run the number of its data and how many samples had a label in it.

    Runs made from the same samples, labels and splits have the same number; numbers count up from 1 in the order of
    `runs`. Runs whose predictions were deleted are left out.
    """
    numbers: dict[bytes, int] = {}
    found: dict[int, tuple[int, int]] = {}
    for run in runs:
        try:
            made = project.predictions(run)
        except HandlensError:
            continue
        digest = hashlib.sha256()
        order = np.argsort(made.sample_ids, kind="stable")
        for column in (made.sample_ids, made.labels, made.splits, made.targets):
            if column is not None:
                digest.update(np.ascontiguousarray(column[order]).tobytes())
        number = numbers.setdefault(digest.digest(), len(numbers) + 1)
        found[run] = number, int((np.asarray(made.splits) != SPLIT_CODES.index("none")).sum())
    return found


def _class_differences(on: EvaluationSet, decided: tuple[_Decisions, _Decisions]) -> tuple[ClassDifference, ...]:
    counts: Counter[int] = Counter(index for labels in on.labels.values() for index in labels)
    hits = [np.asarray((each.predicted & each.truth).sum(axis=0)) for each in decided]
    return tuple(
        ClassDifference(index, counts[index], *(int(each[index]) if index < len(each) else 0 for each in hits))
        for index in sorted(counts)
    )


def count_changes(before: Predictions, after: Predictions, labels: Labels) -> tuple[int, int]:
    """Return how many samples in `labels` only `after` predicts correctly, and how many only `before` does."""
    return _count_changes((before, _decide(before, labels)), (after, _decide(after, labels)))


def adjusting_result(event: Finished) -> Message | None:
    """Say what adjusting the network did to the first model; None if it was not adjusted."""
    if event.first_model_kept and event.early:
        return msg("You ended the adjusting. The first model stays.")
    if event.first_model_kept:
        return msg("Adjusting the network brought no improvement. The first model stays.")
    if event.more_right is None or event.more_wrong is None:
        return None
    changes = {"right": event.more_right, "wrong": event.more_wrong}
    if event.more_right >= event.more_wrong:
        return msg("A better model is ready: {right} more right, {wrong} more wrong.", **changes)
    return msg(
        "The adjusted model is ready. It scored higher in validation, but here {right} more are right and {wrong} more "
        "wrong.",
        **changes,
    )


def _count_changes(before: tuple[Predictions, _Decisions], after: tuple[Predictions, _Decisions]) -> tuple[int, int]:
    was, now = (
        dict(zip(predictions.sample_ids[decisions.rows].tolist(), decisions.correct.tolist(), strict=True))
        for predictions, decisions in (before, after)
    )
    both = [(was[sample_id], correct) for sample_id, correct in now.items() if sample_id in was]
    return sum(correct and not earlier for earlier, correct in both), sum(
        earlier and not correct for earlier, correct in both
    )


def _decide(predictions: Predictions, labels: Labels) -> _Decisions:
    """Compare what a run predicts of the samples in `labels` with these labels."""
    rows = np.flatnonzero(np.isin(predictions.sample_ids, np.fromiter(labels, dtype=np.int64, count=len(labels))))
    probabilities = np.asarray(predictions.probabilities[rows])
    predicted = np.zeros(probabilities.shape, dtype=np.bool_)
    if predictions.thresholds is not None:
        predicted = np.asarray(probabilities >= predictions.thresholds)
    elif len(rows):
        predicted[np.arange(len(rows)), np.argmax(probabilities, axis=1)] = True
    truth, unknown = np.zeros_like(predicted), np.zeros(len(rows), dtype=np.bool_)
    for place, sample_id in enumerate(predictions.sample_ids[rows].tolist()):
        known = [index for index in labels[sample_id] if index < probabilities.shape[1]]
        truth[place, known] = True
        unknown[place] = len(known) < len(labels[sample_id])
    correct = np.asarray((predicted == truth).all(axis=1) & ~unknown)
    return _Decisions(rows=rows, predicted=predicted, truth=truth, correct=correct)


def _score(predictions: Predictions, decisions: _Decisions, on: EvaluationSet) -> RunScore:
    count = len(decisions.rows)
    if count == 0:
        return RunScore(None, 0, on.tested)
    task, probabilities = task_named(predictions.task), np.asarray(predictions.probabilities[decisions.rows])
    sample_ids = predictions.sample_ids[decisions.rows].tolist()
    labels = [on.labels[sample_id] for sample_id in sample_ids]
    if task.exclusive:  # a class that the run did not know cannot be right
        missing = max(0, max(each[0] for each in labels) + 1 - probabilities.shape[1])
        probabilities = np.pad(probabilities, ((0, 0), (0, missing)))
    score, _loss = task.score_and_loss(probabilities, task.targets(labels, classes=probabilities.shape[1]))
    files = {on.sources[sample_id] for sample_id in sample_ids}
    return RunScore(score, count, on.tested, task.score_interval(score, len(files)))


def _worst(predictions: Predictions, decisions: _Decisions, labels: Labels) -> tuple[Mistake, ...]:
    """Return the mistakes with the highest confidence."""
    wrong = np.flatnonzero(~decisions.correct)
    if not len(wrong):
        return ()
    probabilities = np.asarray(predictions.probabilities[decisions.rows[wrong]])
    if predictions.thresholds is None:
        map_class = np.argmax(probabilities, axis=1)
        confidence = probabilities.max(axis=1)
    else:
        distance = np.abs(relative_to_threshold(probabilities, predictions.thresholds) - 0.5)
        distance = np.where(decisions.predicted[wrong] != decisions.truth[wrong], distance, -1.0)
        map_class, confidence = np.argmax(distance, axis=1), distance.max(axis=1)
    return tuple(
        Mistake(
            sample_id=(sample_id := int(predictions.sample_ids[decisions.rows[wrong[place]]])),
            labels=labels[sample_id],
            predicted=tuple(int(index) for index in np.flatnonzero(decisions.predicted[wrong[place]])),
            map_class=int(map_class[place]),
            fraction=float(probabilities[place, map_class[place]]),
            maps=np.array(predictions.maps[decisions.rows[wrong[place]]]),
        )
        for place in np.argsort(-confidence, kind="stable")[:MOST_MISTAKES]
    )


def _count_labels(decisions: _Decisions) -> LabelCounts:
    found = int((decisions.predicted & decisions.truth).sum())
    predicted = int(decisions.predicted.sum())
    return LabelCounts(found=found, present=int(decisions.truth.sum()), wrong=predicted - found, predicted=predicted)
