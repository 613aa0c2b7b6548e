"""Whether a prediction is good enough to act on."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.runtime.contract import ModelInfo

Decision = Literal["accept", "reject"]


def decide(probabilities: NDArray[np.floating], unlike: float, info: ModelInfo) -> Decision:
    """Accept or reject one sample from its probabilities (classes,) and its unlike score.

    Rejected: less probable than the model's threshold for that class, or unlike the training samples. A multi-label
    model has no threshold for the whole: that none of its classes is there is an answer too.
    """
    best = int(probabilities.argmax())
    sure = float(probabilities[best]) >= info.threshold(best)
    familiar = unlike <= info.unlike_above
    return "accept" if sure and familiar else "reject"
