"""One remark of a run about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ml.core.messages import Message

Level = Literal["good", "note", "warning"]
About = Literal[
    "nonsense",
    "untaught",
    "collapsed",
    "sure and wrong",
    "by heart",
    "unequal",
    "copies",
    "small",
    "promise",
    "new source",
    "data",
]
Nonsense = Literal["blank", "noise", "patterns", "pictures of sounds", "silence", "tones", "standing still"]
"""Input that shows nothing anybody could have meant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFinding:
    """One thing found, as a sentence for the user."""

    about: About
    level: Level
    sentence: Message
