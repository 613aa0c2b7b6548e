"""Frozen features of every sample, for the first model; cached on disk for the next run."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Generator, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.core.events import Event, Note
from ml.core.messages import msg
from ml.core.types import Sample
from ml.features.decode import Decoded
from ml.features.features import Extractor, Features, graph_extractor
from ml.networks.frontends.image_and_mel import MelFrontEnd
from ml.networks.heads import Classifier
from ml.networks.onnx import export_newer, export_older
from ml.training.finetune.step import run_with_oom_split

_log = logging.getLogger(__name__)

FEATURES_VERSION = 3
"""Part of the name of the cache. Increase it if the same network computes different features."""


def predict_from_cached_features(
    network: Classifier, features: Features, batch: Sequence[Sample]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return probabilities (n, classes), maps (n, classes, h, w) and embeddings (n, width) without the backbone.

    Its weights must not have changed since, and it must not end in a vector.
    """
    weight, bias = network.head.weight.detach().cpu(), network.head.bias.detach().cpu()
    # Torch converts half precision several times as fast as numpy.
    grids = torch.from_numpy(features.grids(batch)).float()
    maps = torch.einsum("cd,ndhw->nchw", weight, grids).numpy()
    embeddings = features.embeddings(batch)
    logits = torch.from_numpy(embeddings) @ weight.T + bias
    return network.probabilities(logits).numpy(), maps, embeddings


def fingerprint(network: Classifier) -> str:
    """Return a name of backbone and front end: equal fingerprints mean equal features."""
    front = f"{getattr(network.front, 'settings', '')} {getattr(network.front, 'size', '')}"
    text = f"{FEATURES_VERSION} {timm.__version__} {network.backbone.spec} {network.backbone.width} {front}"
    return f"{network.backbone.spec.name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


class _Backbone(nn.Module):
    """Map raw input to embeddings and to feature grids in half precision."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.front = network.front
        self.backbone = network.backbone

    def forward(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features: torch.Tensor = self.backbone(self.front(raw))
        return features.mean((2, 3)), features.half()


def extractor_for(
    network: Classifier, example: NDArray[np.generic], device: torch.device
) -> Generator[Event, None, Extractor]:
    """Return the fastest extractor on `device`. Raises HandlensError if no exporter supports the network, because it
    could not be released."""
    if device.type != "cpu":
        return torch_extractor(network, device)
    try:
        return onnx_extractor(network, example)
    except Exception as error:  # the errors of the exporter and of ONNX Runtime share no narrower base class
        _log.warning("the older exporter failed", exc_info=error)
    export_newer(_Backbone(network).eval(), torch.from_numpy(example), outputs=("embedding", "grid"), name="raw")
    yield Note(
        sentence=msg(
            "{network} has parts that ONNX Runtime cannot run, so this step takes about three times as long.",
            network=network.backbone.spec.name,
        )
    )
    return torch_extractor(network, device)


def onnx_extractor(network: Classifier, example: NDArray[np.generic]) -> Extractor:
    """Return the backbone in ONNX Runtime: on a CPU about three times as fast as torch."""
    return graph_extractor(backbone_graph(network, example))


def backbone_graph(network: Classifier, example: NDArray[np.generic]) -> bytes:
    """Return the ONNX graph from raw input, as in `example` (two samples), to embeddings and feature grids."""
    return export_older(_Backbone(network).eval(), torch.from_numpy(example), outputs=("embedding", "grid"), name="raw")


def torch_extractor(network: Classifier, device: torch.device) -> Extractor:
    """Return the backbone in torch. Moves the network to `device`."""
    # The fastest memory layout for convolutions on a GPU.
    backbone = _Backbone(network).eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def predict(raw: torch.Tensor) -> tuple[NDArray[Any], ...]:
        with torch.inference_mode():
            embedding, grid = backbone(raw.to(device))
        return embedding.float().cpu().numpy(), grid.cpu().numpy()

    def extract(raw: NDArray[np.generic]) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        embedding, grid = run_with_oom_split(predict, torch.from_numpy(raw))
        return embedding, grid

    return extract


MAX_CACHE_BYTES = 512 * 2**20
"""About 9,000 windows; others are computed again each time."""


class SpectrogramCache:
    """Map rows of the training split to log-mel spectrograms (n, 3, rows, columns) on the front end's device."""

    def __init__(self, front: MelFrontEnd, decoded: Decoded, samples: tuple[Sample, ...]) -> None:
        self._front = front
        self._decoded = decoded
        self._samples = samples
        self._cached: dict[int, Tensor] = {}
        self._free_bytes = MAX_CACHE_BYTES

    def __call__(self, rows: Tensor, _next_rows: Tensor | None = None) -> Tensor:
        numbers = rows.tolist()
        device = self._front.window.device
        computed: dict[int, Tensor] = {}
        new = [number for number in numbers if number not in self._cached]
        if new:
            raw = torch.from_numpy(self._decoded.read([self._samples[number] for number in new])).to(device)
            # Round every spectrogram, cached or not: a resumed run must see the same input.
            computed = dict(zip(new, self._front(raw)[:, :1].half().cpu(), strict=True))
        for number, picture in computed.items():
            if self._free_bytes >= picture.nbytes:
                self._free_bytes -= picture.nbytes
                self._cached[number] = picture.clone()
        pictures = torch.stack([computed[number] if number in computed else self._cached[number] for number in numbers])
        return pictures.to(device).float().expand(-1, 3, -1, -1)


class Prefetcher:
    """Map rows of the training split to raw input on the device, and read the next rows in the background."""

    def __init__(self, decoded: Decoded, samples: tuple[Sample, ...], device: torch.device, reader: Executor) -> None:
        self._decoded = decoded
        self._samples = samples
        self._device = device
        self._reader = reader
        self._pending: tuple[list[int], Future[Tensor]] | None = None

    def __call__(self, rows: Tensor, next_rows: Tensor) -> Tensor:
        numbers, pending = rows.tolist(), self._pending
        raw = pending[1].result() if pending is not None and pending[0] == numbers else self._read(numbers)
        next_numbers = next_rows.tolist()
        self._pending = (next_numbers, self._reader.submit(self._read, next_numbers)) if next_numbers else None
        return raw.to(self._device, non_blocking=self._device.type == "cuda")

    def _read(self, numbers: list[int]) -> Tensor:
        raw = torch.from_numpy(self._decoded.read([self._samples[number] for number in numbers]))
        # Only copies from pinned memory overlap with computation on the GPU.
        return raw.pin_memory() if self._device.type == "cuda" else raw
