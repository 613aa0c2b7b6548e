"""Jobs: frozen values that travel to a worker process as they are.

The `plugins` of a job are modules to import first: they register sample kinds and tasks that are not Handlens's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, get_args

from ml.core.events import Event
from ml.core.plugins import plugin_modules
from ml.core.types import KindName, LabelColumns, Levels, PageChoice, PictureReading, Preset, Windowing

StopRequest = Literal["", "stop", "first", "cancel", "leave"]

Front = Literal["combined", "spectrogram", "traces", "recurrence"]
"""What picture the network is shown of a log: how its rhythms change, its curves, when it comes back to where it was,
or all three below each other."""
FRONTS: tuple[Front, ...] = get_args(Front)
DEFAULT_FRONT: Front = "combined"

UsedEar = Literal["picture", "speech", "both", "yamnet"]
"""Which pretrained networks a first model of recordings uses: the one for pictures on spectrograms, the one for speech,
both of these, or the one for sounds of the world, whose weights come on request."""
Ear = Literal["auto", "picture", "speech", "both", "yamnet"]
"""The same as a wish; "auto" compares them on the training split."""
EARS: tuple[UsedEar, ...] = get_args(UsedEar)
DEFAULT_EAR: Ear = "auto"

WRONG_AT_MOST = 0.05
"""Of the answers it accepts, unless the user wants another rate."""


class Stop(Protocol):
    """Asked between steps of a job. "stop" keeps what is best so far, "first" ends the adjusting of a network and keeps
    the first model, "cancel" discards the run; "leave" ends the process that a `Worker` runs it in, whatever it is
    doing, and leaves a run to be resumed."""

    def requested(self) -> StopRequest: ...


class NeverStop:
    """For callers that let a job run to its end."""

    def requested(self) -> StopRequest:
        return ""


class StopRequestedError(Exception):
    """The user requested a stop and the current step is abandoned; unwinds to whoever started that step."""


def raise_if_requested(stop: Stop) -> None:
    """Raise StopRequestedError after any stop request. Call it between parts of longer work."""
    if stop.requested():
        raise StopRequestedError


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanJob:
    """Decode every file of `folder` once and report what is there. Ends with `events.Scanned`.

    `labels` are label files, or folders of them; where there are some, no sub-folder names a class.

    For logs: `rate` in Hz where the user knows it better than the files. `windowing` is that of the project that the
    files are to join; then they have to have its columns.

    `new`: a project is to be made of the folder, so the job fails before it decodes anything if the names of folders
    and the labels alone leave fewer than two classes.

    `unlabelled`: no folder names a class; a person will label the files. `page`: which page of pictures is used.

    `value_range` and `bands`: the values from black to white of pictures with more than 8 bits, and the bands of those
    with more than three, where a person chose them. `reading` is that of the project that the files are to join.

    `columns`: those of the label tables, where a person chose them.

    `frame_every`: seconds between two frames of a video in a project of pictures, where a person chose them.
    """

    folder: Path
    kind: KindName
    labels: tuple[Path, ...] = ()
    rate: float | None = None
    windowing: Windowing | None = None
    new: bool = False
    unlabelled: bool = False
    columns: LabelColumns | None = None
    page: PageChoice = "first"
    value_range: Levels | None = None
    bands: tuple[int, ...] = ()
    reading: PictureReading | None = None
    frame_every: float | None = None
    plugins: tuple[str, ...] = field(default_factory=plugin_modules)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainJob:
    """Train a run in the project at `project`. Ends with `events.Finished`.

    `resume` continues the newest interrupted run and takes its settings from that run. `device` is "auto", "cpu",
    "cuda" or "mps". `backbone` is a name of timm's ("" is the one that comes with the installation), and `weights`
    a file that holds its weights; without one they are downloaded once. `wrong_at_most` is the share of accepted
    answers that may be wrong (None: what the user chose for the project); the threshold follows from it. `front` is
    for logs of sensors only, `ear` for recordings; `weights` are those of YAMNet where that is chosen and no
    `backbone` is. `accept_changed_weights`: the user trusts a download that differs from the first one.
    """

    project: Path
    preset: Preset = "standard"
    epochs: int | None = None
    seed: int = 0
    resume: bool = False
    device: str = "auto"
    backbone: str = ""
    weights: Path | None = None
    wrong_at_most: float | None = None
    front: Front = DEFAULT_FRONT
    ear: Ear = DEFAULT_EAR
    accept_changed_weights: bool = False
    plugins: tuple[str, ...] = field(default_factory=plugin_modules)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateJob:
    """Score run `run` (the newest finished one if None) on the test split or on a labelled folder `on`.

    `wrong_at_most`: another share of wrong answers among the accepted ones than was chosen for the project.
    """

    project: Path
    run: int | None = None
    on: Path | None = None
    wrong_at_most: float | None = None
    plugins: tuple[str, ...] = field(default_factory=plugin_modules)


@dataclass(frozen=True, kw_only=True, slots=True)
class LookJob:
    """What the pretrained network already sees in a few pictures, in its own words. Ends with `events.Looked`."""

    pictures: tuple[Path, ...]
    plugins: tuple[str, ...] = field(default_factory=plugin_modules)


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneJob:
    """Whether there is a pretrained network of that name, and what it may be used for. Ends with
    `events.BackboneChecked`."""

    name: str
    plugins: tuple[str, ...] = field(default_factory=plugin_modules)


@dataclass(frozen=True, kw_only=True, slots=True)
class SuspectJob:
    """Find the labels that are probably wrong among the samples run `run` saw. Ends with `events.Suspected`."""

    project: Path
    run: int | None = None
    plugins: tuple[str, ...] = field(default_factory=plugin_modules)


@dataclass(frozen=True, kw_only=True, slots=True)
class FeaturesJob:
    """Compute what the frozen pretrained network sees in every sample, as a training does. Ends with
    `events.FeaturesReady`."""

    project: Path
    plugins: tuple[str, ...] = field(default_factory=plugin_modules)


@dataclass(frozen=True, kw_only=True, slots=True)
class DataMapJob:
    """Place the samples of run `run` on a map, near each other where they are alike. Ends with `events.MapReady`."""

    project: Path
    run: int
    plugins: tuple[str, ...] = field(default_factory=plugin_modules)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportJob:
    """Hand on run `run` (the one in use if None) as the file or folder `to`; its ending says in which form, see
    `ml.pipeline.export_model`. Ends with `events.Exported`.

    `wrong_at_most` as in `EvaluateJob`. For models: `int8` writes the network in whole numbers. For tables:
    `probabilities` writes a column for each class. For reports: `printed` writes one for paper. For pages: `runtime` is
    the package of onnxruntime-web, which `download` fetches if it is missing.
    """

    project: Path
    to: Path
    run: int | None = None
    wrong_at_most: float | None = None
    int8: bool = False
    probabilities: bool = False
    printed: bool = False
    runtime: Path | None = None
    download: bool = False
    plugins: tuple[str, ...] = field(default_factory=plugin_modules)


Job = ScanJob | TrainJob | EvaluateJob | LookJob | BackboneJob | SuspectJob | FeaturesJob | DataMapJob | ExportJob
Runner = Callable[[Job, Stop], Iterator[Event]]
"""`engine.run`, `Worker().run` and a scripted fake in tests all have this type."""
