"""Which windows of a recording a labelled span speaks for."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ml.core.messages import Message, msg
from ml.core.scan_report import FoundFile, LabelIssue, ScanReport
from ml.core.types import LabelSpan, Windowing
from ml.media.windowing import FEWEST_FRAMES, window_spans
from ml.project.labelfiles.types import Given
from ml.scoring.tasks import task_named

_SHARE = 0.5
_SLACK = 1e-6
_SHORTEST = 1.0


def labels_of_windows(
    spans: Sequence[LabelSpan], windows: Sequence[tuple[float, float]], *, several: bool
) -> list[tuple[LabelSpan, ...]]:
    """For each window (start, end in seconds; in their order) the spans it is labelled by, one per class.

    A span speaks for a window if it covers at least half of the window, or if at least half of the span lies within
    it: the first is for long spans, the second for short events. As windows lie side by side or overlap, every span
    speaks for at least one. `several`: every such class; otherwise the one that covers most of the window.
    Of several spans of one class the one that covers most stands for them.
    """
    found: list[dict[str, tuple[float, LabelSpan, float]]] = [{} for _window in windows]
    starts = [start for start, _end in windows]
    longest = max((end - start for start, end in windows), default=0.0)
    for span in spans:
        for place in range(bisect_left(starts, span.start - longest), bisect_right(starts, span.end)):
            overlap = _overlap(span, *windows[place])
            if overlap is not None:
                _total, best, most = found[place].get(span.class_name, (0.0, span, -1.0))
                best, most = (span, overlap) if overlap > most else (best, most)
                found[place][span.class_name] = (_total + overlap, best, most)
    return [_chosen(classes, several=several) for classes in found]


def _overlap(span: LabelSpan, start: float, end: float) -> float | None:
    """Seconds of the window that the span covers, None where it does not speak for the window."""
    length = span.end - span.start
    if length <= _SLACK:  # a point in time
        return 0.0 if start <= span.start < end else None
    overlap = min(span.end, end) - max(span.start, start)
    enough = overlap >= _SHARE * (end - start) - _SLACK or overlap >= _SHARE * length - _SLACK
    return overlap if overlap > 0 and enough else None


def _chosen(classes: dict[str, tuple[float, LabelSpan, float]], *, several: bool) -> tuple[LabelSpan, ...]:
    ordered = sorted(classes.values(), key=lambda item: (-item[0], item[1].start))
    return tuple(span for _total, span, _most in (ordered if several else ordered[:1]))


def suited_to(windowing: Windowing, spans: Sequence[LabelSpan], *, longest_grain: float = 0.5) -> Windowing:
    """`windowing` with windows no longer than nine of ten labelled spans are, but at least a second.

    In a window much longer than the event most of what is heard is something else. Overlapping by half, so that an
    event cut by one window lies whole in the next.
    """
    lengths = [span.end - span.start for span in spans if span.end - span.start > _SLACK]
    if not lengths:
        return windowing
    usual = float(np.percentile(np.asarray(lengths, dtype=np.float64), 90))
    seconds = max(_SHORTEST, np.ceil(round(usual / longest_grain, 3)) * longest_grain)
    if seconds >= windowing.seconds:
        return windowing
    return Windowing(rate=windowing.rate, seconds=float(seconds), step=float(seconds) / 2)


def suited_to_states(windowing: Windowing, spans: Sequence[LabelSpan]) -> Windowing:
    """The same of logs: windows no longer than the states of any class usually last, but with rows enough to see.

    What a machine does, it does for a while; a window over two states is labelled with one of them.
    """
    lasting: dict[str, list[float]] = {}
    for span in spans:
        if span.end - span.start > _SLACK:
            lasting.setdefault(span.class_name, []).append(span.end - span.start)
    if not lasting:
        return windowing
    usual = min(float(np.median(seconds)) for seconds in lasting.values())
    frames = max(FEWEST_FRAMES, int(usual * windowing.rate))
    if frames >= windowing.frames:
        return windowing
    return dataclasses.replace(windowing, seconds=frames / windowing.rate, step=frames // 2 / windowing.rate)


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


_SLIP = 0.1
"""Seconds by which labels that follow each other may overlap: nobody draws them to the frame."""


def lost_in_windows(report: ScanReport) -> tuple[LabelIssue, ...]:
    """In a single-label project: labels that every window they speak for gives up for another ("outdone"), and windows
    that lie under labels of several classes at once ("overlapping")."""
    if not task_named(report.task).exclusive or report.windowing is None:
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
