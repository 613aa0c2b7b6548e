"""Units: which cells are units of measurement, and how many seconds a unit of time has."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ml.tables.cells import is_missing

_BASES = frozenset(
    "s sec secs ms us µs μs ns min h hz khz mhz m mm cm km µm um in ft g mg kg t n kn nm pa hpa kpa mpa bar mbar psi "
    "v mv uv µv kv a ma ua µa w mw kw kwh wh j kj k c f °c °f degc degf deg ° rad mrad gon rpm % pct ppm ppb db dba lx "
    "lux ut µt mt gauss ga ohm Ω kohm mol l ml dps lsb counts bpm".lower().split()
)
_BRACKETED = re.compile(r"^\s*[\[(].*[\])]\s*$")
SECONDS = frozenset(["s", "sec", "secs", "second", "seconds", "sekunden"])
_SHORTER = {"ns": 1e-9, "us": 1e-6, "μs": 1e-6, "ms": 1e-3, "msec": 1e-3}
_PREFIXES = {"nano": 1e-9, "micro": 1e-6, "milli": 1e-3}
TIME_UNITS = SECONDS | _SHORTER.keys()
"""Words of a name that can only be units of time; “min” may be a minimum."""


def seconds_in_unit(words: Collection[str]) -> float | None:
    """How many seconds the unit of time among the words of a name has; None where there is no unit."""
    for unit, seconds in _SHORTER.items():
        if unit in words:
            return seconds
    for prefix, seconds in _PREFIXES.items():
        if any(word.startswith(prefix) for word in words):
            return seconds
    if "min" in words:
        return 60.0
    return 1.0 if not SECONDS.isdisjoint(words) else None


def are_bracketed(row: Sequence[str]) -> bool:
    """Whether this can only be a row of units: (s), [m/s²]."""
    return all(not cell or _BRACKETED.match(cell) for cell in row)


def are_units(row: Sequence[str]) -> bool:
    """Whether every cell is a unit or nothing, and some are one: s, m/s2, 1/min, °C."""
    return any(map(_is_unit, row)) and all(is_missing(cell) or cell == "1" or _is_unit(cell) for cell in row)


def bare_unit(cell: str) -> str:
    return cell.strip(" []()")


def _is_unit(cell: str) -> bool:
    parts = [re.sub(r"\^?[-+]?[\d⁻²³]+$", "", part) for part in re.split(r"[/·* ]", bare_unit(cell).lower())]
    return any(parts) and all(part in _BASES for part in parts if part)
