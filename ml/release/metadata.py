"""What stands in a model file besides the graph: put there, and exchanged. Knows ONNX, but not torch."""

from __future__ import annotations

from pathlib import Path

import onnx

from ml.core.disk import replacing
from ml.runtime.contract import METADATA_KEY, ModelInfo


def with_info(graph: bytes, info: ModelInfo) -> bytes:
    """The graph with `info` as its metadata, in place of what it had."""
    model = onnx.load_from_string(graph)
    kept = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, info.to_json()
    model.doc_string = f"Handlens: {info.project}, run {info.run}"
    serialised: bytes = model.SerializeToString()
    return serialised


def write_model(path: Path, graph: bytes, info: ModelInfo) -> None:
    """Write `graph` with its metadata atomically."""
    with replacing(path) as draft:
        draft.write_bytes(with_info(graph, info))
