"""The table that `handlens predict --csv` writes: a line per input, as it is answered."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ml.commands.common import unwritable
from ml.errors import HandlensError
from ml.runtime.contract import ModelInfo

FIELDS = ("path", "label", "probability", "unlike", "decision")
RUNNERS_UP = 5
"""How many of the likeliest classes an answer names."""


class AnswerTable:
    """A CSV file with one line per input, also of those that could not be read, with the runners-up spelled out.

    It takes its name when it is left, and stands as the draft of another name before: what was there is not lost to a
    run that is broken off before its first answer, and of a longer one the answers so far are kept.

    Raises HandlensError where it cannot be written: at once, before hours are spent on what goes in.
    """

    def __init__(self, target: Path, info: ModelInfo) -> None:
        self._target = target.expanduser().absolute()
        self._fields = list(FIELDS)
        if info.task == "multi":
            # What is there stands before what is likeliest, which may be nothing that is there.
            self._fields.insert(1, "labels")
        places = range(2, min(RUNNERS_UP, len(info.classes)) + 1)
        others = [f"{word}_{place}" for place in places for word in ("label", "probability")]
        self._rows = 0
        _refuse_another_file(self._target)
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(prefix=f".{self._target.name}.", dir=self._target.parent)
        except OSError as error:
            raise unwritable(self._target, error) from error
        self._draft = Path(draft)
        self._stream = os.fdopen(handle, "w", encoding="utf-8-sig", newline="")  # the mark lets Excel read umlauts
        self._table = csv.writer(self._stream)
        self._table.writerow(self._fields + others)

    def __enter__(self) -> Self:
        return self

    def add(self, row: dict[str, Any]) -> None:
        """One input's answer, by the names of `handlens predict --json`."""
        cells = {name: row.get(name, "") for name in self._fields}
        if "labels" in row:
            cells["labels"] = "; ".join(row["labels"]) or "none of the classes"
        try:
            self._table.writerow([*cells.values(), *(value for pair in row.get("top", [])[1:] for value in pair)])
        except OSError as error:
            raise unwritable(self._target, error) from error
        self._rows += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stream.close()
            if kind is None or self._rows:
                self._draft.chmod(0o644)
                self._draft.replace(self._target)
        except OSError as trouble:
            raise unwritable(self._target, trouble) from trouble
        finally:
            self._draft.unlink(missing_ok=True)


def _refuse_another_file(target: Path) -> None:
    """An older table of answers may be replaced, nothing else: not the input, nor the labels."""
    if target.is_dir():
        raise HandlensError(f"{target} is a folder; give the name of a file in it.")
    if target.is_file() and target.stat().st_size:
        try:
            with target.open("rb") as file:
                first = file.readline(1000).decode("utf-8-sig", errors="replace").strip().split(",")
        except OSError as error:
            raise unwritable(target, error) from error
        if not set(FIELDS) <= set(first):
            raise HandlensError(
                f"{target} is there already and is no table of answers; give another name, so that it is not lost."
            )
