"""ONNX Runtime sessions, made alike everywhere."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def open_session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """A session on the fastest device this installation has: CUDA, CoreML or the CPU with all cores."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
    return onnxruntime.InferenceSession(
        str(model) if isinstance(model, Path) else model, sess_options=options, providers=providers
    )
