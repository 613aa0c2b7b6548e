"""A released model in whole numbers: its convolutions calculate in 8 bits. Knows ONNX, but not torch.

Everything that a model answers stays: probabilities, maps, embedding and unlike score. What lies before the network
(spectra, scaling) and behind it (the class layer, the unlike score) stays in floats, since it is small and exact.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

_QUANTIZED = ("Conv", "Clip", "Relu", "Add")


def quantized(model: bytes, batches: Iterable[NDArray[np.generic]]) -> bytes:
    """Return `model` with its network in int8, calibrated on batches of its input. The metadata stays."""
    from onnxruntime import quantization  # slow to load

    graph = onnx.load_from_string(model)
    for number, node in enumerate(graph.graph.node):
        node.name = node.name or f"node{number}"
    network = _network(graph.graph)
    excluded = [node.name for node in graph.graph.node if node.op_type in _QUANTIZED and node.name not in network]
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises to use a tool that we know of
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "model.onnx"
            quantization.quantize_static(
                graph,
                str(target),
                _reader(quantization.CalibrationDataReader, graph.graph.input[0].name, batches),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(_QUANTIZED),
                nodes_to_exclude=excluded,
                per_channel=True,
                reduce_range=True,  # processors without VNNI add two products in 16 bits
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
            made = onnx.load_from_string(target.read_bytes())
    finally:
        logger.setLevel(level)
    del made.metadata_props[:]
    made.metadata_props.extend(graph.metadata_props)
    made.doc_string = graph.doc_string
    serialised: bytes = made.SerializeToString()
    return serialised


def _network(graph: Any) -> set[str]:
    """The nodes of the network: its convolutions over two dimensions, and what follows them at once.

    Convolutions over one dimension make spectra. The last one weighs the classes.
    """
    shapes = {item.name: tuple(item.dims) for item in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv" and len(shapes.get(node.input[1], ())) == 4]
    inside = {name: node.name for node in convolutions[:-1] for name in node.output}
    for node in graph.node:
        bounded = node.op_type in ("Clip", "Relu") and node.input[0] in inside
        if bounded or (node.op_type == "Add" and all(name in inside for name in node.input)):
            inside[node.output[0]] = node.name
    return set(inside.values())


def _reader(base: Any, name: str, batches: Iterable[NDArray[np.generic]]) -> Any:
    """What ONNX Runtime reads the calibration from."""

    class Reader(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[NDArray[np.generic]] = iter(batches)

        def get_next(self) -> dict[str, NDArray[np.generic]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {name: batch}

    return Reader()
