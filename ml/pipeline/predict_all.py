"""Every sample put to a trained network, and what it answers written down."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from torch import Tensor

from ml.core.events import Event, Progress
from ml.core.jobs import Stop
from ml.core.types import RunInfo, Sample
from ml.media.kinds import kind_named
from ml.networks.heads import Classifier, Released
from ml.networks.onnx import export_graph
from ml.probe.objective import targets_of
from ml.project.predictions import SPLIT_CODES, Predictions, PredictionWriter, read_predictions
from ml.project.project import Project
from ml.runtime.contract import OUTPUTS
from ml.runtime.session import cores, open_session
from ml.scoring.tasks import task_named
from ml.training.data.decode import PROGRESS_SECONDS, Decoded, per_second
from ml.training.data.features import Features, frozen_answers
from ml.training.finetune.step import run_with_oom_split


def logits_from(network: Classifier, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, classes). Probabilities near 1 say too little to be divided by a temperature afterwards; logits do not."""
    weight, bias = network.head.weight.detach().cpu().numpy(), network.head.bias.detach().cpu().numpy()
    return np.asarray(embeddings @ weight.T + bias, dtype=np.float32)


BATCH = max(8, 2 * cores())
ATTUNE_SAMPLES = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseInputs:
    """A trained network (on the CPU, uncalibrated) and what to ask it. `features`: kept grids of a frozen backbone.
    `wrong_at_most`: None where more than one class may be present and no rate was asked for. `before`: the network as
    it was before it learned from the validation samples too, None where it did not."""

    project: Project
    run: RunInfo
    network: Classifier
    before: Classifier | None = None
    samples: tuple[Sample, ...]
    decoded: Decoded
    features: Features | None
    device: torch.device
    wrong_at_most: float | None

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.project.runs.folder(self.run.number)

    @property
    def example(self) -> Tensor:
        """Raw input as of two samples."""
        return torch.from_numpy(self.decoded.read([self.samples[0], self.samples[0]]))

    @property
    def on_gpu(self) -> bool:
        """Where torch asks it about all samples sooner than the exported model on the processor would."""
        return self.device.type == "cuda"


def predict_all(given: ReleaseInputs, draft: Path, stop: Stop) -> Generator[Event, None, Predictions]:
    """What `given.network` says of `given.samples`, not calibrated, in the folder `draft`. Ends early on "cancel"."""
    shutil.rmtree(draft, ignore_errors=True)
    _attune(given)
    name = kind_named(given.project.kind).input_name
    session: InferenceSession | None = None
    if given.features is None and not given.on_gpu:
        released = Released(given.network).eval()
        session = open_session(export_graph(released, given.example, outputs=OUTPUTS, name=name), many=True)
    return (yield from _predict(given, draft, session, name, stop))


def _predict(
    given: ReleaseInputs, draft: Path, session: InferenceSession | None, name: str, stop: Stop
) -> Generator[Event, None, Predictions]:
    writer: PredictionWriter | None = None
    task = task_named(given.project.task)
    began, told = time.monotonic(), 0.0
    looked = session is None and given.features is None
    if looked:
        given.network.to(given.device)
    for start in range(0, len(given.samples), BATCH):
        batch = given.samples[start : start + BATCH]
        if session is not None:
            probabilities, maps, embeddings, _ = session.run(list(OUTPUTS), {name: given.decoded.read(batch)})
        elif given.features is not None:
            probabilities, maps, embeddings = frozen_answers(given.network, given.features, batch)
        else:
            probabilities, maps, embeddings = _looked(given, batch)
        if not looked and given.network.backbone.pooled is not None:
            maps = given.network.look(torch.from_numpy(given.decoded.read(batch))).maps.numpy()
        if writer is None:
            writer = PredictionWriter(
                draft,
                samples=len(given.samples),
                classes=maps.shape[1],
                embedding=embeddings.shape[1],
                map_size=(maps.shape[2], maps.shape[3]),
                with_targets=not task.exclusive,
            )
        more: dict[str, NDArray[np.generic]] = {}
        if not task.exclusive:
            # Until they are calibrated these are logits: a probability near 1 says too little to be divided later.
            probabilities = logits_from(given.network, embeddings)
            more["targets"] = targets_of(batch, task=task.name, classes=maps.shape[1]).astype(np.uint8)
        writer.write(
            **more,
            sample_ids=np.array([s.id for s in batch], dtype=np.int64),
            labels=np.array([s.labels[0] if s.labels else -1 for s in batch], dtype=np.int64),
            splits=np.array([SPLIT_CODES.index(s.split or "none") for s in batch], dtype=np.uint8),
            probabilities=probabilities,
            embeddings=embeddings.astype(np.float16),
            maps=maps.astype(np.float16),
        )
        if stop.requested() == "cancel":
            break
        now, done = time.monotonic(), start + len(batch)
        if now - told > PROGRESS_SECONDS or done == len(given.samples):
            told = now
            rate = per_second(done, now - began)
            left = (len(given.samples) - done) / rate
            yield Progress(stage="predict", done=done, total=len(given.samples), per_second=rate, seconds_left=left)
    assert writer is not None
    writer.close()
    given.network.cpu()
    return read_predictions(draft, task=given.project.task)


def _looked(
    given: ReleaseInputs, batch: Sequence[Sample]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The same from torch, on the device."""

    def ask(raw: Tensor) -> tuple[NDArray[np.float32], ...]:
        answers = given.network.look(raw.to(given.device))
        return tuple(part.float().cpu().numpy() for part in (answers.probabilities, answers.maps, answers.embedding))

    probabilities, maps, embeddings = run_with_oom_split(ask, torch.from_numpy(given.decoded.read(batch)))
    return probabilities, maps, embeddings


def _attune(given: ReleaseInputs) -> None:
    """Where maps are not exact by themselves: average them over samples it learned from, for the exported graph."""
    network = given.network
    learned = [sample for sample in given.samples if sample.split == "train"][:ATTUNE_SAMPLES]
    with torch.no_grad():
        pictures = network.front(torch.from_numpy(given.decoded.read(learned)))
    network.backbone.attune(network.head.weight, pictures)


def predict_holdout_with_previous(
    given: ReleaseInputs, before: Classifier, draft: Path, stop: Stop
) -> Generator[Event, None, Predictions]:
    """What `before` says of the samples it learned from and those it was chosen by, in the folder `draft`."""
    samples = tuple(sample for sample in given.samples if sample.labelled and sample.split in ("train", "valid"))
    earlier = dataclasses.replace(given, network=before, before=None, samples=samples)
    return (yield from predict_all(earlier, draft, stop))


def keep_holdout_predictions(draft: Path, predictions: Predictions, earlier: Predictions) -> None:
    """In `draft`, which holds `predictions`: what `earlier` said of the validation samples, in their place."""
    here, there = predictions.labelled("valid"), earlier.labelled("valid")
    for name in ("probabilities", "maps", "unlike"):
        array = np.lib.format.open_memmap(draft / f"{name}.npy", mode="r+")
        array[here] = getattr(earlier, name)[there]
        array.flush()
