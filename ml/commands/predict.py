"""`handlens predict`: a released model over files and folders. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ml.commands.common import (
    JsonOption,
    RunOption,
    command,
    fail,
    find_project,
    make_console,
    print_error,
    print_json,
    say,
)
from ml.commands.overlays import OverlayNames, check_folder, originals, write_overlay
from ml.commands.projects import model_path
from ml.commands.table import RUNNERS_UP, AnswerTable
from ml.commands.usage import WrongUsageError
from ml.commands.wording import NONE_OF_THEM, rejected_because
from ml.core.errors import HandlensError
from ml.core.messages import Message, msg, nmsg, text, tr
from ml.core.phrases import listed, percent
from ml.core.printable import printable
from ml.evaluation.thresholds_in_use import with_thresholds_for
from ml.project.project import Project
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import FilePrediction, UnreadableInput, WindowPrediction, find_inputs, predict_files
from ml.runtime.model import ReleasedModel
from ml.scoring.tasks import task_named

ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL_OR_PROJECT", help=tr("A {file}, or a project (its newest finished run).", file="model.onnx")
    ),
]
InputsArgument = Annotated[
    list[Path], typer.Argument(metavar="INPUT...", help=tr("Files, or folders that are searched for files."))
]
CsvFileOption = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        metavar="FILE",
        help=tr("Also write the answers to this table. For recordings, it has a row for every window."),
    ),
]
OverlaysOption = Annotated[
    Path | None,
    typer.Option("--overlays", metavar="DIR", help=tr("For each input, write a picture of where the network looked.")),
]
OnRayOption = Annotated[
    bool,
    typer.Option(
        "--ray",
        help=tr(
            "Spread the work over a Ray cluster ({variable}), or over the cores of this machine.",
            variable="RAY_ADDRESS",
        ),
    ),
]


@command(interrupted=msg("Interrupted. The answers so far are kept, also in the table if there is one."))
def predict(
    model: ModelArgument,
    inputs: InputsArgument,
    *,
    run: RunOption = None,
    csv_file: CsvFileOption = None,
    overlays: OverlaysOption = None,
    on_ray: OnRayOption = False,
    json: JsonOption = False,
) -> None:
    """Say what pictures or recordings show.

    A recording is read window by window; its probabilities and its unlike score are the means over its windows. Where
    more than one class may be present, the probability of a class is the largest in any of its windows.
    """
    if on_ray and overlays is not None:
        raise WrongUsageError(msg("With {option} no pictures are written.", option="--ray"), option="--overlays")
    file, released = open_model(model, run)
    paths = originals(find_inputs(inputs, released.info), inputs)
    if overlays is not None:
        check_folder(overlays)
    results = (
        _on_cluster(file, released.info, paths)
        if on_ray
        else predict_files(released, paths, keep_maps=overlays is not None)
    )
    drawn = None if overlays is None else OverlayNames(overlays, inputs)
    unreadable = pictures = 0
    with ExitStack() as stack:
        table = None if csv_file is None else stack.enter_context(AnswerTable(csv_file, released.info))
        for result in results:
            row = _answered(result, released.info, json=json)
            if table is not None:
                table.add(row)
            if isinstance(result, UnreadableInput):
                unreadable += 1
            elif drawn is not None:
                write_overlay(result, released.info, drawn.name_for(result.path))
                pictures += 1
    if not json:
        _say_where(csv_file, overlays, pictures)
    if unreadable:
        fail(
            nmsg(
                "{count} of {total} files could not be read. The reasons are above.",
                "{count} of {total} files could not be read. The reasons are above.",
                unreadable,
                total=len(paths),
            )
        )


def _say_where(table: Path | None, folder: Path | None, pictures: int) -> None:
    """What was written, and where it is."""
    if table is not None:
        say(make_console(), msg("The answers as a table: {path}", path=str(table)))
    if folder is not None and pictures:
        say(
            make_console(),
            nmsg(
                "{count} picture of where it looked: {folder}",
                "{count} pictures of where it looked: {folder}",
                pictures,
                folder=str(folder),
            ),
        )


def _answered(result: FilePrediction | UnreadableInput, info: ModelInfo, *, json: bool) -> dict[str, Any]:
    """The answer, once it is said."""
    if isinstance(result, UnreadableInput):
        print_error(f"{printable(str(result.path))}: {text(result.reason)}")
        return {"path": str(result.path), "decision": "unreadable", "reason": text(result.reason)}
    row = _as_row(result, info)
    why = rejected_because(row["unlike"], result.best, info) if result.decision == "reject" else None
    if json:
        print_json(row)
    else:
        _say(row, why)
    return row | {"reason": "" if why is None else text(why)}


def _on_cluster(model: Path, info: ModelInfo, paths: list[Path]) -> Iterator[FilePrediction | UnreadableInput]:
    try:
        from ml.runtime.cluster import predict_on_cluster  # an extra that few need, and slow to load
    except ImportError as error:
        raise HandlensError(
            msg(
                "{option} needs Ray, which is not installed. Install it: {command}",
                option="--ray",
                command='pip install "ray[data]"',
            ),
            details=repr(error),
        ) from error
    return predict_on_cluster(model, paths, info=info)


def open_model(given: Path, run: int | None) -> tuple[Path, ReleasedModel]:
    """The model's file, and the model as it is to be used: of a project with the thresholds chosen for that."""
    given = find_project(given.expanduser())
    if given.is_dir() or given.name == "project.db":
        with Project.open(given, to_read=True) as project:
            number = project.runs.finished(run).number
            file = model_path(project, number)
            released = ReleasedModel.open(file, many=True)
            released.info = with_thresholds_for(project, number, released.info)
        return file, released
    if run is not None:
        raise WrongUsageError(msg("Only a project has runs to choose from."), option="--run")
    return given, ReleasedModel.open(given, many=True)


def _as_row(result: FilePrediction, info: ModelInfo) -> dict[str, Any]:
    order = result.probabilities.argsort()[::-1]
    row: dict[str, Any] = {
        "path": str(result.path),
        "label": info.classes[result.best],
        "probability": _rounded(result.probabilities[result.best]),
        "unlike": _rounded(result.unlike),
        "decision": result.decision,
        "top": [[info.classes[index], _rounded(result.probabilities[index])] for index in order[:RUNNERS_UP]],
    }
    if not task_named(info.task).exclusive:
        row["labels"] = _present(result.probabilities, info)
    if info.windowing is not None:
        row["windows"] = [_window(window, info) for window in result.windows]
    return row


def _window(window: WindowPrediction, info: ModelInfo) -> dict[str, Any]:
    values: dict[str, Any] = {
        "start": window.start,
        "end": window.end,
        "label": info.classes[int(window.probabilities.argmax())],
        "probability": _rounded(window.probabilities.max()),
    }
    if not task_named(info.task).exclusive:
        values["labels"] = _present(window.probabilities, info)
    return values


def _present(probabilities: NDArray[np.floating], info: ModelInfo) -> list[str]:
    """Every class that counts as present, the most probable first."""
    return [info.classes[index] for index in info.predicted(probabilities)]


def _say(row: dict[str, Any], why: Message | str | None) -> None:
    """`why` it was set aside, if it was."""
    console = make_console()
    answer = _said(row, dict(row["top"]))
    if why is None:
        say(console, msg("{path}: {answer}", path=row["path"], answer=answer))
    else:
        say(console, msg("{path}: {answer}, set aside: {why}", path=row["path"], answer=answer, why=why))
    windows = row.get("windows", [])
    if len({tuple(window.get("labels", [window["label"]])) for window in windows}) > 1:
        for window in windows:
            start, end = round(window["start"], 1), round(window["end"], 1)
            say(console, "  " + tr("{start:g}–{end:g} s: {answer}", start=start, end=end, answer=_said(window)))


def _said(row: dict[str, Any], chances: Mapping[str, float] | None = None) -> Message:
    """“rose (97 %)”; where more than one class may be present “rose (97 %) and tulip (61 %)”."""
    if "labels" not in row:
        return _with_percent(row["label"], row["probability"])
    if not row["labels"]:
        return NONE_OF_THEM
    known = chances or {}
    return listed([_with_percent(name, known[name]) if name in known else name for name in row["labels"]], most=99)


def _with_percent(name: str, probability: float) -> Message:
    return msg("{name} ({percent})", name=name, percent=percent(probability))


def _rounded(value: float) -> float:
    return round(float(value), 6)


def say_answer(row: dict[str, Any]) -> None:
    """Print an answer."""
    _say(row, row["reason"] or None)
