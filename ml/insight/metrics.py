"""Scores of predictions. Pure array functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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


def expected_calibration_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over `bins` equal-width bins (Naeini et al. 2015); 0 for no rows."""
    if len(labels) == 0:
        return 0.0
    confidence = probabilities.max(axis=1)
    right = np.argmax(probabilities, axis=1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(right[which == b].mean() - confidence[which == b].mean()) * (which == b).mean() for b in np.unique(which)
    ]
    return float(sum(gaps))


def per_class(matrix: NDArray[np.integer], names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """For each class name: n (labelled), recall, precision and f1 as fractions, 0 where undefined."""
    scores = {}
    for index, name in enumerate(names):
        hit = float(matrix[index, index])
        labelled, predicted = float(matrix[index].sum()), float(matrix[:, index].sum())
        recall = hit / labelled if labelled else 0.0
        precision = hit / predicted if predicted else 0.0
        f1 = 2 * hit / (labelled + predicted) if labelled + predicted else 0.0
        scores[name] = {"n": labelled, "recall": recall, "precision": precision, "f1": f1}
    return scores


def wilson_interval(right: int, n: int, *, z: float = 1.96) -> tuple[float, float]:
    """95 % confidence interval of a fraction (Wilson 1927); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    p = right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))
