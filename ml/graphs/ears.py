"""Ears: the pretrained networks that a first model of recordings can use, each or both together."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ml.core.jobs import EARS, UsedEar
from ml.core.types import Windowing
from ml.graphs.builder import GraphBuilder, Value, concat
from ml.graphs.feature_network import FeatureNetwork
from ml.graphs.frozen_network import FrozenNetwork
from ml.graphs.pretrained import Weights
from ml.graphs.speech_embedding import SpeechEmbedding
from ml.graphs.yamnet import Yamnet
from ml.graphs.yamnet_weights import is_installed


def make_ear(name: UsedEar, windowing: Windowing) -> FeatureNetwork:
    """Return the network of an ear for recordings."""
    match name:
        case "picture":
            return FrozenNetwork(input_name="waveform", windowing=windowing)
        case "speech":
            return SpeechEmbedding(windowing)
        case "both":
            return BothEars(FrozenNetwork(input_name="waveform", windowing=windowing), SpeechEmbedding(windowing))
        case "yamnet":
            return Yamnet(windowing)


def available_ears() -> tuple[UsedEar, ...]:
    """Return the ears whose weights are on this machine."""
    return EARS if is_installed() else tuple(name for name in EARS if name != "yamnet")


class BothEars(FeatureNetwork):
    """The features of two networks side by side, in the grid of the first. The second has one row."""

    def __init__(self, first: FeatureNetwork, second: FeatureNetwork) -> None:
        self._first, self._second = first, second
        parts = first.weights, second.weights
        digest = hashlib.sha256(" ".join(each.sha256 for each in parts).encode()).hexdigest()
        self.weights = Weights(
            name="+".join(each.name for each in parts),
            path=first.weights.path,
            sha256=digest,
            source="bundled",
            licence=first.weights.licence,
        )
        self.size = first.size
        self.width = first.width + second.width
        self.inner_features = first.inner_features

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the first network."""
        return self._first.grid

    @property
    def fingerprint(self) -> str:
        """Name of both networks: equal fingerprints mean equal features."""
        text = f"{self._first.fingerprint} {self._second.fingerprint}"
        return f"{self.weights.name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def raw_input(self, graph: GraphBuilder, name: str) -> Value:
        """Return the waveform, called `name`."""
        return self._first.raw_input(graph, name)

    def features(self, raw: Value) -> Value:
        """Return (batch, width, *grid): a mean over time of the second network stays what it is."""
        rows, columns = self.grid
        second = self._second.features(raw) @ time_averages(self._second.grid[1], columns)
        return concat([self._first.features(raw), second.expand(1, 1, rows, 1)], axis=1)


def time_averages(before: int, after: int) -> NDArray[np.float32]:
    """Return (before, after) weights that average `before` columns into `after`, with the same mean."""
    edges, new_edges = np.linspace(0.0, 1.0, before + 1), np.linspace(0.0, 1.0, after + 1)
    begin = np.maximum(edges[:-1, None], new_edges[None, :-1])
    end = np.minimum(edges[1:, None], new_edges[None, 1:])
    return np.asarray(np.maximum(0.0, end - begin) * after, dtype=np.float32)
