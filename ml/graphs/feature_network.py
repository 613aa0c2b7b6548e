"""What every frozen pretrained network offers to the first model."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from ml.graphs.builder import GraphBuilder, Value
from ml.graphs.pretrained import Weights


class FeatureNetwork(ABC):
    """Maps raw input to features (batch, width, *grid), whose mean over the grid is the embedding.

    That contract makes class maps exact: the mean of features × head weights is the logit without its bias.
    """

    weights: Weights
    size: int
    """Side of the pictures in pixels, where the samples are pictures."""
    width: int
    inner_features: slice
    """The features of inner stages: they separate classes, but do not help to detect unlike samples."""

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the features."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Name of network and front end: equal fingerprints mean equal features."""

    @abstractmethod
    def raw_input(self, graph: GraphBuilder, name: str) -> Value:
        """Return the input of the front end, called `name`."""

    @abstractmethod
    def features(self, raw: Value) -> Value:
        """Add front end and network to the graph of `raw`; return (batch, width, *grid)."""

    @property
    def needs_fitting(self) -> bool:
        """Whether `fit` has to be called before the graphs are made."""
        return False

    def fit(self, readings: NDArray[np.floating]) -> None:
        """Fit the front end to samples of the training split, if it needs that."""
        raise NotImplementedError

    def feature_graph(self) -> bytes:
        """Return the graph from the input `raw` to `embedding` (batch, width) and `grid` in half precision."""
        graph = GraphBuilder("features")
        features = self.features(self.raw_input(graph, "raw"))
        graph.output("embedding", features.mean(2, 3, keepdims=False), (self.width,))
        graph.output("grid", features.astype(np.float16), (self.width, *self.grid), np.float16)
        return graph.to_bytes()
