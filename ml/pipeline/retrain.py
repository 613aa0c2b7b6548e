"""Retrain on training and validation data once all settings are fixed.

A fifth of all labels is held out for validation. A large data set does not need them; a small one loses a fourth of
its training data, or all recordings of one speaker of five. So the head of the first model is fitted again to both
splits (scikit-learn calls this `refit`), fine-tuning continues on both for a third of its epochs at half the learning
rates, and both are interpolated with the selected alpha. All reported scores were measured before
(`ml.pipeline.predict_all`), and the test split stays unseen. Results: docs/learning.md.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from ml.core.events import Event, Note
from ml.core.jobs import Stop
from ml.core.messages import msg
from ml.core.types import Sample
from ml.networks.heads import Classifier
from ml.pipeline.stages import retrain_stage, set_head, stage
from ml.probe.objective import WORST, score_of
from ml.probe.probe import Probe, fit_probe
from ml.project.estimate import AGAIN, LEARN_AGAIN_UP_TO
from ml.training.data.features import Features
from ml.training.distributed import DistributedContext
from ml.training.finetune.checkpoint import network_tensors
from ml.training.finetune.interruptible import StopRequestedError, interruptible
from ml.training.finetune.loop import TrainingData, score_samples
from ml.training.finetune.step import MicroBatches
from ml.training.finetune.task import FinetuneTask
from ml.training.recipe import Recipe
from ml.training.selection.interpolate import interpolate_weights, load_finetuned

LR_FACTOR = 0.5
"""Factor of the learning rates, compared with the fine-tuning before."""
KEEP_PREVIOUS = msg("The final training on all samples did not improve the model, so the previous model is kept.")


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectedConfig:
    """Settings selected on the validation split: a recipe, the `strength` (C) of the first model's head, and the
    interpolation weight `alpha`. `network` is the resulting model."""

    network: Classifier
    recipe: Recipe
    strength: float
    alpha: float


def should_retrain(data: TrainingData, samples: Sequence[Sample]) -> bool:
    """Return whether the data set is small enough to gain from retraining, and has a test split to measure it."""
    tested = any(sample.split == "test" and sample.labelled for sample in samples)
    return tested and len(data.valid) > 0 and len(data.train) + len(data.valid) <= LEARN_AGAIN_UP_TO


def retrain_samples(recipe: Recipe, data: TrainingData) -> int:
    """Return how many samples the retraining processes, all epochs together."""
    return _shortened(recipe).epochs * (len(data.train) + len(data.valid))


def retrain_on_all(
    fresh: Classifier,
    selected: SelectedConfig,
    data: TrainingData,
    features: Features,
    *,
    seed: int,
    folder: Path,
    fabric: Fabric,
    distributed: DistributedContext,
    micro_batches: MicroBatches,
    stop: Stop,
) -> Generator[Event, None, Classifier | None]:
    """Return a network trained as `selected` on both splits, on the CPU; None if stopped or not better.

    `fresh` has the pretrained weights; `folder` holds the last checkpoint of the fine-tuning. An interrupted retraining
    continues from its own checkpoint.
    """
    yield stage("refit")
    whole = _of_both(data)
    probe = _fitted(features, whole, strength=selected.strength, classes=fresh.head.out_features, stop=stop)
    if probe is None:
        return None
    network = copy.deepcopy(fresh)
    set_head(network, probe.head)
    tuned = load_finetuned(fresh, folder, best=False) if selected.alpha > 0.0 else None
    if tuned is not None:
        fresh.load_state_dict(tuned)
        again = folder / "refit"
        task = FinetuneTask(fresh, whole, _shortened(selected.recipe), seed, again, WORST, micro_batches)
        outcome = yield from retrain_stage(task, fabric, distributed, stop)
        tuned = load_finetuned(fresh, again, best=False)
        if tuned is None or not outcome.schedule_completed:
            return None
        network.load_state_dict(interpolate_weights(dict(network_tensors(network)), tuned, selected.alpha))
    try:
        better = _better(network, selected.network, data, device=fabric.device, stop=stop)
    except StopRequestedError:
        return None
    if not better:
        yield Note(sentence=KEEP_PREVIOUS)
        return None
    network.both_sides = selected.network.both_sides
    return network


def _of_both(data: TrainingData) -> TrainingData:
    return dataclasses.replace(
        data,
        train=(*data.train, *data.valid),
        train_labels=np.concatenate([data.train_labels, data.valid_labels]),
        valid=(),
        valid_labels=data.valid_labels[:0],
    )


def _shortened(recipe: Recipe) -> Recipe:
    """Return the recipe with fewer epochs and lower rates; no early stopping, for lack of a validation split."""
    epochs = max(1, round(recipe.epochs * AGAIN))
    return dataclasses.replace(
        recipe,
        epochs=epochs,
        patience=epochs,
        head_rate=recipe.head_rate * LR_FACTOR,
        body_rate=recipe.body_rate * LR_FACTOR,
    )


def _fitted(features: Features, whole: TrainingData, *, strength: float, classes: int, stop: Stop) -> Probe | None:
    embeddings = features.embeddings(whole.train)
    best: Probe | None = None
    for probe in fit_probe(
        (embeddings, whole.train_labels),
        (embeddings[:0].copy(), whole.valid_labels),
        classes=classes,
        strengths=(strength,),
    ):
        if stop.requested():
            return None
        best = probe or best
    return best


def _better(new: Classifier, old: Classifier, data: TrainingData, *, device: torch.device, stop: Stop) -> bool:
    """Of samples that it has learned from by now a model knows more than before, or something went wrong."""
    scores = []
    for network in (new, old):
        with interruptible(stop, network):
            said = score_samples(network.to(device), data.decoded, data.valid, device)
        network.cpu()
        scores.append(score_of(said, data.valid_labels).merit)
    return bool(np.isfinite(scores[0])) and scores[0] >= scores[1]
