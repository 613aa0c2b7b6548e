"""Answers as lines of CSV, for a table that grows line by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.inference.answers import Row
from ml.inference.tables import Columns, CsvTable, csv_cells
from ml.runtime.contract import ModelInfo


class CsvLines:
    """The lines that `handlens predict --csv` writes for a model."""

    def __init__(self, info: ModelInfo) -> None:
        self._columns = Columns(info)

    def header(self) -> str:
        """Return the first line. Its mark lets Excel read umlauts."""
        return "\ufeff" + _written([self._columns.names])

    def lines(self, row: Row) -> str:
        """Return the line of an answer and, for a recording of several windows, one for each of them."""
        return _written(map(csv_cells, self._columns.lines(row)))

    def check(self, path: Path) -> None:
        """Raise HandlensError where `path` cannot become, or is not, a table with these columns."""
        CsvTable.check(path)
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                first = file.readline(100_000)
            if first != self.header().encode():
                raise HandlensError(
                    msg("{path} has the answers of a model with other columns. Give another name.", path=str(path))
                )


def _written(lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()
