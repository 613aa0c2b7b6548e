"""Whiten frozen features by their within-class covariance, as regularised discriminant analysis (RDA) does.

In the features of a pretrained network, the differences between classes are often small beside the variation within
each class (light, background, speaker), and a penalised logistic regression prefers directions with large variation.
Features are therefore divided by the Cholesky root of their within-class covariance. With few samples that covariance
is poorly known, so it is shrunk towards a multiple of the identity (Friedman 1989). Results: docs/learning.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.jobs import NeverStop, Stop, raise_if_requested

SHRINKAGE = 0.85
"""Weight of the identity in the shrunk covariance."""
MIN_WITHIN_CLASS_VARIANCE = 1e-9
"""Share of the total variance below which the variance within the classes is rounding error."""
SQUARE = 2000.0
"""Mean square norm of a whitened sample."""
BLOCK_OPERATIONS = 8e9
"""Samples times width² between two checks for a stop request: about half a second."""


class Head(NamedTuple):
    """A linear head: `weight` (classes, width), `bias` (classes,) float32."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return (n, classes) from embeddings (n, width)."""
        return np.asarray(embeddings @ self.weight.T + self.bias, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Whitener:
    """Map raw features x (n, width) to root⁻¹ ((x - mean) / spread) / level."""

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    root: NDArray[np.float32]
    """(width, width) lower triangle: the Cholesky root of the shrunk covariance."""
    level: float
    """Sets the mean square norm to `SQUARE`, so that C has the same effect for every project and network."""

    def apply(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a whitened copy of (n, width)."""
        scaled = _solve_lower(self.root, ((features - self.mean) / self.spread).T)
        return np.asarray(scaled.T / self.level, dtype=np.float32)

    def fold_into_head(self, head: Head) -> Head:
        """Return the head for raw features that equals `head` for whitened ones."""
        weight = _solve_lower(self.root, head.weight.T, transposed=True).T
        weight = weight / (self.level * self.spread)
        bias = head.bias - weight @ self.mean
        return Head(np.asarray(weight, dtype=np.float32), np.asarray(bias, dtype=np.float32))


def _solve_lower(
    root: NDArray[np.floating], right: NDArray[np.floating], *, transposed: bool = False
) -> NDArray[np.floating]:
    """Solve a lower triangular system, or the one with its transpose."""
    from scipy.linalg import solve_triangular  # slow to load, and the window imports this module when it starts

    return np.asarray(solve_triangular(root, right, lower=True, trans="T" if transposed else "N", check_finite=False))


def _cholesky(matrix: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the lower root; the matrix is overwritten."""
    from scipy.linalg import cholesky  # see above

    return np.asarray(cholesky(matrix, lower=True, overwrite_a=True, check_finite=False))


def fit_whitener(features: NDArray[np.float32], targets: NDArray[np.integer], stop: Stop | None = None) -> Whitener:
    """Whiten `features` (n, width) in place and return the mapping.

    `targets` as in `ml.probe.objective`. Raises StopRequestedError within about a second of a request of `stop`.
    """
    stop = stop or NeverStop()
    mean = features.mean(axis=0)
    raise_if_requested(stop)
    spread = fit_half(features, mean)
    raise_if_requested(stop)
    features -= mean
    features /= spread
    raise_if_requested(stop)
    covariance, share = _within_class_covariance(features, targets, stop)
    raise_if_requested(stop)
    if share > MIN_WITHIN_CLASS_VARIANCE:
        average = float(np.trace(covariance)) / len(covariance)
        covariance *= 1.0 - SHRINKAGE
        covariance[np.diag_indices_from(covariance)] += SHRINKAGE * average
        root = np.asarray(_cholesky(covariance), dtype=np.float32)
    else:  # one sample of each class, or copies of it: there is no variation within the classes
        root = np.eye(len(covariance), dtype=np.float32)
    del covariance
    raise_if_requested(stop)
    squares = 0.0
    for rows in _blocks(features):
        block = _solve_lower(root, features[rows].T).T
        features[rows] = block
        squares += float(np.square(block, dtype=np.float64).sum())
        raise_if_requested(stop)
    level = np.sqrt(squares / max(1, len(features)) / SQUARE) or 1.0
    features /= np.float32(level)
    return Whitener(mean, spread, root, float(level))


def _within_class_covariance(
    features: NDArray[np.float32], targets: NDArray[np.integer], stop: Stop
) -> tuple[NDArray[np.float64], float]:
    """Return the (width, width) within-class covariance of centred features, and its share of the total variance.

    It is computed in double precision, as the difference of two sums that can be nearly equal.
    """
    n, width = features.shape
    several = targets.ndim > 1
    indicators = targets.shape[1] + 1 if several else int(targets.max(initial=0)) + 1
    total, sums = np.zeros((width, width)), np.zeros((indicators, width))
    counts = np.zeros((indicators, indicators if several else 1))
    for rows in _blocks(features):
        block, known = features[rows].astype(np.float64), targets[rows]
        total += block.T @ block
        if several:
            known = np.hstack([np.ones((len(known), 1)), known])
            sums += known.T @ block
            counts += known.T @ known
        else:
            order = np.argsort(known, kind="stable")
            classes, starts, sizes = np.unique(known[order], return_index=True, return_counts=True)
            sums[classes] += np.add.reduceat(block[order], starts, axis=0)
            counts[classes, 0] += sizes
        raise_if_requested(stop)
    explained = _explained_root(sums, counts)
    whole = float(np.trace(total))
    total -= explained.T @ explained
    total /= max(1, n)
    return total, float(np.trace(total)) * n / whole if whole > 0.0 else 0.0


def _explained_root(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (rows, width) whose Gram matrix is the part of the scatter that the targets explain by least squares.

    `sums` (indicators, width) add the features of the samples of each class; `counts` are the co-occurrences of the
    classes, or (indicators, 1) the class sizes if each sample has one class.
    """
    if counts.shape[1] == 1:
        return np.asarray(sums / np.sqrt(np.maximum(counts, 1.0)), dtype=np.float64)
    values, vectors = np.linalg.eigh(counts)
    # Classes without a sample, and classes that always occur together, add no information.
    kept = values > 1e-6 * values.max()
    return np.asarray((vectors[:, kept] / np.sqrt(values[kept])).T @ sums, dtype=np.float64)


def _blocks(features: NDArray[np.float32]) -> Iterator[slice]:
    """Yield blocks of rows. Their size depends on the shape alone, so that a resumed run computes the same numbers."""
    n, width = features.shape
    many = max(64, int(BLOCK_OPERATIONS / width**2))
    return (slice(start, start + many) for start in range(0, n, many))


def fit_half(features: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (width,) divisors: the geometric mean of each dimension's standard deviation and the overall one.

    Raw features are dominated by the dimensions with large variation, and unit variance amplifies dead ones; half-way
    is better than either (test accuracy raw · unit · half: flowers 0.88 · 0.83 · 0.88, eurosat 0.91 · 0.88 · 0.93,
    esc10 0.92 · 0.92 · 0.93). `mean` (width,) is that of the `features`.
    """
    squares = np.zeros(features.shape[1])
    for rows in _blocks(features):
        squares += np.square(features[rows] - mean).sum(axis=0)
    deviation = np.sqrt(squares / max(1, len(features)))
    overall = np.sqrt(np.mean(deviation**2)) + 1e-6
    return np.asarray(np.sqrt((deviation + 1e-3 * overall) * overall), dtype=np.float32)
