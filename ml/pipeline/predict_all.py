"""Predict every sample with the final network and write the predictions."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.core.events import Event, Progress
from ml.core.types import Sample
from ml.media.kinds import kind_named
from ml.networks.heads import Classifier, Released
from ml.networks.onnx import export_graph
from ml.probe.objective import targets_of
from ml.project.predictions import SPLIT_CODES, Predictions, PredictionWriter, read_predictions
from ml.runtime.contract import OUTPUTS
from ml.runtime.session import cores, open_session
from ml.scoring.tasks import task_named
from ml.training.context import RunContext
from ml.training.data.decode import PROGRESS_SECONDS, per_second
from ml.training.data.features import predict_from_cached_features
from ml.training.finetune.step import run_with_oom_split

BATCH = max(8, 2 * cores())
GRADCAM_SAMPLES = 16

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Probabilities (n, classes), maps (n, classes, h, w) and embeddings (n, width) of some samples."""


def predict_all(
    context: RunContext, network: Classifier, samples: Sequence[Sample], draft: Path, *, later: int = 0
) -> Generator[Event, None, Predictions]:
    """Write uncalibrated predictions of `network` (on the CPU) for `samples` to the folder `draft`.

    Ends early if the user cancels. Multi-label: the probabilities are logits until calibration. `later`: how many
    samples are predicted after these, for the time left.
    """
    shutil.rmtree(draft, ignore_errors=True)
    _fit_gradcam(context, network, samples)
    predict = _predictor(context, network)
    writer: PredictionWriter | None = None
    task = task_named(context.project.task)
    started, reported = time.monotonic(), 0.0
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        probabilities, maps, embeddings = predict(batch)
        if writer is None:
            writer = PredictionWriter(
                draft,
                samples=len(samples),
                classes=maps.shape[1],
                embedding=embeddings.shape[1],
                map_size=(maps.shape[2], maps.shape[3]),
                with_targets=not task.exclusive,
            )
        targets: dict[str, NDArray[np.generic]] = {}
        if not task.exclusive:
            probabilities = logits_from(network, embeddings)
            targets["targets"] = targets_of(batch, task=task.name, classes=maps.shape[1]).astype(np.uint8)
        writer.write(
            **targets,
            sample_ids=np.array([s.id for s in batch], dtype=np.int64),
            labels=np.array([s.labels[0] if s.labels else -1 for s in batch], dtype=np.int64),
            splits=np.array([SPLIT_CODES.index(s.split or "none") for s in batch], dtype=np.uint8),
            probabilities=probabilities,
            embeddings=embeddings.astype(np.float16),
            maps=maps.astype(np.float16),
        )
        if context.stop.requested() == "cancel":
            break
        now, done = time.monotonic(), start + len(batch)
        if now - reported > PROGRESS_SECONDS or done == len(samples):
            reported = now
            rate = per_second(done, now - started)
            left = (len(samples) - done + later) / rate
            yield Progress(stage="predict", done=done, total=len(samples), per_second=rate, seconds_left=left)
    assert writer is not None
    writer.close()
    network.cpu()
    return read_predictions(draft, task=task.name)


def predict_holdout(context: RunContext, draft: Path) -> Generator[Event, None, Predictions]:
    """Predict training and validation samples with the network before it was trained on the latter."""
    assert context.holdout_network is not None
    samples = [sample for sample in context.samples if sample.labelled and sample.split in ("train", "valid")]
    later = len(context.samples)
    return (yield from predict_all(context, context.holdout_network, samples, draft, later=later))


def keep_holdout_predictions(draft: Path, predictions: Predictions, holdout: Predictions) -> None:
    """Replace the validation rows of `predictions`, which are in `draft`, by those of the held-out network."""
    here, there = predictions.labelled("valid"), holdout.labelled("valid")
    for name in ("probabilities", "maps", "unlike"):
        array = np.lib.format.open_memmap(draft / f"{name}.npy", mode="r+")
        array[here] = getattr(holdout, name)[there]
        array.flush()


def example_input(context: RunContext) -> Tensor:
    """Return raw input of two samples, for the exporter."""
    return torch.from_numpy(context.decoded.read([context.samples[0], context.samples[0]]))


def logits_from(network: Classifier, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return logits (n, classes). Probabilities near 1 are too coarse for a temperature; logits are not."""
    weight, bias = network.head.weight.detach().cpu().numpy(), network.head.bias.detach().cpu().numpy()
    return np.asarray(embeddings @ weight.T + bias, dtype=np.float32)


def _predictor(context: RunContext, network: Classifier) -> Callable[[Sequence[Sample]], Batch]:
    """Return the fastest way to the outputs of `network`: cached features, torch on a GPU, or ONNX Runtime."""
    decoded, features = context.decoded, context.cached_features

    def best_maps(batch: Sequence[Sample], maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the maps; by each sample's own gradient, which only torch has, if the backbone ends in a vector."""
        if network.backbone.pooled is None:
            return maps
        own: NDArray[np.float32] = network.predict(torch.from_numpy(decoded.read(batch))).maps.numpy()
        return own

    if features is not None:

        def from_features(batch: Sequence[Sample]) -> Batch:
            probabilities, maps, embeddings = predict_from_cached_features(network, features, batch)
            return probabilities, best_maps(batch, maps), embeddings

        return from_features
    if context.fabric.device.type == "cuda":
        network.to(context.fabric.device)
        return partial(_forward, context, network)
    name = kind_named(context.project.kind).input_name
    graph = export_graph(Released(network).eval(), example_input(context), outputs=OUTPUTS, name=name)
    session = open_session(graph, many=True)

    def from_graph(batch: Sequence[Sample]) -> Batch:
        probabilities, maps, embeddings, _ = session.run(list(OUTPUTS), {name: decoded.read(batch)})
        return probabilities, best_maps(batch, maps), embeddings

    return from_graph


def _forward(context: RunContext, network: Classifier, batch: Sequence[Sample]) -> Batch:
    """Return the outputs of torch on the device."""

    def predict(raw: Tensor) -> tuple[NDArray[np.float32], ...]:
        outputs = network.predict(raw.to(context.fabric.device))
        return tuple(part.float().cpu().numpy() for part in (outputs.probabilities, outputs.maps, outputs.embedding))

    probabilities, maps, embeddings = run_with_oom_split(predict, torch.from_numpy(context.decoded.read(batch)))
    return probabilities, maps, embeddings


def _fit_gradcam(context: RunContext, network: Classifier, samples: Sequence[Sample]) -> None:
    """Average the gradients of the class maps over training samples, if the backbone ends in a vector."""
    train = [sample for sample in samples if sample.split == "train"][:GRADCAM_SAMPLES]
    with torch.no_grad():
        pictures = network.front(torch.from_numpy(context.decoded.read(train)))
    network.backbone.fit_gradcam(network.head.weight, pictures)
