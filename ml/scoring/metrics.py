"""Scores of predictions. Pure array functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_BINS = 1_000
"""Of the calibration error: each costs a look at all samples."""


def confusion(labels: NDArray[np.integer], predicted: NDArray[np.integer], *, classes: int) -> NDArray[np.int64]:
    """(classes, classes) counts: row = label, column = prediction."""
    flat = np.asarray(labels, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def accuracy(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float | None:
    """Fraction of rows whose most probable class is the label; None for no rows."""
    if len(labels) == 0:
        return None
    return float((np.argmax(probabilities, axis=1) == labels).mean())


def log_loss(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float | None:
    """Mean negative log probability of the label (cross entropy, nats); None for no rows."""
    if len(labels) == 0:
        return None
    own = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, 1e-12)).mean())


def expected_calibration_error(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Mean gap between confidence and accuracy over bins of equally many samples; 0 for no rows.

    There are as many bins as keep the accuracy rising from bin to bin (Roelofs et al. 2022). The usual 15 bins of equal
    width call a perfect model off on small test sets: by 0.053 with 100 samples, where this says 0.036, see
    docs/benchmarks.md.
    """
    if len(labels) == 0:
        return 0.0
    confidence = np.asarray(probabilities, dtype=np.float64).max(axis=1)
    order = np.argsort(confidence, kind="stable")
    confidence, right = confidence[order], (np.argmax(probabilities, axis=1) == labels)[order].astype(np.float64)
    gap = abs(right.mean() - confidence.mean())
    if right.all() or not right.any():
        return float(gap)  # in as many bins as one likes
    for bins in range(2, min(len(labels), MOST_BINS) + 1):
        starts = np.linspace(0, len(labels), bins, endpoint=False).astype(np.int64)
        sizes = np.diff(np.append(starts, len(labels)))
        accuracies = np.add.reduceat(right, starts) / sizes
        if np.any(np.diff(accuracies) < 0):
            break
        gap = float(np.abs(np.add.reduceat(right - confidence, starts)).sum() / len(labels))
    return float(gap)


def per_class(
    matrix: NDArray[np.integer], names: tuple[str, ...], *, sources: int | None = None
) -> dict[str, dict[str, float]]:
    """For each class name: n (labelled), recall, precision and f1 as fractions, 0 where undefined.

    `recall_low`, `recall_high`, `precision_low` and `precision_high` are 95 % confidence intervals, of as many files as
    there are in proportion where all samples are from `sources` files, see `accuracy_interval`.
    """
    weight = 1.0 if sources is None else sources / max(1, int(matrix.sum()))
    scores = {}
    for index, name in enumerate(names):
        hit = float(matrix[index, index])
        labelled, predicted = float(matrix[index].sum()), float(matrix[:, index].sum())
        recall = hit / labelled if labelled else 0.0
        precision = hit / predicted if predicted else 0.0
        f1 = 2 * hit / (labelled + predicted) if labelled + predicted else 0.0
        scores[name] = {"n": labelled, "recall": recall, "precision": precision, "f1": f1}
        for key, count in (("recall", labelled), ("precision", predicted)):
            scores[name][f"{key}_low"], scores[name][f"{key}_high"] = wilson_interval(hit * weight, count * weight)
    return scores


def wilson_interval(right: float, n: float, *, z: float = 1.96) -> tuple[float, float]:
    """95 % confidence interval of a fraction (Wilson 1927); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    p = right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def accuracy_interval(accuracy: float, sources: int) -> tuple[float, float]:
    """95 % confidence interval of an accuracy, where `sources` files were tested.

    Windows of one recording are right or wrong together, so they count as one: anything else would promise too much.
    """
    return wilson_interval(accuracy * sources, sources)
