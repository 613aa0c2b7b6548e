"""EfficientNet-Lite0 (Tan and Liu 2019, in its edition for ONNX and TFLite) as a graph, from its state dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.graphs.builder import Value, concat

BATCH_NORM_EPSILON = 1e-3
STRIDE = 32
"""Pixels of the picture for each position of the grid, in both directions."""
INNER_STAGES = 4
"""Last stages whose outputs are features too; results in docs/learning.md."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks of inverted bottlenecks; only the first has a stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(blocks=1, kernel=3, stride=1, expansion=1, channels=16),
    Stage(blocks=2, kernel=3, stride=2, expansion=6, channels=24),
    Stage(blocks=2, kernel=5, stride=2, expansion=6, channels=40),
    Stage(blocks=3, kernel=3, stride=2, expansion=6, channels=80),
    Stage(blocks=3, kernel=5, stride=1, expansion=6, channels=112),
    Stage(blocks=4, kernel=5, stride=2, expansion=6, channels=192),
    Stage(blocks=1, kernel=3, stride=1, expansion=6, channels=320),
)
LAST_CHANNELS = 1280
WIDTH = LAST_CHANNELS + sum(stage.channels for stage in STAGES[-INNER_STAGES:])
"""Features at each position of the grid."""

StateDict = Mapping[str, NDArray[Any]]


class _Layers:
    """Takes the tensors in the order of the network and folds each batch norm into the convolution before it."""

    def __init__(self, state: StateDict) -> None:
        self._tensors: Iterator[NDArray[Any]] = iter(state.values())

    def conv(self, x: Value, *, stride: int = 1, groups: int = 1, relu6: bool = True) -> Value:
        """Return convolution, batch norm and, with `relu6`, its activation."""
        weight = np.asarray(next(self._tensors), dtype=np.float64)
        gamma, beta, mean, variance = (np.asarray(next(self._tensors), dtype=np.float64) for _ in range(4))
        next(self._tensors)  # the number of batches in the pretraining
        factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        y = x.graph.op(
            "Conv",
            x,
            (weight * factor[:, None, None, None]).astype(np.float32),
            (beta - mean * factor).astype(np.float32),
            strides=[stride, stride],
            group=groups,
            # TensorFlow's padding, which the weights were trained with.
            auto_pad="SAME_UPPER",
        )
        return y.clip(0.0, 6.0) if relu6 else y


def features(pictures: Value, state: StateDict) -> Value:
    """Return (batch, WIDTH, h / 32, w / 32) from pictures (batch, 3, h, w) in -1…1; h and w are multiples of 32.

    The first `LAST_CHANNELS` features are the network's own. The others are the outputs of its last stages, averaged
    over the cells of the grid: they describe textures and small shapes.
    """
    layers = _Layers(state)
    x = layers.conv(pictures, stride=2)
    channels, stride, outputs = 32, 2, list[Value]()
    for stage in STAGES:
        for block in range(stage.blocks):
            step, before = stage.stride if block == 0 else 1, x
            if stage.expansion > 1:
                x = layers.conv(x)
            x = layers.conv(x, stride=step, groups=channels * stage.expansion)
            x = layers.conv(x, relu6=False)
            if step == 1 and channels == stage.channels:
                x = x + before
            channels, stride = stage.channels, stride * step
        outputs.append(_pooled(x, STRIDE // stride))
    last = layers.conv(x)
    return concat([last, *outputs[-INNER_STAGES:]], axis=1)


def _pooled(x: Value, side: int) -> Value:
    """Average squares of `side` positions."""
    return x if side == 1 else x.graph.op("AveragePool", x, kernel_shape=[side, side], strides=[side, side])


def imagenet_logits(grid: Value, state: StateDict) -> Value:
    """Return logits (batch, 1000) of ImageNet's classes from `features`, by the classifier of the pretraining."""
    weight, bias = list(state.values())[-2:]
    pooled = grid.slice(1, 0, LAST_CHANNELS).mean(2, 3, keepdims=False)
    return pooled @ np.ascontiguousarray(weight.T) + bias
