"""Making probabilities mean what they say. Pure array functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.scoring.metrics import log_loss
from ml.scoring.multilabel import binary_log_loss, sigmoid

WIDTH = 0.5
"""How far the logarithm of a temperature is from 0 before anything is known."""


def fit_temperature(logits: NDArray[np.floating], targets: NDArray[np.integer]) -> float:
    """Return the temperature that makes held-out logits (n, classes) most likely (Guo et al. 2017); 1 without samples.

    `targets` are (n,) class indices, or (n, classes) of 0 and 1 for logits of each class by itself. A prior on the
    temperature keeps a few samples that are all right from asking for boundless confidence.
    """
    if len(targets) == 0:
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        mean = log_loss(softmax(scaled), targets) if targets.ndim == 1 else binary_log_loss(sigmoid(scaled), targets)
        return (mean or 0.0) + (log_temperature / WIDTH) ** 2 / 2.0 / len(targets)

    from scipy.optimize import minimize_scalar  # takes half a second to load, and few processes calibrate

    best = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(best.x))


def apply_temperature(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Probabilities (n, classes) at another temperature; classes that had next to none keep next to none."""
    return softmax(np.log(np.maximum(probabilities, 1e-30)) / temperature)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Row-wise softmax of (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
