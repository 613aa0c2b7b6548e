"""A page for a phone: a static folder in which a browser answers pictures by itself."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ml.core.disk import making_folder
from ml.core.errors import HandlensError
from ml.core.messages import current_language, msg, tr, trn
from ml.pictures.heatmap import inferno_stops
from ml.release.web_runtime import FILES
from ml.runtime.contract import ModelInfo

SUFFIX = ".web"
STATIC = ("index.html", "app.css", "app.js", "resize.js", "icon.svg")
MARK = "model.json"
"""Present in every folder that was written here."""


def write_web_page(model: Path, info: ModelInfo, folder: Path, *, runtime: Path, small: bool = True) -> None:
    """Write the page that answers with `model`, described by `info`, and the files of `runtime` beside it.

    `small` stores the weights in 8 bits. A page that is there is replaced; any other folder is refused. Raises
    HandlensError, also for models that read no pictures.
    """
    if info.input_name != "pixels":
        raise HandlensError(msg("A page for a phone answers pictures only, and this model reads recordings or logs."))
    if folder.exists() and not (folder / MARK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise HandlensError(
            msg("{path} is there already and is not a page of Handlens. Choose another name.", path=str(folder))
        )
    graph = with_small_weights(model) if small else model.read_bytes()
    description = json.dumps(_description(info), ensure_ascii=False)
    version = hashlib.sha256(graph + description.encode()).hexdigest()[:16]
    with making_folder(folder) as draft:
        pages = resources.files("resources") / "web"
        for name in STATIC:
            (draft / name).write_bytes((pages / name).read_bytes())
        worker = (pages / "sw.js").read_text(encoding="utf-8").replace("{version}", version)
        (draft / "sw.js").write_text(worker, encoding="utf-8")
        for name in FILES:
            shutil.copyfile(runtime / name, draft / name)
        (draft / "model.onnx").write_bytes(graph)
        (draft / MARK).write_text(description, encoding="utf-8")
        (draft / "manifest.webmanifest").write_text(json.dumps(_manifest(info)), encoding="utf-8")
        if folder.is_dir():  # an older page, see above
            shutil.rmtree(folder)


def _description(info: ModelInfo) -> dict[str, Any]:
    """What the page has to know of the model, and its sentences in the language of now."""
    return {
        "name": info.project,
        "about": tr(
            "{classes}, trained on {day}. Pictures stay on this device.",
            classes=trn("{count} class", "{count} classes", len(info.classes)),
            day=info.created_at[:10],
        ),
        "language": current_language().tag.replace("_", "-"),
        "classes": list(info.classes),
        "size": info.size,
        "thresholds": [info.threshold(index) for index in range(len(info.classes))],
        "unlike_above": info.unlike_above,
        "present_above": list(info.present_above),
        "colours": inferno_stops(),
        "words": {
            "choose": tr("Choose or take a picture"),
            "camera": tr("Use the camera"),
            "freeze": tr("Freeze"),
            "map": tr("Show where the network looked"),
            "loading": tr("The model is loading…"),
            "ready": tr("Ready. Choose a picture."),
            "looking": tr("Looking…"),
            "none": tr("None of the classes"),
            "unsure": tr("Not sure enough: look at it yourself."),
            "unlike": tr("This is unlike anything the model was shown: look at it yourself."),
            "unreadable": tr("The browser cannot open this file as a picture. Try a JPEG or PNG."),
            "refused": tr("The browser does not give the camera to this page. Take a picture instead."),
            "failed": tr("The model could not be loaded. Load the page again."),
        },
    }


def _manifest(info: ModelInfo) -> dict[str, Any]:
    """What a phone needs to keep the page on its home screen."""
    return {
        "name": info.project,
        "short_name": info.project[:24],
        "start_url": "./",
        "display": "standalone",
        "background_color": "#FAFAF9",
        "theme_color": "#0F766E",
        "icons": [{"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"}],
    }


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
