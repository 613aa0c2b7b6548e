"""One cell of a table: a number, a yes or no, nothing, or words."""

from __future__ import annotations

import math

MISSING = frozenset(
    ["", "nan", "na", "n/a", "null", "none", "-", "--", "?", "inf", "-inf", "+inf", "#n/a", "1.#qnan", "nil", "missing"]
)
"""What people and programs write where there is nothing, in lower case."""
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_SWITCHES = {"true": 1.0, "false": 0.0}
"""The flags that also occur among measurements."""
_LARGEST = 1e30
"""Networks cannot represent larger numbers; such a cell is a fault of the device."""


def is_missing(cell: str) -> bool:
    """Whether the cell says that there is no value."""
    return cell.lower() in MISSING


def parse_flag(cell: str) -> bool | None:
    """A yes or no as one-hot tables write it, where an empty cell is a no; None for anything else."""
    text = cell.strip().lower()
    if text in _FLAGS:
        return _FLAGS[text]
    return {"1": True, "1.0": True, "0": False, "0.0": False, "": False}.get(text)


def parse_number(cell: str, *, comma: bool = False) -> float | None:
    """The number in the cell, None where there is none; with `comma` the decimal point is a comma."""
    if comma:
        if "." in cell:
            return None
        cell = cell.replace(",", ".")
    try:
        value = float(cell)
    except ValueError:
        return _SWITCHES.get(cell.lower())
    return value if math.isfinite(value) and abs(value) < _LARGEST else None
