"""Which of several processes this one is, when `torchrun` started them to train together. Torch-free."""

from __future__ import annotations

import os


def rank() -> int:
    """0 for the process that reads, writes and speaks; the others help it. 0 as well for one that is alone."""
    return int(os.environ["RANK"]) if _launched() else 0


def size() -> int:
    """How many processes train together; 1 for one that is alone."""
    return int(os.environ["WORLD_SIZE"]) if _launched() else 1


def machines() -> int:
    """On how many machines they are."""
    return int(os.environ.get("GROUP_WORLD_SIZE", "1")) if _launched() else 1


def on_this_machine() -> int:
    """How many of them are here."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if _launched() else 1


def _launched() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ
