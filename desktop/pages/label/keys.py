"""Which key stands for which class."""

from __future__ import annotations

from collections.abc import Collection

DIGITS = "1234567890"
LETTERS = "bcdehilmopqrsuvwyz"
"""Free letters: the others have a meaning of their own on the page, or will have one."""


def class_keys(count: int, *, several: bool, taken: Collection[str] = ()) -> list[str]:
    """Return the key of each class, "" where none is left. Where several may be present, 0 says none of them.

    `taken`: keys to which the person has given another meaning.
    """
    keys = [*(DIGITS[:-1] if several else DIGITS), *(letter for letter in LETTERS.upper() if letter not in taken)]
    return [keys[place] if place < len(keys) else "" for place in range(count)]
