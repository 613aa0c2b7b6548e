"""Confident learning (Northcutt et al. 2021): which labels contradict the out-of-fold probabilities.

The results equal those of cleanlab's `find_label_issues(…, filter_by="both")`, which would bring pandas with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-6
_LEAST_THRESHOLD = 2e-6
"""Below this, the mean probability of a class says nothing about it."""


def mislabelled(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return (n,) whether the label is an error, both by class and by noise rate; every class needs a sample.

    By class: the joint tells how many labels of a class are wrong, and those are the least probable ones. By noise
    rate: it tells how many of them belong to each other class, and those have the largest margin for that class.
    """
    classes = probabilities.shape[1]
    wrong_counts = _leave_one_per_class(_calibrate(_confident_joint(labels, probabilities), labels))
    found = np.zeros(len(labels), dtype=bool)
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        if len(rows) <= 1:
            continue
        own = probabilities[rows, label]
        by_class = np.zeros(len(rows), dtype=bool)
        by_class[np.argsort(own)[: max(0, len(rows) - wrong_counts[label, label])]] = True
        by_noise_rate = np.zeros(len(rows), dtype=bool)
        for other in range(classes):
            if other != label:
                margin = probabilities[rows, other] - own
                by_noise_rate[np.argsort(-margin)[: wrong_counts[label, other]]] = True
        found[rows] = by_class & by_noise_rate
    # A label that is the most probable class is not an error, whatever the counts say.
    own = probabilities[np.arange(len(labels)), labels]
    found[own >= probabilities.max(axis=1) - np.finfo(np.float64).eps] = False
    return found


def _confident_joint(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """Count (label, true class) of the samples that are confident: at or above the mean of a class's own samples."""
    classes = probabilities.shape[1]
    thresholds = np.array([probabilities[labels == label, label].mean() for label in range(classes)])
    confident = probabilities >= np.maximum(thresholds, _LEAST_THRESHOLD) - _TOLERANCE
    guess = np.where(confident.sum(axis=1) > 1, probabilities.argmax(axis=1), confident.argmax(axis=1))
    sure = confident.any(axis=1)
    joint = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(joint, (labels[sure], guess[sure]), 1)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    return joint


def _calibrate(joint: NDArray[np.int64], labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Scale every row to the number of samples with that label, confident or not."""
    counts = np.bincount(labels, minlength=len(joint))
    scaled = (joint.T / joint.sum(axis=1) * counts).T
    return np.array([_round_to_sum(row) for row in scaled / scaled.sum() * counts.sum()])


def _leave_one_per_class(joint: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (label, true class) counts in which every class has a correct label, at the cost of the wrong ones."""
    correct = np.maximum(joint.diagonal(), 1)
    wrong = np.maximum(np.count_nonzero(joint, axis=1) - 1, 1)
    reduced = np.maximum(joint - ((correct - joint.diagonal()) / wrong)[:, None], 0)
    np.fill_diagonal(reduced, correct)
    return np.array([_round_to_sum(column) for column in reduced.T]).T


def _round_to_sum(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Round to integers with the same (rounded) sum, where the rounding costs least."""
    rounded = np.round(values)
    while missing := int(np.round(values.sum()) - rounded.sum()):
        step = 1 if missing > 0 else -1
        order = np.argsort(values - rounded)[::-step]
        rounded[order[: min(abs(missing), len(values))]] += step
    return rounded.astype(np.int64)
