"""Targets, class weights and the score that models are chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Sample, TaskName
from ml.scoring.calibration import apply_temperature, fit_temperature
from ml.scoring.tasks import Task, task_for, task_named


def targets_of(samples: Sequence[Sample], *, task: TaskName, classes: int) -> NDArray[np.int64]:
    """The targets of labelled samples."""
    return task_named(task).targets([sample.labels for sample in samples], classes=classes)


def known_class_mask(targets: NDArray[np.integer], learned: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(n,) of `targets`, whether all classes that a sample shows are among those `learned` from.

    The others say nothing about how sure a model may be of the classes it knows, or which of two models is better.
    """
    if targets.ndim == 1:
        return np.isin(targets, learned)
    return np.asarray(~(targets > 0)[:, ~(learned > 0).any(axis=0)].any(axis=1))


def class_weights(targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n,) weights, 1 on average: a sample of a class that is four times as rare counts twice as much.

    Half-way, geometrically, between every sample alike, which lets rare classes vanish, and every class alike, which
    shows the few samples of a rare one so often that they are learned by heart.
    """
    share = np.bincount(targets)[targets] / len(targets)
    weights = share**-0.5
    return np.asarray(weights / weights.mean(), dtype=np.float32)


def logit_adjustment(targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """How much those weights add to the logit of each class among `targets`, in order of the classes.

    What is learned with them says of a rare class that it is likelier than it is. A head that learns to answer for the
    sum of its own logits and these says by itself how likely a class is (Menon et al. 2021).
    """
    return np.asarray(np.log(class_weights(targets)[np.unique(targets, return_index=True)[1]]), dtype=np.float32)


class Score(NamedTuple):
    """Higher merit first, then higher accuracy (multi-label: mean average precision)."""

    merit: float
    """See `merit_of`; on the training loss where nothing validates."""
    accuracy: float


WORST = Score(-float("inf"), 0.0)
"""Worse than any other score."""


def score_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64], task: Task | None = None) -> Score:
    """Return the score of uncalibrated `probabilities` (n, classes) with at least one row."""
    score, _loss = (task or task_for(targets)).score_and_loss(probabilities, targets)
    return Score(merit_of(probabilities, targets), score or 0.0)


def merit_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
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
