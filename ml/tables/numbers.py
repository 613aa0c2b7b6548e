"""Read numbers with a decimal point or comma and with group separators, as countries write them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from ml.tables.cells import parse_number

_GROUP_SEPARATORS = "'’ \u00a0\u202f"
"""Between thousands, besides the point and the comma: in Switzerland, in France, in tables for print."""
_GROUPED = {
    comma: re.compile(rf"^[+-]?[1-9]\d{{0,2}}([{mark}{_GROUP_SEPARATORS}])\d{{3}}(?:\1\d{{3}})*(?:{decimal}\d*)?$")
    for comma, mark, decimal in ((False, ",", r"\."), (True, ".", ","))
}
_SMALL = re.compile(r"^[+-]?[1-9]\d{0,2}$")
_ENOUGH = 100
"""So many unambiguous numbers decide for the others of their column."""
_FEWEST, _OFTEN = 3, 0.1
"""With so many numbers like 308 beside those like 1,308, and none like 1,3, these are whole thousands."""


def read_number(cell: str, *, comma: bool) -> float | None:
    """As `parse_number`, also with group separators: 1,308.2 and, with `comma` for the decimal point, 1.308,2."""
    value = parse_number(cell, comma=comma)
    if value is None and _GROUPED[comma].match(cell):
        value = parse_number(re.sub(rf"[{'.' if comma else ','}{_GROUP_SEPARATORS}]", "", cell), comma=comma)
    return value


def detect_decimal_comma(columns: Iterable[Sequence[str]]) -> bool | None:
    """Whether the numbers of a file are written with a decimal comma; None where that is ambiguous.

    1,5 and 1.308,2 and 1.308.200 are clear. 1,308 alone is not: whether it is a thousand is judged by the other numbers
    of its column, and only where no number is clear.
    """
    marked = [column for column in columns if any("," in cell or "." in cell for cell in column)]
    for judge in (_clear_comma, _inferred_comma):
        votes = list(map(judge, marked))
        commas, points = votes.count(True), votes.count(False)
        if commas or points:
            return commas > points
    return None


def _clear_comma(cells: Sequence[str]) -> bool | None:
    read = (_has_comma(cell) for cell in cells if "," in cell or "." in cell)
    clear = list(itertools.islice((comma for comma in read if comma is not None), _ENOUGH))
    commas, points = clear.count(True), clear.count(False)
    return commas > points if clear else None


def _inferred_comma(cells: Sequence[str]) -> bool | None:
    groups = [cell for cell in cells if any(pattern.match(cell) for pattern in _GROUPED.values())]
    commas = sum("," in cell for cell in groups)
    whole = sum(_SMALL.match(cell) is not None for cell in cells) >= max(_FEWEST, _OFTEN * len(groups))
    if not groups or 0 < commas < len(groups) or not whole:
        return None
    return commas == 0


def _has_comma(cell: str) -> bool | None:
    """Whether this one number has a decimal comma, None if it may be read either way or not at all."""
    with_comma = read_number(cell, comma=True)
    with_point = read_number(cell, comma=False)
    if (with_comma is None) == (with_point is None):
        return None
    return with_comma is not None
