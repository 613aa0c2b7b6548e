"""ONNX Runtime sessions, made alike everywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ml.core.memory import start_threads

_LEAST_MEMORY = 4 << 30


def cores() -> int:
    """Of the CPU, as many as this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_memory() -> int:
    """Bytes that models may use for their work in this process: half of the memory of this machine."""
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        whole = 0
    return max(_LEAST_MEMORY, whole // 2)


@cache
def _limit_memory() -> None:
    """Give all sessions of this process one arena with a limit: a graph can ask for any amount."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg({"max_mem": most_memory()}))


def open_session(model: Path | bytes, *, many: bool = False, threads: int = 0) -> onnxruntime.InferenceSession:
    """A session on the fastest device this installation has: CUDA or the CPU.

    On a CPU all cores, or as many `threads`, work together on what is asked, so a single sample is answered soonest;
    with `many` they share out the samples, so a batch is.
    """
    options = onnxruntime.SessionOptions()
    # Only fatal ones: every error is raised as well, and its log line would precede our sentence on stderr.
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    _limit_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    available = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
    kind = SpreadSession if many and len(providers) == 1 else onnxruntime.InferenceSession
    if kind is SpreadSession:
        options.intra_op_num_threads = 1
    content = str(model) if isinstance(model, Path) else model
    # Folding would compute constants of any size, outside of the arena. The exporter has folded them already.
    return kind(content, sess_options=options, providers=providers, disabled_optimizers=["ConstantFolding"])


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
