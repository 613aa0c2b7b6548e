"""The values a project is made of. Plain, frozen, free of any heavy library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ml.core.messages import Message, msg

Kind = Literal["images", "recordings", "sensors"]
Split = Literal["train", "valid", "test"]
SplitBy = str
"""How sources are grouped so that a split never separates a group: "auto", "folder", "recording" or "pattern:REGEX"."""
Origin = Literal["person", "import", "confirmed"]
"""Who says so: a person, a folder or table that was imported, or a person who was asked whether the label is right."""
Clock = Literal["file", "asked", "none"]
"""Where the rate of sensor logs is from: their column of times, the user, nowhere."""
RunState = Literal["running", "finished", "failed", "cancelled", "interrupted"]
Preset = Literal["quick", "standard", "thorough"]

Task = Literal["single", "multi"]
"""Whether each sample shows exactly one class, or any number of them at once ("more than one may be present")."""

KINDS: tuple[Kind, ...] = ("images", "recordings", "sensors")
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
PRESETS: tuple[Preset, ...] = ("quick", "standard", "thorough")


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

    @property
    def frames(self) -> int:
        """Values in one window, of each column."""
        return round(self.rate * self.seconds)


class LabelSpan(NamedTuple):
    """A class that is present in a part of a recording; `start` and `end` are seconds within it."""

    class_name: str
    start: float
    end: float


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
    """Its labels come from a table, so the folder it lies in is no class."""
    negative: bool = False
    """It is known to show none of the classes, in multi-label projects."""
    ready_split: str | None = None
    """The ready-made split folder it lies in, or what a table says, lower case ("train", "val", "test", …), if any."""
    width: int = 0
    height: int = 0
    duration: float = 0.0
    """Seconds (recordings and logs)."""
    rate: float = 0
    channels: int = 0
    pauses: tuple[tuple[float, float], ...] = ()
    """Where a log was cut, in seconds of what is left of it, and how many seconds are missing there."""

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
    issues: tuple[LabelIssue, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanReport:
    """What was found in a folder. `folder` is absolute; every other path is relative to it."""

    folder: str
    kind: Kind
    files: tuple[FoundFile, ...]
    unreadable: tuple[Unreadable, ...] = ()
    duplicates: tuple[DuplicateSet, ...] = ()
    windowing: Windowing | None = None
    """Chosen from the data; None for images."""
    task: Task = "single"
    labels: LabelNotes | None = None
    """Where the labels come from tables and tracks instead of folders."""
    notes: tuple[Message, ...] = ()
    """Sentences about how the files were read."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassInfo:
    """A class. `index` is its place in probabilities, maps and confusion matrices, and never changes."""

    index: int
    name: str


class Sample(NamedTuple):
    """One image, or one window of one recording.

    `labels` are class indices: none, one, or (multi-label projects) several. There, somebody may also have said that
    it shows none of the classes: `labels` is empty then, too, but `labelled` is true. `start` and `end` are seconds
    within the recording, None for images. A tuple, because a project has a hundred thousand of them.
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
        return bool(self.labels) or self.set_by is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelChange:
    """One entry of a sample's label history: who set what, when (ISO 8601, UTC), and what stood there before."""

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
