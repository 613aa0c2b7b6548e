"""Detect how a text table is written: its encoding, its delimiter and its decimal mark."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ml.tables.cells import is_missing
from ml.tables.numbers import detect_decimal_comma, read_number
from ml.tables.timestamps import is_timestamp

_DELIMITERS = ("\t", ",", ";", "|", " ")
"""A space stands for any run of white space. Of two that fit equally well the first is taken."""
_HEAD = 1 << 16
_CHUNK = 1 << 20
_CONTROL_SHARE = 0.02
_TAB_BONUS, _SPACE_MALUS, _ONE_COLUMN_MALUS = 1.2, 0.9, 0.4
"""Nobody writes a tab by chance, while spaces also occur within cells, and a table mostly has several columns."""
_MOSTLY = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """`comma`: whether it stands for the decimal point, None where no number tells. `width`: the usual number of cells.
    `values`: which share of the cells holds a number or a time."""

    delimiter: str
    comma: bool | None
    width: int
    values: float


def detect_encoding(file: BinaryIO) -> str | None:
    """The encoding of a text file, None for a file that is no text.

    UTF-16 announces itself. What is no UTF-8 was written by Windows before there was UTF-8.
    """
    head = file.read(_HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    text = head.rstrip(b"\x00")
    control = sum(byte < 9 or 13 < byte < 32 for byte in text)
    if b"\x00" in text or control > len(text) * _CONTROL_SHARE:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while head:
            decoder.decode(head)
            head = file.read(_CHUNK)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def split_line(line: str, delimiter: str) -> list[str]:
    """The cells of one line by itself, without the blanks around them."""
    if delimiter == " ":
        return line.replace('"', "").split()
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        cells = line.split(delimiter)
    return [cell.strip() for cell in cells]


def sniff(lines: Sequence[str]) -> Dialect:
    """The delimiter with which most lines have the same number of cells and most cells are values."""
    best, best_key = Dialect(delimiter=",", comma=None, width=1, values=0.0), (-1.0, 0)
    for delimiter in _DELIMITERS:
        rows = [split_line(line, delimiter) for line in lines]
        width, often = max(Counter(map(len, rows)).items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        usual = [row for row in rows if len(row) == width]
        comma = detect_decimal_comma(zip(*usual, strict=True))
        cells = [cell for row in usual for cell in row if not is_missing(cell)]
        read = sum(is_value(cell, comma=("," in cell) if comma is None else comma) for cell in cells)
        values, regular = read / max(1, len(cells)), often / max(1, len(rows))
        score = regular * (1.0 + values) * (1.0 if width > 1 else _ONE_COLUMN_MALUS)
        if delimiter == "\t" and width > 1 and regular >= _MOSTLY:
            score *= _TAB_BONUS
        if delimiter == " ":
            score *= _SPACE_MALUS
        key = (round(score, 9), width)
        if key > best_key:
            best = Dialect(delimiter=delimiter, comma=comma, width=width, values=values)
            best_key = key
    return best


def is_value(cell: str, *, comma: bool) -> bool:
    """Whether the cell holds a number or a time."""
    return read_number(cell, comma=comma) is not None or is_timestamp(cell)
