"""Score models on held-out samples, to compare the models of one run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.scoring.calibration import fit_temperature, tempered
from ml.scoring.multilabel import quality


class Score(NamedTuple):
    """Higher merit first, then higher accuracy (multi-label: mean average precision)."""

    merit: float
    """See `merit_of`; on the training loss where nothing validates."""
    accuracy: float


WORST = Score(-float("inf"), 0.0)
"""Worse than any other score."""


def score_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> Score:
    """Return the score of uncalibrated `probabilities` (n, classes) with at least one row."""
    return Score(merit_of(probabilities, targets), quality(probabilities, targets)[0] or 0.0)


def merit_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Return the negative log loss at the best temperature, since models are calibrated before release.

    It is less noisy than accuracy, which takes few values on a small validation split. Multi-label: mean average
    precision, which does not depend on the temperature.
    """
    if targets.ndim > 1:
        return quality(probabilities, targets)[0] or 0.0
    return -float(losses_of(probabilities, targets).mean()) if len(targets) else 0.0


def losses_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the loss of each sample (n,) at the best temperature, in nats. Single-label only."""
    temperature = fit_temperature(np.log(np.maximum(probabilities, 1e-12)), targets)
    own = tempered(probabilities, temperature)[np.arange(len(targets)), targets].astype(np.float64)
    return np.asarray(-np.log(np.maximum(own, 1e-12)))
