"""Fit the first model again, to training and validation samples, once its strength is selected.

A fifth of all labels is held out for validation. A large data set does not need them; a small one loses a fourth of its
training data, or all recordings of one speaker of five. scikit-learn calls this `refit`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ml.core.jobs import StopRequestedError
from ml.core.types import Sample
from ml.probe.probe import Probe, fit_probe
from ml.probe.training_data import TrainingData
from ml.project.estimate import RETRAIN_MAX_SAMPLES
from ml.scoring.tasks import task_named
from ml.training.run_context import RunContext


def should_retrain(data: TrainingData, samples: Sequence[Sample]) -> bool:
    """Return whether the data set is small enough to gain from retraining, and has a test split to measure it."""
    tested = any(sample.split == "test" and sample.labelled for sample in samples)
    return tested and len(data.valid) > 0 and len(data.train) + len(data.valid) <= RETRAIN_MAX_SAMPLES


def both_splits(data: TrainingData) -> TrainingData:
    """Return the data with the validation samples among the training samples."""
    return dataclasses.replace(
        data,
        train=(*data.train, *data.valid),
        train_labels=np.concatenate([data.train_labels, data.valid_labels]),
        valid=(),
        valid_labels=data.valid_labels[:0],
    )


def refit_probe(context: RunContext, data: TrainingData) -> Probe | None:
    """Fit the probe to `data` with the selected C; None if the user stopped."""
    embeddings = context.features.embeddings(data.train)
    train, valid = (embeddings, data.train_labels), (embeddings[:0].copy(), data.valid_labels)
    classes, task = context.classes, task_named(data.task)
    try:
        *_, probe = fit_probe(train, valid, classes=classes, task=task, c_grid=(context.probe.C,), stop=context.stop)
    except StopRequestedError:
        return None
    return None if context.stop.requested() else probe
