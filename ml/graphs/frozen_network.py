"""The bundled network behind the front end of a kind of sample, as ONNX graphs: nothing of it is trained."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.jobs import DEFAULT_FRONT, Front
from ml.core.messages import msg
from ml.core.types import Windowing
from ml.graphs import efficientnet_lite
from ml.graphs.builder import GraphBuilder, Value
from ml.graphs.feature_network import FeatureNetwork
from ml.graphs.frontends import mel_front_end, pixel_front_end
from ml.graphs.log_frontend import (
    SIZE,
    LogStatistics,
    beside_grid,
    fit_statistics,
    log_front_end,
    settings_for_logs,
)
from ml.graphs.pretrained import LITE0_SIZE, bundled
from ml.graphs.torch_file import read_state_dict
from ml.media.kinds import InputName
from ml.media.mel import mel_size, settings_for

FEATURES_VERSION = 4
"""Part of the names of caches. Increase it if the same network computes different features."""


class FrozenNetwork(FeatureNetwork):
    """Maps raw input to features (batch, width, *grid), whose mean over the grid is the embedding.

    `windowing` is None for pictures. The front end of logs must be fitted first.
    """

    def __init__(self, *, input_name: InputName, windowing: Windowing | None, log_front: Front = DEFAULT_FRONT) -> None:
        self.weights = bundled()
        self.input_name = input_name
        self.size = LITE0_SIZE
        self._windowing = None if input_name == "pixels" else windowing
        self._statistics: LogStatistics | None = None
        self._logs = None
        if self._windowing is not None and input_name == "readings":
            channels, frames = len(self._windowing.columns), self._windowing.frames
            self._logs = settings_for_logs(channels=channels, frames=frames, front=log_front)
        self.width = efficientnet_lite.WIDTH + (0 if self._logs is None else self._logs.numbers)
        self.inner_features = slice(efficientnet_lite.LAST_CHANNELS, efficientnet_lite.WIDTH)

    @property
    def needs_fitting(self) -> bool:
        """Whether `fit` has to be called before the graphs are made."""
        return self._logs is not None and self._statistics is None

    def fit(self, readings: NDArray[np.floating]) -> None:
        """Fit the front end of logs to windows of the training split (n, channels, frames)."""
        assert self._logs is not None
        self.use_statistics(fit_statistics(readings, self._logs))

    def use_statistics(self, statistics: LogStatistics) -> None:
        """Normalise logs by these."""
        self._statistics = statistics

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the features."""
        height, width = self._picture
        return height // efficientnet_lite.STRIDE, width // efficientnet_lite.STRIDE

    @property
    def fingerprint(self) -> str:
        """Name of backbone and front end: equal fingerprints mean equal features."""
        learned = "" if self._statistics is None else self._statistics.fingerprint
        settings = self._logs or (settings_for(self._windowing) if self._windowing is not None else "")
        text = f"{FEATURES_VERSION} {self.weights.sha256} {self._picture} {settings} {learned}"
        return f"{self.weights.name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def raw_input(self, graph: GraphBuilder, name: str) -> Value:
        """Return the input of the front end, called `name`."""
        if self._windowing is None:
            return graph.input(name, (self.size, self.size, 3), np.uint8)
        if self._logs is None:
            return graph.input(name, (self._windowing.frames,))
        return graph.input(name, (self._logs.channels, self._logs.frames))

    def features(self, raw: Value) -> Value:
        """Add front end and backbone to the graph of `raw`; return (batch, width, *grid)."""
        if self._logs is not None:
            assert self._statistics is not None
            picture, numbers = log_front_end(raw, self._logs, self._statistics)
            return beside_grid(efficientnet_lite.features(picture, self._state), numbers, rows=self.grid[0])
        if self._windowing is None:
            picture = pixel_front_end(raw)
        else:
            settings = settings_for(self._windowing)
            picture = mel_front_end(raw, settings, frames=self._windowing.frames, size=self._picture)
        return efficientnet_lite.features(picture, self._state)

    def imagenet_logits(self, raw: Value) -> Value:
        """Add the network with the classifier of its pretraining; return logits (batch, 1000). For pictures only."""
        grid = efficientnet_lite.features(pixel_front_end(raw), self._state)
        return efficientnet_lite.imagenet_logits(grid, self._state)

    @property
    def _picture(self) -> tuple[int, int]:
        """Height and width of the picture for the backbone."""
        if self._windowing is None:
            return self.size, self.size
        if self._logs is not None:
            return SIZE, SIZE
        return mel_size(self._windowing)

    @cached_property
    def _state(self) -> efficientnet_lite.StateDict:
        state = read_state_dict(self.weights.path)
        if not all(np.isfinite(tensor).all() for tensor in state.values()):
            raise HandlensError(
                msg(
                    "The pretrained network produces invalid numbers (NaN) and cannot be used. "
                    "Install Handlens again, or choose another network."
                )
            )
        return state
