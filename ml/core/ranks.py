"""Read the environment variables of `torchrun`. Torch-free, so that the command line can use it."""

from __future__ import annotations

import os


def rank() -> int:
    """Return the index of this process; 0 for the main process, and without `torchrun`."""
    return int(os.environ["RANK"]) if _launched() else 0


def world_size() -> int:
    """Return how many processes train together; 1 without `torchrun`."""
    return int(os.environ["WORLD_SIZE"]) if _launched() else 1


def num_nodes() -> int:
    """Return how many machines take part."""
    return int(os.environ.get("GROUP_WORLD_SIZE", "1")) if _launched() else 1


def local_world_size() -> int:
    """Return how many of the processes run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if _launched() else 1


def _launched() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ
