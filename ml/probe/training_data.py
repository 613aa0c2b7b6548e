"""Training and validation samples with their targets, and the few samples that the window shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import Showcase
from ml.core.messages import msg
from ml.core.types import KindName, Sample, TaskName
from ml.features.decode import Decoded
from ml.probe.objective import known_class_mask, targets_of
from ml.project.project import Project

SHOWCASE_SAMPLES = 12
NORMALISATION_WINDOWS = 1000
"""Windows of logs that suffice for the statistics of the training split."""
NO_TRAINING_SAMPLES = msg(
    "There are no training samples: every labelled sample is in the validation or test set. "
    "Label more samples, or create the project again with a different split."
)
ONE_CLASS = msg("Only one class has training samples. Label samples of at least two classes.")


LabelledSamples = tuple[tuple[Sample, ...], NDArray[np.int64]]
"""Samples and their targets, see `ml.probe.objective`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingData:
    """Training and validation samples with their targets, see `ml.probe.objective`."""

    kind: KindName
    task: TaskName = "single"
    decoded: Decoded
    train: tuple[Sample, ...]
    train_labels: NDArray[np.int64]
    valid: tuple[Sample, ...]
    valid_labels: NDArray[np.int64]
    showcase: tuple[Sample, ...]
    """The samples that the window shows after every epoch."""

    @property
    def fingerprint(self) -> str:
        """Changes with the samples and their labels."""
        pairs = [(sample.id, sample.labels) for sample in (*self.train, *self.valid)]
        return hashlib.sha256(f"{len(self.train)} {pairs}".encode()).hexdigest()


def require_two_classes(train: Sequence[Sample]) -> None:
    """Raise HandlensError if fewer than two classes have training samples."""
    if not train:
        raise HandlensError(NO_TRAINING_SAMPLES)
    if len({sample.labels for sample in train}) < 2:
        raise HandlensError(ONE_CLASS)


def make_training_data(
    project: Project, decoded: Decoded, samples: tuple[Sample, ...], *, classes: int
) -> TrainingData:
    """Return the data of the loop. Raises HandlensError if fewer than two classes have training samples."""
    (train, train_labels), (valid, valid_labels) = split_targets(samples, task=project.task, classes=classes)
    require_two_classes(train)
    return TrainingData(
        kind=project.kind,
        task=project.task,
        decoded=decoded,
        train=train,
        train_labels=train_labels,
        valid=valid,
        valid_labels=valid_labels,
        showcase=pick_showcase(valid or train),
    )


def split_targets(
    samples: tuple[Sample, ...], *, task: TaskName, classes: int
) -> tuple[LabelledSamples, LabelledSamples]:
    """Return the training and the validation samples.

    Validation samples of a class without training samples are left out: no model can predict them.
    """
    train, valid = (tuple(s for s in samples if s.split == split and s.labelled) for split in ("train", "valid"))
    train_targets, valid_targets = (targets_of(part, task=task, classes=classes) for part in (train, valid))
    known = known_class_mask(valid_targets, train_targets)
    return (train, train_targets), (
        tuple(sample for sample, use in zip(valid, known, strict=True) if use),
        valid_targets[known],
    )


def normalisation_samples(samples: Sequence[Sample]) -> list[Sample]:
    """Return evenly picked windows of the training split, for the statistics of a front end for logs."""
    train = [sample for sample in samples if sample.split == "train" and sample.labels]
    return train[:: max(1, len(train) // NORMALISATION_WINDOWS)]


def pick_showcase(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Return up to `SHOWCASE_SAMPLES` samples, spread over the classes, always the same ones."""
    by_class: dict[tuple[int, ...], list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample.labels, []).append(sample)
    picked: list[Sample] = []
    depth = 0
    while len(picked) < min(SHOWCASE_SAMPLES, len(samples)):
        picked += [by_class[labels][depth] for labels in sorted(by_class) if depth < len(by_class[labels])]
        depth += 1
    return tuple(picked[:SHOWCASE_SAMPLES])


def make_showcase(
    data: TrainingData, probabilities: NDArray[np.float32], maps: NDArray[np.float32], *, epoch: int
) -> Showcase:
    """Return the event with probabilities (n, classes) and maps (n, classes, h, w) of the showcase samples."""
    return Showcase(
        epoch=epoch,
        sample_ids=tuple(sample.id for sample in data.showcase),
        probabilities=probabilities,
        maps=maps,
    )
