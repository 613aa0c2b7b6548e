"""Marking texts in tables for translation."""

from __future__ import annotations


def QT_TRANSLATE_NOOP(_context: str, text: str) -> str:
    """`text` itself; Qt's lupdate knows the name and collects it. Translate where it is shown."""
    return text
