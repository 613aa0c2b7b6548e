"""The engine that adjusts networks: PyTorch and what it needs. An installation may do without."""

from __future__ import annotations

import importlib.util
import sys

from ml.core.messages import msg

PARTS = ("torch", "torchaudio", "timm", "lightning_fabric")
COMMAND = 'pip install -e ".[studio]"'
BUILT = bool(getattr(sys, "frozen", False))
"""Whether this is the folder that build.spec makes, to which nothing can be added."""
NEEDS_ENGINE = (
    msg(
        "Adjusting a network needs PyTorch, which this edition of Handlens does not have. Train with the preset Quick, "
        "or install Handlens with Python."
    )
    if BUILT
    else msg(
        "Adjusting a network needs PyTorch, which is not installed. Train with the preset Quick, or add PyTorch in the "
        "Handlens folder: {command}",
        command=COMMAND,
    )
)


def can_finetune() -> bool:
    """Return whether the engine is installed. Does not load it."""
    return all(importlib.util.find_spec(name) is not None for name in PARTS)
