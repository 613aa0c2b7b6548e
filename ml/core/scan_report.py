"""What a scan found in a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ml.core.messages import Message, msg
from ml.core.types import (
    Cut,
    FrameSampling,
    KindName,
    LabelColumns,
    LabelSpan,
    Levels,
    PictureReading,
    Reading,
    Split,
    SplitBy,
    Stretch,
    TaskName,
    Windowing,
)

Remark = Literal["cut", "cancels", "pages", "deep", "window", "bands", "clear"]
"""What decoding a file showed that a person should know: it is damaged and used up to there; its channels cancel each
other; it has several pages; its values go beyond 8 bits; its file names a window of
values; it has more than three bands; what is transparent in it would
have hidden the rest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureLook:
    """What the network sees of a picture, in levels 0…255 of the colour that shows most: 99 of 100 pixels lie between
    `low` and `high`."""

    low: int
    high: int
    least: int
    most: int
    levels: int
    """Different levels."""
    signature: bytes
    """The picture in 8 × 8 pixels; empty where it is not known."""
    white: float = 0.0
    """Share of the middle that is plain white where the rest of the picture is not, as in a glare; else 0."""
    black: float = 0.0
    """The same for plain black."""
    camera: str = ""
    day: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundLook:
    """What the network hears of a recording: `loudness` in dB below full scale, without a constant offset, the `peak`,
    and the share of values that are `clipped`."""

    loudness: float
    peak: float
    clipped: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundFile:
    """A file that was decoded once in full and can be used. `path` is relative to the folder, with '/'."""

    path: str
    size: int
    mtime_ns: int
    digest: str
    """SHA-256 of the bytes, hexadecimal."""
    class_name: str | None = None
    """The class of the folder it lies in, or the first that a table gives it."""
    also: tuple[str, ...] = ()
    """Further classes it shows, in multi-label projects."""
    spans: tuple[LabelSpan, ...] | None = None
    """Labels of parts of the recording, in the order of their starts; empty where somebody looked and found nothing.
    None: what is known holds for the whole file. Where there are spans, `class_name` and `also` say nothing."""
    group: str | None = None
    """What a table says belongs together and no split may separate, such as a fold."""
    from_table: bool = False
    """Its labels come from a table or will come from a person, so the folder it lies in is no class."""
    negative: bool = False
    """It is known to show none of the classes, in multi-label projects."""
    ready_split: str | None = None
    """The ready-made split folder it lies in, or what a table says, lower case ("train", "val", "test", …), if any."""
    width: int = 0
    height: int = 0
    duration: float = 0.0
    """Seconds (recordings, logs and videos); the pauses of a log do not count."""
    rate: float = 0
    channels: int = 0
    stretches: tuple[Stretch, ...] = ()
    """The parts of a log between its pauses; empty where its times leave the pauses out."""
    remarks: tuple[Remark, ...] = ()
    look: PictureLook | SoundLook | None = None
    levels: Levels | None = None
    """The usual least and greatest value of a picture with more than 8 bits."""
    bands: int = 0
    """How many bands a picture has, where these are more than three."""
    band_levels: tuple[Levels | None, ...] = ()
    """`levels` of each of these bands."""
    windowed: bool = False
    """A picture is shown through the window that its file names, unless the reading says otherwise."""

    @property
    def end(self) -> float:
        """When the recording or log ends, in seconds by its own clock."""
        return self.stretches[-1].end if self.stretches else self.duration

    @property
    def class_names(self) -> tuple[str, ...]:
        """Every class it shows, be it in a part only."""
        if self.spans is not None:
            return tuple(dict.fromkeys(span.class_name for span in self.spans))
        return self.also if self.class_name is None else (self.class_name, *self.also)

    @property
    def labelled(self) -> bool:
        """Whether it is known what it shows, be it none of the classes."""
        return self.negative or self.spans is not None or self.class_name is not None or bool(self.also)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A file that was left out, and why in one sentence."""

    path: str
    reason: Message


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicateSet:
    """Files whose bytes are the same. `class_names` are the different classes they stand in, sorted."""

    paths: tuple[str, ...]
    class_names: tuple[str, ...]

    @property
    def conflicting(self) -> bool:
        return len(self.class_names) > 1


IssueKind = Literal[
    "no_file",
    "ambiguous",
    "contested",
    "disagreed",
    "torn",
    "in_sequence",
    "unparsable",
    "no_class",
    "conflict",
    "outside",
    "no_row",
    "not_a_table",
    "no_recording",
    "many_recordings",
    "paused",
    "other_times",
    "few_groups",
    "outdone",
    "overlapping",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelIssue:
    """Something in label files that could not be used; see `project.labelfiles.telling` for the sentences."""

    kind: IssueKind
    count: int
    first: Message
    """The first example, as a clause: “x.wav” in esc50.csv, line 7."""
    paths: tuple[str, ...] = ()
    """The files it is about, where there are some."""
    words: tuple[str, ...] = ()
    """What stands where a class was expected."""
    total: int = 0
    """Of how many files, where that is said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelNotes:
    """What became of the label files of a scan."""

    sources: tuple[str, ...]
    """The files and folders that were given, absolute."""
    tables: tuple[Message, ...]
    """What was recognised, one sentence each."""
    rows: int
    """Rows (or labels of a track) that could be understood."""
    used: int
    """Of these, rows that a file was found for."""
    several_in_row: int = 0
    """Files to which one row gives more than one class."""
    columns: LabelColumns | None = None
    """The columns that a person chose."""
    issues: tuple[LabelIssue, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanReport:
    """What was found in a folder. `folder` is absolute; every other path is relative to it."""

    folder: str
    kind: KindName
    files: tuple[FoundFile, ...]
    unreadable: tuple[Unreadable, ...] = ()
    duplicates: tuple[DuplicateSet, ...] = ()
    windowing: Windowing | None = None
    """Chosen from the data; None for images."""
    picture_reading: PictureReading | None = None
    """How pictures with more than 8 bits or several pages are read; None where each is read by itself."""
    frames: FrameSampling | None = None
    """Which frames of videos are pictures; None where there are no videos, or their sound is used."""
    task: TaskName = "single"
    labels: LabelNotes | None = None
    """Where the labels come from tables and tracks instead of folders."""
    notes: tuple[Message, ...] = ()
    """Sentences about how the files were read."""
    unlabelled: bool = False
    """No folder names a class: a person will label the files."""
    passed_over: tuple[str, ...] = ()
    """Other files in the folder, which are not of this kind."""

    @property
    def reading(self) -> Reading | None:
        """How files become samples: `windowing` or `picture_reading`."""
        return self.windowing or self.picture_reading

    @property
    def cut(self) -> Cut | None:
        """How a file becomes several samples; None where none does."""
        return self.windowing or self.frames

    @property
    def class_counts(self) -> dict[str, int]:
        """Files per class, in the order of the class names; a file that shows several counts for each of them."""
        counts: dict[str, int] = {}
        for file in self.files:
            for name in file.class_names:
                counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items()))


AT_RANDOM = msg("The files were split at random, class by class.")
"""How files were split of which nothing else is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitPlan:
    """Which source goes where. `splits` and `groups` are keyed by path; unlabelled sources are in neither split."""

    split_by: SplitBy
    splits: dict[str, Split] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    why: Message = AT_RANDOM
    """For the user, e.g. "Pictures from one folder stay together, so the test is honest."."""
