"""Cut files into windows, and find the labels of each window."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.core.messages import Message, msg
from ml.core.scan_report import FoundFile, LabelIssue, ScanReport
from ml.core.types import Cut, FrameSampling, LabelSpan, Windowing
from ml.media.frames import frame_spans
from ml.media.logs.timeline import Span, Timeline
from ml.media.windowing import FEWEST_FRAMES, window_spans
from ml.project.labelfiles.types import FileLabels
from ml.scoring.tasks import task_named

_SHARE = 0.5
_SLACK = 1e-6
_SHORTEST = 1.0


def labels_of_windows(
    spans: Sequence[LabelSpan], windows: Sequence[tuple[float, float]], *, several: bool, every: bool = False
) -> list[tuple[LabelSpan, ...]]:
    """Return for each window (start, end in seconds, ascending) the spans that label it, one per class.

    A span labels a window if it covers at least half of the window, or if at least half of the span lies within
    it: the first is for long spans, the second for short events. As windows lie side by side or overlap, every span
    labels at least one. `several`: every such class; otherwise the one that covers most of the window.
    Of several spans of one class the one that covers most stands for them; with `every`, all of them are returned.
    """
    found: list[dict[str, _Covered]] = [{} for _window in windows]
    starts = [start for start, _end in windows]
    longest = max((end - start for start, end in windows), default=0.0)
    for span in spans:
        for place in range(bisect_left(starts, span.start - longest), bisect_right(starts, span.end)):
            overlap = _overlap(span, *windows[place])
            if overlap is not None:
                covered = found[place].setdefault(span.class_name, _Covered(span))
                covered.add(span, overlap)
    return [_chosen(classes, several=several, every=every) for classes in found]


@dataclass(slots=True)
class _Covered:
    """How much of a window the spans of one class cover, and the one that covers most."""

    best: LabelSpan
    total: float = 0.0
    most: float = -1.0
    spans: list[LabelSpan] = field(default_factory=list)

    def add(self, span: LabelSpan, overlap: float) -> None:
        self.total += overlap
        self.spans.append(span)
        if overlap > self.most:
            self.best, self.most = span, overlap


def span_labels_window(span: LabelSpan, start: float, end: float) -> bool:
    """Return whether a span alone would label this window, see `labels_of_windows`."""
    return _overlap(span, start, end) is not None


def _overlap(span: LabelSpan, start: float, end: float) -> float | None:
    """Seconds of the window that the span covers, None where it does not label the window."""
    length = span.end - span.start
    if length <= _SLACK:  # a point in time
        return 0.0 if start <= span.start < end else None
    overlap = min(span.end, end) - max(span.start, start)
    enough = overlap >= _SHARE * (end - start) - _SLACK or overlap >= _SHARE * length - _SLACK
    return overlap if overlap > 0 and enough else None


def _chosen(classes: dict[str, _Covered], *, several: bool, every: bool) -> tuple[LabelSpan, ...]:
    # Of two classes that cover as much of a window, the one that does so in one piece is the label of that window.
    ordered = sorted(classes.values(), key=lambda each: (-round(each.total, 6), -round(each.most, 6), each.best.start))
    chosen = ordered if several else ordered[:1]
    if not every:
        return tuple(each.best for each in chosen)
    return tuple(span for each in chosen for span in sorted(each.spans, key=lambda span: (span.start, span.end)))


def suited_to(windowing: Windowing, spans: Sequence[LabelSpan], *, longest_grain: float = 0.5) -> Windowing:
    """`windowing` with windows no longer than nine of ten labelled spans are, but at least a second as it is heard.

    In a window much longer than the event most of the sound is something else. Overlapping by half, so that an
    event cut by one window lies whole in the next.
    """
    lengths = [span.end - span.start for span in spans if span.end - span.start > _SLACK]
    if not lengths:
        return windowing
    times = windowing.time_expansion
    usual = times * float(np.percentile(np.asarray(lengths, dtype=np.float64), 90))
    seconds = float(max(_SHORTEST, np.ceil(round(usual / longest_grain, 3)) * longest_grain)) / times
    if seconds >= windowing.seconds:
        return windowing
    return Windowing(rate=windowing.rate, seconds=seconds, step=seconds / 2, time_expansion=times)


def suited_to_states(windowing: Windowing, spans: Sequence[LabelSpan]) -> Windowing:
    """As `suited_to` for logs: windows no longer than the states of any class usually last, but with enough rows.

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


def pieces_of(file: FoundFile, cut: Cut | None) -> tuple[Span, ...]:
    """(start, end) of each sample that the file is cut into; empty where it is one sample as it is."""
    match cut:
        case Windowing():
            return windows_of(file, cut)
        case FrameSampling() if file.duration > 0:
            return frame_spans(file.duration, cut)
        case _:
            return ()


def windows_of(file: FoundFile, windowing: Windowing) -> tuple[Span, ...]:
    """(start, end) of each window of the file, in seconds by its own clock."""
    if not file.stretches:
        return window_spans(file.duration, windowing)
    return _timeline(file).windows(windowing)


def samples_by_file(report: ScanReport) -> dict[str, int]:
    """Return how many samples each file of the report becomes."""
    whole = report.windowing is None
    return {file.path: len(pieces_of(file, report.cut)) or int(whole) for file in report.files}


def labels_in_windows(
    file: FoundFile, windows: Sequence[Span], *, several: bool, every: bool = False
) -> list[tuple[LabelSpan, ...]]:
    """Call `labels_of_windows` for the spans of the file. The pauses of a log count neither in spans nor in windows."""
    spans = file.spans or ()
    if len(file.stretches) < 2:
        return labels_of_windows(spans, windows, several=several, every=every)
    measured = measured_spans(file)
    own: dict[LabelSpan, LabelSpan] = {}
    for span, as_measured in zip(spans, measured, strict=True):
        own.setdefault(as_measured, span)
    found = labels_of_windows(measured, _measured(file, windows), several=several, every=every)
    return [tuple(own[span] for span in labels) for labels in found]


def measured_spans(file: FoundFile) -> tuple[LabelSpan, ...]:
    """The spans of the file in seconds that were measured: the pauses of a log do not count."""
    spans = file.spans or ()
    if len(file.stretches) < 2 and file.end == file.duration:
        return spans
    times = _measured(file, [(span.start, span.end) for span in spans])
    return tuple(span._replace(start=start, end=end) for span, (start, end) in zip(spans, times, strict=True))


def leave_out_pauses(file: FoundFile) -> FoundFile:
    """The file with times as a project of version 0.1 keeps them: counted in what was measured, without the pauses."""
    spans = None if file.spans is None else measured_spans(file)
    return dataclasses.replace(file, spans=spans, stretches=())


def labels_in_pauses(
    reading: Mapping[str, FileLabels], files: Sequence[FoundFile]
) -> tuple[dict[str, FileLabels], list[LabelIssue]]:
    """Return the labels by path without those that lie within a pause of a log; those are an issue."""
    kept, lost = dict(reading), 0
    first: Message | None = None
    for file in files:
        labels = reading.get(file.path)
        if labels is None or not labels.timed or not _pauses(file):
            continue
        spans = list(labels.spans)
        measured = _measured(file, [(span.start, span.end) for span in spans])
        within = [
            span for span, (start, end) in zip(spans, measured, strict=True) if end <= start and span.end > span.start
        ]
        # What begins behind the end of the log lies in no pause.
        within = [span for span in within if span.start < file.end]
        if within:
            lost += len(within)
            first = first or msg(
                "“{name}” at {start:,.1f} s in {file}",
                name=within[0].class_name,
                start=within[0].start,
                file=file.path,
            )
            left = dict.fromkeys(span for span in spans if span not in set(within))
            kept[file.path] = dataclasses.replace(labels, spans=left)
    return kept, [] if first is None else [LabelIssue(kind="paused", count=lost, first=first)]


def _pauses(file: FoundFile) -> bool:
    return len(file.stretches) > 1 or (bool(file.stretches) and file.stretches[0].begin > 0)


def _measured(file: FoundFile, times: Sequence[Span]) -> list[Span]:
    """Convert times of a log into the seconds measured before them."""
    timeline = _timeline(file)
    return [(timeline.to_index(start) / file.rate, timeline.to_index(end) / file.rate) for start, end in times]


def _timeline(file: FoundFile) -> Timeline:
    return Timeline(stretches=file.stretches, rate=file.rate)


_SLIP = 0.1
"""Seconds by which adjacent labels may overlap by accident."""


def lost_in_windows(report: ScanReport) -> tuple[LabelIssue, ...]:
    """Find labels that give way to another class in every window ("outdone"), and windows that lie under labels of
    several classes at once ("overlapping"), in a single-label project."""
    if not task_named(report.task).exclusive or report.windowing is None:
        return ()
    outdone: list[tuple[str, LabelSpan]] = []
    torn: list[tuple[str, tuple[LabelSpan, LabelSpan]]] = []
    for file in report.files:
        if not file.spans:
            continue
        spans, windows = file.spans, windows_of(file, report.windowing)
        if len(file.stretches) > 1:
            spans, windows = measured_spans(file), tuple(_measured(file, windows))
        own = dict(zip(spans, file.spans, strict=True))
        outdone += [(file.path, own[span]) for span in _outdone(spans, windows)]
        pairs = map(_at_once, labels_of_windows(spans, windows, several=True))
        torn += [(file.path, (own[pair[0]], own[pair[1]])) for pair in pairs if pair is not None]
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


def _outdone(spans: Sequence[LabelSpan], windows: Sequence[tuple[float, float]]) -> Iterator[LabelSpan]:
    """The spans that give way to another class in every window they label."""
    chosen = labels_of_windows(spans, windows, several=False)
    starts = [start for start, _end in windows]
    longest = max((end - start for start, end in windows), default=0.0)
    for span in spans:
        # Compare with nearby windows only: there can be thousands of both.
        first, last = bisect_left(starts, span.start - longest), bisect_right(starts, span.end)
        labelled = labels_of_windows([span], windows[first:last], several=True)
        won = (winner.class_name for place, own in enumerate(labelled, first) if own for winner in chosen[place])
        if span.class_name not in won:
            yield span


def _at_once(labels: Sequence[LabelSpan]) -> tuple[LabelSpan, LabelSpan] | None:
    """The first two labels of a window, one per class, that overlap in time."""
    for place, one in enumerate(labels):
        for other in labels[place + 1 :]:
            if min(one.end, other.end) - max(one.start, other.start) > _SLIP:
                return one, other
    return None
