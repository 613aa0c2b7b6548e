"""Inputs and result of the training loop: the samples with their targets, and everything else that the loop needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ml.core.types import Sample
from ml.features.decode import Decoded
from ml.graphs.frozen_network import FrozenNetwork
from ml.graphs.log_frontend import fit_statistics
from ml.networks.frontends.log import LogFrontEnd
from ml.networks.heads import Classifier
from ml.probe.objective import Score
from ml.probe.training_data import TrainingData, normalisation_samples
from ml.training.finetune import checkpoint
from ml.training.finetune.step import MicroBatches
from ml.training.recipe import Recipe


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


def fit_normalisation(
    network: Classifier, decoded: Decoded, samples: tuple[Sample, ...], *, frozen: FrozenNetwork | None = None
) -> None:
    """Fit the front end for logs, also of `frozen`, to the training split; other front ends are fixed."""
    if isinstance(network.front, LogFrontEnd):
        readings = decoded.read(normalisation_samples(samples)).astype(np.float32, copy=False)
        statistics = fit_statistics(readings, network.front.settings)
        network.front.use_statistics(statistics)
        if frozen is not None:
            frozen.use_statistics(statistics)
