"""Bytes of a text file to rows of cells, whatever program wrote it."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ml.core.disk import EMPTY, disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import msg


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A text file as rows of cells: (line number from 1, cells)."""

    path: Path
    rows: tuple[tuple[int, tuple[str, ...]], ...]


LABEL_SUFFIXES = frozenset([".csv", ".tsv", ".tab", ".txt", ".dat"])
"""Names that may hide a label file in a folder; a file that is named by itself may be called anything."""

_LARGEST = 512 << 20
_DELIMITERS = "\t,;|"
_LOOKED_AT = 200
_SPREADSHEETS = frozenset([".xlsx", ".xls", ".xlsm", ".ods", ".numbers"])


def read_sheet(path: Path) -> Sheet:
    """The rows of `path` that hold anything. Raises UnreadableError with the reason in one sentence."""
    if path.suffix.lower() in _SPREADSHEETS:
        raise UnreadableError(msg("It is a spreadsheet. Save it as CSV and choose that file."))
    try:
        if path.stat().st_size > _LARGEST:
            raise UnreadableError(
                msg("It is larger than 512 MB. Remove the columns that have nothing to do with labels.")
            )
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError(disk_reason(error) or msg("The file could not be read."), details=repr(error)) from error
    text = _text(data)
    rows = _rows(text, _delimiter(text)) if text.strip() else ()
    if not rows:
        raise UnreadableError(EMPTY)
    return Sheet(path=path, rows=rows)


def _text(data: bytes) -> str:
    """UTF-8 and UTF-16 as they announce themselves; else what Windows wrote before there was UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if b"\0" in data:
        raise UnreadableError(msg("It is not a text file."))
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _delimiter(text: str) -> str:
    """The sign that cuts most lines into the same number of cells.

    Tabs first: nobody writes one by chance, while a decimal comma also cuts every line alike.
    """
    lines = [line for line in text.splitlines()[: 2 * _LOOKED_AT] if line.strip()][:_LOOKED_AT]
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = Counter(len(_cells(line, delimiter)) for line in lines)
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        if width < 2:
            continue
        score = (count / len(lines), width)
        if delimiter == "\t" and score[0] >= 0.8:
            return delimiter
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _rows(text: str, delimiter: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        begin = 1
        for cells in reader:
            rows.append((begin, cells))
            begin = reader.line_num + 1
    except csv.Error:
        # A quotation mark that nobody closes would swallow what follows: line by line it spoils one line only.
        rows = [(number, _cells(line, delimiter)) for number, line in enumerate(text.splitlines(), 1)]
    return tuple((number, tuple(map(str.strip, cells))) for number, cells in rows if any(map(str.strip, cells)))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)
