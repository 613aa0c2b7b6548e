"""The steps of a training, each with its sentence and with an ear for a stop; `run.py` puts them in order."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import torch
from lightning_fabric import Fabric

from ml.core.messages import Message, msg, nmsg
from ml.core.stages import Stage
from ml.errors import HandlensError
from ml.events import BatchDone, Event, Note, Progress, StageStarted
from ml.jobs import Stop
from ml.networks.heads import Classifier
from ml.project.project import Project
from ml.project.samples import Sample
from ml.training.blend import choose_blend
from ml.training.crew import Crew
from ml.training.decode import Decoded
from ml.training.features import Features, extractor_for
from ml.training.finetune import Material, Outcome
from ml.training.probe import STRENGTHS, Probe, fit_probe
from ml.training.probe_several import fit_several
from ml.training.records import write_history
from ml.training.scaling import Head
from ml.training.together import Lesson, teach

ENOUGH_TO_CHOOSE = 10_000
"""So many validation samples tell which first model is better as well as more would, in less memory."""


class CancelledError(Exception):
    """The user cancelled; unwinds to `run.train`."""


class TooEarlyError(Exception):
    """The user stopped before there was a model to keep; unwinds to `run.train`."""


def decode_all(decoded: Decoded, samples: tuple[Sample, ...], stop: Stop) -> Generator[Event, None, tuple[Sample, ...]]:
    """Every source file opened once; returns the samples whose files could be read."""
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


def look_at_all(
    project: Project,
    network: Classifier,
    samples: tuple[Sample, ...],
    decoded: Decoded,
    fabric: Fabric,
    *,
    stop: Stop,
) -> Generator[Event, None, tuple[Features, float]]:
    """The frozen features of all samples, and the seconds that each new one took."""
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
    features: Features, material: Material, *, classes: int, stop: Stop
) -> Generator[Event, None, Probe]:
    """The best probe; a stop ends the trying of strengths, or is too early for any model."""
    every = max(1, -(-len(material.valid) // ENOUGH_TO_CHOOSE))
    train = (features.embeddings(material.train), material.train_labels)
    valid = (features.embeddings(material.valid[::every]), material.valid_labels[::every])
    best: Probe | None = None
    tried = 0
    fit = fit_probe if material.train_labels.ndim == 1 else fit_several
    for probe in fit(train, valid, classes=classes):
        raise_if_cancelled(stop)
        if probe is not None:
            best, tried = probe, tried + 1
            yield Progress(stage="probe", done=min(tried, len(STRENGTHS)), total=len(STRENGTHS))
        elif stop.requested():
            if best is None:
                raise TooEarlyError
            break
    assert best is not None
    return best


def give_head(network: Classifier, head: Head) -> None:
    """Put a head of raw features in the place of the network's."""
    network.head.load_state_dict({"weight": torch.from_numpy(head.weight), "bias": torch.from_numpy(head.bias)})


def adjust(lesson: Lesson, fabric: Fabric, crew: Crew, stop: Stop, *, then: int = 0) -> Generator[Event, None, Outcome]:
    """Fine-tune, and write down how it goes. `then`: samples that will be learned from after this lesson."""
    yield stage("finetune")

    def told(event: Event) -> Event | None:
        write_history(lesson.folder.parent, event=event)
        if isinstance(event, BatchDone) and event.seconds_left is not None:
            left = event.seconds_left + then / max(1e-9, event.samples_per_second)
            return dataclasses.replace(event, seconds_left=left)
        return event

    return (yield from _retold(teach(lesson, fabric, crew, stop), told))


def learn_again(lesson: Lesson, fabric: Fabric, crew: Crew, stop: Stop) -> Generator[Event, None, Outcome]:
    """The same where nothing is left to validate by: only how far it is."""
    each = len(lesson.material.train)

    def told(event: Event) -> Event | None:
        if not isinstance(event, BatchDone):
            return event if isinstance(event, Note) else None
        done = (event.epoch - 1) * each + min(each, event.step * lesson.recipe.batch)
        return Progress(
            stage="refit",
            done=done,
            total=event.epochs * each,
            per_second=event.samples_per_second,
            seconds_left=event.seconds_left,
        )

    return (yield from _retold(teach(lesson, fabric, crew, stop), told))


def _retold(
    loop: Generator[Event, None, Outcome], told: Callable[[Event], Event | None]
) -> Generator[Event, None, Outcome]:
    """The events of `loop` as `told` makes them; what it makes None is not heard."""
    while True:
        try:
            event = told(next(loop))
        except StopIteration as end:
            return cast(Outcome, end.value)
        if event is not None:
            yield event


def blended(
    network: Classifier, checkpoints: Path, material: Material, stop: Stop, *, device: torch.device, outcome: Outcome
) -> Generator[Event, None, float]:
    """Give `network` the weights that are delivered; returns their share of the way."""
    share = choose_blend(
        network, checkpoints, material, stop, device=device, improved=outcome.improved, whole=outcome.whole
    )
    if not (share or outcome.early):
        yield Note(
            sentence=msg("Adjusting the network did not improve on the first model, so the first model is kept.")
        )
    return share


def _grid(network: Classifier, decoded: Decoded, sample: Sample) -> tuple[int, int]:
    """Height and width of the feature grid, from one real sample."""
    with torch.inference_mode():
        features = network.backbone(network.front(torch.from_numpy(decoded.read([sample]))))
    return int(features.shape[2]), int(features.shape[3])


def stage(stage: Stage) -> StageStarted:
    """The event that a stage begins, with its sentence."""
    return StageStarted(stage=stage)


def raise_if_cancelled(stop: Stop) -> None:
    """Raises CancelledError."""
    if stop.requested() == "cancel":
        raise CancelledError


def raise_if_ended(stop: Stop) -> None:
    """The same while there is no model yet that a stop could keep."""
    raise_if_cancelled(stop)
    if stop.requested():
        raise TooEarlyError
