"""What a training learns from and what judges it, out of a project's samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Sample, Task
from ml.networks.frontends.log import LogFrontEnd
from ml.networks.heads import Classifier
from ml.project.project import Project
from ml.training.beginning import require_two_classes
from ml.training.data.decode import Decoded
from ml.training.finetune.loop import TrainingData
from ml.training.objective import answerable, targets_of
from ml.training.shown import pick_showcase

Part = tuple[tuple[Sample, ...], NDArray[np.int64]]
"""Samples and their targets."""
STATISTICS = 1000
"""About as many windows tell the levels and the strengths of a log well enough."""


def make_training_data(
    project: Project, decoded: Decoded, samples: tuple[Sample, ...], *, classes: int
) -> TrainingData:
    """For the loop. Raises HandlensError where the samples to learn from do not tell anything apart."""
    (train, train_labels), (valid, valid_labels) = split_targets(samples, task=project.task, classes=classes)
    require_two_classes(train)
    return TrainingData(
        kind=project.kind,
        decoded=decoded,
        train=train,
        train_labels=train_labels,
        valid=valid,
        valid_labels=valid_labels,
        showcase=pick_showcase(valid or train),
    )


def split_targets(samples: tuple[Sample, ...], *, task: Task, classes: int) -> tuple[Part, Part]:
    """What is learned from, and what judges: no choice among models can make one right on a class that it had no
    sample to learn from."""
    train, valid = (tuple(s for s in samples if s.split == split and s.labelled) for split in ("train", "valid"))
    learned, asked = (targets_of(part, task=task, classes=classes) for part in (train, valid))
    fair = answerable(asked, learned)
    return (train, learned), (tuple(sample for sample, can_be in zip(valid, fair, strict=True) if can_be), asked[fair])


def fit_normalisation(network: Classifier, decoded: Decoded, samples: tuple[Sample, ...]) -> None:
    """Logs are measured in deviations of the training split: learn these from some of its windows, evenly picked."""
    if not isinstance(network.front, LogFrontEnd):
        return
    train = [sample for sample in samples if sample.split == "train" and sample.labels]
    every = max(1, len(train) // STATISTICS)
    network.front.learn(decoded.read(train[::every]).astype(np.float32, copy=False))
