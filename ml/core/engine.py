"""The engine that adjusts networks: PyTorch and what it needs. An installation may do without."""

from __future__ import annotations

import importlib.util

from ml.core.messages import msg

PARTS = ("torch", "torchaudio", "timm", "lightning_fabric")
COMMAND = 'pip install -e ".[studio]"'
NEEDS_ENGINE = msg(
    "Adjusting a network needs PyTorch, which is not installed. Train with the preset Quick, or add PyTorch in the "
    "Handlens folder: {command}",
    command=COMMAND,
)


def can_finetune() -> bool:
    """Return whether the engine is installed. Does not load it."""
    return all(importlib.util.find_spec(name) is not None for name in PARTS)
