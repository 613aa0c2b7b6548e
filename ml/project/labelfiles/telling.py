"""What became of label files, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from ml.media.windowing import window_spans
from ml.project.labelfiles.cells import shortened
from ml.project.labelfiles.windows import labels_of_windows
from ml.project.samples import IssueKind, Kind, LabelIssue, LabelNotes, ScanReport, Task
from ml.project.several import SEVERAL_PRESENT
from ml.wording import FILES

_KEEP_ALL = f"to keep all of them, make it a project {SEVERAL_PRESENT}"
_WORDS_SHOWN = 3
_SENTENCES: dict[IssueKind, tuple[str, str]] = {
    "no_file": (
        "One row names no file in the folder and is left out: {first}.",
        "{count:,} rows name no file in the folder and are left out; the first is {first}.",
    ),
    "ambiguous": (
        "One row could mean several files and is left out: {first}.",
        "{count:,} rows could mean several files and are left out; the first is {first}.",
    ),
    "unparsable": (
        "One line could not be understood and is left out: {first}.",
        "{count:,} lines could not be understood and are left out; the first is {first}.",
    ),
    "conflict": (
        "One file is given different classes by different rows and stays without a label: {first}.",
        "{count:,} files are given different classes by different rows and stay without a label; the first is {first}.",
    ),
    "outside": (
        "One label begins behind the end of its recording and is left out: {first}.",
        "{count:,} labels begin behind the end of their recording and are left out; the first is {first}.",
    ),
    "paused": (
        "One label lies where its log pauses and is left out: {first}.",
        "{count:,} labels lie where their log pauses and are left out; the first is {first}.",
    ),
    "no_row": (
        "One of the {many} has no row in the label files and no label yet: {first}.",
        "{count:,} of the {many} have no row in the label files and no label yet; the first is {first}.",
    ),
    "not_a_table": (
        "One text file holds no labels and is passed over. {first}",
        "{count:,} text files hold no labels and are passed over. The first: {first}",
    ),
    "no_recording": (
        "One label file is called like none of the {many} and is left out: {first}.",
        "{count:,} label files are called like none of the {many} and are left out; the first is {first}.",
    ),
    "many_recordings": (
        "One label file could be about several {many} and is left out: {first}; put it beside its own.",
        "{count:,} label files could be about several {many} and are left out; the first: {first}; put each beside "
        "its own.",
    ),
    "other_times": (
        "The times in the table are those of other, longer recordings, so each label holds for its whole file: "
        "{first}.",
        "The times in the table are those of other, longer recordings, so each label holds for its whole file; "
        "the first is {first}.",
    ),
    "few_groups": (
        "The table's groups are not used to divide, because there is only one: {first}.",
        "The table's groups are not used to divide, because there are only {count}, such as {first}.",
    ),
    "outdone": (
        f"One label is outdone by a longer one of another class, and a window can have only one; {_KEEP_ALL}: "
        "{first}.",
        "{count:,} labels are outdone by longer ones of another class, and a window can have only one; "
        f"{_KEEP_ALL}; the first is {{first}}.",
    ),
    "overlapping": (
        "One window lies under labels of several classes at once and keeps only the one that fills most of it; "
        f"{_KEEP_ALL}: {{first}}.",
        "{count:,} windows of {files} lie under labels of several classes at once, and each keeps only the one that "
        f"fills most of it; {_KEEP_ALL}; the first is {{first}}.",
    ),
}
_NO_CLASS: dict[Task, tuple[str, str]] = {
    "single": (
        "One row names no class{words}, so its file stays without a label: {first}.",
        "{count:,} rows name no class{words}, so their files stay without a label; the first is {first}.",
    ),
    "multi": (
        "One row names no class{words}, so its file counts as showing none of them: {first}.",
        "{count:,} rows name no class{words}, so their files count as showing none of them; the first is {first}.",
    ),
}


MILD: frozenset[IssueKind] = frozenset(["no_row", "no_class", "not_a_table", "other_times", "few_groups"])
"""Issues by which nothing is lost that somebody labelled."""


def issue_told(issue: LabelIssue, *, kind: Kind, task: Task) -> str:
    """The issue for a person, with its first example."""
    one, several = _NO_CLASS[task] if issue.kind == "no_class" else _SENTENCES[issue.kind]
    files = f"{len(issue.paths):,} {FILES[kind][len(issue.paths) != 1]}"
    return (one if issue.count == 1 else several).format(
        count=issue.count, first=issue.first, many=FILES[kind][1], files=files, words=_words(issue)
    )


def only_one_class(name: str, notes: LabelNotes) -> str:
    """Why a table with one class teaches nothing, and what became of its rows that name none."""
    without = next((issue for issue in notes.issues if issue.kind == "no_class"), None)
    left_out = ""
    if without is not None:
        left_out = f"; {_plural(without.count, 'row names', 'rows name')} none{_words(without)}"
    return (
        f"There is only one class, “{name}”{left_out}; label something else as well, or make it a project "
        f"{SEVERAL_PRESENT}: there, what lies under no label counts as without it."
    )


def _words(issue: LabelIssue) -> str:
    """What stands there instead, and what to do if it is meant to be a class."""
    if not issue.words:
        return ""
    shown = " or ".join(f"“{shortened(word)}”" for word in issue.words[:_WORDS_SHOWN])
    return f" but {shown} (if that is a class, call it by another word in the table)"


def windows_told(report: ScanReport) -> list[str]:
    """How many windows the labels of parts reach, and what happens to the others."""
    timed = [file for file in report.files if file.spans is not None]
    if not timed or report.windowing is None:
        return []
    several = report.task == "multi"
    found = [
        labels
        for file in timed
        for labels in labels_of_windows(
            file.spans or (), window_spans(file.duration, report.windowing), several=several
        )
    ]
    count, bare = sum(len(file.spans or ()) for file in timed), sum(not labels for labels in found)
    fate = "count as showing none of the classes" if several else "stay without a label"
    return [
        f"{count:,} labels of parts of {_plural(len(timed), 'recording', 'recordings')} reach {len(found) - bare:,} of "
        f"{_plural(len(found), 'window', 'windows')} of {report.windowing.seconds:g} s; the other {bare:,} {fate}."
    ]


def _plural(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def as_json(notes: LabelNotes, lost: Sequence[LabelIssue] = ()) -> dict[str, object]:
    """The counts, for `handlens new --json`: every issue by its kind, with its first example; also what is `lost`."""
    return {
        "tables": list(notes.tables),
        "rows": notes.rows,
        "used": notes.used,
        "issues": {issue.kind: {"count": issue.count, "first": issue.first} for issue in (*lost, *notes.issues)},
    }
