"""A released model that needs no training: small graphs with the inputs and outputs that every released model has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ml.core.types import Windowing
from ml.runtime.contract import METADATA_KEY, ModelInfo

COLOURS = ("red", "green", "blue")
LOUDNESS = ("loud", "quiet")
SIZE = 56
WINDOWING = Windowing(rate=8000, seconds=1.0, step=1.0)


def write_colour_model(
    path: Path, *, reject_below: float = 0.5, unlike_above: float = 0.9, classes: tuple[str, ...] = COLOURS
) -> Path:
    """Names the strongest of red, green and blue; its maps show where that is, `unlike` is 1 - the probability."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "most"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("GlobalAveragePool", ["planes"], ["means"]),
        helper.make_node("Flatten", ["means"], ["embedding"]),
        helper.make_node("Mul", ["embedding", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Conv", ["planes", "kernel"], ["evidence"]),
        helper.make_node("AveragePool", ["evidence"], ["maps"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("ReduceMax", ["probabilities"], ["surest"], axes=[1], keepdims=0),
        helper.make_node("Sub", ["one", "surest"], ["unlike"]),
    ]
    kernel = (np.eye(3) * 1.5 - 0.5).astype(np.float32)[:, :, None, None]
    constants = {"most": np.float32(255), "sharpness": np.float32(10), "one": np.float32(1), "kernel": kernel}
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", SIZE, SIZE, 3])
    info = tiny_info(classes=classes, reject_below=reject_below, unlike_above=unlike_above)
    return _write(path, nodes, pixels, constants, info)


def write_loudness_model(
    path: Path, *, classes: tuple[str, ...] = LOUDNESS, exact_maps: bool = False, sharpness: float = 40
) -> Path:
    """Names a second of sound loud or quiet. Its maps show when it is loud; with `exact_maps` they average to the
    logits, as those of trained models do up to a constant."""
    frames = WINDOWING.frames
    nodes = [
        helper.make_node("Abs", ["waveform"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["embedding"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["embedding", "border"], ["above"]),
        helper.make_node("Neg", ["above"], ["below"]),
        helper.make_node("Concat", ["above", "below"], ["both"], axis=1),
        helper.make_node("Mul", ["both", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Reshape", ["size", "picture"], ["line"]),
        helper.make_node("AveragePool", ["line"], ["when"], kernel_shape=[1, frames // 8], strides=[1, frames // 8]),
        helper.make_node("Sub", ["when", "border"], ["when_above"]),
        helper.make_node("Mul", ["when_above", "sharpness"], ["when_logit"]),
        helper.make_node("Identity", ["when_logit" if exact_maps else "when"], ["shown"]),
        helper.make_node("Neg", ["shown"], ["when_not"]),
        helper.make_node("Concat", ["shown", "when_not"], ["maps"], axis=1),
        helper.make_node("ReduceMax", ["probabilities"], ["surest"], axes=[1], keepdims=0),
        helper.make_node("Sub", ["one", "surest"], ["unlike"]),
    ]
    constants = {
        "border": np.float32(0.1),
        "sharpness": np.float32(sharpness),
        "one": np.float32(1),
        "picture": np.array([-1, 1, 1, frames], dtype=np.int64),
    }
    waveform = helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", frames])
    return _write(path, nodes, waveform, constants, tiny_info(classes=classes, windowing=WINDOWING))


def tiny_info(
    *,
    classes: tuple[str, ...] = COLOURS,
    windowing: Windowing | None = None,
    reject_below: float = 0.5,
    unlike_above: float = 0.9,
) -> ModelInfo:
    return ModelInfo(
        kind="images" if windowing is None else "recordings",
        classes=classes,
        size=SIZE if windowing is None else 0,
        windowing=windowing,
        map_size=(7, 7) if windowing is None else (1, 8),
        backbone="none",
        project="Tiny",
        run=1,
        created_at="2026-01-01T00:00:00+00:00",
        temperature=1.0,
        reject_below=reject_below,
        wanted_error=0.02,
        unlike_above=unlike_above,
        parity_samples=0,
        parity_difference=0.0,
        card="# Tiny",
    )


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    given: onnx.ValueInfoProto,
    constants: dict[str, np.ndarray | np.generic],
    info: ModelInfo,
) -> Path:
    names = ("probabilities", "maps", "embedding", "unlike")
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    initial = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", [given], results, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, info.to_json()
    path.write_bytes(model.SerializeToString())
    return path
