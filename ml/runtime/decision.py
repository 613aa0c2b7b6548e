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


def present_classes(probabilities: NDArray[np.floating], info: ModelInfo) -> tuple[int, ...]:
    """Indices of the classes that count as present in one sample, the most probable first; multi-label models only."""
    order = np.argsort(-probabilities, kind="stable")
    return tuple(int(index) for index in order if probabilities[index] >= info.present_above[index])


def over_windows(probabilities: NDArray[np.floating], info: ModelInfo) -> NDArray[np.float32]:
    """(classes,) what a recording is said to be from its windows (n, classes).

    The mean where one class is chosen. In a multi-label model the largest: what is heard in one window is there.
    """
    pooled = probabilities.max(axis=0) if info.task == "multi" else probabilities.mean(axis=0)
    return np.asarray(pooled, dtype=np.float32)
