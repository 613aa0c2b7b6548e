"""Which windows of a recording a labelled span speaks for."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from ml.core.types import LabelSpan, Windowing
from ml.media.windowing import FEWEST_FRAMES

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
