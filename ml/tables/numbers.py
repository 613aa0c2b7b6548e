"""How numbers are written: with a point or a comma, and with marks between the thousands, as countries differ."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from ml.tables.cells import as_number

_MARKS = "'’ \u00a0\u202f"
"""What parts thousands besides the point and the comma: in Switzerland, in France, in tables for print."""
_GROUPED = {
    comma: re.compile(rf"^[+-]?[1-9]\d{{0,2}}([{mark}{_MARKS}])\d{{3}}(?:\1\d{{3}})*(?:{decimal}\d*)?$")
    for comma, mark, decimal in ((False, ",", r"\."), (True, ".", ","))
}
_SMALL = re.compile(r"^[+-]?[1-9]\d{0,2}$")
_ENOUGH = 100
"""So many numbers tell how the others of their column are written."""
_FEWEST, _OFTEN = 3, 0.1
"""So many numbers like 308 beside those like 1,308, and never one like 1,3, say that these are whole thousands."""


def read_number(cell: str, *, comma: bool) -> float | None:
    """As `as_number`, also where thousands are parted: 1,308.2 and, with `comma` for the decimal point, 1.308,2."""
    value = as_number(cell, comma=comma)
    if value is None and _GROUPED[comma].match(cell):
        value = as_number(re.sub(rf"[{'.' if comma else ','}{_MARKS}]", "", cell), comma=comma)
    return value


def decimal_comma(cells: Sequence[str]) -> bool | None:
    """Whether these numbers, of one column, are written with a decimal comma; None where they do not tell.

    1,5 and 1.308,2 tell, also 1.308.200; 1,308 does not by itself.
    """
    marked = [cell for cell in cells if "," in cell or "." in cell]
    if not marked:
        return None
    said = list(itertools.islice((told for told in map(_says, marked) if told is not None), _ENOUGH))
    commas, points = said.count(True), said.count(False)
    if commas or points:
        return commas > points
    groups = [cell for cell in marked if any(pattern.match(cell) for pattern in _GROUPED.values())]
    commas = sum("," in cell for cell in groups)
    whole = sum(_SMALL.match(cell) is not None for cell in cells) >= max(_FEWEST, _OFTEN * len(groups))
    if not groups or 0 < commas < len(groups):
        return None
    return (commas == 0) if whole else None


def _says(cell: str) -> bool | None:
    """Whether this one number has a decimal comma, None if it may be read either way or not at all."""
    with_comma = read_number(cell, comma=True)
    with_point = read_number(cell, comma=False)
    if (with_comma is None) == (with_point is None):
        return None
    return with_comma is not None
