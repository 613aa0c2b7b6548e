"""What became of label files, in sentences."""

from __future__ import annotations

from ml.media.windowing import window_spans
from ml.project.labelfiles.windows import labels_of_windows
from ml.project.samples import IssueKind, Kind, LabelIssue, LabelNotes, LabelSpan, ScanReport, Task

_MANY: dict[Kind, str] = {"images": "pictures", "recordings": "recordings", "sensors": "logs"}
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
}
_NO_CLASS: dict[Task, tuple[str, str]] = {
    "single": (
        "One row names no class, so its file stays without a label: {first}.",
        "{count:,} rows name no class, so their files stay without a label; the first is {first}.",
    ),
    "multi": (
        "One row names no class, so its file counts as showing none of them: {first}.",
        "{count:,} rows name no class, so their files count as showing none of them; the first is {first}.",
    ),
}


MILD: frozenset[IssueKind] = frozenset(["no_row", "no_class", "not_a_table", "other_times", "few_groups"])
"""Issues by which nothing is lost that somebody labelled."""


def issue_told(issue: LabelIssue, *, kind: Kind, task: Task) -> str:
    """The issue for a person, with its first example."""
    one, several = _NO_CLASS[task] if issue.kind == "no_class" else _SENTENCES[issue.kind]
    return (one if issue.count == 1 else several).format(count=issue.count, first=issue.first, many=_MANY[kind])


def windows_told(report: ScanReport) -> list[str]:
    """How many windows the labels of parts reach, what happens to the others, and what is lost to longer labels."""
    timed = [file for file in report.files if file.spans is not None]
    if not timed or report.windowing is None:
        return []
    several = report.task == "multi"
    total, bare, lost = 0, 0, list[tuple[LabelSpan, str]]()
    for file in timed:
        spans = file.spans or ()
        labels = labels_of_windows(spans, window_spans(file.duration, report.windowing), several=several)
        total += len(labels)
        bare += sum(not found for found in labels)
        heard = {span.class_name for found in labels for span in found}
        lost += [(span, file.path) for span in spans if span.class_name not in heard]
    count = sum(len(file.spans or ()) for file in timed)
    fate = "count as showing none of the classes" if several else "stay without a label"
    told = [
        f"{count:,} labels of parts of {_plural(len(timed), 'recording', 'recordings')} reach {total - bare:,} of "
        f"{_plural(total, 'window', 'windows')} of {report.windowing.seconds:g} s; the other {bare:,} {fate}."
    ]
    if lost:
        span, path = lost[0]
        told.append(
            f"{_plural(len(lost), 'label is', 'labels are')} outdone by longer ones of another class, and a window can "
            f"have only one: the first is “{span.class_name}” at {span.start:,.1f} s in {path}."
        )
    return told


def _plural(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def as_json(notes: LabelNotes) -> dict[str, object]:
    """The counts, for `handlens new --json`: every issue by its kind, with its first example."""
    return {
        "tables": list(notes.tables),
        "rows": notes.rows,
        "used": notes.used,
        "issues": {issue.kind: {"count": issue.count, "first": issue.first} for issue in notes.issues},
    }
