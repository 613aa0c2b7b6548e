"""The stages of a training up to the network to release. Each emits events and checks for a stop request.

`ml.pipeline.train` calls them in order, `ml.pipeline.retrain` and `ml.pipeline.finish` follow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator
from typing import cast

import torch

from ml.core.events import BatchDone, Event, Note
from ml.core.messages import msg
from ml.core.types import Sample
from ml.features.decode import Decoded
from ml.features.features import Extractor, Features, graph_extractor
from ml.media.kinds import kind_named
from ml.networks.heads import Classifier
from ml.pipeline.probe_stages import decode_stage, feature_stage, fit_best_probe, probe_done
from ml.pipeline.session import raise_if_cancelled, release_memory, stage
from ml.probe.objective import WORST
from ml.probe.training_data import make_showcase
from ml.probe.whitening import Head
from ml.training.context import FinetuneContext
from ml.training.data.features import extractor_for, fingerprint, predict_from_cached_features
from ml.training.finetune.loop import run_finetune, showcase
from ml.training.finetune.task import FinetuneResult, FinetuneTask, fit_normalisation, result_from_checkpoint
from ml.training.recipe import adapt_recipe, relative_probe_loss
from ml.training.run_files import write_history
from ml.training.selection.interpolate import choose_alpha
from ml.training.selection.symmetry import detect_symmetries


def normalise_stage(context: FinetuneContext) -> Iterator[Event]:
    """Decode every source file once, and fit the front end of logs to the training split."""
    yield from decode_stage(context)
    fit_normalisation(context.network, context.decoded, context.samples, frozen=context.frozen)


def frozen_feature_stage(context: FinetuneContext) -> Iterator[Event]:
    """Compute the frozen features of all samples: with the graph of the bundled network, or in torch."""
    yield stage("features")
    network, samples, decoded = context.network, context.samples, context.decoded
    name = fingerprint(network) if context.frozen is None else context.frozen.fingerprint
    grid = _feature_grid(network, decoded, samples[0])
    width = network.backbone.width
    context.features = Features(context.project.path / "cache", name, samples=len(samples), width=width, grid=grid)

    def make_extractor() -> Generator[Event, None, Extractor]:
        if context.frozen is not None and context.fabric.device.type == "cpu":
            return graph_extractor(context.frozen.feature_graph())
        example = decoded.read([samples[0], samples[0]])
        return (yield from extractor_for(network, example, context.fabric.device))

    yield from feature_stage(context, make_extractor)


def first_model_stage(context: FinetuneContext) -> Iterator[Event]:
    """Fit the first model, show its predictions, and adapt the recipe to its quality unless fine-tuning continues."""
    yield stage("probe")
    network, data, device = context.network, context.data, context.fabric.device
    context.probe = context.first_probe or (yield from fit_best_probe(context))
    release_memory()
    set_head(network, context.probe.head)
    network.to(device)
    if not context.has_first_model:  # else it was shown
        yield probe_done(context)
        if context.features.grids_kept and network.backbone.pooled is None:
            probabilities, maps, _ = predict_from_cached_features(network, context.features, data.showcase)
            yield make_showcase(data, probabilities, maps, epoch=0)
        else:
            yield showcase(network, data, device, epoch=0)
    write_history(context.folder, epoch=0, probe=context.probe)
    if not context.resumes_finetuning:
        _adapt_recipe_to_data(context)


def _adapt_recipe_to_data(context: FinetuneContext) -> None:
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


def finetune_stage(context: FinetuneContext, *, retrain_samples: int = 0) -> Iterator[Event]:
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


def interpolation_stage(context: FinetuneContext) -> Iterator[Event]:
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
    if not (context.alpha or context.result.stopped_early or context.has_first_model):
        yield Note(
            sentence=msg("Adjusting the network did not improve on the first model, so the first model is kept.")
        )
    images, recipe = kind_named(context.project.kind).input_name == "pixels", context.recipe
    final.flip_tta = context.alpha > 0.0 and images and recipe.flip_tta and recipe.hflip
    raise_if_cancelled(context.stop)


def _first_model(context: FinetuneContext) -> Classifier:
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
