"""Read the columns of a log as numbers, and decide which of them are measurements."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import UnreadableError
from ml.core.messages import Message, msg
from ml.media.logs.clock import counts_rows, is_surely_time, shows_the_date
from ml.media.logs.layout import DAMAGED, LogLayout, cells_of, line_in_file, plain_lines
from ml.media.logs.names import counted_columns
from ml.tables.cells import is_missing
from ml.tables.names import words_of
from ml.tables.numbers import read_number
from ml.tables.timestamps import parse_timestamp

IS_TIME = msg("it holds times that are not needed or do not increase")
_EMPTY = msg("it is empty")
_HOLDS_WORDS = msg("it holds words")
_CHUNK = 20_000
_WORDS = 0.2
"""A column with a larger share of cells that are neither numbers nor empty holds words."""
_ANSWERS = frozenset(["label", "labels", "class", "target", "activity", "category", "classid", "class id", "label id"])
"""Names of columns that hold the class: a model would learn nothing but to copy them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingValues:
    """Cells of a column without a number: so many are `empty`, so many are `words`, one of them `example`.

    All of them are filled in between their neighbours.
    """

    cells: int
    empty: int
    words: int
    example: str


@dataclass(slots=True)
class Column:
    """One column while it is read, chunk by chunk."""

    name: str
    unit: str
    timestamps: bool
    parts: list[NDArray[np.float64]]
    comma: bool
    words: int = 0
    filled: int = 0
    example: str = ""

    def take(self, cells: Sequence[str]) -> None:
        values = _fast(cells, comma=self.comma) if not self.timestamps else None
        if values is None:
            read = [parse_timestamp(cell) if self.timestamps else read_number(cell, comma=self.comma) for cell in cells]
            odd = [cell for value, cell in zip(read, cells, strict=True) if value is None and not is_missing(cell)]
            self.words += len(odd)
            self.example = self.example or (odd[0] if odd else "")
            values = np.array([np.nan if value is None else value for value in read], dtype=np.float64)
        self.parts.append(values)
        self.filled += int(np.isfinite(values).sum())

    @property
    def full_name(self) -> str:
        return f"{self.name} [{self.unit}]" if self.name and self.unit else self.name

    def values(self) -> NDArray[np.float64]:
        return np.concatenate(self.parts)

    def missing(self, *, pauses: int) -> MissingValues:
        """The cells without a number, not counting `pauses`, the rows that are empty in all columns."""
        cells = sum(map(len, self.parts)) - pauses
        empty = max(0, cells - self.filled - self.words)
        return MissingValues(cells=cells, empty=empty, words=self.words, example=self.example)


def _fast(cells: Sequence[str], *, comma: bool) -> NDArray[np.float64] | None:
    """Convert all cells at once; None if not all are plain numbers."""
    if comma and any("." in cell for cell in cells):
        return None
    try:
        values = np.array(cells if not comma else [cell.replace(",", ".") for cell in cells], dtype=np.float64)
    except ValueError:
        return None
    return values if np.isfinite(values).all() and np.abs(values).max(initial=0.0) < 1e30 else None


def read_columns(path: Path, layout: LogLayout) -> list[Column]:
    """Read the whole table. Raises UnreadableError where rows have more or fewer cells than the others."""
    width = len(layout.names)
    lines = itertools.islice(plain_lines(path, layout.encoding), layout.first, None)
    columns: list[Column] = []
    place = layout.first - 1
    odd: tuple[int, int] | None = None
    for rows in _chunks(cells_of(lines, layout.delimiter)):
        whole = []
        for row in rows:
            place += 1
            if odd is not None:
                raise UnreadableError(_ragged(path, layout, *odd))
            if len(row) != width:
                odd = place, len(row)
                continue  # a log that was cut off ends in the middle of a row
            whole.append(row)
        if not whole:
            continue
        by_column = list(zip(*whole, strict=True))
        if not columns:
            columns = [
                Column(name, unit, _are_timestamps(cells, comma=layout.comma), [], layout.comma)
                for name, unit, cells in zip(layout.names, layout.units, by_column, strict=True)
            ]
        for column, cells in zip(columns, by_column, strict=True):
            column.take(cells)
    if odd is not None and odd[1] > width:
        raise UnreadableError(_ragged(path, layout, *odd))
    return columns


def _chunks(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    try:
        while chunk := list(itertools.islice(rows, _CHUNK)):
            yield chunk
    except csv.Error as error:
        raise UnreadableError(DAMAGED, details=str(error)) from error


def _are_timestamps(cells: Sequence[str], *, comma: bool) -> bool:
    filled = [cell for cell in cells[:100] if not is_missing(cell)]
    return bool(filled) and all(
        read_number(cell, comma=comma) is None and parse_timestamp(cell) is not None for cell in filled
    )


def _ragged(path: Path, layout: LogLayout, place: int, have: int) -> Message:
    line = line_in_file(path, layout.encoding, place)
    return msg(
        "Line {line} of the file has {columns}, but the other lines have {others}. Fix or remove this line.",
        line=str(line),
        columns=counted_columns(have),
        others=len(layout.names),
    )


def unusable_reason(column: Column, rows: int) -> Message | None:
    """Why nothing can be learned from a column, as a clause for `LeftOut`; None if something can."""
    if not column.filled:
        return _HOLDS_WORDS if column.words else _EMPTY
    if column.words > _WORDS * max(1, rows):
        few = column.words < column.filled
        return msg("more than one cell in five is not a number") if few else _HOLDS_WORDS
    if " ".join(words_of(column.name)) in _ANSWERS:
        return msg("it seems to hold the answer")
    return None


def not_a_signal_reason(column: Column, values: NDArray[np.float64]) -> Message | None:
    """Why a column is no measurement, None if it is one."""
    if counts_rows(column.name, column.values()):
        return msg("it only numbers the rows")
    if column.timestamps or is_surely_time(column.name) or shows_the_date(values):
        return IS_TIME
    return None


def without_gaps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate missing values between their neighbours; at the ends repeat the nearest value."""
    known = np.isfinite(values)
    if known.all() or not known.any():
        return values
    places = np.arange(len(values))
    return np.asarray(np.interp(places, places[known], values[known]), dtype=np.float64)
