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
from collections.abc import Generator, Iterator

import numpy as np

from ml.core.events import BatchDone, Event, Note, Progress
from ml.core.jobs import StopRequestedError
from ml.core.messages import msg
from ml.networks.heads import Classifier
from ml.pipeline.refit_probe import both_splits, refit_probe, should_retrain
from ml.pipeline.session import raise_if_cancelled, stage
from ml.pipeline.stages import map_events, set_head
from ml.probe.objective import WORST, score_of
from ml.project.estimate import RETRAIN_FRACTION
from ml.training.context import FinetuneContext
from ml.training.finetune.checkpoint import network_tensors
from ml.training.finetune.interruptible import interruptible
from ml.training.finetune.loop import run_finetune, score_samples
from ml.training.finetune.task import FinetuneResult, FinetuneTask
from ml.training.recipe import Recipe
from ml.training.selection.interpolate import interpolate_weights, load_finetuned

LR_FACTOR = 0.5
"""Factor of the learning rates, compared with the fine-tuning before."""
KEEP_PREVIOUS = msg("The final training on all samples did not improve the model, so the previous model is kept.")


def retrain_samples(context: FinetuneContext) -> int:
    """Return how many samples the retraining will process, all epochs together."""
    data = context.data
    if not should_retrain(data, context.samples):
        return 0
    return _shortened(context.recipe).epochs * (len(data.train) + len(data.valid))


def retrain_stage(context: FinetuneContext) -> Iterator[Event]:
    """Replace the final network by one that was trained on both splits, if that applies and is better."""
    if not context.result.schedule_completed or context.stop.requested():
        return
    if should_retrain(context.data, context.samples):
        fresh = context.new_network()
        fresh.front = copy.deepcopy(context.network.front).cpu()
        network = yield from retrain_on_all(context, fresh)
        if network is not None:
            context.holdout_network, context.final_network = context.final_network, network
        raise_if_cancelled(context.stop)


def retrain_on_all(context: FinetuneContext, fresh: Classifier) -> Generator[Event, None, Classifier | None]:
    """Return a network trained on both splits, on the CPU; None if stopped or not better than the final network.

    `fresh` has the pretrained weights. An interrupted retraining continues from its own checkpoint.
    """
    yield stage("refit")
    data = both_splits(context.data)
    probe = refit_probe(context, data)
    if probe is None:
        return None
    network = copy.deepcopy(fresh)
    set_head(network, probe.head)
    previous = load_finetuned(fresh, context.checkpoints, best=False) if context.alpha > 0.0 else None
    if previous is not None:
        fresh.load_state_dict(previous)
        folder = context.checkpoints / "refit"
        recipe = _shortened(context.recipe)
        result = yield from _finetune(
            context, FinetuneTask(fresh, data, recipe, context.job.seed, folder, WORST, context.micro_batches)
        )
        finetuned = load_finetuned(fresh, folder, best=False)
        if finetuned is None or not result.schedule_completed:
            return None
        network.load_state_dict(interpolate_weights(dict(network_tensors(network)), finetuned, context.alpha))
    try:
        better = _fits_validation_better(context, network)
    except StopRequestedError:
        return None
    if not better:
        yield Note(sentence=KEEP_PREVIOUS)
        return None
    network.flip_tta = context.final_network.flip_tta
    return network


def _finetune(context: FinetuneContext, task: FinetuneTask) -> Generator[Event, None, FinetuneResult]:
    """Fine-tune without a validation split; yield progress and notes only."""
    each = len(task.data.train)

    def convert(event: Event) -> Event | None:
        if not isinstance(event, BatchDone):
            return event if isinstance(event, Note) else None
        done = (event.epoch - 1) * each + min(each, event.step * task.recipe.batch)
        return Progress(
            stage="refit",
            done=done,
            total=event.epochs * each,
            per_second=event.samples_per_second,
            seconds_left=event.seconds_left,
        )

    return (yield from map_events(run_finetune(task, context.fabric, context.distributed, context.stop), convert))


def _shortened(recipe: Recipe) -> Recipe:
    """Return the recipe with fewer epochs and lower rates; no early stopping, for lack of a validation split."""
    epochs = max(1, round(recipe.epochs * RETRAIN_FRACTION))
    return dataclasses.replace(
        recipe,
        epochs=epochs,
        patience=epochs,
        head_lr=recipe.head_lr * LR_FACTOR,
        backbone_lr=recipe.backbone_lr * LR_FACTOR,
    )


def _fits_validation_better(context: FinetuneContext, network: Classifier) -> bool:
    """Return whether the retrained network scores at least as high on samples that it was trained on by now.

    If it does not, something went wrong.
    """
    data, device = context.data, context.fabric.device
    scores = []
    for candidate in (network, context.final_network):
        with interruptible(context.stop, candidate):
            probabilities = score_samples(candidate.to(device), data.decoded, data.valid, device)
        candidate.cpu()
        scores.append(score_of(probabilities, data.valid_labels).value)
    return bool(np.isfinite(scores[0])) and scores[0] >= scores[1]
