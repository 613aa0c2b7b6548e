"""ONNX Runtime sessions, made alike everywhere. The first of them loads ONNX Runtime."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

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
    import onnxruntime

    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg({"max_mem": most_memory()}))


def open_session(model: Path | bytes, *, many: bool = False, threads: int = 0) -> onnxruntime.InferenceSession:
    """A session on the fastest device this installation has: CUDA or the CPU.

    On a CPU all cores, or as many `threads`, work together on what is asked, so a single sample is answered soonest;
    with `many` they share out the samples, so a batch is.
    """
    import onnxruntime

    from ml.runtime.spread_session import SpreadSession

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
    session = kind(content, sess_options=options, providers=providers, disabled_optimizers=["ConstantFolding"])
    if isinstance(session, SpreadSession):
        session.workers = cores()
    return session
