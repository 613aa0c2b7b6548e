"""The stages of a training up to the network to release. Each emits events and checks for a stop request.

`ml.pipeline.train` calls them in order, `ml.pipeline.retrain` and `ml.pipeline.finish` follow.
"""

from __future__ import annotations

import ctypes
import dataclasses
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import cast

import torch

from ml.core.errors import HandlensError
from ml.core.events import BatchDone, Event, Note, ProbeDone, Progress, StageStarted
from ml.core.jobs import Stop, StopRequestedError
from ml.core.messages import Message, msg, nmsg
from ml.core.stages import Stage
from ml.core.types import Sample
from ml.media.kinds import kind_named
from ml.networks.heads import Classifier
from ml.probe.objective import WORST
from ml.probe.probe import C_GRID, Probe, fit_probe
from ml.probe.whitening import Head
from ml.scoring.tasks import task_named
from ml.training.context import RunContext
from ml.features.decode import Decoded
from ml.training.data.features import Features, extractor_for, predict_from_cached_features
from ml.training.finetune.loop import make_showcase, run_finetune, showcase
from ml.training.finetune.task import (
    FinetuneResult,
    FinetuneTask,
    fit_normalisation,
    make_training_data,
    result_from_checkpoint,
)
from ml.training.recipe import adapt_recipe, relative_probe_loss
from ml.training.run_files import write_history
from ml.training.selection.interpolate import choose_alpha
from ml.training.selection.symmetry import detect_symmetries

MAX_SELECTION_SAMPLES = 10_000
"""At most this many validation samples select the first model; more would only take more memory."""


class CancelledError(Exception):
    """The user cancelled the run; unwinds to `train`."""


class NoModelYetError(Exception):
    """The user stopped the run before there was a model; unwinds to `train`."""


def decode_stage(context: RunContext) -> Iterator[Event]:
    """Decode every source file once, and leave out samples whose files cannot be read."""
    yield stage("decode")
    samples = context.samples
    unreadable: dict[str, Message] = {}
    yield from context.decoded.decode(samples, context.stop, unreadable)
    raise_if_ended(context.stop)
    if unreadable:
        first = next(iter(unreadable.values()))
        if len(unreadable) == len({sample.path for sample in samples}):
            raise HandlensError(
                msg("None of the project's files can be read any more. The first error: {reason}", reason=first)
            )
        yield Note(
            sentence=nmsg(
                "{count} file could not be read any more and was left out. The error: {reason}",
                "{count} files could not be read any more and were left out. The first error: {reason}",
                len(unreadable),
                reason=first,
            )
        )
    context.samples = tuple(sample for sample in samples if sample.path not in unreadable)
    fit_normalisation(context.network, context.decoded, context.samples)


def feature_stage(context: RunContext) -> Iterator[Event]:
    """Compute the frozen features of all samples, and collect the training data."""
    yield stage("features")
    started = time.monotonic()
    network, samples, decoded = context.network, context.samples, context.decoded
    grid = _feature_grid(network, decoded, samples[0])
    context.features = Features(context.project.path / "cache", network, samples=len(samples), grid=grid)
    missing = context.features.missing(samples)
    if missing:
        example = decoded.read([samples[0], samples[0]])
        extractor = yield from extractor_for(network, example, context.fabric.device)
        yield from context.features.extract(samples, decoded, extractor, context.stop)
    raise_if_ended(context.stop)
    context.forward_seconds = (time.monotonic() - started) / len(missing) if missing else 0.0
    release_memory()
    context.data = make_training_data(context.project, decoded, samples, classes=context.classes)


def probe_stage(context: RunContext) -> Iterator[Event]:
    """Fit the first model, show its predictions, and adapt the recipe to its quality unless fine-tuning continues."""
    yield stage("probe")
    network, data, device = context.network, context.data, context.fabric.device
    probe = context.probe = yield from _fit_best_probe(context)
    release_memory()
    set_head(network, probe.head)
    yield ProbeDone(
        seconds=time.monotonic() - context.started,
        train_loss=probe.train_loss,
        valid_loss=probe.valid_loss,
        valid_accuracy=probe.valid_accuracy,
    )
    network.to(device)
    if context.features.grids_kept and network.backbone.pooled is None:
        probabilities, maps, _ = predict_from_cached_features(network, context.features, data.showcase)
        yield make_showcase(data, probabilities, maps, epoch=0)
    else:
        yield showcase(network, data, device, epoch=0)
    write_history(context.folder, epoch=0, probe=probe)
    if not context.resumes_finetuning:
        _adapt_recipe_to_data(context)


def _fit_best_probe(context: RunContext) -> Generator[Event, None, Probe]:
    """Return the best probe. A stop request ends the search, or raises NoModelYetError before the first probe."""
    data, features, stop = context.data, context.features, context.stop
    every = max(1, -(-len(data.valid) // MAX_SELECTION_SAMPLES))
    train = (features.embeddings(data.train), data.train_labels)
    valid = (features.embeddings(data.valid[::every]), data.valid_labels[::every])
    task = task_named(data.task)
    best: Probe | None = None
    tried = 0
    try:
        for probe in fit_probe(train, valid, classes=context.classes, task=task, stop=stop):
            raise_if_cancelled(stop)
            best, tried = probe, tried + 1
            yield Progress(stage="probe", done=min(tried, len(C_GRID)), total=len(C_GRID))
    except StopRequestedError:
        raise_if_cancelled(stop)
        if best is None:
            raise NoModelYetError from None
    assert best is not None
    return best


def _adapt_recipe_to_data(context: RunContext) -> None:
    """Adapt the recipe to the quality of the probe and to symmetries, and write it down for a resumed run."""
    data, recipe = context.data, context.recipe
    relative_loss = relative_probe_loss(context.probe.valid_loss, data.train_labels)
    lengthen = context.job.epochs is None
    recipe = adapt_recipe(recipe, relative_loss=relative_loss, train=len(data.train), lengthen=lengthen)
    if kind_named(context.project.kind).input_name == "pixels" and recipe.epochs > 0:
        single = [sample for sample in data.valid if len(sample.labels) == 1]
        recipe = detect_symmetries(recipe, context.network, data.decoded, single, context.stop)
    context.recipe = recipe
    context.write_settings()


def finetune_stage(context: RunContext, *, retrain_samples: int = 0) -> Iterator[Event]:
    """Fine-tune and write history.csv. `retrain_samples`: of the retraining that follows, for the time left."""
    recipe, data = context.recipe, context.data
    context.result = result_from_checkpoint(context.checkpoints, data, early=recipe.epochs > 0)
    if recipe.epochs > 0 and not context.stop.requested():
        set_head(context.network, context.probe.init_head)
        yield stage("finetune")

        def convert(event: Event) -> Event:
            write_history(context.folder, event=event)
            if isinstance(event, BatchDone) and event.seconds_left is not None:
                left = event.seconds_left + retrain_samples / max(1e-9, event.samples_per_second)
                return dataclasses.replace(event, seconds_left=left)
            return event

        task = FinetuneTask(
            context.network,
            data,
            recipe,
            context.job.seed,
            context.checkpoints,
            context.probe.valid_score or WORST,
            context.micro_batches,
        )
        loop = run_finetune(task, context.fabric, context.distributed, context.stop)
        context.result = yield from map_events(loop, convert)
    raise_if_cancelled(context.stop)


def map_events(
    loop: Generator[Event, None, FinetuneResult], convert: Callable[[Event], Event | None]
) -> Generator[Event, None, FinetuneResult]:
    """Yield the events of `loop` as converted; None drops an event. Returns the result of the loop."""
    while True:
        try:
            event = convert(next(loop))
        except StopIteration as end:
            return cast(FinetuneResult, end.value)
        if event is not None:
            yield event


def interpolation_stage(context: RunContext) -> Iterator[Event]:
    """Interpolate between the first model and the fine-tuned one; the validation split selects the final weights."""
    if context.recipe.epochs == 0:
        context.final_network = context.network.cpu()
        return
    final = context.final_network = _first_model(context)
    context.alpha = choose_alpha(
        final,
        context.checkpoints,
        context.data,
        context.stop,
        device=context.fabric.device,
        beats_probe=context.result.beats_probe,
        schedule_completed=context.result.schedule_completed,
    )
    if not (context.alpha or context.result.stopped_early):
        yield Note(
            sentence=msg("Adjusting the network did not improve on the first model, so the first model is kept.")
        )
    images, recipe = kind_named(context.project.kind).input_name == "pixels", context.recipe
    final.flip_tta = context.alpha > 0.0 and images and recipe.flip_tta and recipe.hflip
    raise_if_cancelled(context.stop)


def _first_model(context: RunContext) -> Classifier:
    """Return the probe as a network of its own, on the CPU: fine-tuning changes the weights it was fitted to."""
    network = context.new_network()
    network.front = context.network.front.cpu()
    set_head(network, context.probe.head)
    return network


def set_head(network: Classifier, head: Head) -> None:
    """Replace the weights of the network's head."""
    network.head.load_state_dict({"weight": torch.from_numpy(head.weight), "bias": torch.from_numpy(head.bias)})


def _feature_grid(network: Classifier, decoded: Decoded, sample: Sample) -> tuple[int, int]:
    """Return the height and width of the feature grid, measured on one sample."""
    with torch.inference_mode():
        features = network.backbone(network.front(torch.from_numpy(decoded.read([sample]))))
    return int(features.shape[2]), int(features.shape[3])


def stage(stage: Stage) -> StageStarted:
    """Return the event that a stage started."""
    return StageStarted(stage=stage)


def raise_if_cancelled(stop: Stop) -> None:
    """Raise CancelledError if the user cancelled."""
    if stop.requested() == "cancel":
        raise CancelledError


def raise_if_ended(stop: Stop) -> None:
    """Raise CancelledError or, on a stop request, NoModelYetError: there is no model to keep yet."""
    raise_if_cancelled(stop)
    if stop.requested():
        raise NoModelYetError


def release_memory() -> None:
    """Call `malloc_trim`: glibc keeps hundreds of megabytes of freed memory for later.

    Call it between stages that allocate large arrays of different shapes.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)
