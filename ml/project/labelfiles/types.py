"""What passes between the steps from label files to labelled files: recognise, read, match, cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ml.core.messages import Message
from ml.core.scan_report import IssueKind, LabelIssue, LabelNotes
from ml.core.types import LabelColumns, LabelSpan
from ml.tables.sheet import Sheet

Format = Literal["table", "raven", "audacity"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelSchema:
    """The role of each column of a sheet; columns count from 0, None where the sheet has no such column."""

    format: Format
    first: int
    """The first row that holds data."""
    header: tuple[str, ...] = ()
    file: int | None = None
    """Without one, the name of the sheet is that of its recording."""
    folders: tuple[int, ...] = ()
    """Columns that together name the folder of the file, the outermost first."""
    annotator: int | None = None
    """Who gave the label: several people may have looked at one file."""
    labels: tuple[int, ...] = ()
    one_hot: bool = False
    """Each of `labels` is a class of its own and holds 1 or 0."""
    by_person: bool = False
    """Each of `labels` holds what one person says; the name of the column is the person."""
    separator: str = ""
    """Between several classes in one cell; "" where a cell holds one."""
    class_words: frozenset[str] = frozenset()
    """Words such as “none” that are a class here, in the spelling of the class."""
    start: int | None = None
    end: int | None = None
    length: int | None = None
    """A duration, where there is no end."""
    offset: int | None = None
    """Raven's "File Offset (s)": where in its file a selection begins, if the table runs over several files."""
    unit: float = 1.0
    """Seconds that a time of 1 means."""
    group: int | None = None
    split: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelTable:
    """A label file with its schema. `about`: the one recording it describes, where it has no column of files."""

    sheet: Sheet
    schema: LabelSchema
    about: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelRow:
    """One parsed line of a label file. Times are seconds within the recording; None: all of the file."""

    line: int
    file: str | None
    classes: tuple[str, ...]
    nothing: str = ""
    """The word in place of a class, if it names none."""
    start: float | None = None
    end: float | None = None
    group: str | None = None
    split: str | None = None
    annotator: str | None = None
    ballots: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """What each person says, where each has a column; `classes` is all of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing in a label file that could not be used: an example as part of a sentence, the file it concerns, and the
    word that stands where a class should."""

    kind: IssueKind
    example: Message
    path: str = ""
    word: str = ""
    total: int = 0


@dataclass(slots=True)
class _Count:
    first: Message
    count: int = 1
    total: int = 0
    paths: dict[str, None] = field(default_factory=dict)
    words: dict[str, None] = field(default_factory=dict)


class Problems:
    """Counts the problems of each kind and keeps the first example: a table may have millions."""

    def __init__(self) -> None:
        self._counts: dict[IssueKind, _Count] = {}

    def add(self, problem: Problem) -> None:
        known = self._counts.get(problem.kind)
        if known is None:
            known = self._counts[problem.kind] = _Count(problem.example)
        else:
            known.count += 1
        known.total = max(known.total, problem.total)
        if problem.path:
            known.paths[problem.path] = None
        if problem.word:
            known.words[problem.word] = None

    def again(self, kind: IssueKind) -> bool:
        """Count one more of a kind that has an example already; False if it has none, and nothing is counted."""
        known = self._counts.get(kind)
        if known is None:
            return False
        known.count += 1
        return True

    def add_all(self, others: Problems) -> None:
        """Add what another table had."""
        for kind, other in others._counts.items():
            known = self._counts.setdefault(kind, _Count(other.first, count=0))
            known.count += other.count
            known.total = max(known.total, other.total)
            known.paths |= other.paths
            known.words |= other.words

    def count(self, kind: IssueKind) -> int:
        return self._counts[kind].count if kind in self._counts else 0

    def first(self, kind: IssueKind) -> Message | None:
        known = self._counts.get(kind)
        return None if known is None else known.first

    def issues(self) -> tuple[LabelIssue, ...]:
        """The problems of each kind, counted, with the first example."""
        return tuple(
            LabelIssue(
                kind=kind,
                count=each.count,
                first=each.first,
                paths=tuple(each.paths),
                words=tuple(each.words),
                total=each.total,
            )
            for kind, each in self._counts.items()
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A row, and the file of the folder that it labels."""

    path: str
    row: LabelRow


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchedTable:
    """A label file with what became of its `rows` readable rows."""

    table: LabelTable
    rows: int
    matches: tuple[Match, ...]
    again: dict[LabelRow, int] = field(default_factory=dict)
    """How often a row came that came more than once."""


@dataclass(kw_only=True, slots=True)
class FileLabels:
    """The labels of one file in all label files."""

    classes: dict[str, None] = field(default_factory=dict)
    """Of the whole file, in order of appearance."""
    spans: dict[LabelSpan, None] = field(default_factory=dict)
    timed: bool = False
    """A label file describes parts of this recording, even if it names none."""
    group: str | None = None
    split: str | None = None
    torn: bool = False
    """As many people gave one class as another, so it has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelReading:
    """The labels that label files give, by the path of the file."""

    by_path: dict[str, FileLabels]
    tables: tuple[Message, ...]
    """One sentence per label file (or per kind of them): what was recognised in it."""
    rows: int
    used: int
    several_in_row: int = 0
    """Files with more than one class in one row, so on purpose."""
    sequences: tuple[tuple[tuple[str, LabelSpan], ...], ...] = ()
    """Raven tables over several recordings, whose times may count from the first of these: the labels by path."""
    columns: LabelColumns | None = None
    issues: tuple[LabelIssue, ...] = ()

    def notes(self, sources: Sequence[Path], more: Sequence[LabelIssue] = ()) -> LabelNotes:
        """For the report of a scan; `more`: issues that only showed in the files."""
        return LabelNotes(
            sources=tuple(str(source.absolute()) for source in sources),
            tables=self.tables,
            rows=self.rows,
            used=self.used,
            several_in_row=self.several_in_row,
            columns=self.columns,
            issues=(*self.issues, *more),
        )
