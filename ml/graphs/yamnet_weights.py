"""Weights of YAMNet (Google, AudioSet): read from any file that holds them, checked by what they compute, and kept.

They are in no package with a licence that allows it, so they come on request. Whatever the file is, the embeddings of
three synthesised clips decide whether these are the weights.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ml.core.backbone_catalog import yamnet_file
from ml.core.disk import replacing, write_text
from ml.core.errors import HandlensError
from ml.core.messages import Message, msg
from ml.core.regular_files import refuse_irregular
from ml.graphs.builder import GraphBuilder, Value
from ml.graphs.pretrained import Weights, sha256_of
from ml.graphs.torch_file import read_state_dict
from ml.graphs.yamnet_frontend import BANDS, FRAMES, clip_spectrograms
from ml.runtime.session import open_session

NAME = "yamnet"
TITLE = "YAMNet"
MEGABYTES = 15
LICENCE = "apache-2.0"
ADDRESS = "https://github.com/w-hc/torch_audioset/releases/download/v0.1/yamnet.pth"
"""Google's weights as the MIT-licensed port to torch publishes them; read without torch."""
SUFFIXES = (".h5", ".pth", ".pt", ".onnx")
KERAS_EXTRA = 'pip install "handlens[keras]"'

NUMBERS = 1024
"""Of one embedding."""
STRIDES_AND_CHANNELS = (
    (2, 32),
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *((1, 512),) * 5,
    (2, 1024),
    (1, 1024),
)
"""Of the first convolution, then of the separable ones (MobileNet v1, Howard et al. 2017)."""
CONVOLUTIONS = 2 * len(STRIDES_AND_CHANNELS) - 1
BATCH_NORM_EPSILON = 1e-4
TOLERANCE = 1e-3

_KERAS = re.compile(r"layer(\d+)/(?:\w+/)*?(conv|depthwise_conv|pointwise_conv)/(?:.*/)?(\w+)(?::0)?$")
_TORCH = re.compile(r"layer(\d+)\.(fused|depthwise_conv|pointwise_conv)\.(?:conv|bn)\.(\w+)$")
_PARTS = {"conv": 0, "fused": 0, "depthwise_conv": 0, "pointwise_conv": 1}
_NUMBERS = {"moving_mean": "running_mean", "moving_variance": "running_var", "beta": "bias", "gamma": "scale"}


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution with its batch norm folded in, before its ReLU."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


Layers = tuple[Convolution, ...]


def embedding(spectrogram: Value, layers: Layers) -> Value:
    """Return (batch, NUMBERS) of log-mel spectrograms (batch, 1, FRAMES, BANDS)."""
    x = spectrogram
    for (kind, stride), layer in zip(_kinds(), layers, strict=True):
        x = x.graph.op(
            "Conv",
            x,
            layer.weight,
            layer.bias,
            strides=[stride, stride],
            group=layer.weight.shape[0] if kind == "depthwise" else 1,
            # TensorFlow's padding, which the weights were trained with.
            auto_pad="SAME_UPPER",
        )
        x = x.graph.op("Relu", x)
    return x.mean(2, 3, keepdims=False)


def read_layers(file: Path) -> Layers:
    """Return the layers in a weights file: Google's Keras file, the state dict of the port to torch, or ONNX.

    Raises HandlensError for any other file.
    """
    refuse_irregular(file)
    readers = {".h5": _read_keras, ".pth": _read_torch, ".pt": _read_torch, ".onnx": _read_onnx}
    reader = readers.get(file.suffix.lower())
    if not file.is_file() or reader is None:
        raise HandlensError(
            msg(
                "{file} is no weights file of YAMNet. Use yamnet.h5 of Google, yamnet.pth of its port to torch, or an "
                "ONNX file.",
                file=file.name,
            )
        )
    try:
        layers = reader(file)
        _check_shapes(layers)
    except HandlensError:
        raise
    except Exception as error:  # a stranger's file, and libraries that raise anything
        raise HandlensError(_not_yamnet(file), details=repr(error)) from error
    return layers


def install(file: Path) -> Weights:
    """Check the weights in `file` by what they compute, and keep them for all projects of this user.

    Raises HandlensError if they are not those of YAMNet.
    """
    layers = read_layers(file)
    difference = difference_from_reference(layers)
    if not difference <= TOLERANCE:
        raise HandlensError(_not_yamnet(file), details=f"embeddings differ by {difference:.2g}")
    content = io.BytesIO()
    np.savez(content, **{f"{at:02d}.{name}": array for at, name, array in _arrays(layers)})  # type: ignore[arg-type]
    path = yamnet_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        draft.write_bytes(content.getvalue())
    write_text(path.with_suffix(".sha256"), sha256_of(path) + "\n")
    return installed()


def is_installed() -> bool:
    """Return whether the weights are on this machine, whole."""
    path, note = yamnet_file(), yamnet_file().with_suffix(".sha256")
    return path.is_file() and note.is_file() and sha256_of(path) == note.read_text(encoding="ascii").strip()


def installed() -> Weights:
    """Return the weights on this machine. Raises HandlensError if there are none."""
    if not is_installed():
        raise HandlensError(
            msg(
                "The weights of {name} are not on this computer, or damaged. Train once with {option} to download "
                "them.",
                name=TITLE,
                option=f"--ear {NAME}",
            )
        )
    return Weights(name=NAME, path=yamnet_file(), sha256=sha256_of(yamnet_file()), source="download", licence=LICENCE)


def load_layers(weights: Weights) -> Layers:
    """Return the layers that `install` kept."""
    with np.load(weights.path, allow_pickle=False) as arrays:
        layers = tuple(Convolution(arrays[f"{at:02d}.weight"], arrays[f"{at:02d}.bias"]) for at in range(CONVOLUTIONS))
    _check_shapes(layers)
    return layers


def difference_from_reference(layers: Layers) -> float:
    """Return by how much the embeddings of three synthesised clips differ from those of Google's weights, at most."""
    graph = GraphBuilder("yamnet")
    graph.output("embedding", embedding(graph.input("mel", (1, FRAMES, BANDS)), layers), (NUMBERS,))
    (found,) = open_session(graph.to_bytes()).run(None, {"mel": clip_spectrograms()[:, None]})
    return float(np.abs(np.asarray(found) - reference_embeddings()).max())


def reference_embeddings() -> NDArray[np.float32]:
    """Return the embeddings (3, NUMBERS) of `ml.graphs.yamnet_frontend.clips` by Google's weights."""
    with (resources.files("resources") / "yamnet" / "embeddings.npy").open("rb") as file:
        return np.asarray(np.load(file, allow_pickle=False), dtype=np.float32)


def _kinds() -> Iterator[tuple[str, int]]:
    """Yield the kind and the stride of each convolution."""
    yield "full", STRIDES_AND_CHANNELS[0][0]
    for stride, _channels in STRIDES_AND_CHANNELS[1:]:
        yield "depthwise", stride
        yield "pointwise", 1


def _shapes() -> Iterator[tuple[int, int, int, int]]:
    channels = STRIDES_AND_CHANNELS[0][1]
    yield channels, 1, 3, 3
    for _stride, width in STRIDES_AND_CHANNELS[1:]:
        yield channels, 1, 3, 3
        yield width, channels, 1, 1
        channels = width


def _check_shapes(layers: Sequence[Convolution]) -> None:
    """Raise ValueError if these are no finite numbers in the shapes of YAMNet's convolutions."""
    expected = list(_shapes())
    if [layer.weight.shape for layer in layers] != expected:
        raise ValueError("the convolutions have other shapes")
    if any(layer.bias.shape != shape[:1] for layer, shape in zip(layers, expected, strict=True)):
        raise ValueError("the biases have other shapes")
    if not all(np.isfinite(array).all() for _at, _name, array in _arrays(layers)):
        raise ValueError("not all numbers are finite")


def _arrays(layers: Sequence[Convolution]) -> Iterator[tuple[int, str, NDArray[np.float32]]]:
    for at, layer in enumerate(layers):
        yield at, "weight", layer.weight
        yield at, "bias", layer.bias


def _not_yamnet(file: Path) -> Message:
    return msg(
        "{file} does not hold the weights of YAMNet: it computes other numbers than these do. Use another file.",
        file=file.name,
    )


# -- the three layouts -------------------------------------------------------------------------------------------------


def _read_keras(file: Path) -> Layers:
    try:
        import h5py
    except ImportError as error:
        raise HandlensError(
            msg(
                "Reading {file} needs the library h5py. Install it with {command}, or use yamnet.pth.",
                file=file.name,
                command=KERAS_EXTRA,
            )
        ) from error
    found: dict[str, NDArray[Any]] = {}
    with h5py.File(file, "r") as content:
        content.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    numbers: dict[tuple[int, int], dict[str, NDArray[Any]]] = {}
    for name, array in found.items():
        if (match := _KERAS.match(name)) is None:
            continue
        number, part, leaf = int(match[1]), match[2], match[3]
        if leaf.endswith("kernel"):
            # Height, width, in, out; of a depthwise one height, width, channel, 1.
            order = (2, 3, 0, 1) if leaf.startswith("depthwise") else (3, 2, 0, 1)
            numbers.setdefault((number, _PARTS[part]), {})["weight"] = array.transpose(order)
        else:
            numbers.setdefault((number, _PARTS[part]), {})[_NUMBERS.get(leaf, leaf)] = array
    return _folded(numbers)


def _read_torch(file: Path) -> Layers:
    numbers: dict[tuple[int, int], dict[str, NDArray[Any]]] = {}
    for name, array in read_state_dict(file).items():
        if (match := _TORCH.search(name)) is None:
            continue
        leaf = "scale" if name.endswith(".bn.weight") else match[3]
        numbers.setdefault((int(match[1]), _PARTS[match[2]]), {})[leaf] = array
    return _folded(numbers)


def _folded(numbers: Mapping[tuple[int, int], Mapping[str, NDArray[Any]]]) -> Layers:
    """Fold the batch norm of each convolution into it."""
    layers = []
    for _place, own in sorted(numbers.items()):
        arrays = {name: np.asarray(array, dtype=np.float64) for name, array in own.items()}
        factor = arrays.get("scale", np.float64(1.0)) / np.sqrt(arrays["running_var"] + BATCH_NORM_EPSILON)
        weight = arrays["weight"] * factor[:, None, None, None]
        bias = arrays["bias"] - arrays["running_mean"] * factor
        layers.append(Convolution(weight.astype(np.float32), bias.astype(np.float32)))
    return tuple(layers)


def _read_onnx(file: Path) -> Layers:
    """Read the convolutions in their order, with batch norms, and without the quantisation around weights."""
    graph = onnx.load(file).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    constants |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in graph.node
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value"
    }
    origin = {name: node for node in graph.node for name in node.output}
    norms = {node.input[0]: node for node in graph.node if node.op_type == "BatchNormalization"}

    def constant(name: str) -> NDArray[Any]:
        while name not in constants and origin[name].op_type in ("QuantizeLinear", "DequantizeLinear", "Identity"):
            name = origin[name].input[0]
        return constants[name]

    layers: list[Convolution] = []
    for node in graph.node:
        if node.op_type != "Conv" or len(layers) >= CONVOLUTIONS:
            continue
        weight = np.asarray(constant(node.input[1]), dtype=np.float64)
        bias = np.zeros(len(weight)) if len(node.input) < 3 else np.asarray(constant(node.input[2]), dtype=np.float64)
        if (norm := norms.get(node.output[0])) is not None:
            scale, shift, mean, variance = (np.asarray(constant(name), dtype=np.float64) for name in norm.input[1:5])
            epsilon = next((each.f for each in norm.attribute if each.name == "epsilon"), 1e-5)
            factor = scale / np.sqrt(variance + epsilon)
            weight, bias = weight * factor[:, None, None, None], (bias - mean) * factor + shift
        layers.append(Convolution(weight.astype(np.float32), bias.astype(np.float32)))
    return tuple(layers)
