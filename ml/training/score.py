"""How good a model is on held-out samples, for comparing it with the others of the same training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.insight.calibration import fit_temperature, tempered
from ml.insight.several import quality


class Score(NamedTuple):
    """Higher merit first, then higher accuracy (multi-label: mean average precision)."""

    merit: float
    """See `merit_of`; on the training loss where nothing validates."""
    accuracy: float


NONE = Score(-float("inf"), 0.0)
"""Worse than any."""


def score_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> Score:
    """Of uncalibrated `probabilities` (n, classes); at least one row."""
    return Score(merit_of(probabilities, targets), quality(probabilities, targets)[0] or 0.0)


def merit_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Higher is better: minus the loss at the best temperature, since models are calibrated before they are released.

    Less a matter of luck than how many are right, of which a small validation split has only few values. Multi-label:
    mean average precision, which no temperature changes.
    """
    if targets.ndim > 1:
        return quality(probabilities, targets)[0] or 0.0
    return -float(losses_of(probabilities, targets).mean()) if len(targets) else 0.0


def losses_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each sample (n,) costs at the best temperature, in nats; not for multi-label."""
    temperature = fit_temperature(np.log(np.maximum(probabilities, 1e-12)), targets)
    own = tempered(probabilities, temperature)[np.arange(len(targets)), targets].astype(np.float64)
    return np.asarray(-np.log(np.maximum(own, 1e-12)))
