"""The table that `handlens predict --csv` writes: a line per input, as it is answered."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ml.commands.wording import NONE_OF_THEM
from ml.core.disk import check_free_space, new_draft, replace_with
from ml.core.errors import HandlensError
from ml.core.messages import english, msg
from ml.core.outputs import make_folder, unwritable
from ml.runtime.contract import ModelInfo
from ml.scoring.tasks import task_named

FIELDS = ("path", "label", "probability", "unlike", "decision")
"""What any table of answers has; see `AnswerTable` for the rest."""
RUNNERS_UP = 5
"""How many of the likeliest classes an answer names."""


class AnswerTable:
    """A CSV file with one line per input, also of those that could not be read, with the runners-up spelled out.

    Of a recording with several windows a line for each follows, with its `start` and `end` in seconds. `reason` says
    why something was set aside or could not be read.

    It takes its name when it is left, and stands as the draft of another name before: what was there is not lost to a
    run that is broken off before its first answer, and of a longer one the answers so far are kept. Where it cannot
    take its name after all it gets one with a number.

    Raises HandlensError where it cannot be written: at once, before hours are spent on what goes in.
    """

    def __init__(self, target: Path, info: ModelInfo) -> None:
        self._target = target.expanduser().absolute()
        self._fields = list(FIELDS)
        if not task_named(info.task).exclusive:
            # What is there stands before what is likeliest, which may be nothing that is there.
            self._fields.insert(1, "labels")
        if info.windowing is not None:
            self._fields[1:1] = ["start", "end"]
        self._fields.append("reason")
        places = range(2, min(RUNNERS_UP, len(info.classes)) + 1)
        others = [f"{word}_{place}" for place in places for word in ("label", "probability")]
        self._rows = 0
        _refuse_another_file(self._target)
        try:
            make_folder(self._target.parent)
            check_free_space(self._target.parent)
            self._draft = new_draft(self._target)
            # The mark lets Excel read umlauts. A file name need be no text at all; it is still told apart.
            self._stream = self._draft.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="")
        except OSError as error:
            raise unwritable(self._target, error) from error
        self._table = csv.writer(self._stream)
        self._table.writerow(self._fields + others)

    def __enter__(self) -> Self:
        return self

    def add(self, row: dict[str, Any]) -> None:
        """One input's answer, by the names of `handlens predict --json`, and the `reason`."""
        windows = row.get("windows", [])
        with _saying(self._target):
            self._write(row)
            for window in windows if len(windows) > 1 else ():
                self._write(window | {"path": row["path"]})
        self._rows += 1

    def _write(self, row: dict[str, Any]) -> None:
        cells = {name: row.get(name, "") for name in self._fields}
        if "labels" in row:
            cells["labels"] = "; ".join(row["labels"]) or english(NONE_OF_THEM)
        if _is_formula(cells["path"]):
            cells["path"] = f"./{cells['path']}"  # still the same file
        others = (value for pair in row.get("top", [])[1:] for value in pair)
        self._table.writerow([_plain(cell) for cell in (*cells.values(), *others)])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with _saying(self._target):
                self._stream.close()
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


def _refuse_another_file(target: Path) -> None:
    """An older table of answers may be replaced, nothing else: not the input, nor the labels."""
    if target.is_dir():
        raise HandlensError(msg("{path} is a folder. Give the name of a file in it.", path=str(target)))
    if target.is_file() and target.stat().st_size:
        try:
            with target.open("r+b") as file:  # where somebody else holds it, Windows says so now
                first = file.readline(1000).decode("utf-8-sig", errors="replace").strip().split(",")
        except OSError as error:
            raise unwritable(target, error) from error
        if not set(FIELDS) <= set(first):
            raise HandlensError(
                msg(
                    "{path} already exists and is not a table of answers. Give another name, so that it is not lost.",
                    path=str(target),
                )
            )
