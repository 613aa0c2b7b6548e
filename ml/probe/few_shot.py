"""Suggestions while a person labels: a logistic regression that follows every label, over features that are cached.

No run is written. The features are whitened once, without labels; each change continues the regression from the last
weights (L-BFGS), which takes a few iterations. NumPy and SciPy alone, so a window may use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ml.probe.objective import class_weights
from ml.probe.whitening import SQUARE, fit_whitener
from ml.scoring.calibration import softmax

C = 0.01
"""Inverse regularisation strength, the middle of those that a run tries; there is no validation set to choose by."""
MOST_OPERATIONS = 6e9
"""Multiplications of one update, about 0.2 s on two cores. A fit that needs more continues with the next update."""
MAX_ITERATIONS = 100
TOLERANCE = 5e-4
"""The largest gradient at which the fit ends, as a share of that of the start."""
OTHERS = 500
"""With one class so far, as many samples without a label stand for everything else."""


class FewShot:
    """Probabilities of all samples from the labels given so far; rows are those of the features.

    Several labels of a sample, or none (an empty set), are possible unless `exclusive`.
    """

    def __init__(
        self, features: NDArray[np.floating], *, classes: int, exclusive: bool = True, whiten: bool = True
    ) -> None:
        """Whiten a copy of `features` (n, width); 10,000 samples take about a second.

        Without `whiten` each column only gets the same variance: without labels, whitening also evens out what tells
        the classes apart.
        """
        self._features = np.array(features, dtype=np.float32)
        if len(self._features) and not whiten:
            self._features -= self._features.mean(axis=0)
            self._features /= np.maximum(self._features.std(axis=0), 1e-6)
            squares = float(np.square(self._features, dtype=np.float64).sum()) / len(self._features)
            self._features *= np.float32(np.sqrt(SQUARE / max(squares, 1e-9)))
        elif len(self._features):
            fit_whitener(self._features, np.zeros(len(self._features), dtype=np.int64))
        self._exclusive = exclusive
        self._labels: dict[int, frozenset[int]] = {}
        self._weights = np.zeros((classes, self._features.shape[1] + 1))

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self._weights)

    @property
    def features(self) -> NDArray[np.float32]:
        """The whitened features (n, width)."""
        return self._features

    def labelled_rows(self) -> NDArray[np.int64]:
        """Return the rows with a label, in ascending order."""
        return np.array(sorted(self._labels), dtype=np.int64)

    def add_class(self) -> None:
        """Add a class behind the others."""
        self._weights = np.vstack([self._weights, np.zeros((1, self._weights.shape[1]))])

    def set_label(self, row: int, labels: int | Iterable[int] | None) -> None:
        """Give sample `row` another label, or take it away with None. `probabilities` follows."""
        if labels is None:
            self._labels.pop(row, None)
            return
        chosen = frozenset([labels] if isinstance(labels, int) else labels)
        if self._exclusive and len(chosen) != 1:
            raise ValueError("a sample has exactly one class")
        self._labels[row] = chosen

    def set_labels(self, labels: Mapping[int, int | Iterable[int] | None]) -> None:
        """Do the same for many samples."""
        for row, chosen in labels.items():
            self.set_label(row, chosen)

    def probabilities(self) -> NDArray[np.float32]:
        """Return (n, classes) float32 of every sample, those with labels too.

        Without a label all classes are equally likely. With one class so far, samples unlike its own have less of it.
        """
        if not self.classes:
            return np.zeros((len(self._features), 0), dtype=np.float32)
        known = sorted(set().union(*self._labels.values()))
        if self._exclusive and len(known) <= 1:
            return self._probabilities_of_one(known)
        if not self._labels:
            return np.full((len(self._features), self.classes), 0.5, dtype=np.float32)
        rows = np.array(sorted(self._labels))
        targets = np.zeros((len(rows), self.classes), dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            targets[place, list(self._labels[row])] = 1.0
        if not self._exclusive:
            self._weights = self._fit(rows, targets, np.ones(len(rows), dtype=np.float32), self._weights)
            return np.asarray(1.0 / (1.0 + np.exp(-self._logits(self._weights))), dtype=np.float32)
        labels = np.argmax(targets, axis=1)
        self._weights[known] = self._fit(rows, targets[:, known], class_weights(labels), self._weights[known])
        answers = np.zeros((len(self._features), self.classes), dtype=np.float32)
        answers[:, known] = softmax(self._logits(self._weights[known]))
        return answers

    def _probabilities_of_one(self, known: list[int]) -> NDArray[np.float32]:
        """Return probabilities from the labels of at most one class, against unlabelled samples in its place."""
        count, classes = len(self._features), self.classes
        answers = np.full((count, classes), 1.0 / max(1, classes), dtype=np.float32)
        rest = np.setdiff1d(np.arange(count), np.fromiter(self._labels, dtype=np.int64))
        if not known or classes < 2 or not len(rest):
            return answers
        rest = rest[:: max(1, len(rest) // OTHERS)]
        rows = np.concatenate([np.array(sorted(self._labels)), rest])
        targets = np.zeros((len(rows), 2), dtype=np.float32)
        targets[: len(self._labels), 1] = targets[len(self._labels) :, 0] = 1.0
        both = targets @ (len(rows) / 2.0 / targets.sum(axis=0))  # both sides weigh the same
        weights = self._fit(rows, targets, both, np.zeros_like(self._weights[:2]))
        own = softmax(self._logits(weights))[:, 1]
        answers[:] = ((1.0 - own) / (classes - 1))[:, None]
        answers[:, known[0]] = own
        return answers

    def _logits(self, weights: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.asarray(self._features @ weights[:, :-1].T.astype(np.float32) + weights[:, -1], dtype=np.float32)

    def _fit(
        self,
        rows: NDArray[np.int64],
        targets: NDArray[np.float32],
        sample_weights: NDArray[np.float32],
        start: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the weights (classes, width + 1) that minimise C · loss + |weights|² / 2, from `start` on.

        They lie in the span of the samples: with few of these, the fit takes place there.
        """
        features = self._features[rows]
        basis = None
        if len(rows) < features.shape[1] // 2:
            # The representer theorem; a thin QR of the samples is exact and makes every iteration cheaper.
            basis, triangle = np.linalg.qr(features.T)
            features = np.ascontiguousarray(triangle.T)
            start = np.hstack([start[:, :-1] @ basis, start[:, -1:]])
        most = int(MOST_OPERATIONS / max(1.0, 4.0 * features.size * len(start)))
        most = max(3, min(MAX_ITERATIONS, most))
        fitted = _minimise(features, targets, sample_weights, start, most=most, exclusive=self._exclusive)
        return fitted if basis is None else np.hstack([fitted[:, :-1] @ basis.T, fitted[:, -1:]])


def _minimise(
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    sample_weights: NDArray[np.float32],
    start: NDArray[np.float64],
    *,
    most: int,
    exclusive: bool,
) -> NDArray[np.float64]:
    """Return the weights after at most `most` iterations."""
    shape, scale = start.shape, (C * sample_weights)[:, None]

    def loss_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(shape)
        logits = features @ weights[:, :-1].T.astype(np.float32) + weights[:, -1].astype(np.float32)
        if exclusive:
            top = logits.max(axis=1, keepdims=True)
            sums = np.log(np.exp(logits - top).sum(axis=1, keepdims=True)) + top
            losses = sums - (logits * targets).sum(axis=1, keepdims=True)
            answers = np.exp(logits - sums)
        else:
            losses = (np.logaddexp(0.0, logits) - logits * targets).sum(axis=1, keepdims=True)
            answers = 1.0 / (1.0 + np.exp(-logits))
        errors = scale * (answers - targets)
        gradient = np.hstack([errors.T @ features, errors.sum(axis=0)[:, None]]).astype(np.float64)
        gradient[:, :-1] += weights[:, :-1]
        if not exclusive:  # a class that all samples show has no finite bias
            gradient[:, -1] += C * weights[:, -1]
        penalty = float(np.square(weights[:, :-1]).sum()) / 2
        if not exclusive:
            penalty += C * float(np.square(weights[:, -1]).sum()) / 2
        return float((scale * losses).sum()) + penalty, gradient.ravel()

    zero = np.abs(loss_and_gradient(np.zeros(start.size))[1]).max()
    from scipy.optimize import fmin_l_bfgs_b  # slow to load, and the window imports this module when it starts

    flat, _loss, _facts = fmin_l_bfgs_b(
        loss_and_gradient, start.ravel(), maxiter=most, pgtol=float(TOLERANCE * zero), factr=1e3
    )
    return np.asarray(flat.reshape(shape), dtype=np.float64)
