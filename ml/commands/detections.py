"""`handlens predict --detections`: what was heard from when to when, and the files for other programs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ml.commands.common import fail, make_console, print_error, print_json, say
from ml.commands.usage import WrongUsageError
from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import Message, msg, nmsg, text, tr
from ml.core.outputs import make_folder, unwritable
from ml.core.phrases import clock_time, duration, listed, percent
from ml.core.printable import printable
from ml.inference.detection_tables import (
    AudacityLabels,
    BirdNetTable,
    Clips,
    DetectionCsvTable,
    DetectionWriter,
    HourlyCounts,
    RavenTable,
    row_of,
)
from ml.inference.detections import HOP, Detection, DetectionOptions, FileEnd, detect_files
from ml.media.kinds import kind_named
from ml.runtime.folder import UnreadableInput
from ml.runtime.model import ReleasedModel

_PANEL = tr("Detections")

DetectionsOption = Annotated[
    bool,
    typer.Option(
        "--detections",
        help=tr("Of recordings and logs of any length, say when each class begins and ends."),
        rich_help_panel=_PANEL,
    ),
]
ThresholdOption = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="[CLASS=]P",
        help=tr(
            "Report detections with at least this score (0 to 1), of all classes or of one. "
            "Can be repeated. If not given, what suits the model."
        ),
        rich_help_panel=_PANEL,
    ),
]
HopOption = Annotated[
    float,
    typer.Option(
        "--hop",
        min=0.05,
        max=1.0,
        help=tr("Begin a window after this share of the last one. Smaller is slower and more exact."),
        rich_help_panel=_PANEL,
    ),
]
ShortestOption = Annotated[
    float | None,
    typer.Option(
        "--shortest",
        min=0.0,
        metavar="SECONDS",
        help=tr("Leave out what is shorter. If not given, a fifth of a window."),
        rich_help_panel=_PANEL,
    ),
]
GapOption = Annotated[
    float | None,
    typer.Option(
        "--gap",
        min=0.0,
        metavar="SECONDS",
        help=tr("Join detections of a class that are not further apart. If not given, a fifth of a window."),
        rich_help_panel=_PANEL,
    ),
]
BackgroundOption = Annotated[
    bool,
    typer.Option(
        "--background",
        help=tr("Report classes such as “nothing” or “noise”, too."),
        rich_help_panel=_PANEL,
    ),
]
AudacityOption = Annotated[
    Path | None,
    typer.Option(
        "--audacity",
        metavar="FILE",
        help=tr("Write the detections as labels for Audacity; of several recordings into a folder of this name."),
        rich_help_panel=_PANEL,
    ),
]
RavenOption = Annotated[
    Path | None,
    typer.Option("--raven", metavar="FILE", help=tr("Write a selection table for Raven."), rich_help_panel=_PANEL),
]
BirdNetOption = Annotated[
    Path | None,
    typer.Option(
        "--birdnet", metavar="FILE", help=tr("Write a table as BirdNET-Analyzer does."), rich_help_panel=_PANEL
    ),
]
CountsOption = Annotated[
    Path | None,
    typer.Option(
        "--counts",
        metavar="FILE",
        help=tr(
            "Write how many detections there were in each hour of each day. The time of a recording comes from its "
            "name or its GUANO metadata."
        ),
        rich_help_panel=_PANEL,
    ),
]
ClipsOption = Annotated[
    Path | None,
    typer.Option(
        "--clips",
        metavar="DIR",
        help=tr("Cut every detection out of its recording, into a folder for each class."),
        rich_help_panel=_PANEL,
    ),
]
MarginOption = Annotated[
    float,
    typer.Option(
        "--margin",
        min=0.0,
        metavar="SECONDS",
        help=tr("How much of the recording a clip has before and after its detection."),
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionOutputs:
    """Where the detections go besides the terminal."""

    csv: Path | None = None
    audacity: Path | None = None
    raven: Path | None = None
    birdnet: Path | None = None
    counts: Path | None = None
    clips: Path | None = None
    margin: float = 0.0

    @property
    def asks_for_detections(self) -> bool:
        """Whether one of these only makes sense with detections."""
        return any((self.audacity, self.raven, self.birdnet, self.counts, self.clips))


def options_from(
    thresholds: Sequence[str] | None,
    *,
    hop: float = HOP,
    shortest: float | None = None,
    gap: float | None = None,
    background: bool = False,
) -> DetectionOptions:
    """Return the options that were typed. Raises WrongUsageError for a threshold that is none."""
    of_all: float | None = None
    of_class: dict[str, float] = {}
    for written in thresholds or ():
        name, _, value = written.rpartition("=")
        try:
            threshold = float(value)
        except ValueError:
            threshold = math.nan
        if not 0.0 < threshold <= 1.0:
            raise WrongUsageError(
                msg("“{given}” is no threshold. Write one such as 0.8 or chainsaw=0.8.", given=written),
                option="--threshold",
            )
        if name:
            of_class[name] = threshold
        else:
            of_all = threshold
    return DetectionOptions(
        hop=hop, threshold=of_all, thresholds=of_class, shortest=shortest, gap=gap, background=background
    )


def predict_detections(
    model: ReleasedModel, paths: Sequence[Path], options: DetectionOptions, outputs: DetectionOutputs, *, json: bool
) -> None:
    """Print every detection as it is found, write the files that were asked for, and sum up."""
    options.limits(model.info)  # wrong options are reported before anything is written
    audible = kind_named(model.info.kind).audible
    if outputs.clips is not None and not audible:
        raise WrongUsageError(msg("Clips can be cut out of recordings only."), option="--clips")
    spoken = _Transcript(model, several=len(paths) > 1)
    unreadable = 0
    with _writers(outputs, model, _reported(model, options), len(paths)) as writers:
        for found in detect_files(model, paths, options):
            if isinstance(found, UnreadableInput):
                unreadable += 1
                print_error(f"{printable(str(found.path))}: {text(found.reason)}")
                continue
            if isinstance(found, Detection):
                if json:
                    print_json(row_of(found))
                else:
                    spoken.add(found)
            else:
                spoken.end_file(found)
            for target, writer in writers:
                with _told(target):
                    writer.add(found) if isinstance(found, Detection) else writer.end_file(found)
    if not json:
        spoken.sum_up()
        _say_where(writers)
    if unreadable:
        fail(
            nmsg(
                "{count} of {total} files could not be read. The reasons are above.",
                "{count} of {total} files could not be read. The reasons are above.",
                unreadable,
                total=len(paths),
            )
        )


class _Transcript:
    """Detections as lines for people, and their sum."""

    def __init__(self, model: ReleasedModel, *, several: bool) -> None:
        windowing = model.info.windowing
        self._fine = windowing is not None and windowing.seconds < 2.0
        self._several = several
        self._path: Path | None = None
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0

    def add(self, detection: Detection) -> None:
        """Print a detection, below the name of its file if there are several."""
        console = make_console()
        if self._several and detection.path != self._path:
            say(console, msg("{path}:", path=str(detection.path)))
            self._path = detection.path
        line = msg(
            "{start} to {end} {label} ({percent})",
            start=clock_time(detection.start, fine=self._fine),
            end=clock_time(detection.end, fine=self._fine),
            label=detection.label,
            percent=percent(detection.score),
        )
        say(console, "  " + text(line) if self._several else line)
        self._counts[detection.label] += 1

    def end_file(self, end: FileEnd) -> None:
        """Add up what was read."""
        self._seconds += end.seconds

    def sum_up(self) -> None:
        """Print how many detections there were, of what, in how many hours."""
        console, length = make_console(), duration(self._seconds)
        if not self._counts:
            say(
                console,
                msg("No detections in {length}. A lower {option} finds more.", length=length, option="--threshold"),
            )
            return
        each = [msg("{count} × {name}", count=number, name=name) for name, number in self._counts.most_common()]
        say(
            console,
            nmsg(
                "{count} detection in {length}: {each}.",
                "{count} detections in {length}: {each}.",
                self._counts.total(),
                length=length,
                each=listed(each, most=20),
            ),
        )


Writers = list[tuple[Path, DetectionWriter]]


@contextmanager
def _writers(outputs: DetectionOutputs, model: ReleasedModel, classes: Sequence[str], files: int) -> Iterator[Writers]:
    """Open everything before hours are spent on what goes in, and close it whatever happens."""
    assert model.info.windowing is not None
    highest = model.info.windowing.rate / 2
    wanted: list[tuple[Path | None, Callable[[Path], DetectionWriter]]] = [
        (outputs.csv, DetectionCsvTable),
        (outputs.audacity, lambda target: AudacityLabels(target, files=files)),
        (outputs.raven, lambda target: RavenTable(target, highest=highest)),
        (outputs.birdnet, BirdNetTable),
        (outputs.counts, lambda target: HourlyCounts(target, classes)),
        (outputs.clips, lambda target: Clips(target, margin=outputs.margin)),
    ]
    writers: Writers = []
    complete = False
    try:
        for given, make in wanted:
            if given is not None:
                target = given.expanduser().absolute()
                with _told(target):
                    make_folder(target.parent)
                    writers.append((target, make(target)))
        yield writers
        complete = True
    finally:
        for target, writer in writers:
            with _told(target):
                writer.close(complete=complete)


def _reported(model: ReleasedModel, options: DetectionOptions) -> tuple[str, ...]:
    """Return the classes that a table of counts has rows for."""
    limits = options.limits(model.info)
    return tuple(name for name, each in zip(model.info.classes, limits, strict=True) if each is not None)


@contextmanager
def _told(target: Path) -> Iterator[None]:
    """Turn what a disk or a recording refuses into a sentence."""
    try:
        yield
    except OSError as error:
        raise unwritable(target, error) from error
    except UnreadableError as error:
        raise HandlensError(error.message, details=error.details) from error


def _say_where(writers: Writers) -> None:
    """Say what was written, and where it is."""
    console = make_console()
    for target, writer in writers:
        if isinstance(writer, Clips):
            say(
                console,
                nmsg("{count} clip: {folder}", "{count} clips: {folder}", writer.written, folder=str(target)),
            )
        else:
            say(console, _written(writer, target))
        if isinstance(writer, HourlyCounts) and writer.untimed:
            say(
                console,
                nmsg(
                    "{count} recording does not tell when it was made. Its hours count from its beginning.",
                    "{count} recordings do not tell when they were made. Their hours count from their beginning.",
                    len(writer.untimed),
                ),
            )


def _written(writer: DetectionWriter, target: Path) -> Message:
    path = str(target)
    match writer:
        case AudacityLabels():
            return msg("Labels for Audacity: {path}", path=path)
        case RavenTable():
            return msg("A selection table for Raven: {path}", path=path)
        case BirdNetTable():
            return msg("A table as of BirdNET: {path}", path=path)
        case HourlyCounts():
            return msg("Detections by hour: {path}", path=path)
        case _:
            return msg("The detections as a table: {path}", path=path)
