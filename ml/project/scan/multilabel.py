"""What a scan found, read for the project's task: one class for each sample, or "more than one may be present"."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from ml.core.messages import msg
from ml.core.scan_report import FoundFile, LabelIssue, ScanReport
from ml.core.types import LabelSpan, TaskName
from ml.project.scan.folder import READY_SPLITS
from ml.project.split.plan import FARTHEST_FROM_LEARNING
from ml.scoring.tasks import task_named

MULTILABEL_PHRASE = msg("in which more than one may be present")
"""What the user may choose; where, the wizard and the command line know themselves."""

NEGATIVE_FOLDERS = frozenset({"none", "nothing", "negative", "negatives"})
"""Class folders, in lower case, whose files show none of the classes."""

_SLIPS = 0.05
"""Up to this share of the files, two rows with different classes for one file are slips, not several labels."""


def for_task(report: ScanReport, task: TaskName) -> ScanReport:
    """The report of a scan, which knows of no task, as a project of this task understands it."""
    exclusive = task_named(task).exclusive
    return dataclasses.replace(as_single_label(report) if exclusive else as_multi_label(report), task=task)


def as_single_label(report: ScanReport) -> ScanReport:
    """A file that tables give several classes by mistake has no label; one that they say shows none has none either.

    Where they mean several (see `has_multilabel_tables`), the report stays as it is; no training is possible then.
    """
    if task_named(report.task).exclusive and (report.labels is None or has_multilabel_tables(report)):
        return report
    torn = tuple(file.path for file in report.files if file.also and file.spans is None)
    alone = [
        dataclasses.replace(file, class_name=None if file.also else file.class_name, also=(), negative=False)
        for file in report.files
    ]
    labels = report.labels
    if labels is not None and torn:
        names = next(file.class_names for file in report.files if file.path == torn[0])
        first = msg("{file} ({classes})", file=torn[0], classes=names)
        issue = LabelIssue(kind="conflict", count=len(torn), first=first, paths=torn)
        labels = dataclasses.replace(labels, issues=(*labels.issues, issue))
    return dataclasses.replace(report, files=tuple(alone), labels=labels, task="single")


def has_multilabel_tables(report: ScanReport) -> bool:
    """Whether tables mean it that a file shows more than one class: in one row, or too often to be a slip."""
    if report.labels is None:
        return False
    torn = sum(bool(file.also) and file.spans is None for file in report.files)
    return looks_multilabel(torn, in_rows=report.labels.several_in_row, files=len(report.files))


def looks_multilabel(torn: int, *, in_rows: int, files: int) -> bool:
    """Whether `torn` of the files having several classes is meant, of which `in_rows` have them in one row."""
    return torn > 0 and (in_rows > 0 or torn > _SLIPS * files)


def as_multi_label(report: ScanReport) -> ScanReport:
    """Every file once, however many copies there are: copies in several class folders are one file of these classes.

    It keeps the name of its first copy, and of ready-made splits the one that learning is farthest from. A file in a
    folder of `NEGATIVE_FOLDERS` shows none of the classes, unless a copy of it says otherwise.
    """
    copies: dict[str, list[FoundFile]] = defaultdict(list)
    for file in report.files:
        copies[file.digest].append(file)
    merged = [_merged(same) for same in copies.values()]
    return dataclasses.replace(report, files=tuple(sorted(merged, key=lambda file: file.path)), task="multi")


def _merged(same: Sequence[FoundFile]) -> FoundFile:
    ordered = sorted((_without_negative(file) for file in same), key=lambda file: (not file.class_names, file.path))
    spans = [span for file in ordered for span in file.spans or ()]
    names = tuple(dict.fromkeys(name for file in ordered if file.spans is None for name in file.class_names))
    # The same bytes on both sides of a ready-made split must not be learned from.
    ready = [file.ready_split for file in ordered if file.ready_split is not None]
    farthest = max(ready, key=lambda name: FARTHEST_FROM_LEARNING[READY_SPLITS[name]], default=None)
    merged = dataclasses.replace(
        ordered[0],
        class_name=names[0] if names else None,
        also=names[1:],
        negative=not names and any(file.negative for file in ordered),
        ready_split=farthest,
    )
    if all(file.spans is None for file in ordered):
        return merged
    whole = [LabelSpan(name, 0.0, merged.duration) for name in names]
    return dataclasses.replace(
        merged, class_name=None, also=(), negative=False, spans=tuple(sorted({*spans, *whole}, key=_by_time))
    )


def _by_time(span: LabelSpan) -> tuple[float, float, str]:
    return span.start, span.end, span.class_name


def _without_negative(file: FoundFile) -> FoundFile:
    if file.spans is not None:
        shown = tuple(span for span in file.spans if span.class_name.lower() not in NEGATIVE_FOLDERS)
        return dataclasses.replace(file, spans=shown)
    if file.class_name is not None and file.class_name.lower() in NEGATIVE_FOLDERS:
        return dataclasses.replace(file, class_name=None, negative=True)
    return file
