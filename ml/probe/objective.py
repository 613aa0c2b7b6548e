"""Targets, class weights, and the score that selects models.

Targets are (n,) class indices in a single-label project and (n, classes) of 0 and 1 in a multi-label one; their shape
says which. `ml.scoring.tasks` makes and scores both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Sample, TaskName
from ml.scoring.calibration import apply_temperature, fit_temperature
from ml.scoring.task import Task
from ml.scoring.tasks import task_for, task_named


def targets_of(samples: Sequence[Sample], *, task: TaskName, classes: int) -> NDArray[np.int64]:
    """Return the targets of labelled samples."""
    return task_named(task).targets([sample.labels for sample in samples], classes=classes)


def known_class_mask(targets: NDArray[np.integer], learned: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return (n,) whether all classes of a sample of `targets` occur among the targets `learned` from.

    No model can predict a class without training samples, so other samples neither calibrate nor compare models.
    """
    if targets.ndim == 1:
        return np.isin(targets, learned)
    return np.asarray(~(targets > 0)[:, ~(learned > 0).any(axis=0)].any(axis=1))


def class_weights(targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (n,) sample weights with mean 1, proportional to the inverse square root of the class frequency.

    This is the geometric mean of two extremes: equal samples, where rare classes vanish, and equal classes, where the
    few samples of a rare class are memorised.
    """
    share = np.bincount(targets)[targets] / len(targets)
    weights = share**-0.5
    return np.asarray(weights / weights.mean(), dtype=np.float32)


def logit_adjustment(targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the log class weights of the classes among `targets`, in the order of the classes.

    Weighted training overestimates rare classes. Logit adjustment (Menon et al. 2021) corrects this: the loss is
    computed on the logits plus these values, so that the logits alone follow the class frequencies.
    """
    return np.asarray(np.log(class_weights(targets)[np.unique(targets, return_index=True)[1]]), dtype=np.float32)


class Score(NamedTuple):
    """The score of a model; the higher the better. Compares by `value`, then by `accuracy`."""

    value: float
    """See `calibrated_nll_score`; the negative training loss if there is no validation split."""
    accuracy: float
    """Multi-label: mean average precision."""


WORST = Score(-float("inf"), 0.0)
"""Worse than any other score."""


def score_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64], task: Task | None = None) -> Score:
    """Return the score of uncalibrated `probabilities` (n, classes) with at least one row."""
    score, _loss = (task or task_for(targets)).score_and_loss(probabilities, targets)
    return Score(calibrated_nll_score(probabilities, targets), score or 0.0)


def calibrated_nll_score(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Return the negative log loss at the best temperature, since models are calibrated before release.

    It is less noisy than accuracy, which takes few values on a small validation split. Multi-label: mean average
    precision, which does not depend on the temperature.
    """
    if targets.ndim > 1:
        return task_for(targets).score_and_loss(probabilities, targets)[0] or 0.0
    return -float(losses_of(probabilities, targets).mean()) if len(targets) else 0.0


def losses_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the loss of each sample (n,) at the best temperature, in nats. Single-label only."""
    temperature = fit_temperature(np.log(np.maximum(probabilities, 1e-12)), targets)
    own = apply_temperature(probabilities, temperature)[np.arange(len(targets)), targets].astype(np.float64)
    return np.asarray(-np.log(np.maximum(own, 1e-12)))
