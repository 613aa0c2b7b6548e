"""Answers as lines of CSV, for a table that grows line by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from ml.core.errors import HandlensError
from ml.core.messages import english, msg
from ml.inference.answers import NONE_OF_THEM, RUNNERS_UP, Row
from ml.runtime.contract import ModelInfo
from ml.scoring.tasks import task_named

_FIELDS = ("path", "label", "probability", "unlike", "decision")


class CsvLines:
    """The columns of `handlens predict --csv` for a model."""

    def __init__(self, info: ModelInfo) -> None:
        self._fields = list(_FIELDS)
        if not task_named(info.task).exclusive:
            self._fields.insert(1, "labels")
        if info.windowing is not None:
            self._fields[1:1] = ["start", "end"]
        self._fields.append("reason")
        places = range(2, min(RUNNERS_UP, len(info.classes)) + 1)
        self._others = [f"{word}_{place}" for place in places for word in ("label", "probability")]

    def header(self) -> str:
        """Return the first line. Its mark lets Excel read umlauts."""
        return "\ufeff" + _line([*self._fields, *self._others])

    def lines(self, row: Row) -> str:
        """Return the line of an answer and, for a recording of several windows, one for each of them."""
        windows = row.get("windows", [])
        parts = windows if len(windows) > 1 else ()
        return "".join(self._cells(item) for item in (row, *({**window, "path": row["path"]} for window in parts)))

    def check(self, path: Path) -> None:
        """Raise HandlensError where `path` is something else than a table with these columns."""
        if path.is_dir():
            raise HandlensError(msg("{path} is a folder. Give the name of a file in it.", path=str(path)))
        try:
            with path.open("rb") as file:
                first = file.readline(100_000)
        except FileNotFoundError:
            if path.parent.is_dir():
                return
            raise HandlensError(
                msg(
                    "There is no folder {above} to create {name} in. Check the name.",
                    above=str(path.parent),
                    name=path.name,
                )
            ) from None
        except OSError as error:
            raise HandlensError(msg("{path} cannot be opened.", path=str(path)), details=repr(error)) from error
        if first and first != self.header().encode():
            raise HandlensError(
                msg(
                    "{path} already exists and is not a table of answers of this model. Give another name.",
                    path=str(path),
                )
            )

    def _cells(self, row: Row) -> str:
        cells = {name: row.get(name, "") for name in self._fields}
        if "labels" in row:
            cells["labels"] = "; ".join(row["labels"]) or english(NONE_OF_THEM)
        if _is_formula(cells["path"]):
            cells["path"] = f"./{cells['path']}"  # still the same file
        others = (value for pair in row.get("top", [])[1:] for value in pair)
        return _line([f"'{cell}" if _is_formula(cell) else cell for cell in (*cells.values(), *others)])


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _is_formula(cell: object) -> bool:
    """Whether a spreadsheet would calculate what a file or a class may be called."""
    return isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
