"""Labels of parts of recordings that no window carries, because it can have only one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from ml.core.messages import msg
from ml.core.types import LabelIssue, LabelSpan, ScanReport
from ml.media.windowing import window_spans
from ml.project.labelfiles.windows import labels_of_windows

_SLIP = 0.1
"""Seconds by which labels that follow each other may overlap: nobody draws them to the frame."""


def lost_in_windows(report: ScanReport) -> tuple[LabelIssue, ...]:
    """In a single-label project: labels that every window they speak for gives up for another ("outdone"), and windows
    that lie under labels of several classes at once ("overlapping")."""
    if report.task == "multi" or report.windowing is None:
        return ()
    outdone: list[tuple[str, LabelSpan]] = []
    torn: list[tuple[str, tuple[LabelSpan, LabelSpan]]] = []
    for file in report.files:
        if not file.spans:
            continue
        spans, windows = file.spans, window_spans(file.duration, report.windowing)
        outdone += [(file.path, span) for span in _given_up(spans, windows)]
        pairs = map(_at_once, labels_of_windows(spans, windows, several=True))
        torn += [(file.path, pair) for pair in pairs if pair is not None]
    found = []
    if outdone:
        path, span = outdone[0]
        paths = tuple(dict.fromkeys(path for path, _span in outdone))
        first = msg("“{name}” at {start:,.1f} s in {file}", name=span.class_name, start=span.start, file=path)
        found.append(LabelIssue(kind="outdone", count=len(outdone), first=first, paths=paths))
    if torn:
        path, (one, other) = torn[0]
        paths = tuple(dict.fromkeys(path for path, _pair in torn))
        first = msg(
            "“{one}” and “{other}” at {start:,.1f} s in {file}",
            one=one.class_name,
            other=other.class_name,
            start=max(one.start, other.start),
            file=path,
        )
        found.append(LabelIssue(kind="overlapping", count=len(torn), first=first, paths=paths))
    return tuple(found)


def _given_up(spans: Sequence[LabelSpan], windows: Sequence[tuple[float, float]]) -> Iterator[LabelSpan]:
    """The spans whose class none of the windows has that they speak for."""
    chosen = labels_of_windows(spans, windows, several=False)
    starts = [start for start, _end in windows]
    longest = max((end - start for start, end in windows), default=0.0)
    for span in spans:
        # Asked of the windows beside it only: there can be thousands of both.
        first, last = bisect_left(starts, span.start - longest), bisect_right(starts, span.end)
        spoken_for = labels_of_windows([span], windows[first:last], several=True)
        won = (winner.class_name for place, own in enumerate(spoken_for, first) if own for winner in chosen[place])
        if span.class_name not in won:
            yield span


def _at_once(labels: Sequence[LabelSpan]) -> tuple[LabelSpan, LabelSpan] | None:
    """The first two labels of a window, one per class, that speak of the same moments."""
    for place, one in enumerate(labels):
        for other in labels[place + 1 :]:
            if min(one.end, other.end) - max(one.start, other.start) > _SLIP:
                return one, other
    return None
