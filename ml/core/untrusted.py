"""Read values that a stranger may have written: JSON and TOML with limits, and checks of types and ranges.

Everything here raises ValueError, whose text names the value for developers. The caller says which file it was.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LONGEST_JSON = 8 << 20
"""Characters: the names of a hundred thousand classes and a model card fit."""
DEEPEST = 32
LONGEST_TOML = 1 << 18
LONGEST_NAME = 1_000
LONGEST_PATH = 8_192
LONGEST_TEXT = 1 << 20
MOST_CLASSES = 100_000

_MARKS = re.compile(r'"(?:[^"\\]++|\\(?:.|\Z))*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
"""Strings and brackets. Possessive, and also for a string without an end: it never takes more than one pass."""


def parse_json(text: str | bytes, *, longest: int = LONGEST_JSON) -> Any:
    """Return the parsed `text`. Raises ValueError if it is damaged, too long or too deep."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if len(text) > longest:
        raise ValueError(f"JSON of {len(text)} characters")
    if _depth(text) > DEEPEST:
        raise ValueError("JSON is nested too deeply")
    try:
        return json.loads(text)
    except RecursionError as error:  # the depth above does not count what stands in damaged strings
        raise ValueError("JSON is nested too deeply") from error


def read_json(path: Path, *, longest: int = LONGEST_JSON) -> Any:
    """Return the parsed content of a file. Raises OSError, and ValueError as `parse_json` does."""
    return parse_json(_read(path, longest), longest=longest)


def read_toml(path: Path, *, longest: int = LONGEST_TOML) -> dict[str, Any]:
    """Return the parsed content of a TOML file. Raises OSError, and ValueError if it is damaged or too long."""
    text = _read(path, longest).decode("utf-8")
    if _depth(text) > DEEPEST:
        raise ValueError("TOML is nested too deeply")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("TOML is nested too deeply") from error


def text_in(value: object, name: str, *, longest: int = LONGEST_NAME, empty: bool = False) -> str:
    """Return `value` if it is text of that length, without NUL characters and half surrogates."""
    if not isinstance(value, str) or len(value) > longest or "\0" in value or not (value or empty):
        raise ValueError(f"{name} is not text of up to {longest} characters")
    value.encode("utf-8")  # raises UnicodeEncodeError, a ValueError
    return value


def number_in(value: object, name: str, low: float, high: float) -> float:
    """Return `value` if it is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is not a number from {low} to {high}")
    return value


def whole_in(value: object, name: str, low: int, high: int) -> int:
    """Return `value` if it is a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is not a whole number from {low} to {high}")
    return value


def list_in(value: object, name: str, *, most: int) -> list[Any]:
    """Return `value` if it is a list of at most so many entries."""
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"{name} is not a list of up to {most} entries")
    return value


def texts_in(value: object, name: str, *, most: int, longest: int = LONGEST_NAME) -> tuple[str, ...]:
    """Return `value` as a tuple if it is a list of texts."""
    return tuple(text_in(item, name, longest=longest) for item in list_in(value, name, most=most))


def class_names_in(value: object, name: str = "classes") -> tuple[str, ...]:
    """Return `value` as a tuple if it is a list of different names of classes."""
    names = texts_in(value, name, most=MOST_CLASSES)
    if len({*names}) != len(names):
        raise ValueError(f"{name} has a name twice")
    return names


def table_in(value: object, name: str) -> Mapping[str, Any]:
    """Return `value` if it is an object with names."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")
    return value


def _read(path: Path, longest: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(longest + 1)
    if len(data) > longest:
        raise ValueError(f"{path.name} is larger than {longest} bytes")
    return data


def _depth(text: str) -> int:
    """How deeply brackets are nested outside of strings; 0 for few brackets.

    In one pass: the parsers would use up the stack.
    """
    if text.count("[") + text.count("{") <= DEEPEST:
        return 0
    depth = deepest = 0
    for mark in _MARKS.finditer(text):
        first = text[mark.start()]
        if first in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in "]}":
            depth -= 1
    return deepest


def finite(value: float | None) -> float | None:
    """Return `value`, or None for NaN and infinity."""
    return value if value is not None and math.isfinite(value) else None
