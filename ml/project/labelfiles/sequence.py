"""Raven tables over several recordings opened one behind the other: their times count from the first recording."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from ml.core.errors import HandlensError
from ml.core.messages import Message, msg
from ml.core.scan_report import LabelIssue
from ml.core.types import LabelSpan
from ml.project.labelfiles.types import FileLabels, LabelReading, MatchedTable

_SLACK = 0.05
"""Seconds that a label may reach over the end of its recording."""

Sequenced = Sequence[tuple[str, LabelSpan]]


def sequence_of(result: MatchedTable) -> tuple[tuple[str, LabelSpan], ...]:
    """The labels of a table whose times may count on from recording to recording, by path; empty for any other."""
    schema = result.table.schema
    if schema.format != "raven" or schema.file is None or schema.offset is not None:
        return ()
    found = tuple(
        (match.path, LabelSpan(name, match.row.start, match.row.end))
        for match in result.matches
        if match.row.start is not None and match.row.end is not None
        for name in match.row.classes
    )
    return found if len({path for path, _span in found}) > 1 else ()


def take_off_lengths(
    reading: LabelReading, ends: Mapping[str, float]
) -> tuple[dict[str, FileLabels], list[LabelIssue]]:
    """Return the labels by path with times that count from the recording they lie in.

    `ends`: the length of every recording by its path. Raises HandlensError where the times count on, and it is not
    clear which recordings lie between those that the table names.
    """
    by_path, issues = dict(reading.by_path), []
    for sequence in reading.sequences:
        known = [(path, span) for path, span in sequence if path in ends]
        begins = _begins(known, ends)
        if begins is None:
            continue
        moved = {(path, span) for path, span in known if begins[path] > 0}
        by_recording: dict[str, set[LabelSpan]] = defaultdict(set)
        for path, span in known:
            by_recording[path].add(span)
        for path, own in by_recording.items():
            labels = by_path[path]
            spans = [_earlier(span, begins[path]) if span in own else span for span in labels.spans]
            by_path[path] = dataclasses.replace(labels, spans=dict.fromkeys(spans))
        path, span = next(item for item in known if item in moved)
        first = msg(
            "“{name}” at {start:,.1f} s, which is at {own:,.1f} s in {file}",
            name=span.class_name,
            start=span.start,
            own=span.start - begins[path],
            file=path,
        )
        issues.append(LabelIssue(kind="in_sequence", count=len(moved), first=first))
    return by_path, issues


def _begins(sequence: Sequenced, ends: Mapping[str, float]) -> dict[str, float] | None:
    """Where each recording begins on the clock of the table; None where every recording has its own clock."""
    named = list(dict.fromkeys(path for path, _span in sorted(sequence, key=lambda item: item[1].start)))
    if len(named) < 2 or not _counts_on(sequence, named):
        return None
    folders = {path.rpartition("/")[0] for path in named}
    beside = sorted(path for path in ends if path.rpartition("/")[0] in folders)
    orders = [named, sorted(named), beside[beside.index(min(named)) :]]
    fitting = [begins for order in orders if _fits(sequence, ends, begins := _lined_up(order, ends))]
    if not fitting:
        if all(span.start < ends[path] for path, span in sequence):
            return None
        raise HandlensError(_unclear(sequence, ends))
    if any(abs(begins[path] - fitting[0][path]) > _SLACK for begins in fitting for path in named):
        raise HandlensError(_unclear(sequence, ends))
    return fitting[0]


def _counts_on(sequence: Sequenced, named: Sequence[str]) -> bool:
    """Whether the labels of each recording lie behind all of those before."""
    starts: dict[str, list[float]] = {path: [] for path in named}
    for path, span in sequence:
        starts[path].append(span.start)
    return all(max(starts[one]) <= min(starts[other]) for one, other in pairwise(named))


def _lined_up(order: Sequence[str], ends: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(order, accumulate((ends[path] for path in order), initial=0.0), strict=False))


def _fits(sequence: Sequenced, ends: Mapping[str, float], begins: Mapping[str, float]) -> bool:
    return all(
        path in begins and span.start - begins[path] >= -_SLACK and span.end - begins[path] <= ends[path] + _SLACK
        for path, span in sequence
    )


def _earlier(span: LabelSpan, seconds: float) -> LabelSpan:
    return span._replace(start=max(0.0, span.start - seconds), end=max(0.0, span.end - seconds))


def _unclear(sequence: Sequenced, ends: Mapping[str, float]) -> Message:
    path, span = next(((path, span) for path, span in sequence if span.start >= ends[path]), sequence[-1])
    return msg(
        "The times in the table count from the first of several recordings, for example {start:,.1f} s in {file}, "
        "which ends at {end:,.1f} s, and it is not clear how long the recordings before are together. In Raven, add "
        "the column “File Offset (s)”, save the table again, and choose it.",
        start=span.start,
        file=path,
        end=ends[path],
    )
