"""Inputs and result of the training loop: the samples with their targets, and everything else that the loop needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.types import KindName, Sample, TaskName
from ml.networks.frontends.log import LogFrontEnd
from ml.networks.heads import Classifier
from ml.probe.objective import Score, known_class_mask, targets_of
from ml.project.project import Project
from ml.features.decode import Decoded
from ml.training.finetune import checkpoint
from ml.training.finetune.step import MicroBatches
from ml.training.objective import require_two_classes
from ml.training.recipe import Recipe

SHOWCASE_SAMPLES = 12
NORMALISATION_WINDOWS = 1000
"""Windows of logs that suffice for the statistics of the training split."""

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


@dataclass(frozen=True, slots=True)
class FinetuneTask:
    """All arguments of the loop. Broadcast to the worker ranks, never written to disk."""

    network: Classifier
    """Starts from its present head."""
    data: TrainingData
    recipe: Recipe
    seed: int
    folder: Path
    """Of the checkpoints."""
    probe_score: Score
    """The score to beat."""
    micro_batches: MicroBatches = field(default_factory=MicroBatches)


@dataclass(frozen=True, kw_only=True, slots=True)
class FinetuneResult:
    """How the loop ended. `beats_probe`: `best.safetensors` holds a better model than the probe. `stopped_early`: the
    user stopped it. `schedule_completed`: the learning rate had decayed, so the last weights are the ones to use."""

    beats_probe: bool
    stopped_early: bool
    schedule_completed: bool
    train_seconds: float
    """Seconds per sample of an optimiser step."""


def result_from_checkpoint(folder: Path, data: TrainingData, *, early: bool) -> FinetuneResult:
    """Return the result of an interrupted loop from its checkpoint, for a run that stops before it continues."""
    path = folder / "latest.safetensors"
    facts = checkpoint.load(path)[1] if path.is_file() else {}
    improved = bool(facts) and facts["labels"] == data.fingerprint and facts["best_epoch"] > 0
    return FinetuneResult(beats_probe=improved, stopped_early=early, schedule_completed=False, train_seconds=0.0)


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


def fit_normalisation(network: Classifier, decoded: Decoded, samples: tuple[Sample, ...]) -> None:
    """Fit the front end for logs to evenly picked windows of the training split; other front ends are fixed."""
    if not isinstance(network.front, LogFrontEnd):
        return
    train = [sample for sample in samples if sample.split == "train" and sample.labels]
    every = max(1, len(train) // NORMALISATION_WINDOWS)
    network.front.fit(decoded.read(train[::every]).astype(np.float32, copy=False))


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
