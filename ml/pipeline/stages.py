"""Training stages. Each emits progress events and checks for a stop request; `run.py` calls them in order."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import torch
from lightning_fabric import Fabric

from ml.core.errors import HandlensError
from ml.core.events import BatchDone, Event, Note, Progress, StageStarted
from ml.core.jobs import Stop
from ml.core.messages import Message, msg, nmsg
from ml.core.stages import Stage
from ml.core.types import Sample
from ml.networks.heads import Classifier
from ml.probe.probe import C_GRID, Probe, fit_probe
from ml.probe.whitening import Head
from ml.project.project import Project
from ml.scoring.tasks import task_named
from ml.training.data.decode import Decoded
from ml.training.data.features import Features, extractor_for
from ml.training.distributed import DistributedContext
from ml.training.finetune.loop import Outcome, TrainingData
from ml.training.finetune.task import FinetuneTask, run_finetune
from ml.training.run_files import write_history
from ml.training.selection.interpolate import choose_alpha

ENOUGH_TO_CHOOSE = 10_000
"""At most this many validation samples select the first model; more would only take more memory."""


class CancelledError(Exception):
    """The user cancelled the run; unwinds to `run.train`."""


class NoModelYetError(Exception):
    """The user stopped the run before there was a model; unwinds to `run.train`."""


def decode_all(decoded: Decoded, samples: tuple[Sample, ...], stop: Stop) -> Generator[Event, None, tuple[Sample, ...]]:
    """Decode every source file once; return the samples whose files could be read."""
    yield stage("decode")
    unreadable: dict[str, Message] = {}
    yield from decoded.decode(samples, stop, unreadable)
    raise_if_ended(stop)
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
    return tuple(sample for sample in samples if sample.path not in unreadable)


def extract_features(
    project: Project,
    network: Classifier,
    samples: tuple[Sample, ...],
    decoded: Decoded,
    fabric: Fabric,
    *,
    stop: Stop,
) -> Generator[Event, None, tuple[Features, float]]:
    """Return the frozen features of all samples, and the seconds per newly computed one."""
    yield stage("features")
    began = time.monotonic()
    grid = _grid(network, decoded, samples[0])
    features = Features(project.path / "cache", network, samples=len(samples), grid=grid)
    missing = features.missing(samples)
    if missing:
        extractor = yield from extractor_for(network, decoded.read([samples[0], samples[0]]), fabric.device)
        yield from features.extract(samples, decoded, extractor, stop)
    raise_if_ended(stop)
    return features, (time.monotonic() - began) / len(missing) if missing else 0.0


def fit_first_model(
    features: Features, data: TrainingData, *, classes: int, stop: Stop
) -> Generator[Event, None, Probe]:
    """Return the best probe. A stop request ends the search, or raises NoModelYetError before the first probe."""
    every = max(1, -(-len(data.valid) // ENOUGH_TO_CHOOSE))
    train = (features.embeddings(data.train), data.train_labels)
    valid = (features.embeddings(data.valid[::every]), data.valid_labels[::every])
    best: Probe | None = None
    tried = 0
    for probe in fit_probe(train, valid, classes=classes, task=task_named(data.task)):
        raise_if_cancelled(stop)
        if probe is not None:
            best, tried = probe, tried + 1
            yield Progress(stage="probe", done=min(tried, len(C_GRID)), total=len(C_GRID))
        elif stop.requested():
            if best is None:
                raise NoModelYetError
            break
    assert best is not None
    return best


def set_head(network: Classifier, head: Head) -> None:
    """Replace the weights of the network's head."""
    network.head.load_state_dict({"weight": torch.from_numpy(head.weight), "bias": torch.from_numpy(head.bias)})


def finetune_stage(
    task: FinetuneTask, fabric: Fabric, distributed: DistributedContext, stop: Stop, *, then: int = 0
) -> Generator[Event, None, Outcome]:
    """Fine-tune and write history.csv. `then`: samples of the retraining that follows, for the time left."""
    yield stage("finetune")

    def told(event: Event) -> Event | None:
        write_history(task.folder.parent, event=event)
        if isinstance(event, BatchDone) and event.seconds_left is not None:
            left = event.seconds_left + then / max(1e-9, event.samples_per_second)
            return dataclasses.replace(event, seconds_left=left)
        return event

    return (yield from _retold(run_finetune(task, fabric, distributed, stop), told))


def retrain_stage(
    task: FinetuneTask, fabric: Fabric, distributed: DistributedContext, stop: Stop
) -> Generator[Event, None, Outcome]:
    """Fine-tune without a validation split; yields progress and notes only."""
    each = len(task.data.train)

    def told(event: Event) -> Event | None:
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

    return (yield from _retold(run_finetune(task, fabric, distributed, stop), told))


def _retold(
    loop: Generator[Event, None, Outcome], told: Callable[[Event], Event | None]
) -> Generator[Event, None, Outcome]:
    """Yield the events of `loop` as converted by `told`; None drops an event."""
    while True:
        try:
            event = told(next(loop))
        except StopIteration as end:
            return cast(Outcome, end.value)
        if event is not None:
            yield event


def interpolation_stage(
    network: Classifier, checkpoints: Path, data: TrainingData, stop: Stop, *, device: torch.device, outcome: Outcome
) -> Generator[Event, None, float]:
    """Load the final weights into `network`; return their alpha."""
    alpha = choose_alpha(
        network,
        checkpoints,
        data,
        stop,
        device=device,
        beats_probe=outcome.beats_probe,
        schedule_completed=outcome.schedule_completed,
    )
    if not (alpha or outcome.stopped_early):
        yield Note(
            sentence=msg("Adjusting the network did not improve on the first model, so the first model is kept.")
        )
    return alpha


def _grid(network: Classifier, decoded: Decoded, sample: Sample) -> tuple[int, int]:
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
