"""Read a whole text table into rows of cells, whatever program wrote it."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import dataclass
from pathlib import Path

from ml.core.disk import EMPTY, disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import msg
from ml.tables.dialect import detect_encoding, sniff, split_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A text file as rows of cells: (line number from 1, cells)."""

    path: Path
    rows: tuple[tuple[int, tuple[str, ...]], ...]


LABEL_SUFFIXES = frozenset([".csv", ".tsv", ".tab", ".txt", ".dat"])
"""Names that may hide a label file in a folder; a file that is named by itself may be called anything."""

_LARGEST = 512 << 20
_SAMPLE = 200
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
    encoding = detect_encoding(io.BytesIO(data))
    if encoding is None:
        raise UnreadableError(msg("It is not a text file."))
    return data.decode(encoding, "replace").rstrip("\x00")


def _delimiter(text: str) -> str:
    lines = (line for line in text.splitlines()[: 2 * _SAMPLE] if line.strip())
    return sniff(list(itertools.islice(lines, _SAMPLE))).delimiter


def _rows(text: str, delimiter: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    rows: list[tuple[int, list[str]]] = []
    try:
        if delimiter == " ":
            raise csv.Error  # any run of spaces, which the reader does not know
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
        begin = 1
        for cells in reader:
            rows.append((begin, cells))
            begin = reader.line_num + 1
    except csv.Error:
        # An unclosed quotation mark would swallow what follows: line by line it spoils one line only.
        rows = [(number, split_line(line, delimiter)) for number, line in enumerate(text.splitlines(), 1)]
    return tuple((number, tuple(map(str.strip, cells))) for number, cells in rows if any(map(str.strip, cells)))
