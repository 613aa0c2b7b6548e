"""Answers as the tables that Kaggle's competitions take: `id,label`, or `id` and the probability of each class."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ml.core.disk import replacing
from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import msg
from ml.core.outputs import make_folder, unwritable
from ml.runtime.contract import ModelInfo
from ml.scoring.tasks import task_named
from ml.tables.sheet import read_sheet

Answers = Mapping[str, NDArray[np.floating]]
"""The probabilities (classes,) of each file, by its path below its folder, with '/'."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of a submission: its header, whether it has probabilities, and its lines if these are known."""

    header: tuple[str, ...]
    probabilities: bool
    ids: tuple[str, ...] | None = None


def plain_shape(classes: Sequence[str], *, probabilities: bool) -> Shape:
    """Return `id,label`, or `id` and all classes."""
    return Shape(("id", *classes) if probabilities else ("id", "label"), probabilities)


def shape_like(sample: Path, classes: Sequence[str]) -> Shape:
    """Return the shape of a `sample_submission.csv`: its columns, and its ids in their order. Raises HandlensError."""
    try:
        rows = [cells for _line, cells in read_sheet(sample).rows()]
    except UnreadableError as error:
        raise HandlensError(
            msg("{path} could not be read. {reason}", path=str(sample), reason=error.message), details=error.details
        ) from error
    except OSError as error:
        raise HandlensError(
            msg("There is no file or folder {path}. Check the name.", path=str(sample)), details=repr(error)
        ) from error
    header = tuple(cell.strip() for cell in rows[0])
    columns = header[1:]
    if len(columns) != 1 and set(columns) != set(classes):
        unknown = tuple(sorted(set(columns) ^ set(classes)))
        raise HandlensError(
            msg(
                "The columns of {path} are not the classes of the model. These differ: {names}.",
                path=str(sample),
                names=unknown[:5],
            )
        )
    return Shape(header, len(columns) != 1, tuple(cells[0].strip() for cells in rows[1:]))


def write_submission(target: Path, shape: Shape, answers: Answers, info: ModelInfo) -> tuple[str, ...]:
    """Write the table and return the ids without an answer, which have no line in it.

    An id is the path of a file, its name, or its name without the ending. Raises HandlensError.
    """
    _refuse_another_file(target, shape.header)
    by_id = _by_id(answers) if shape.ids is not None else dict(answers)
    ids = shape.ids if shape.ids is not None else tuple(answers)
    missing = []
    try:
        make_folder(target.parent)
        with (
            replacing(target) as draft,
            draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            table = csv.writer(file, lineterminator="\n")
            table.writerow(shape.header)
            for name in ids:
                found = by_id.get(name)
                if found is None:
                    missing.append(name)
                    continue
                shown = f"./{name}" if shape.ids is None and name.startswith(("=", "+", "-", "@")) else name
                table.writerow([shown, *_cells(found, shape, info)])
    except OSError as error:
        raise unwritable(target, error) from error
    return tuple(missing)


def _cells(probabilities: NDArray[np.floating], shape: Shape, info: ModelInfo) -> Iterable[object]:
    if shape.probabilities:
        place = {name: index for index, name in enumerate(info.classes)}
        return [round(float(probabilities[place[name]]), 6) for name in shape.header[1:]]
    if task_named(info.task).exclusive:
        return [info.classes[int(probabilities.argmax())]]
    return [" ".join(info.classes[index] for index in info.predicted(probabilities))]


def _by_id(answers: Answers) -> dict[str, NDArray[np.floating] | None]:
    """The answers by all the ids a file may have; None where two files share one."""
    found: dict[str, NDArray[np.floating] | None] = {}
    for path, probabilities in answers.items():
        for name in {path, PurePosixPath(path).name, PurePosixPath(path).stem}:
            found[name] = None if name in found and name != path else probabilities
    return found


def _refuse_another_file(target: Path, header: Sequence[str]) -> None:
    if target.is_dir():
        raise HandlensError(msg("{path} is a folder. Give the name of a file in it.", path=str(target)))
    if target.is_file() and target.stat().st_size:
        with target.open(encoding="utf-8", errors="replace", newline="") as file:
            first = next(csv.reader([file.readline(1 << 20)]), [])
        if tuple(first) != tuple(header):
            raise HandlensError(
                msg(
                    "{path} already exists and is another table. Give another name, so that it is not lost.",
                    path=str(target),
                )
            )
