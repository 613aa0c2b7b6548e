"""Scores of predictions where more than one class may be present. Pure array functions.

`targets` are (n, classes) of 0 and 1, `probabilities` (n, classes) of 0…1, one for each class by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.core.messages import Message, msg
from ml.scoring.metrics import wilson_interval
from ml.scoring.thresholds import lowest_threshold

_SMALLEST = 1e-7
NARROWEST, WIDEST = 0.05, 0.95
"""No threshold lies outside of these, however few samples it was chosen on, unless a rate asks for a higher one."""


def average_precisions(probabilities: NDArray[np.floating], targets: NDArray[np.integer]) -> NDArray[np.float64]:
    """(classes,) average precision: the area below precision over recall, in steps; nan where no sample has the class.

    Samples of equal probability are taken together, so their order does not count.
    """
    scores = np.full(targets.shape[1], np.nan)
    for index in range(targets.shape[1]):
        wanted = targets[:, index] > 0
        if wanted.any():
            scores[index] = _average_precision(probabilities[:, index], wanted)
    return scores


def mean_average_precision(probabilities: NDArray[np.floating], targets: NDArray[np.integer]) -> float | None:
    """The mean over the classes that some sample has; None where none has any."""
    scores = average_precisions(probabilities, targets)
    return None if np.isnan(scores).all() else float(np.nanmean(scores))


def binary_log_loss(probabilities: NDArray[np.floating], targets: NDArray[np.integer]) -> float | None:
    """Negative log probability of what is so, summed over classes, mean over samples (nats); None for no rows."""
    if len(targets) == 0:
        return None
    truth = np.where(targets > 0, probabilities, 1.0 - np.asarray(probabilities, dtype=np.float64))
    return float(-np.log(np.maximum(truth, _SMALLEST)).sum(axis=1).mean())


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Each value by itself to 0…1."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64))), dtype=np.float32)


def best_thresholds(
    probabilities: NDArray[np.floating], targets: NDArray[np.integer], *, sources: NDArray[np.integer] | None = None
) -> NDArray[np.float32]:
    """(classes,) the probability from which a class counts as present: where F1 on these samples is highest. Of
    windows, `sources` (n,) name the files they are from.

    Half-way to the next sample below; one half for a class that no sample has.
    """
    probabilities, targets = _by_file(probabilities, targets, sources)
    chosen = np.full(targets.shape[1], 0.5, dtype=np.float32)
    for index in range(targets.shape[1]):
        wanted = targets[:, index] > 0
        if wanted.any():
            chosen[index] = np.clip(_best_threshold(probabilities[:, index], wanted), NARROWEST, WIDEST)
    return chosen


def error_controlled_thresholds(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.integer],
    *,
    wanted: float,
    sources: NDArray[np.integer] | None = None,
) -> tuple[NDArray[np.float32], bool]:
    """(classes,) the probability from which, of the samples that are said to show a class, at most a share `wanted`
    does not; and whether that is promised with 95 % confidence for every class by itself. Of windows, `sources` (n,)
    name the files they are from.

    A class that none of these samples shows needs more than any of them has of it; above 1 it is never said.
    """
    probabilities, targets = _by_file(probabilities, targets, sources)
    chosen = np.full(targets.shape[1], 0.5, dtype=np.float32)
    promised = len(targets) > 0
    for index in range(targets.shape[1] if len(targets) else 0):
        threshold, kept = lowest_threshold(probabilities[:, index], targets[:, index] == 0, wanted=wanted)
        chosen[index] = max(threshold, NARROWEST)
        promised = promised and kept
    return chosen, promised


def _by_file(
    probabilities: NDArray[np.floating], targets: NDArray[np.integer], sources: NDArray[np.integer] | None
) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
    """A file shows what any of its windows shows, and is judged so when it is predicted."""
    if sources is None or not len(sources):
        return probabilities, targets
    order = np.argsort(sources, kind="stable")
    starts = np.unique(sources[order], return_index=True)[1]
    return np.maximum.reduceat(probabilities[order], starts), np.maximum.reduceat(targets[order], starts)


def rule_of(wanted: float, *, promised: bool) -> Message:
    """How the thresholds were chosen, in a sentence."""
    if not wanted:
        return msg(
            "A class counts as present from the probability in the last column on. These thresholds find the most with "
            "the fewest wrong answers."
        )
    if promised:
        return msg(
            "When the model predicts a class, at most {rate:g} of 100 predictions are wrong, with 95 % confidence for "
            "each class by itself.",
            rate=100 * wanted,
        )
    return msg(
        "When the model predicts a class, at most {rate:g} of 100 predictions should be wrong. There are too few "
        "samples to guarantee this for every class.",
        rate=100 * wanted,
    )


def predicted_labels(probabilities: NDArray[np.floating], thresholds: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(…, classes) which classes are said to be there."""
    return np.asarray(probabilities >= thresholds)


def relative_to_threshold(probabilities: NDArray[np.floating], thresholds: NDArray[np.floating]) -> NDArray[np.float32]:
    """(…, classes) bent so that each threshold becomes one half: from there on a class is said to be there."""
    below = 0.5 * probabilities / thresholds
    above = 0.5 + 0.5 * (probabilities - thresholds) / np.maximum(1.0 - thresholds, _SMALLEST)
    return np.asarray(np.where(probabilities < thresholds, below, above), dtype=np.float32)


def precision_recall(
    predicted: NDArray[np.bool_], targets: NDArray[np.integer], names: tuple[str, ...], *, sources: int | None = None
) -> dict[str, dict[str, float]]:
    """For each class name: n (samples that have it), found (of these), named (said to have it), wrongly (of these),
    and recall, precision and f1 as fractions, 0 where undefined. `recall_low` to `precision_high` are what chance
    leaves open, with 95 % confidence, of as many files as there are in proportion where samples are from `sources`."""
    weight = 1.0 if sources is None else sources / max(1, len(targets))
    scores = {}
    for index, name in enumerate(names):
        wanted, predicted_column = targets[:, index] > 0, predicted[:, index]
        n, named, found = float(wanted.sum()), float(predicted_column.sum()), float((wanted & predicted_column).sum())
        scores[name] = {
            "n": n,
            "recall": found / n if n else 0.0,
            "precision": found / named if named else 0.0,
            "f1": 2 * found / (n + named) if n + named else 0.0,
            "found": found,
            "named": named,
            "wrongly": named - found,
        }
        for key, count in (("recall", n), ("precision", named)):
            low, high = wilson_interval(found * weight, count * weight)
            scores[name][f"{key}_low"], scores[name][f"{key}_high"] = low, high
    return scores


def multilabel_confusion(predicted: NDArray[np.bool_], targets: NDArray[np.integer]) -> NDArray[np.int64]:
    """Counts (classes, classes) in the manner of a confusion matrix: a row is a label, a column a predicted class.

    The diagonal holds what was found. Beside it are only wrong predictions: a second class that is there is none.
    """
    wanted = (targets > 0).astype(np.int64)
    wrongly = predicted & (wanted == 0)
    counts = wanted.T @ wrongly.astype(np.int64)
    np.fill_diagonal(counts, (wanted * predicted).sum(axis=0))
    return np.asarray(counts, dtype=np.int64)


def calibration_error(probabilities: NDArray[np.floating], targets: NDArray[np.integer], *, bins: int = 15) -> float:
    """Mean gap between a probability and how often it comes true, over every class of every sample; 0 for no rows."""
    if len(targets) == 0:
        return 0.0
    claimed, true = np.ravel(probabilities), np.ravel(targets > 0)
    which = np.minimum((claimed * bins).astype(int), bins - 1)
    gaps = [abs(true[which == b].mean() - claimed[which == b].mean()) * (which == b).mean() for b in np.unique(which)]
    return float(sum(gaps))


def _average_precision(probabilities: NDArray[np.floating], wanted: NDArray[np.bool_]) -> float:
    order = np.argsort(-probabilities, kind="stable")
    hits = np.cumsum(wanted[order])
    last = np.append(np.diff(probabilities[order]) != 0, True)
    hits, taken = hits[last], np.flatnonzero(last) + 1
    gained = np.diff(hits, prepend=0) / hits[-1]
    return float((gained * hits / taken).sum())


def _best_threshold(probabilities: NDArray[np.floating], wanted: NDArray[np.bool_]) -> float:
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    hits = np.cumsum(wanted[order])
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    f1 = 2.0 * hits[last] / (hits[-1] + last + 1)
    best = int(last[int(np.argmax(f1))])
    below = float(ranked[best + 1]) if best + 1 < len(ranked) else 0.0
    return (float(ranked[best]) + below) / 2.0
