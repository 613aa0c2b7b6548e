"""What stands in one cell: a time, one class, several classes, a yes or no."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

from ml.core.messages import Message, msg

NOTHING = frozenset(["", "nan", "na", "n/a", "null", "none", "-", "?"])
"""What people and programs write where there is no class, in lower case."""
MAY_BE_CLASS = frozenset(["none"])
"""Of these, what people also write where they looked and there was nothing: a part without a defect, for example."""
_OFTEN = 2

_LONGEST_SHOWN = 60
_SIGNS = ("|", ";", ",", " ")
_LIST = re.compile(r"^[\[({](.*)[\])}]$", re.DOTALL)
_CLOCK = re.compile(r"^(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$")
_YES, _NO = frozenset(["1", "1.0", "true", "yes"]), frozenset(["0", "0.0", "false", "no", ""])


def shortened(cell: str) -> str:
    """The cell as it fits into a sentence."""
    text = " ".join(cell.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def quoted(cell: str) -> Message:
    """The cell between quotation marks, shortened."""
    return msg("“{name}”", name=shortened(cell))


def seconds(cell: str) -> float | None:
    """A time as number (also with a decimal comma) or as clock, 1:02:03.5; None where it is no time."""
    text = cell.strip()
    if "." not in text:
        text = text.replace(",", ".")
    clock = _CLOCK.match(text)
    if clock:
        hours, minutes, rest = clock.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest)
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def flag(cell: str) -> bool | None:
    """A yes or no as one-hot tables write it; None where it is neither."""
    text = cell.strip().lower()
    return True if text in _YES else False if text in _NO else None


def words_kept(cells: Sequence[str]) -> frozenset[str]:
    """Words of `MAY_BE_CLASS` that stand in these cells too often to be slips: there they are a class, spelt as they
    are most often."""
    spelt: dict[str, Counter[str]] = {word: Counter() for word in MAY_BE_CLASS}
    for cell in cells:
        text = cell.strip()
        if text.lower() in spelt:
            spelt[text.lower()][text] += 1
    return frozenset(max(found, key=found.__getitem__) for found in spelt.values() if found.total() >= _OFTEN)


def class_name(cell: str, kept: Collection[str] = ()) -> str:
    """The class as it is called everywhere; "" where the cell names none. Numbers lose a “.0” that programs add.

    `kept`: words that are a class though they say that there is nothing, as they are spelt wherever they stand.
    """
    text = " ".join(unicodedata.normalize("NFC", cell).split())
    if text.lower() in NOTHING:
        return next((word for word in kept if word.lower() == text.lower()), "")
    return text[:-2] if re.fullmatch(r"\d+\.0", text) else text


def classes_in(cell: str, separator: str, kept: Collection[str] = ()) -> tuple[str, ...]:
    """Every class of the cell once, in its order; `kept` as in `class_name`."""
    listed = _LIST.match(cell.strip())
    if listed:
        parts = [part.strip().strip("'\"") for part in listed.group(1).split(",")]
    else:
        parts = cell.split(separator) if separator else [cell]
    return tuple(dict.fromkeys(name for part in parts if (name := class_name(part, kept))))


def separator_of(cells: Collection[str], *, plural: bool) -> str:
    """The sign between several classes in these cells, "" if every cell is one class.

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
    """Whether a column is that of one class in a one-hot table."""
    return bool(cells) and all(flag(cell) is not None for cell in cells) and any(cell.strip() for cell in cells)
