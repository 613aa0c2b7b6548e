"""Detect where the table of a log begins, what its columns are called and in which units they are measured."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.core.errors import UnreadableError
from ml.core.messages import msg
from ml.tables.cells import is_missing
from ml.tables.dialect import detect_encoding, is_value, sniff
from ml.tables.numbers import detect_decimal_comma
from ml.tables.units import are_bracketed, are_units, bare_unit

LONGEST_LINE = 100_000
NO_TABLE = msg("This is not a text table. Save the measurements as CSV.")
DAMAGED = msg("The log is damaged: its rows cannot be told apart.")
_NO_NUMBERS = msg("The log holds no numbers.")
_SAMPLE = 200
_COMMENTS = ("#", "%", "//", '"#', "!")
_MOST_PREAMBLE = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLayout:
    """How a log is written. `first` is the number (from 0) of its first line of values, comments not counted."""

    encoding: str
    delimiter: str
    comma: bool
    """Whether a comma stands for the decimal point, in all columns."""
    first: int
    names: tuple[str, ...]
    """One per column, "" where the file gives none."""
    units: tuple[str, ...]
    """In what each column is measured, "" where the file does not say it in a row of its own."""


def read_log_layout(path: Path) -> LogLayout:
    """See how the log is written. Raises UnreadableError, or OSError where the disk does not deliver."""
    with path.open("rb") as file:
        encoding = detect_encoding(file)
    if encoding is None:
        raise UnreadableError(NO_TABLE)
    rest = plain_lines(path, encoding)
    lines = list(itertools.islice(rest, _SAMPLE + _MOST_PREAMBLE))
    if not lines:
        raise UnreadableError(msg("The log holds no values."))
    tail = lines[-_SAMPLE:] if len(lines) > _SAMPLE else lines
    dialect = sniff(tail)
    if not dialect.values:
        raise UnreadableError(_NO_NUMBERS)
    delimiter, comma, width = dialect.delimiter, dialect.comma, dialect.width
    if comma is None:
        comma = _comma_further_down(rest, delimiter, width)
    if comma is None:  # nothing but numbers like 1,308
        comma = any("," in cell for row in cells_of(tail, delimiter) if len(row) == width for cell in row)
    rows = list(cells_of(lines, delimiter))
    first = _first_of_values(rows, width, comma=comma)
    names, units = _heading(rows[:first], rows[first])
    return LogLayout(encoding=encoding, delimiter=delimiter, comma=comma, first=first, names=names, units=units)


def plain_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines of the file without comments and empty ones."""
    return (text for _number, text in _numbered_lines(path, encoding))


def line_in_file(path: Path, encoding: str, place: int) -> int:
    """What number, from 1, an editor shows beside the line that is at `place`, from 0, among the plain ones."""
    return next((number for number, _text in itertools.islice(_numbered_lines(path, encoding), place, None)), place + 1)


def _numbered_lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    with path.open(encoding=encoding, errors="replace", newline=None) as file:
        for number in itertools.count(1):
            line = file.readline(LONGEST_LINE)
            if not line:
                return
            if len(line) >= LONGEST_LINE and not line.endswith("\n"):
                raise UnreadableError(msg("A line of the log is too long to be a row of measurements."))
            text = line.strip("\r\n\x00\ufeff")
            if text.strip() and not text.lstrip().startswith(_COMMENTS) and not text.lower().startswith("sep="):
                yield number, text


def cells_of(lines: Sequence[str] | Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """The rows as cells, each without the blanks around it."""
    if delimiter == " ":
        for line in lines:
            yield line.replace('"', "").split()
        return
    try:
        for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True):
            yield [cell.strip() for cell in row]
    except csv.Error as error:
        raise UnreadableError(DAMAGED, details=str(error)) from error


def _comma_further_down(lines: Iterator[str], delimiter: str, width: int) -> bool | None:
    """As `detect_decimal_comma`, from the rows behind the sample, where that has only whole numbers."""
    telling = (line for line in lines if "." in line or (('"' if delimiter == "," else ",") in line))
    rows = cells_of(itertools.islice(telling, _SAMPLE), delimiter)
    return detect_decimal_comma(zip(*(row for row in rows if len(row) == width), strict=True))


def _first_of_values(rows: Sequence[Sequence[str]], width: int, *, comma: bool) -> int:
    """The first row of the table that holds values where most rows do, so neither the heading nor a line of notes.

    Below the heading, a row without values, half of them are enough: a device may begin with a word.
    """
    table = [(place, row) for place, row in enumerate(rows) if len(row) == width]
    if table and _counts_columns(table[0][1]):
        table = table[1:]
    read = [[is_value(cell, comma=comma) for cell in row] for _place, row in table]
    usual = [column for column in range(width) if sum(row[column] for row in read) > len(read) / 2]
    if not usual:  # mostly gaps
        usual = [column for column in range(width) if any(row[column] for row in read)]
    below = False
    for (place, row), values in zip(table, read, strict=True):
        filled = sum(values[column] or is_missing(row[column]) for column in usual)
        if any(values) and (filled == len(usual) or (below and 2 * filled >= len(usual))):
            return place
        below = not any(values)
    raise UnreadableError(_NO_NUMBERS)


def _counts_columns(row: Sequence[str]) -> bool:
    """Whether this is the heading "", 0, 1, 2… that a table without names is given by pandas."""
    return len(row) > 1 and row[0] == "" and list(row[1:]) == [str(number) for number in range(len(row) - 1)]


def _heading(before: Sequence[Sequence[str]], values: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units: the row before the values, or the one before that where the last gives units."""
    width = len(values)
    rows = []
    filled = [row for row in before if not all(map(is_missing, row))]  # a device may take its time to begin
    for row in filled[-2:]:
        if len(row) == width - 1 and row:  # R leaves out the name of the column that counts
            row = ["", *row]  # noqa: PLW2901
        if len(row) == width:
            rows.append(tuple(" ".join(cell.split()) for cell in row))
    nothing = ("",) * width
    last = rows[-1] if rows else nothing
    above = rows[-2] if len(rows) > 1 else nothing
    if are_bracketed(last) or (are_units(last) and _may_be_names(above)):
        return (nothing if are_bracketed(above) else above), tuple(map(bare_unit, last))
    return last, nothing


def _may_be_names(row: Sequence[str]) -> bool:
    filled = [cell for cell in row if cell]
    numbers = any(is_value(cell, comma=comma) for cell in filled for comma in (False, True))
    return bool(filled) and len(set(filled)) == len(filled) and not numbers and not are_units(row)
