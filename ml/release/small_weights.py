"""A released graph with smaller weights: a third of the size, for pages that travel over a phone's connection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

HALF_FROM = 2_048
"""Values of a tensor from which on it is stored in 16 bits…"""
INT8_FROM = 200_000
"""…and in 8 bits. The large tensors belong to the last layers, where rounding matters least."""


def with_small_weights(model: Path) -> bytes:
    """Return the graph with large weights as float16 or int8; the arithmetic stays in float32.

    Weight-only, so no sample is needed for calibration. int8 is symmetric with one scale per row.
    """
    proto = onnx.load(model)
    graph = proto.graph
    tensors: list[TensorProto] = []
    nodes: list[NodeProto] = []
    for tensor in graph.initializer:
        count = int(np.prod(tensor.dims))
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2 or count < HALF_FROM:
            tensors.append(tensor)
            continue
        weights = numpy_helper.to_array(tensor)
        small, node = (_as_int8 if count >= INT8_FROM else _as_half)(weights, tensor.name)
        tensors += [numpy_helper.from_array(values, name) for name, values in small.items()]
        nodes.append(node)
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(tensors)
    graph.node.extend(nodes)
    return bytes(proto.SerializeToString())


def _as_half(weights: NDArray[np.float32], name: str) -> tuple[dict[str, NDArray[np.generic]], NodeProto]:
    stored = f"{name}_half"
    return {stored: weights.astype(np.float16)}, helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT)


def _as_int8(weights: NDArray[np.float32], name: str) -> tuple[dict[str, NDArray[np.generic]], NodeProto]:
    largest = np.abs(weights.reshape(len(weights), -1)).max(axis=1)
    scales = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    rounded = np.rint(weights / scales.reshape(-1, *(1 for _ in weights.shape[1:])))
    stored, scale = f"{name}_int8", f"{name}_scale"
    values: dict[str, NDArray[np.generic]] = {stored: rounded.astype(np.int8), scale: scales}
    return values, helper.make_node("DequantizeLinear", [stored, scale], [name], axis=0)
