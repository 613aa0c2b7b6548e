"""Making probabilities mean what they say, and knowing when not to answer. Pure array functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ml.insight.metrics import log_loss


class Familiar(NamedTuple):
    """What embeddings of the training samples look like: class `centres` (classes, width), `spread` (width,), and the
    `distance` below which 95 % of held-out samples lie."""

    centres: NDArray[np.float32]
    spread: NDArray[np.float32]
    distance: float


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature that makes held-out logits (n, classes) most likely (Guo et al. 2017); 1 without samples."""
    if len(labels) == 0:
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return log_loss(powers / powers.sum(axis=1, keepdims=True), labels) or 0.0

    best = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(best.x))


def reject_threshold(probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, wanted_error: float) -> float:
    """The lowest top probability to accept so that at most `wanted_error` of accepted held-out samples are wrong.

    0 accepts everything; where even the surest are too often wrong, just above the surest wrong one.
    """
    if len(labels) == 0:
        return 0.0
    top = probabilities.max(axis=1)
    order = np.argsort(-top, kind="stable")
    wrong = np.cumsum(np.argmax(probabilities, axis=1)[order] != labels[order])
    good = np.flatnonzero(wrong <= wanted_error * np.arange(1, len(labels) + 1))
    if len(good) == len(labels) or (len(good) and good[-1] == len(labels) - 1):
        return 0.0
    if len(good) == 0:
        return float(min(1.0, top.max() + 1e-6))
    last = good[-1]
    return float((top[order[last]] + top[order[last + 1]]) / 2.0)


def familiar(
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    held_out: NDArray[np.floating],
    classes: int,
) -> Familiar:
    """Class centres and the spread within classes of training embeddings (n, width), and the usual distance to them.

    The distance is Euclidean with every dimension scaled by its spread: a Mahalanobis distance with a shared diagonal
    covariance (Lee et al. 2018), to the nearest class.
    """
    width = embeddings.shape[1]
    centres = np.zeros((classes, width), dtype=np.float32)
    present = np.unique(labels)
    for index in present:
        centres[index] = embeddings[labels == index].mean(axis=0)
    spread = (embeddings - centres[labels]).std(axis=0) + 1e-3
    # A class nobody has shown yet must not attract: it borrows the centre of one that is there.
    absent = np.setdiff1d(np.arange(classes), present)
    centres[absent] = centres[present[0]]
    usual = distances(held_out if len(held_out) else embeddings, centres[present], spread)
    # With a sample per class and none held out every distance is 0, and nothing would ever be usual.
    return Familiar(centres, spread.astype(np.float32), float(np.quantile(usual, 0.95)) or 1.0)


def distances(
    embeddings: NDArray[np.floating], centres: NDArray[np.floating], spread: NDArray[np.floating]
) -> NDArray[np.float32]:
    """(n,) root mean square distance to the nearest of `centres`, in units of `spread`."""
    scaled = np.asarray(embeddings, dtype=np.float32) / spread
    gaps = [np.sqrt(((scaled - centre / spread) ** 2).mean(axis=1)) for centre in centres]
    return np.asarray(np.min(gaps, axis=0), dtype=np.float32)
