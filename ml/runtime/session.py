"""ONNX Runtime sessions, made alike everywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ml.core.memory import start_threads


def cores() -> int:
    """Of the CPU, as many as this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_session(model: Path | bytes, *, many: bool = False, threads: int = 0) -> onnxruntime.InferenceSession:
    """A session on the fastest device this installation has: CUDA or the CPU.

    On a CPU all cores, or as many `threads`, work together on what is asked, so a single sample is answered soonest;
    with `many` they share out the samples, so a batch is.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    available = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
    kind = SpreadSession if many and len(providers) == 1 else onnxruntime.InferenceSession
    if kind is SpreadSession:
        options.intra_op_num_threads = 1
    return kind(str(model) if isinstance(model, Path) else model, sess_options=options, providers=providers)


class SpreadSession(onnxruntime.InferenceSession):  # type: ignore[misc]
    """Answers a batch sample by sample, one on each core.

    Cores that share a sample wait for each other after every layer, and what lies between the layers of one sample
    fits into a core's cache: on two cores a picture takes 11 ms instead of 14.
    """

    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any], run_options: Any = None
    ) -> Sequence[Any]:
        """As an `InferenceSession` does; there is one input."""
        ((name, batch),) = input_feed.items()
        if len(batch) < 2:
            return list(super().run(output_names, input_feed, run_options))

        def ask(row: int) -> Sequence[Any]:
            return list(super(SpreadSession, self).run(output_names, {name: batch[row : row + 1]}, run_options))

        with start_threads(min(cores(), len(batch))) as pool:
            each = list(pool.map(ask, range(len(batch))))
        return [np.concatenate(values) for values in zip(*each, strict=True)]
