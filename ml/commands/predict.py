"""`handlens predict`: a released model over files and folders. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ml.commands.arguments import frame_seconds
from ml.commands.common import JsonOption, UsedRunOption, command, fail, find_project, print_error
from ml.commands.detections import (
    AudacityOption,
    BackgroundOption,
    BirdNetOption,
    ClipsOption,
    CountsOption,
    DetectionOutputs,
    DetectionsOption,
    GapOption,
    HopOption,
    MarginOption,
    RavenOption,
    ShortestOption,
    ThresholdOption,
    options_from,
    predict_detections,
)
from ml.commands.file_progress import FileProgress
from ml.commands.prediction_outputs import (
    AnswerTables,
    PredictionOutputs,
    is_complete,
    say_where,
    without_tables,
)
from ml.commands.scenes import MapOption, SceneOption, SceneOutputs, TileOption, predict_scenes
from ml.commands.usage import WrongUsageError
from ml.core.errors import HandlensError
from ml.core.messages import Message, msg, nmsg, tr
from ml.inference.bulk import Work
from ml.inference.detections import HOP
from ml.inference.model_in_use import open_run_model
from ml.inference.overlays import OverlayNames, check_folder, originals
from ml.inference.package import is_package, open_package, read_package
from ml.inference.scenes import usual_edge
from ml.inference.sorting import ClassFolders
from ml.media.kinds import kind_named
from ml.project.project import Project
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import FilePrediction, UnreadableInput, check_inputs, count_inputs, predict_files, search_inputs
from ml.runtime.model import ReleasedModel

ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL_OR_PROJECT",
        help=tr("A {file}, or a project (its released run, else its newest).", file="model.onnx / .handlensmodel"),
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


ExcelOption = Annotated[
    Path | None,
    typer.Option("--xlsx", metavar="FILE", help=tr("Also write the answers to this Excel file, as with --csv.")),
]
ParquetOption = Annotated[
    Path | None,
    typer.Option("--parquet", metavar="FILE", help=tr("Also write the answers to this Parquet file, as with --csv.")),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help=tr("Continue a run that wrote to the same table and did not finish. Nothing is answered twice."),
    ),
]
FrameEveryOption = Annotated[
    float | None,
    typer.Option(
        parser=frame_seconds,
        metavar="SECONDS",
        help=tr("Of videos, answer one picture every so many seconds. If not given, it follows from their length."),
    ),
]
SortIntoOption = Annotated[
    Path | None,
    typer.Option(
        "--sort-into",
        metavar="DIR",
        help=tr("Copy each file into a folder of its class, below this one. The originals stay where they are."),
    ),
]


@command(
    interrupted=msg(
        "Interrupted. The answers so far are kept. If they go to a table, add {option} to continue it.",
        option="--resume",
    )
)
def predict(
    model: ModelArgument,
    inputs: InputsArgument,
    *,
    run: UsedRunOption = None,
    csv_file: CsvFileOption = None,
    xlsx: ExcelOption = None,
    parquet: ParquetOption = None,
    resume: ResumeOption = False,
    sort_into: SortIntoOption = None,
    overlays: OverlaysOption = None,
    on_ray: OnRayOption = False,
    detections: DetectionsOption = False,
    threshold: ThresholdOption = None,
    hop: HopOption = HOP,
    shortest: ShortestOption = None,
    gap: GapOption = None,
    background: BackgroundOption = False,
    audacity: AudacityOption = None,
    raven: RavenOption = None,
    birdnet: BirdNetOption = None,
    counts: CountsOption = None,
    clips: ClipsOption = None,
    margin: MarginOption = 1.0,
    scene: SceneOption = False,
    tile: TileOption = None,
    maps: MapOption = None,
    frame_every: FrameEveryOption = None,
    json: JsonOption = False,
) -> None:
    """Say what pictures, videos or recordings show.

    A recording is read window by window; its probabilities and its unlike score are the means over its windows. Where
    more than one class may be present, the probability of a class is the largest in any of its windows.

    Of a video, pictures are taken every few seconds: each has an answer with its time, and the video has their mean.

    With --detections it says instead when each class begins and ends. Each file for another program implies that.

    With --scene it answers large pictures tile by tile and says how much of them each class covers.
    """
    others = {
        "--xlsx": xlsx,
        "--parquet": parquet,
        "--resume": resume,
        "--sort-into": sort_into,
        "--overlays": overlays,
        "--ray": on_ray,
    }
    if scene or maps or tile:
        _refuse_others({**others, "--csv": csv_file, "--detections": detections}, "--scene")
        _, released = open_model(model, run)
        check_inputs(inputs)
        paths = list(search_inputs(inputs, released.info))
        scenes = SceneOutputs(tile=tile, maps=maps or (), json=json)
        return predict_scenes(released, paths, scenes, usual=_usual_tile(model))
    wanted = DetectionOutputs(
        csv=csv_file, audacity=audacity, raven=raven, birdnet=birdnet, counts=counts, clips=clips, margin=margin
    )
    if detections or wanted.asks_for_detections:
        _refuse_others(others, "--detections")
        options = options_from(threshold, hop=hop, shortest=shortest, gap=gap, background=background)
        _, released = open_model(model, run)
        check_inputs(inputs)
        return predict_detections(released, list(search_inputs(inputs, released.info)), options, wanted, json=json)
    if on_ray and overlays is not None:
        raise WrongUsageError(msg("With {option} no pictures are written.", option="--ray"), option="--overlays")
    tables = _tables(csv_file, xlsx, parquet)
    if resume and not tables:
        raise WrongUsageError(msg("Give the table to continue as well."), option="--resume")
    file, released = open_model(model, run)
    if frame_every is not None and (on_ray or not kind_named(released.info.kind).guest_suffixes):
        raise WrongUsageError(
            msg("Only a model of pictures takes frames from videos, and not with --ray."), option="--frame-every"
        )
    if resume and is_complete(tables):
        return _say_complete(next(iter(tables.values())))
    check_inputs(inputs)
    if overlays is not None:
        check_folder(overlays)
    outputs = PredictionOutputs(
        info=released.info,
        json=json,
        folders=None if sort_into is None else ClassFolders(sort_into, released.info.classes, inputs),
        overlays=None if overlays is None else OverlayNames(overlays, inputs),
    )
    with ExitStack() as stack:
        if tables:
            opened = AnswerTables(tables, Work.of(file, released.info, inputs), released.info, resume=resume)
            outputs.write_to(stack.enter_context(opened).answers)
        _answer(_Asked(file, released, inputs, tuple(tables.values()), frame_every), outputs, on_ray=on_ray)
    if not json:
        say_where(tables, overlays, sort_into, outputs)
    if outputs.unreadable:
        fail(_unreadable(outputs, in_table=bool(tables)))
    return None


def _refuse_others(others: Mapping[str, object], option: str) -> None:
    for other in (name for name, value in others.items() if value):
        raise WrongUsageError(msg("It cannot be combined with {option}.", option=other), option=option)


def _usual_tile(given: Path) -> int | None:
    """Return the size of the training pictures, where a project is given."""
    place = find_project(given.expanduser())
    if not (place.is_dir() or place.name == "project.db"):
        return None
    with Project.open(place, to_read=True) as project:
        return usual_edge(project)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model, what it is asked about, and files that are none of that."""

    file: Path
    model: ReleasedModel
    inputs: Sequence[Path]
    tables: Sequence[Path]
    frame_every: float | None = None

    def search(self) -> Iterator[Path]:
        return without_tables(originals(search_inputs(self.inputs, self.model.info), self.inputs), self.tables)

    def count(self, stop: Callable[[], bool]) -> int | None:
        return count_inputs(self.inputs, self.model.info, stop)


def _answer(asked: _Asked, outputs: PredictionOutputs, *, on_ray: bool) -> None:
    """Answer what has no answer yet."""
    paths = asked.search() if outputs.answers is None else outputs.answers.unanswered(asked.search)
    results = (
        _on_cluster(asked.file, asked.model.info, list(paths))
        if on_ray
        else predict_files(asked.model, paths, keep_maps=outputs.overlays is not None, frame_every=asked.frame_every)
    )
    with FileProgress(asked.count, done=outputs.total) as progress:
        for result in results:
            progress.make_room(on_stderr=isinstance(result, UnreadableInput))
            outputs.take(result)
            progress.move()


def _tables(csv_file: Path | None, xlsx: Path | None, parquet: Path | None) -> dict[str, Path]:
    given = {".csv": csv_file, ".xlsx": xlsx, ".parquet": parquet}
    return {kind: path.expanduser().absolute() for kind, path in given.items() if path is not None}


def _say_complete(table: Path) -> None:
    print_error(
        msg(
            "{path} is complete, so nothing is left to continue. To answer everything again, leave out {option}.",
            path=str(table),
            option="--resume",
        )
    )


def _unreadable(outputs: PredictionOutputs, *, in_table: bool) -> Message:
    if in_table:
        return nmsg(
            "{count} of {total} files could not be read. The reasons are in the table.",
            "{count} of {total} files could not be read. The reasons are in the table.",
            outputs.unreadable,
            total=outputs.total,
        )
    return nmsg(
        "{count} of {total} files could not be read. The reasons are above.",
        "{count} of {total} files could not be read. The reasons are above.",
        outputs.unreadable,
        total=outputs.total,
    )


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
    return predict_on_cluster(read_package(model).model if is_package(model) else model, paths, info=info)


def open_model(given: Path, run: int | None) -> tuple[Path, ReleasedModel]:
    """The model's file, and the model as it is to be used: of a project with the thresholds chosen for that."""
    given = find_project(given.expanduser())
    if given.suffix.lower() == ".onnx" and given.is_dir() and not (given / "project.db").exists():
        raise HandlensError(msg("{path} is a folder and not a model. Choose the file of a model.", path=str(given)))
    if given.is_dir() or given.name == "project.db":
        with Project.open(given, to_read=True) as project:
            return open_run_model(project, run)
    if run is not None:
        raise WrongUsageError(msg("Only a project has runs to choose from."), option="--run")
    if not is_package(given):
        return given, ReleasedModel.open(given, many=True)
    released, package = open_package(given, many=True)
    if package.signed_by is not None:
        print_error(msg("Signed with the key {key}.", key=package.signed_by))
    elif package.unchecked:
        print_error(
            msg(
                "The signature was not checked: that needs the library cryptography. Install it: {command}",
                command='pip install "handlens[sign]"',
            )
        )
    return given, released
