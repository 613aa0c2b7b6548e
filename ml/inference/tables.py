"""Tables of answers for spreadsheets and programs: CSV, Excel and Parquet."""

from __future__ import annotations

import csv
import importlib
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ml.core.disk import check_free_space, new_draft, replace_with
from ml.core.errors import HandlensError
from ml.core.messages import english, msg
from ml.core.outputs import make_folder, unwritable
from ml.core.printable import printable
from ml.inference.answers import NONE_OF_THEM, RUNNERS_UP, Row
from ml.runtime.contract import ModelInfo
from ml.scoring.tasks import task_named

FIELDS = ("path", "label", "probability", "unlike", "decision")
"""What any table of answers has; see `AnswerTable` for the rest."""
LONGEST_SHEET = 1_048_576
"""Rows that Excel takes; the next sheet goes on."""
_ROWS_AT_ONCE = 10_000
_NUMBERS = ("start", "end", "probability", "unlike")
_COLUMN_WIDTHS = {"path": 50, "label": 18, "labels": 24, "reason": 40}


class Columns:
    """The columns of a table of answers of a model."""

    def __init__(self, info: ModelInfo, *, timed: bool = False) -> None:
        """`timed`: there are times also where the model is one of pictures, because videos were answered."""
        self._fields = list(FIELDS)
        if not task_named(info.task).exclusive:
            # What is there stands before what is likeliest, which may be nothing that is there.
            self._fields.insert(1, "labels")
        self._timed = timed or info.windowing is not None
        if self._timed:
            self._fields[1:1] = ["start", "end"]
        self._fields.append("reason")
        places = range(2, min(RUNNERS_UP, len(info.classes)) + 1)
        self.names = self._fields + [f"{word}_{place}" for place in places for word in ("label", "probability")]

    def lines(self, row: Row) -> Iterator[list[Any]]:
        """Yield the cells of an answer and, for a recording of several windows, those of each window."""
        yield self._cells(row)
        windows = row.get("windows", [])
        for window in windows if self._timed and len(windows) > 1 else ():
            yield self._cells(window | {"path": row["path"]})

    def _cells(self, row: Row) -> list[Any]:
        cells = {name: row.get(name, "") for name in self._fields}
        if row.get("frame"):  # one frame of a video, answered by itself
            cells |= {name: row["windows"][0][name] for name in ("start", "end") if name in cells}
        if "labels" in row:
            cells["labels"] = "; ".join(row["labels"]) or english(NONE_OF_THEM)
        others = [value for pair in row.get("top", [])[1:] for value in pair]
        return [*cells.values(), *others]


class AnswerTable(ABC):
    """A file with one line per input, also of those that could not be read, with the runners-up spelled out.

    Of a recording with several windows a line for each follows, with its `start` and `end` in seconds. `reason` says
    why something was set aside or could not be read.

    It takes its name when it is left, and stands as the draft of another name before: what was there is not lost to a
    run that is broken off before its first answer, and of a longer one the answers so far are kept. Where it cannot
    take its name after all it gets one with a number.

    Raises HandlensError where it cannot be written: at once, before hours are spent on what goes in.
    """

    def __init__(self, target: Path, info: ModelInfo, *, timed: bool = False) -> None:
        self._target = target.expanduser().absolute()
        self._columns = Columns(info, timed=timed)
        self._header = self._columns.names
        self._rows = 0
        self.check(self._target)
        try:
            self._draft = new_draft(self._target)
            self._begin()
        except OSError as error:
            raise unwritable(self._target, error) from error

    @classmethod
    def check(cls, target: Path) -> None:
        """Raise HandlensError where the table could not be written, or something else would be lost to it."""
        if target.is_dir():
            raise HandlensError(msg("{path} is a folder. Give the name of a file in it.", path=str(target)))
        try:
            if target.is_file() and target.stat().st_size:
                with target.open("r+b"):  # where somebody else holds it, Windows says so now
                    ours = cls._is_table(target)
                if not ours:
                    raise HandlensError(
                        msg(
                            "{path} already exists and is not a table of answers. Give another name, so that it is not "
                            "lost.",
                            path=str(target),
                        )
                    )
            make_folder(target.parent)
            check_free_space(target.parent)
        except OSError as error:
            raise unwritable(target, error) from error

    def __enter__(self) -> Self:
        return self

    def add(self, row: Row) -> None:
        """One input's answer, as `ml.inference.answers.answer_row` makes it."""
        with _saying(self._target):
            for cells in self._columns.lines(row):
                self._write(cells)
        self._rows += 1

    @abstractmethod
    def _begin(self) -> None:
        """Open the draft and write the header."""

    @abstractmethod
    def _write(self, cells: list[Any]) -> None:
        """Write one line; a missing value is an empty text."""

    @abstractmethod
    def _finish(self) -> None:
        """Close the draft."""

    @staticmethod
    @abstractmethod
    def _is_table(file: Path) -> bool:
        """Return whether an older table of answers is there. Raises OSError."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with _saying(self._target):
                self._finish()
        finally:
            if kind is None or self._rows:
                self._take_name()
            else:
                self._draft.unlink(missing_ok=True)

    def _take_name(self) -> None:
        try:
            replace_with(self._draft, self._target)
        except OSError as error:  # Windows: somebody has opened it in the meantime
            kept = self._draft
            with suppress(OSError):
                kept = self._draft.rename(_free_name(self._target))
            raise HandlensError(
                msg(
                    "{path} could not be replaced, perhaps because it is open in another program. The answers are in "
                    "{kept}.",
                    path=str(self._target),
                    kept=str(kept),
                ),
                details=repr(error),
            ) from error


class CsvTable(AnswerTable):
    """A CSV file."""

    def _begin(self) -> None:
        # The mark lets Excel read umlauts. A file name need be no text at all; it is still told apart.
        self._stream = self._draft.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="")
        self._table = csv.writer(self._stream)
        self._table.writerow(self._header)

    def _write(self, cells: list[Any]) -> None:
        self._table.writerow(csv_cells(cells))

    def _finish(self) -> None:
        self._stream.close()

    @staticmethod
    def _is_table(file: Path) -> bool:
        with file.open("rb") as stream:
            first = stream.readline(1000).decode("utf-8-sig", errors="replace").strip().split(",")
        return set(FIELDS) <= set(first)


class ExcelTable(AnswerTable):
    """An Excel file. Text stays text, whatever it begins with."""

    def _begin(self) -> None:
        from xlsxwriter import Workbook  # slow to load, and few need it

        self._book = Workbook(str(self._draft), {"constant_memory": True, "in_memory": False})
        self._book.set_properties({"comments": _MARK})
        self._new_sheet()

    def _new_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        for number, name in enumerate(self._header):
            self._sheet.set_column(number, number, _COLUMN_WIDTHS.get(name, 12))
        self._sheet.freeze_panes(1, 0)
        self._line = 0
        self._write_cells(self._header)

    def _write(self, cells: list[Any]) -> None:
        if self._line == LONGEST_SHEET:
            self._new_sheet()
        self._write_cells(cells)

    def _write_cells(self, cells: list[Any]) -> None:
        for number, cell in enumerate(cells):
            if isinstance(cell, str):
                if cell:  # never `write`, which takes “=…” for a formula
                    self._sheet.write_string(self._line, number, printable(cell)[:_LONGEST_CELL])
            else:
                self._sheet.write_number(self._line, number, cell)
        self._line += 1

    def _finish(self) -> None:
        from xlsxwriter.exceptions import FileCreateError

        try:
            self._book.close()
        except FileCreateError as error:
            raise error.args[0] if isinstance(error.args[0], OSError) else error from error

    @staticmethod
    def _is_table(file: Path) -> bool:
        try:
            with zipfile.ZipFile(file) as book, book.open("docProps/core.xml") as properties:
                return _MARK.encode() in properties.read(1 << 16)
        except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, zlib.error):
            return False


class ParquetTable(AnswerTable):
    """A Parquet file, with the library of the extra `parquet`."""

    def _begin(self) -> None:
        arrow, parquet = _arrow()
        kinds = {name: arrow.float64() for name in self._header if name.split("_")[0] in _NUMBERS}
        self._schema = arrow.schema(
            [(name, kinds.get(name, arrow.string())) for name in self._header], metadata={"comments": _MARK}
        )
        self._arrow = arrow
        self._lines: list[list[Any]] = []
        self._writer = parquet.ParquetWriter(str(self._draft), self._schema)

    def _write(self, cells: list[Any]) -> None:
        self._lines.append([*cells, *[""] * (len(self._header) - len(cells))])
        if len(self._lines) >= _ROWS_AT_ONCE:
            self._write_lines()

    def _write_lines(self) -> None:
        columns = [
            [None if cell == "" else printable(cell) if isinstance(cell, str) else cell for cell in column]
            for column in zip(*self._lines, strict=True)
        ]
        if columns:
            arrays = [self._arrow.array(column, kind.type) for column, kind in zip(columns, self._schema, strict=True)]
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._lines = []

    def _finish(self) -> None:
        try:
            self._write_lines()
        finally:
            self._writer.close()

    @classmethod
    def check(cls, target: Path) -> None:
        """Raise HandlensError as for the other tables, and without the library."""
        _arrow()
        super().check(target)

    @staticmethod
    def _is_table(file: Path) -> bool:
        arrow, parquet = _arrow()
        try:
            metadata = parquet.read_schema(str(file)).metadata or {}
        except arrow.ArrowException:
            return False
        return bool(metadata.get(b"comments") == _MARK.encode())


TABLES: Mapping[str, type[AnswerTable]] = {".csv": CsvTable, ".xlsx": ExcelTable, ".parquet": ParquetTable}
"""The kinds of tables, by the ending of their files."""


def write_table(
    kind: type[AnswerTable], target: Path, info: ModelInfo, rows: Iterable[Row], *, timed: bool = False
) -> None:
    """Write the whole table; `timed` where there are videos among pictures. Raises HandlensError."""
    with kind(target, info, timed=timed) as table:
        for row in rows:
            table.add(row)


_MARK = "Answers of Handlens"
"""In the properties of a file, so that it may be replaced."""
_LONGEST_CELL = 32_767
"""Characters that Excel takes."""


def _arrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise HandlensError(
            msg(
                "Parquet needs the library pyarrow, which is not installed. Install it: {command}",
                command='pip install "handlens[parquet]"',
            ),
            details=repr(error),
        ) from error


@contextmanager
def _saying(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(target, error) from error


def _free_name(target: Path) -> Path:
    return next(
        other
        for number in count(2)
        if not (other := target.with_name(f"{target.stem}-{number}{target.suffix}")).exists()
    )


def csv_cells(cells: list[Any]) -> list[Any]:
    """Return the cells of a line, the path first, with nothing in them that a spreadsheet would calculate."""
    path, *others = cells
    return [f"./{path}" if _is_formula(path) else path, *map(_plain, others)]  # still the same file


def _plain(cell: object) -> object:
    """Text that a spreadsheet would take for a formula, as the name of a class may be, is marked as text."""
    return f"'{cell}" if _is_formula(cell) else cell


def _is_formula(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) and not _is_number(cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
