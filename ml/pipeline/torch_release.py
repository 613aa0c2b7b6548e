"""A network that torch trained, about to be released: its predictions and its graph."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from torch import Tensor

from ml.core.events import Event
from ml.core.types import Sample
from ml.media.kinds import kind_named
from ml.networks.heads import Classifier, Released
from ml.networks.onnx import export_graph, parity
from ml.pipeline.predict_all import Batch, write_predictions
from ml.project.predictions import Predictions
from ml.runtime.contract import OUTPUTS
from ml.runtime.session import open_session
from ml.scoring.ood import OodReference
from ml.scoring.tasks import task_named
from ml.training.context import FinetuneContext
from ml.training.data.features import predict_from_cached_features
from ml.training.finetune.step import run_with_oom_split

GRADCAM_SAMPLES = 16


class TorchRelease:
    """Implements `ml.pipeline.finish.Release` for `network`, which is on the CPU."""

    def __init__(self, context: FinetuneContext, network: Classifier) -> None:
        self._context = context
        self._network = network
        self.backbone = network.backbone.spec.name
        self.backbone_sha256 = network.backbone.weights.sha256
        self.size = network.backbone.spec.size
        self.inner_features = network.backbone.inner_features

    def predict_all(
        self, samples: Sequence[Sample], draft: Path, *, later: int = 0
    ) -> Generator[Event, None, Predictions]:
        """Write uncalibrated predictions to the folder `draft`."""
        network = self._network
        _fit_gradcam(self._context, network, samples)
        predict, exclusive = _predictor(self._context, network), task_named(self._context.project.task).exclusive

        def outputs(batch: Sequence[Sample]) -> Batch:
            probabilities, maps, embeddings = predict(batch)
            return probabilities if exclusive else _logits(network, embeddings), maps, embeddings

        predictions = yield from write_predictions(self._context, outputs, samples, draft, later=later)
        network.cpu()
        return predictions

    def calibrate(self, temperature: float, reference: OodReference) -> None:
        """Set what the graph needs besides the weights."""
        self._network.get_buffer("temperature").fill_(temperature)
        self._network.ood_scorer.fit(reference)

    def graph(self) -> bytes:
        """Return the graph to release."""
        name = kind_named(self._context.project.kind).input_name
        released = Released(self._network).eval()
        return export_graph(released, _example_input(self._context), outputs=OUTPUTS, name=name)

    def difference(self, exported: InferenceSession, samples: Sequence[Sample], stored: NDArray[np.floating]) -> float:
        """Return the largest difference in probability between `exported`, torch, and the predictions `stored`."""
        name = kind_named(self._context.project.kind).input_name
        raw = self._context.decoded.read(samples)
        return parity(exported, Released(self._network).eval(), raw, name=name, stored=stored)


def _example_input(context: FinetuneContext) -> Tensor:
    """Return raw input of two samples, for the exporter."""
    return torch.from_numpy(context.decoded.read([context.samples[0], context.samples[0]]))


def _logits(network: Classifier, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    weight, bias = network.head.weight.detach().cpu().numpy(), network.head.bias.detach().cpu().numpy()
    return np.asarray(embeddings @ weight.T + bias, dtype=np.float32)


def _predictor(context: FinetuneContext, network: Classifier) -> Callable[[Sequence[Sample]], Batch]:
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
    graph = export_graph(Released(network).eval(), _example_input(context), outputs=OUTPUTS, name=name)
    session = open_session(graph, many=True)

    def from_graph(batch: Sequence[Sample]) -> Batch:
        probabilities, maps, embeddings, _ = session.run(list(OUTPUTS), {name: decoded.read(batch)})
        return probabilities, best_maps(batch, maps), embeddings

    return from_graph


def _forward(context: FinetuneContext, network: Classifier, batch: Sequence[Sample]) -> Batch:
    """Return the outputs of torch on the device."""

    def predict(raw: Tensor) -> tuple[NDArray[np.float32], ...]:
        outputs = network.predict(raw.to(context.fabric.device))
        return tuple(part.float().cpu().numpy() for part in (outputs.probabilities, outputs.maps, outputs.embedding))

    probabilities, maps, embeddings = run_with_oom_split(predict, torch.from_numpy(context.decoded.read(batch)))
    return probabilities, maps, embeddings


def _fit_gradcam(context: FinetuneContext, network: Classifier, samples: Sequence[Sample]) -> None:
    """Average the gradients of the class maps over training samples, if the backbone ends in a vector."""
    train = [sample for sample in samples if sample.split == "train"][:GRADCAM_SAMPLES]
    with torch.no_grad():
        pictures = network.front(torch.from_numpy(context.decoded.read(train)))
    network.backbone.fit_gradcam(network.head.weight, pictures)
