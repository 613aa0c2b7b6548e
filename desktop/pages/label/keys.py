"""Which key stands for which class."""

from __future__ import annotations

DIGITS = "1234567890"
LETTERS = "bcdehilmopqrsuvwyz"
"""Free letters: the others have a meaning of their own on the page, or will have one."""


def class_keys(count: int, *, several: bool) -> list[str]:
    """Return the key of each class, "" where none is left. Where several may be present, 0 says none of them."""
    keys = [*(DIGITS[:-1] if several else DIGITS), *LETTERS.upper()]
    return [keys[place] if place < len(keys) else "" for place in range(count)]
