"""What became of label files, in sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ml.core.events import plain_fields
from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import counted_files, files
from ml.core.scan_report import IssueKind, LabelIssue, LabelNotes, ScanReport
from ml.core.types import KindName, Task
from ml.media.windowing import window_spans
from ml.project.labelfiles.cells import quoted
from ml.project.labelfiles.windows import labels_of_windows
from ml.project.scan.multilabel import SEVERAL_PRESENT
from ml.scoring.tasks import task_named

_WORDS_SHOWN = 3
_SENTENCES: dict[IssueKind, Message] = {
    "no_file": nmsg(
        "One row names a file that is not in the folder, so it was skipped: {first}.",
        "{count} rows name files that are not in the folder, so they were skipped. The first is {first}.",
        1,
    ),
    "ambiguous": nmsg(
        "One row matches several files and was skipped: {first}.",
        "{count} rows match several files and were skipped. The first is {first}.",
        1,
    ),
    "unparsable": nmsg(
        "Handlens could not read one line and skipped it: {first}.",
        "Handlens could not read {count} lines and skipped them. The first is {first}.",
        1,
    ),
    "conflict": nmsg(
        "Rows give one file different classes, so it stays without a label: {first}.",
        "Rows give {count} files different classes, so they stay without a label. The first is {first}.",
        1,
    ),
    "outside": nmsg(
        "One label starts after the end of its recording and was skipped: {first}.",
        "{count} labels start after the end of their recording and were skipped. The first is {first}.",
        1,
    ),
    "paused": nmsg(
        "One label lies in a pause of its log and was skipped: {first}.",
        "{count} labels lie in a pause of their log and were skipped. The first is {first}.",
        1,
    ),
    "no_row": nmsg(
        "One of the {files} has no row in the label files and no label yet: {first}.",
        "{count} of the {files} have no row in the label files and no label yet. The first is {first}.",
        1,
    ),
    "not_a_table": nmsg(
        "One text file contains no labels and was skipped. {first}",
        "{count} text files contain no labels and were skipped. The first: {first}",
        1,
    ),
    "no_recording": nmsg(
        "One label file has the name of none of the {files} and was skipped: {first}.",
        "{count} label files have the name of none of the {files} and were skipped. The first is {first}.",
        1,
    ),
    "many_recordings": nmsg(
        "The name of one label file matches several {files}, so it was skipped: {first}. Move it next to the one it "
        "describes.",
        "The names of {count} label files match several {files}, so they were skipped. The first is {first}. Move each "
        "next to the one it describes.",
        1,
    ),
    "other_times": nmsg(
        "The times in the table belong to other, longer recordings, so each label applies to its whole file: {first}.",
        "The times in the table belong to other, longer recordings, so each label applies to its whole file. The first "
        "is {first}.",
        1,
    ),
    "few_groups": nmsg(
        "The groups in the table are not used for the split, because there is only one: {first}.",
        "The groups in the table are not used for the split, because there are only {count}, such as {first}.",
        1,
    ),
    "outdone": nmsg(
        "One label was dropped because a longer label of another class covers the same window: {first}. To keep all "
        "labels, make it a project {several}.",
        "{count} labels were dropped because longer labels of other classes cover the same windows. The first is "
        "{first}. To keep all labels, make it a project {several}.",
        1,
    ),
    "overlapping": nmsg(
        "One window has labels of several classes at once and keeps only the one that covers most of it: {first}. To "
        "keep all labels, make it a project {several}.",
        "{count} windows of {count_files} have labels of several classes at once. Each keeps only the label that "
        "covers most of it. The first is {first}. To keep all labels, make it a project {several}.",
        1,
    ),
}
_NO_CLASS: dict[Task, Message] = {
    "single": nmsg(
        "One row names no class, so its file stays without a label: {first}.",
        "{count} rows name no class, so their files stay without a label. The first is {first}.",
        1,
    ),
    "multi": nmsg(
        "One row names no class, so its file counts as showing none of the classes: {first}.",
        "{count} rows name no class, so their files count as showing none of the classes. The first is {first}.",
        1,
    ),
}
_NO_CLASS_BUT_WORDS: dict[Task, Message] = {
    "single": nmsg(
        "One row contains {words} instead of a class, so its file stays without a label: {first}. If that is a class, "
        "give it another name in the table.",
        "{count} rows contain {words} instead of a class, so their files stay without a label. The first is {first}. "
        "If that is a class, give it another name in the table.",
        1,
    ),
    "multi": nmsg(
        "One row contains {words} instead of a class, so its file counts as showing none of the classes: {first}. If "
        "that is a class, give it another name in the table.",
        "{count} rows contain {words} instead of a class, so their files count as showing none of the classes. The "
        "first is {first}. If that is a class, give it another name in the table.",
        1,
    ),
}

MILD: frozenset[IssueKind] = frozenset(["no_row", "no_class", "not_a_table", "other_times", "few_groups"])
"""Issues by which nothing is lost that somebody labelled."""


def issue_told(issue: LabelIssue, *, kind: KindName, task: Task) -> Message:
    """The issue for a person, with its first example."""
    if issue.kind != "no_class":
        sentence = _SENTENCES[issue.kind]
    else:
        sentence = _NO_CLASS_BUT_WORDS[task] if issue.words else _NO_CLASS[task]
    values = {
        "first": issue.first,
        "files": files(kind),
        "count_files": counted_files(len(issue.paths), kind),
        "words": _words(issue),
        "several": SEVERAL_PRESENT,
    }
    template = f"{sentence.template} {sentence.plural}"
    used = {name: value for name, value in values.items() if "{" + name + "}" in template}
    return dataclasses.replace(sentence, values=used, count=issue.count)


def only_one_class(name: str, notes: LabelNotes) -> Message:
    """Why a table with one class teaches nothing, and what became of its rows that name none."""
    only = msg("There is only one class, “{name}”.", name=name)
    advice = msg(
        "Label something else as well, or make it a project {several}: there, everything without a label counts as "
        "not showing it.",
        several=SEVERAL_PRESENT,
    )
    without = next((issue for issue in notes.issues if issue.kind == "no_class"), None)
    if without is None:
        return msg("{first} {second}", first=only, second=advice)
    if without.words:
        rows = nmsg(
            "{count} row contains {words} instead of a class (if that is a class, give it another name in the table).",
            "{count} rows contain {words} instead of a class (if that is a class, give it another name in the table).",
            without.count,
            words=_words(without),
        )
    else:
        rows = nmsg("{count} row names no class.", "{count} rows name no class.", without.count)
    return msg("{first} {second} {third}", first=only, second=rows, third=advice)


def _words(issue: LabelIssue) -> tuple[Message, ...]:
    """What stands there instead."""
    return tuple(quoted(word) for word in issue.words[:_WORDS_SHOWN])


def windows_told(report: ScanReport) -> list[Message]:
    """How many windows the labels of parts reach, and what happens to the others."""
    timed = [file for file in report.files if file.spans is not None]
    if not timed or report.windowing is None:
        return []
    several = not task_named(report.task).exclusive
    found = [
        labels
        for file in timed
        for labels in labels_of_windows(
            file.spans or (), window_spans(file.duration, report.windowing), several=several
        )
    ]
    bare = sum(not labels for labels in found)
    reached = nmsg(
        "{count} label for a part of {count_files} reaches {reached} of {windows} of {seconds:g} s.",
        "{count} labels for parts of {count_files} reach {reached} of {windows} of {seconds:g} s.",
        sum(len(file.spans or ()) for file in timed),
        count_files=counted_files(len(timed), report.kind),
        reached=len(found) - bare,
        windows=nmsg("{count} window", "{count} windows", len(found)),
        seconds=report.windowing.seconds,
    )
    if not bare:
        return [reached]
    return [msg("{first} {second}", first=reached, second=_bare_told(bare, several=several))]


def _bare_told(bare: int, *, several: bool) -> Message:
    if several:
        return nmsg(
            "The other {count} counts as showing none of the classes.",
            "The other {count} count as showing none of the classes.",
            bare,
        )
    return nmsg("The other {count} stays without a label.", "The other {count} stay without a label.", bare)


def as_json(notes: LabelNotes, lost: Sequence[LabelIssue] = ()) -> dict[str, object]:
    """The counts, for `handlens new --json`: every issue by its kind, with its first example; also what is `lost`."""
    issues = (*lost, *notes.issues)
    return {
        **plain_fields({"tables": notes.tables}),
        "rows": notes.rows,
        "used": notes.used,
        "issues": {issue.kind: plain_fields({"count": issue.count, "first": issue.first}) for issue in issues},
    }
