"""Whether a prediction is good enough to act on."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.runtime.contract import ModelInfo

Decision = Literal["accept", "reject"]


def decide(probabilities: NDArray[np.floating], unlike: float, info: ModelInfo) -> Decision:
    """Accept or reject one sample from its probabilities (classes,) and its unlike score.

    Rejected: less probable than the model's threshold, or less like the training samples than they are like each other.
    """
    sure = float(probabilities.max()) >= info.reject_below
    familiar = unlike <= info.unlike_above
    return "accept" if sure and familiar else "reject"
