"""Labels with times in logs that pause: a log is cut there, and what lies behind moves to the front."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ml.media.stretches import Pauses, without_pauses
from ml.project.labelfiles.values import Given
from ml.project.samples import FoundFile, LabelIssue, LabelSpan


def cut_at_pauses(given: Mapping[str, Given], files: Sequence[FoundFile]) -> tuple[dict[str, Given], list[LabelIssue]]:
    """What was said of each file by path, with times as they are without its pauses; labels that lie within a pause,
    where there is nothing to learn from, are an issue."""
    moved, lost, first = dict(given), 0, ""
    for file in files:
        said = given.get(file.path)
        if said is None or not said.timed or not file.pauses:
            continue
        spans = [(span, _cut(span, file.pauses)) for span in said.spans]
        within = [span for span, cut in spans if cut is None]
        if within:
            lost += len(within)
            first = first or f"“{within[0].class_name}” at {within[0].start:,.1f} s in {file.path}"
        moved[file.path] = dataclasses.replace(said, spans=dict.fromkeys(cut for _span, cut in spans if cut))
    return moved, [LabelIssue(kind="paused", count=lost, first=first)] if lost else []


def _cut(span: LabelSpan, pauses: Pauses) -> LabelSpan | None:
    """The span without what it covers of the pauses; None where nothing is left."""
    start, end = without_pauses(span.start, pauses), without_pauses(span.end, pauses)
    return None if end <= start and span.end > span.start else span._replace(start=start, end=end)
