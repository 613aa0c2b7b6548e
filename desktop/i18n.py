"""The words of the window: the only place that turns messages into text. Loads of `ml` nothing but its messages."""

from __future__ import annotations

from ml.core.messages import (
    Message,
    available,
    current_language,
    msg,
    nmsg,
    text,
    tr,
    trn,
    use_language,
)

__all__ = [
    "Message",
    "available",
    "current_language",
    "msg",
    "nmsg",
    "number",
    "text",
    "tr",
    "trn",
    "use_language",
]


def number(count: int) -> str:
    """3670 as the language of the window writes it."""
    return current_language().number(count)
