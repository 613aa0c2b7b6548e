"""Compare frozen features by cross-validation of a linear probe, on the training split alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.core.jobs import Stop
from ml.probe.objective import known_class_mask
from ml.probe.probe import C_GRID, fit_probe
from ml.scoring.task import Task

FEWER_C = C_GRID[1::2]
"""Enough to compare features."""


def cross_validated_score(
    embeddings: NDArray[np.float32],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    *,
    classes: int,
    task: Task,
    stop: Stop,
) -> float | None:
    """Return the score of the task on samples that the probe was not fitted to; None if it cannot be measured.

    `folds` (n,) never separate samples that belong together. Raises StopRequestedError after a stop request.
    """
    answers, truth = [], []
    for fold in np.unique(folds):
        held_out = folds == fold
        known = known_class_mask(targets, targets[~held_out])
        judged = held_out & known
        if not judged.any() or len(np.unique(targets[~held_out], axis=0)) < 2:
            continue
        train, valid = (embeddings[~held_out], targets[~held_out]), (embeddings[judged], targets[judged])
        *_, probe = fit_probe(train, valid, classes=classes, task=task, c_grid=FEWER_C, stop=stop)
        answers.append(task.activation(probe.head.logits(valid[0])))
        truth.append(valid[1])
    if not answers:
        return None
    return task.score_and_loss(np.concatenate(answers), np.concatenate(truth))[0]
