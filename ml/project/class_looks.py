"""What a person chose about classes besides their names: a colour, and that a class is not used any more."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml.core.untrusted import MOST_CLASSES, parse_json

KEY = "class_looks"
"""The key of the table `meta`."""
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassLook:
    """See `ml.core.types.ClassInfo`."""

    colour: str = ""
    retired: bool = False


def looks_in(stored: str) -> dict[int, ClassLook]:
    """Return the looks by the index of the class. Raises ValueError."""
    entries = parse_json(stored)
    if not isinstance(entries, dict) or len(entries) > MOST_CLASSES:
        raise ValueError(KEY)
    found: dict[int, ClassLook] = {}
    for index, entry in entries.items():
        if not index.isdecimal() or not isinstance(entry, dict) or int(index) >= MOST_CLASSES:
            raise ValueError(KEY)
        colour, retired = entry.get("colour", ""), entry.get("retired", False)
        if not isinstance(colour, str) or not isinstance(retired, bool) or not (colour == "" or is_colour(colour)):
            raise ValueError(KEY)
        found[int(index)] = ClassLook(colour=colour, retired=retired)
    return found


def looks_text(looks: Mapping[int, ClassLook]) -> str:
    """Return how looks are stored; the inverse of `looks_in`."""
    entries: dict[str, dict[str, Any]] = {
        str(index): {"colour": look.colour, "retired": look.retired}
        for index, look in sorted(looks.items())
        if look != ClassLook()
    }
    return json.dumps(entries)


def is_colour(text: str) -> bool:
    """Return whether the text is a colour as "#rrggbb", in lower case."""
    return _COLOUR.fullmatch(text) is not None
