"""Making probabilities mean what they say. Pure array functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ml.scoring.metrics import log_loss

WIDTH = 0.5
"""How far the logarithm of a temperature is from 0 before anything is known."""


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature that makes held-out logits (n, classes) most likely (Guo et al. 2017); 1 without samples.

    A few samples that are all right would ask for boundless confidence, so it has to be worth leaving 1 for.
    """
    if len(labels) == 0:
        return 1.0

    def loss(log_temperature: float) -> float:
        doubt = (log_temperature / WIDTH) ** 2 / 2.0 / len(labels)
        return (log_loss(softmax(logits / np.exp(log_temperature)), labels) or 0.0) + doubt

    best = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(best.x))


def apply_temperature(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Probabilities (n, classes) at another temperature; classes that had next to none keep next to none."""
    return softmax(np.log(np.maximum(probabilities, 1e-30)) / temperature)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Row-wise softmax of (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
