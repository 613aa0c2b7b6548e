"""Read a text table as rows of cells, whatever program wrote it and however long it is."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.core.disk import EMPTY, UNREADABLE, disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import msg
from ml.core.regular_files import check_regular
from ml.tables.dialect import detect_encoding, sniff, split_line
from ml.tables.json_rows import JSON_SUFFIXES, json_rows

Row = tuple[int, tuple[str, ...]]
"""The number of the line, from 1, and the cells."""

LABEL_SUFFIXES = frozenset([".csv", ".tsv", ".tab", ".txt", ".dat"]) | JSON_SUFFIXES
"""Names that may hide a label file in a folder; a file that is named by itself may be called anything."""

HEAD_ROWS = 5001
"""Rows that are kept in memory: a heading, and as many as it takes to recognise the columns."""
_LARGEST = 4 << 30
_LONGEST_LINE = 1 << 20
_SAMPLE = 200
_BEGINNING = 64
_SPREADSHEETS = frozenset([".xlsx", ".xls", ".xlsm", ".ods", ".numbers"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A text file as rows of cells, without empty rows. `head`: its first `HEAD_ROWS`, which are `complete` or not."""

    path: Path
    head: tuple[Row, ...]
    complete: bool
    encoding: str
    delimiter: str
    quoted: bool
    """Whether quotation marks are closed, so that a cell can hold line breaks."""

    def rows(self) -> Iterator[Row]:
        """Read every row, one after the other. Raises UnreadableError where the disk does not deliver the file."""
        if self.complete:
            yield from self.head
            return
        try:
            yield from _rows(self.path, self.encoding, self.delimiter, quoted=self.quoted)
        except (OSError, csv.Error) as error:
            raise UnreadableError(disk_reason(error) or UNREADABLE, details=repr(error)) from error


def read_sheet(path: Path) -> Sheet:
    """Read `path` to its end once and return its beginning. Raises UnreadableError with the reason in one sentence."""
    if path.suffix.lower() in _SPREADSHEETS:
        raise UnreadableError(msg("It is a spreadsheet. Save it as CSV and choose that file."))
    try:
        if check_regular(path).st_size > _LARGEST:
            raise UnreadableError(
                msg("It is larger than 4 GB. Remove the columns that have nothing to do with labels.")
            )
        with path.open("rb") as file:
            encoding = detect_encoding(file)
        if encoding is None:
            raise UnreadableError(msg("It is not a text file."))
        if _is_json(path, encoding):
            rows = tuple(enumerate(json_rows(path, encoding), 1))
            return Sheet(path=path, head=rows, complete=True, encoding=encoding, delimiter=",", quoted=True)
        delimiter = _delimiter(path, encoding)
        quoted = delimiter != " "  # any run of spaces, which the reader of quoted cells does not know
        try:
            head, complete = _head(_rows(path, encoding, delimiter, quoted=quoted))
        except csv.Error:
            # An unclosed quotation mark would swallow what follows: line by line it spoils one line only.
            quoted = False
            head, complete = _head(_rows(path, encoding, delimiter, quoted=False))
    except OSError as error:
        raise UnreadableError(disk_reason(error) or UNREADABLE, details=repr(error)) from error
    if not head:
        raise UnreadableError(EMPTY)
    return Sheet(path=path, head=head, complete=complete, encoding=encoding, delimiter=delimiter, quoted=quoted)


def _is_json(path: Path, encoding: str) -> bool:
    if path.suffix.lower() in JSON_SUFFIXES:
        return True
    with path.open(encoding=encoding, errors="replace") as file:
        return file.read(_BEGINNING).lstrip().startswith(("{", "[{"))


def _head(rows: Iterator[Row]) -> tuple[tuple[Row, ...], bool]:
    """The first rows and whether these are all. Reads the rest too: its quotation marks may be wrong."""
    head = tuple(itertools.islice(rows, HEAD_ROWS))
    return head, sum(1 for _row in rows) == 0


def _delimiter(path: Path, encoding: str) -> str:
    lines = (line for line in itertools.islice(_lines(path, encoding), 2 * _SAMPLE) if line.strip())
    return sniff(list(itertools.islice(lines, _SAMPLE))).delimiter


def _rows(path: Path, encoding: str, delimiter: str, *, quoted: bool) -> Iterator[Row]:
    """The rows that hold anything. Raises csv.Error for a `quoted` table whose quotation marks are wrong."""
    for number, cells in (_quoted_rows if quoted else _plain_rows)(path, encoding, delimiter):
        stripped = tuple([cell.strip() for cell in cells])
        if any(stripped):
            yield number, stripped


def _quoted_rows(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(path, encoding), delimiter=delimiter, skipinitialspace=True, strict=True)
    begin = 1
    for cells in reader:
        yield begin, cells
        begin = reader.line_num + 1


def _plain_rows(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_lines(path, encoding), 1):
        yield number, split_line(line.rstrip("\r\n"), delimiter)


def _lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines with their ends. Some devices fill the end of a file with null characters."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        while line := file.readline(_LONGEST_LINE):
            if "\x00" in line:
                line = line.rstrip("\x00")
            if len(line) >= _LONGEST_LINE:
                raise UnreadableError(msg("It has a line that is too long for a table of labels."))
            yield line
