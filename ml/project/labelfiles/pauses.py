"""Labels with times in logs that pause: a log is cut there, and what lies behind moves to the front."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ml.core.messages import Message, msg
from ml.core.types import FoundFile, LabelIssue, LabelSpan
from ml.project.labelfiles.types import Given


def without_pauses(given: Mapping[str, Given], files: Sequence[FoundFile]) -> tuple[dict[str, Given], list[LabelIssue]]:
    """What was said of each file by path, with times as they are without its pauses; labels that lie within a pause,
    where there is nothing to learn from, are an issue."""
    moved, lost = dict(given), 0
    first: Message | None = None
    for file in files:
        said = given.get(file.path)
        if said is None or not said.timed or not file.pauses:
            continue
        spans = [(span, _cut(span, file.pauses)) for span in said.spans]
        within = [span for span, cut in spans if cut is None]
        if within:
            lost += len(within)
            first = first or msg(
                "“{name}” at {start:,.1f} s in {file}",
                name=within[0].class_name,
                start=within[0].start,
                file=file.path,
            )
        moved[file.path] = dataclasses.replace(said, spans=dict.fromkeys(cut for _span, cut in spans if cut))
    return moved, [] if first is None else [LabelIssue(kind="paused", count=lost, first=first)]


def _cut(span: LabelSpan, pauses: Sequence[tuple[float, float]]) -> LabelSpan | None:
    """The span without what it covers of the pauses; None where nothing is left."""
    start, end = _moved(span.start, pauses), _moved(span.end, pauses)
    return None if end <= start and span.end > span.start else span._replace(start=start, end=end)


def _moved(seconds: float, pauses: Sequence[tuple[float, float]]) -> float:
    """Where a moment lies once the pauses are cut out."""
    out = 0.0
    for where, missing in pauses:
        into = seconds - out - where
        if into <= 0:
            break
        out += min(missing, into)
    return seconds - out
