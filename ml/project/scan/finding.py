"""One sentence about the data before training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ml.core.messages import Message

Severity = Literal["info", "warn", "bad"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One sentence about the data, and the files it speaks of (relative to the folder)."""

    severity: Severity
    sentence: Message
    paths: tuple[str, ...] = ()
