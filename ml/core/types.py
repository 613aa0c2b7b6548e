"""The values a project is made of. Plain, frozen, free of any heavy library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from ml.core.messages import Message

KindName = str
"""What the samples are, as it is written to disk: the name of a `ml.media.kinds.SampleKind`, such as "images"."""
Split = Literal["train", "valid", "test"]
SplitBy = str
"""How sources are grouped so that a split never separates a group: "auto", "folder", "recording" or "pattern:REGEX"."""
Origin = Literal["person", "import", "confirmed", "ignored"]
"""Who says so: a person, a folder or table that was imported, or a person who was asked whether the label is right.
"ignored": a person said that the sample is not to be used; it has no label then."""
Clock = Literal["file", "asked", "none"]
"""Where the rate of sensor logs is from: their column of times, the user, nowhere."""
PageChoice = Literal["first", "middle", "sharpest"]
"""Which page of a picture with several is used."""
RunState = Literal["running", "finished", "failed", "cancelled", "interrupted"]
Preset = Literal["quick", "standard", "thorough"]

TaskName = str
"""What is learned, as it is written to disk: the name of a `ml.scoring.task.Task`, such as "single" or "multi"."""

SPLITS: tuple[Split, ...] = ("train", "valid", "test")
PAGE_CHOICES: tuple[PageChoice, ...] = ("first", "middle", "sharpest")
PRESETS: tuple[Preset, ...] = ("quick", "standard", "thorough")


class LabelColumns(NamedTuple):
    """The columns of a label table that a person chose: their names, or their numbers from 1."""

    file: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Windowing:
    """How recordings and logs become samples: at `rate` Hz, windows of `seconds` s, one every `step` s.

    Recordings are mono and have a whole rate. Logs have `columns`, and their rate comes from their `clock`. Where
    that is "none", nobody knows it: then a second stands for a row.
    """

    rate: float
    seconds: float
    step: float
    columns: tuple[str, ...] = ()
    clock: Clock = "file"
    ranges: tuple[tuple[float, float], ...] = ()
    """Between which values each column usually lies, so that all its pictures have one scale."""
    without_pauses: bool = False
    """Times of samples leave out the pauses of a log, as in projects made by version 0.1."""
    time_expansion: int = 1
    """Networks hear a recording as if it was played back so many times slower, which brings the calls of bats into the
    range they know. Rate and times stay those of the recording."""

    @property
    def frames(self) -> int:
        """Values in one window, of each column."""
        return round(self.rate * self.seconds)

    @property
    def as_heard(self) -> Windowing:
        """The same windows with the rate and the times that networks perceive."""
        times = self.time_expansion
        if times == 1:
            return self
        return replace(
            self, rate=self.rate / times, seconds=self.seconds * times, step=self.step * times, time_expansion=1
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureReading:
    """How pictures with more than 8 bits, or with several pages, become 8-bit samples.

    `low` and `high` are the values that become 0 and 255 in all pictures of a project; where they are the same, each
    picture has the range of its own depth. `bands` are those, from 1, that become red, green and blue in pictures with
    more than three; empty for the first three. `windows`: DICOM files that name a window of values are shown through it
    whatever the range.
    """

    low: float = 0.0
    high: float = 0.0
    page: PageChoice = "first"
    bands: tuple[int, ...] = ()
    windows: bool = True

    @property
    def ranged(self) -> bool:
        """Whether all pictures share one range."""
        return self.high > self.low


FIRST_BANDS = (1, 2, 3)
"""The bands that are red, green and blue where nobody chose others."""
Levels = tuple[float, float]
"""The usual least and greatest value of a picture with more than 8 bits, or of one of its bands."""

Reading = Windowing | PictureReading
"""How files become samples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameSampling:
    """Which frames of videos are samples of a project of pictures: one `every` so many seconds, at `most` so many of a
    video. Those of a longer video are farther apart."""

    every: float
    most: int = 300


Cut = Windowing | FrameSampling
"""How a file becomes several samples."""


class Stretch(NamedTuple):
    """A part of a log between two pauses: when it begins and ends by the log's own clock, and how many frames it has.

    Times are seconds after the first row of the file.
    """

    begin: float
    end: float
    frames: int


class LabelSpan(NamedTuple):
    """A class that is present in a part of a recording; `start` and `end` are seconds within it."""

    class_name: str
    start: float
    end: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassInfo:
    """A class. `index` is its place in probabilities, maps and confusion matrices, and never changes."""

    index: int
    name: str
    colour: str = ""
    """As "#rrggbb", if somebody chose one."""
    retired: bool = False
    """It was merged into another class or deleted; its index stays taken, because runs know it."""


class Sample(NamedTuple):
    """One image, or one window of one recording.

    `labels` are class indices: none, one, or (multi-label projects) several. There, somebody may also have said that
    it shows none of the classes: `labels` is empty then, too, but `labelled` is true. `start` and `end` are seconds
    within the recording (of a log by its own clock, pauses included), None for images. A tuple, because a project has
    a hundred thousand of them.
    """

    id: int
    source_id: int
    path: str
    labels: tuple[int, ...]
    split: Split | None
    start: float | None = None
    end: float | None = None
    set_by: Origin | None = None
    digest: str = ""

    @property
    def label(self) -> int | None:
        """The class index in a single-label project."""
        return self.labels[0] if self.labels else None

    @property
    def labelled(self) -> bool:
        """Whether somebody has said what it shows; `set_by` is None where nobody has."""
        return bool(self.labels) or self.set_by not in (None, "ignored")

    @property
    def ignored(self) -> bool:
        """Whether a person said that it is not to be used."""
        return self.set_by == "ignored"


class LabelChange(NamedTuple):
    """One entry of a sample's label history: who set what, when (ISO 8601, UTC), and what stood there before.

    A tuple, because one key press can make fifty thousand.
    """

    sample_id: int
    at: str
    annotator: str
    origin: Origin
    old: tuple[int, ...]
    new: tuple[int, ...]
    unsaid: bool = False
    """The label was taken back as if nobody had ever said anything; `new` is empty. Not kept in the history."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunInfo:
    """One training. Accuracies are fractions on samples of that split, None where it has no labelled sample."""

    number: int
    state: RunState
    preset: Preset
    seed: int
    created_at: str
    seconds: float = 0.0
    valid_accuracy: float | None = None
    test_accuracy: float | None = None
    probe_accuracy: float | None = None
    message: Message | None = None
    """Why it failed."""
    class_names: tuple[str, ...] = ()
