"""Rows that say in what the columns were measured: they stand below the heading and are not it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BASES = frozenset(
    "s sec secs ms us µs μs ns min h hz khz mhz m mm cm km µm um in ft g mg kg t n kn nm pa hpa kpa mpa bar mbar psi "
    "v mv uv µv kv a ma ua µa w mw kw kwh wh j kj k c f °c °f degc degf deg ° rad mrad gon rpm % pct ppm ppb db dba lx "
    "lux ut µt mt gauss ga ohm Ω kohm mol l ml dps lsb counts bpm".lower().split()
)
_BRACKETED = re.compile(r"^\s*[\[(].*[\])]\s*$")
_NOTHING = frozenset(["", "-", "--", "1", "n/a", "none"])
"""What stands in a row of units for a column that has none."""


def are_bracketed(row: Sequence[str]) -> bool:
    """Whether this can only be a row of units: (s), [m/s²]."""
    return all(not cell or _BRACKETED.match(cell) for cell in row)


def are_units(row: Sequence[str]) -> bool:
    """Whether every cell is a unit or nothing, and some are one: s, m/s2, 1/min, °C."""
    return any(map(_is_unit, row)) and all(cell.lower() in _NOTHING or _is_unit(cell) for cell in row)


def bare_unit(cell: str) -> str:
    return cell.strip(" []()")


def _is_unit(cell: str) -> bool:
    parts = [re.sub(r"\^?[-+]?[\d⁻²³]+$", "", part) for part in re.split(r"[/·* ]", bare_unit(cell).lower())]
    return any(parts) and all(part in _BASES for part in parts if part)
