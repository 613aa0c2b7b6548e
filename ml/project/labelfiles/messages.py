"""Sentences about label files: what was recognised in them, and what could not be used."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence

from ml.core.events import plain_fields
from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import counted_files, files
from ml.core.scan_report import IssueKind, LabelIssue, LabelNotes, ScanReport
from ml.core.types import KindName, TaskName
from ml.project.labelfiles.cells import quoted
from ml.project.labelfiles.types import Format, LabelSchema, MatchedTable
from ml.project.labelfiles.windows import labels_in_windows, windows_of
from ml.project.scan.multilabel import MULTILABEL_PHRASE
from ml.scoring.tasks import task_named

_WORDS_SHOWN = 3
_BETWEEN = {" ": msg("spaces"), ",": msg("commas")}
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
    "contested": nmsg(
        "One row was skipped because it names another file than the only one of that name: {first}. Choose the folder "
        "around both, or correct the table.",
        "{count} rows were skipped because they name other files than the only ones of these names. The first is "
        "{first}. Choose the folder around all of them, or correct the table.",
        1,
    ),
    "disagreed": nmsg(
        "People disagree on {count} of {total} {files}. It has the class that most of them chose; {first}.",
        "People disagree on {count} of {total} {files}. Each has the class that most of them chose; {first}.",
        1,
    ),
    "torn": nmsg(
        "People are undecided on one file, so it stays without a label: {first}. Look at it and label it yourself.",
        "People are undecided on {count} files, so they stay without a label. The first is {first}. Look at them and "
        "label them yourself.",
        1,
    ),
    "in_sequence": nmsg(
        "The times in the table count from the first of several recordings. The lengths of those before were taken "
        "off {count} label, such as {first}.",
        "The times in the table count from the first of several recordings. The lengths of those before were taken "
        "off {count} labels, such as {first}.",
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
_NO_CLASS: dict[bool, Message] = {
    True: nmsg(
        "One row names no class, so its file stays without a label: {first}.",
        "{count} rows name no class, so their files stay without a label. The first is {first}.",
        1,
    ),
    False: nmsg(
        "One row names no class, so its file counts as showing none of the classes: {first}.",
        "{count} rows name no class, so their files count as showing none of the classes. The first is {first}.",
        1,
    ),
}
"""By whether each sample has one class."""
_NO_CLASS_BUT_WORDS: dict[bool, Message] = {
    True: nmsg(
        "One row contains {words} instead of a class, so its file stays without a label: {first}. If that is a class, "
        "give it another name in the table.",
        "{count} rows contain {words} instead of a class, so their files stay without a label. The first is {first}. "
        "If that is a class, give it another name in the table.",
        1,
    ),
    False: nmsg(
        "One row contains {words} instead of a class, so its file counts as showing none of the classes: {first}. If "
        "that is a class, give it another name in the table.",
        "{count} rows contain {words} instead of a class, so their files count as showing none of the classes. The "
        "first is {first}. If that is a class, give it another name in the table.",
        1,
    ),
}

MILD: frozenset[IssueKind] = frozenset(
    ["no_row", "no_class", "not_a_table", "other_times", "few_groups", "in_sequence"]
)
"""Issues that lose no label."""


def describe_issue(issue: LabelIssue, *, kind: KindName, task: TaskName) -> Message:
    """Describe the issue, with its first example."""
    if issue.kind != "no_class":
        sentence = _SENTENCES[issue.kind]
    else:
        exclusive = task_named(task).exclusive
        sentence = _NO_CLASS_BUT_WORDS[exclusive] if issue.words else _NO_CLASS[exclusive]
    values = {
        "first": issue.first,
        "files": files(kind),
        "count_files": counted_files(len(issue.paths), kind),
        "total": issue.total,
        "words": _words(issue),
        "several": MULTILABEL_PHRASE,
    }
    template = f"{sentence.template} {sentence.plural}"
    used = {name: value for name, value in values.items() if "{" + name + "}" in template}
    return dataclasses.replace(sentence, values=used, count=issue.count)


def only_one_class(name: str, notes: LabelNotes) -> Message:
    """Explain why a table with one class is not enough, and what happens to its rows without a class."""
    only = msg("There is only one class, “{name}”.", name=name)
    advice = msg(
        "Label something else as well, or make it a project {several}: there, everything without a label counts as "
        "not showing it.",
        several=MULTILABEL_PHRASE,
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
    """The words that stand in place of a class."""
    return tuple(quoted(word) for word in issue.words[:_WORDS_SHOWN])


def describe_windows(report: ScanReport) -> list[Message]:
    """Say how many windows the labels of parts reach, and what happens to the others."""
    timed = [file for file in report.files if file.spans is not None]
    if not timed or report.windowing is None:
        return []
    several = not task_named(report.task).exclusive
    found = [
        labels
        for file in timed
        for labels in labels_in_windows(file, windows_of(file, report.windowing), several=several)
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
    return [msg("{first} {second}", first=reached, second=_describe_bare(bare, several=several))]


def _describe_bare(bare: int, *, several: bool) -> Message:
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
        "issues": {
            issue.kind: plain_fields({"count": issue.count, "first": issue.first, "files": list(issue.paths)})
            for issue in issues
        },
    }


def describe_tables(matched: Sequence[MatchedTable]) -> tuple[Message, ...]:
    """One sentence per label file, or per kind of them: what was recognised in it."""
    alike: dict[Message, list[tuple[str, int]]] = defaultdict(list)
    tracks: dict[Format, list[int]] = defaultdict(list)
    for result in matched:
        if result.table.about is None:
            alike[_describe_columns(result.table.schema)].append((result.table.sheet.path.name, result.rows))
        else:
            tracks[result.table.schema.format].append(result.rows)
    sentences = [_describe_alike(tables, columns) for columns, tables in alike.items()]
    return (*sentences, *(_describe_tracks(form, labels) for form, labels in tracks.items()))


def _describe_columns(schema: LabelSchema) -> Message:
    """“files in “image”, classes in “label” and groups in “site””."""

    def column(place: int | None) -> Message:
        assert place is not None
        return quoted(schema.header[place]) if schema.header else msg("column {n}", n=place + 1)

    places = tuple(column(place) for place in schema.folders)
    file = msg("files in {column}", column=column(schema.file))
    if places:
        file = msg("files in {column}, folders in {folders}", column=column(schema.file), folders=places)
    parts = [file, _describe_classes(schema, column)]
    if schema.start is not None:
        last = schema.end if schema.end is not None else schema.length
        parts.append(msg("times in {start} and {end}", start=column(schema.start), end=column(last)))
    if schema.annotator is not None:
        parts.append(msg("people in {column}", column=column(schema.annotator)))
    if schema.group is not None:
        parts.append(msg("groups in {column}", column=column(schema.group)))
    if schema.split is not None:
        parts.append(msg("the split in {column}", column=column(schema.split)))
    return Message("{text}", {"text": tuple(parts)})


def _describe_classes(schema: LabelSchema, column: Callable[[int | None], Message]) -> Message:
    if schema.one_hot:
        return nmsg("a column for {count} class", "a column for each of {count} classes", len(schema.labels))
    if schema.by_person:
        return msg("what each person says in {columns}", columns=tuple(map(column, schema.labels)))
    where = column(schema.labels[0])
    if schema.separator:
        between = _BETWEEN.get(schema.separator) or msg("“{sign}”", sign=schema.separator)
        return msg("classes in {column} (several in a cell, separated by {separator})", column=where, separator=between)
    if schema.class_words:
        words = tuple(msg("“{name}”", name=word) for word in sorted(schema.class_words))
        return msg("classes in {column} (including {words})", column=where, words=words)
    return msg("classes in {column}", column=where)


def _describe_alike(alike: Sequence[tuple[str, int]], columns: Message) -> Message:
    name, rows = alike[0][0], sum(count for _name, count in alike)
    if len(alike) == 1:
        return nmsg(
            "“{table}” has {count} row: {columns}.",
            "“{table}” has {count} rows: {columns}.",
            rows,
            table=name,
            columns=columns,
        )
    return nmsg(
        "“{table}” and {count} more table like it have {rows}: {columns}.",
        "“{table}” and {count} more tables like it have {rows}: {columns}.",
        len(alike) - 1,
        table=name,
        rows=nmsg("{count} row", "{count} rows", rows),
        columns=columns,
    )


def _describe_tracks(form: Format, labels: Sequence[int]) -> Message:
    files, counted = len(labels), nmsg("{count} label", "{count} labels", sum(labels))
    match form:
        case "audacity":
            return nmsg(
                "{count} Audacity label track with {labels}.",
                "{count} Audacity label tracks with {labels}.",
                files,
                labels=counted,
            )
        case "raven":
            return nmsg(
                "{count} Raven selection table with {labels}.",
                "{count} Raven selection tables with {labels}.",
                files,
                labels=counted,
            )
        case "table":
            return nmsg(
                "{count} table of times with {labels}.",
                "{count} tables of times with {labels}.",
                files,
                labels=counted,
            )
