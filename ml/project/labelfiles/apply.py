"""Give the labels of label files to the files that were found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from ml.core.messages import Message, msg
from ml.core.scan_report import FoundFile, LabelIssue, LabelNotes
from ml.core.types import LabelSpan
from ml.project.labelfiles.sequence import take_off_lengths
from ml.project.labelfiles.types import FileLabels, LabelReading
from ml.project.labelfiles.windows import labels_in_pauses
from ml.project.scan.layout import split_folders, split_name

_ELSEWHERE = 0.2
"""If so many labels begin after the end of their clip, the times are those of the original recordings."""


def apply(
    files: Sequence[FoundFile], reading: LabelReading, sources: Sequence[Path]
) -> tuple[list[FoundFile], LabelNotes]:
    """Return the files with the labels of the tables alone, without those of folders, and notes on them."""
    ends = {file.path: file.end for file in files}
    by_path, issues = take_off_lengths(reading, ends)
    by_path, paused = labels_in_pauses(by_path, files)
    issues += paused
    elsewhere = _elsewhere(by_path, ends)
    if elsewhere is not None:
        issues.append(elsewhere)
        by_path = {path: _whole(labels) for path, labels in by_path.items()}
    ready = _ready_folders([file.path for file in files])
    labelled, late = [], 0
    late_first: Message | None = None
    for file in files:
        labels = by_path.get(file.path)
        if labels is not None and labels.timed:
            beyond = [span for span in labels.spans if span.start >= file.end]
            late += len(beyond)
            if beyond:
                late_first = late_first or msg(
                    "“{name}” at {start:,.1f} s in {file}, which ends at {end:,.1f} s",
                    name=beyond[0].class_name,
                    start=beyond[0].start,
                    file=file.path,
                    end=file.end,
                )
        labelled.append(_labelled(file, labels, ready.get(file.path)))
    if late_first is not None:
        issues.append(LabelIssue(kind="outside", count=late, first=late_first))
    without = tuple(file.path for file in files if file.path not in by_path)
    if without:
        first = msg("“{name}”", name=without[0])
        issues.append(LabelIssue(kind="no_row", count=len(without), first=first, paths=without))
    return labelled, reading.notes(sources, issues)


def _labelled(file: FoundFile, labels: FileLabels | None, folder_split: str | None) -> FoundFile:
    bare = dataclasses.replace(
        file, class_name=None, also=(), negative=False, ready_split=folder_split, from_table=True
    )
    if labels is None:
        return bare
    bare = dataclasses.replace(bare, group=labels.group, ready_split=labels.split or folder_split)
    if labels.torn:
        return bare
    if not labels.timed:
        names = tuple(labels.classes)
        return dataclasses.replace(bare, class_name=names[0] if names else None, also=names[1:], negative=not names)
    whole = [LabelSpan(name, 0.0, file.end) for name in labels.classes]
    inside = [span._replace(end=min(span.end, file.end)) for span in [*labels.spans, *whole] if span.start < file.end]
    return dataclasses.replace(bare, spans=tuple(sorted(inside, key=lambda span: (span.start, span.end))))


def _elsewhere(by_path: Mapping[str, FileLabels], ends: Mapping[str, float]) -> LabelIssue | None:
    """Detect clips whose label has the times of the longer recording: one label each, after the end of the clip."""
    timed = [(path, labels) for path, labels in by_path.items() if labels.timed and path in ends]
    if not timed or any(len(labels.spans) > 1 for _path, labels in timed):
        return None
    spans = [(path, span) for path, labels in timed for span in labels.spans]
    beyond = [(path, span) for path, span in spans if span.start >= ends[path]]
    if len(spans) < 2 or len(beyond) < _ELSEWHERE * len(spans):
        return None
    path, span = beyond[0]
    first = msg("{start:,.1f} s in {file}, which ends at {end:,.1f} s", start=span.start, file=path, end=ends[path])
    return LabelIssue(kind="other_times", count=len(beyond), first=first)


def _whole(labels: FileLabels) -> FileLabels:
    """The labels without their times."""
    classes = labels.classes | dict.fromkeys(span.class_name for span in labels.spans)
    return FileLabels(classes=classes, group=labels.group, split=labels.split)


def _ready_folders(paths: Sequence[str]) -> dict[str, str]:
    """The ready-made split folder of every file, where all lie in such folders; empty otherwise."""
    tops = {path: path.split("/")[0] for path in paths if "/" in path}
    folders = split_folders({*tops.values()})
    if len(tops) < len(paths) or not all(top in folders for top in tops.values()):
        return {}
    return {path: split_name(top) for path, top in tops.items()}
