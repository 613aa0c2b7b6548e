"""Classes in the cells of label files: one, several, or none."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

from ml.core.messages import Message, msg
from ml.tables.cells import is_missing, parse_flag

MAY_BE_CLASS = frozenset(["none", "nil", "missing"])
"""Words for nothing that people also write where they looked and there was nothing: a part without a defect."""
_OFTEN = 2

_LONGEST_SHOWN = 60
_SIGNS = ("|", ";", ",", " ")
_LIST = re.compile(r"^[\[({](.*)[\])}]$", re.DOTALL)


def shortened(cell: str) -> str:
    """The cell, shortened to fit into a sentence."""
    text = " ".join(cell.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def quoted(cell: str) -> Message:
    """The cell between quotation marks, shortened."""
    return msg("“{name}”", name=shortened(cell))


def class_words(cells: Sequence[str]) -> frozenset[str]:
    """Words of `MAY_BE_CLASS` that occur in these cells too often to be slips: there they are a class, in their most
    frequent spelling."""
    spelt: dict[str, Counter[str]] = {word: Counter() for word in MAY_BE_CLASS}
    for cell in cells:
        text = cell.strip()
        if text.lower() in spelt:
            spelt[text.lower()][text] += 1
    return frozenset(max(found, key=found.__getitem__) for found in spelt.values() if found.total() >= _OFTEN)


def class_name(cell: str, words: Collection[str] = ()) -> str:
    """Normalise the class in a cell; "" where it names none. Numbers lose a “.0” that programs add.

    `words`: those of `MAY_BE_CLASS` that are a class here, in the spelling of the class.
    """
    text = " ".join(unicodedata.normalize("NFC", cell).split())
    if is_missing(text):
        return next((word for word in words if word.lower() == text.lower()), "")
    return text[:-2] if re.fullmatch(r"\d+\.0", text) else text


def classes_in(cell: str, separator: str, words: Collection[str] = ()) -> tuple[str, ...]:
    """The distinct classes in a cell, in order; `words` as in `class_name`."""
    listed = _LIST.match(cell.strip())
    if listed:
        parts = [part.strip().strip("'\"") for part in listed.group(1).split(",")]
    else:
        parts = cell.split(separator) if separator else [cell]
    return tuple(dict.fromkeys(name for part in parts if (name := class_name(part, words))))


def separator_of(cells: Collection[str], *, plural: bool) -> str:
    """Detect the separator of several classes in a cell; "" if every cell is one class.

    “|” and “;” are never part of a name, a comma not where the column's name is plural (“labels”), and nothing is part
    of a number. Else a comma, or in such a column a space, counts only if the parts come back in other cells: if there
    are fewer different parts than different cells.
    """
    distinct = {cell.strip() for cell in cells if class_name(cell)}
    if any(_LIST.match(cell) for cell in distinct):
        return ","
    for sign in _SIGNS:
        if not any(sign in cell for cell in distinct):
            continue
        parts = {part.strip() for cell in distinct for part in cell.split(sign)} - {""}
        if sign in "|;":
            return sign
        numbers = all(part.isdigit() for part in parts)
        if numbers or (plural and sign == ","):
            return sign
        if len(parts) < len(distinct) and (plural or sign == ","):
            return sign
    return ""


def all_flags(cells: Sequence[str]) -> bool:
    """Whether these can be the cells of one class in a one-hot table."""
    return bool(cells) and all(parse_flag(cell) is not None for cell in cells) and any(cell.strip() for cell in cells)
