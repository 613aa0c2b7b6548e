"""Times of a log: which frame was measured when by its own clock, with the pauses that were cut out between them."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ml.core.types import Stretch, Windowing
from ml.media.windowing import window_spans

Span = tuple[float, float]

_DECIMALS = 6
"""Times are compared to so many: 0.1 + 0.2 is 0.3."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Map between the times of a log, in seconds after its first row, and the indices of its frames.

    The frames of all `stretches` follow one another without a gap; between two stretches the log pauses. `rate` is in
    frames per second, 0 if nobody knows it, and then a second stands for a row.
    """

    stretches: tuple[Stretch, ...]
    rate: float

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """The frame at which each stretch begins, and the number of frames."""
        return (0, *itertools.accumulate(stretch.frames for stretch in self.stretches))

    @property
    def frames(self) -> int:
        return self.edges[-1]

    @property
    def cuts(self) -> tuple[int, ...]:
        """The frames before which the log pauses."""
        return self.edges[1:-1]

    @property
    def seconds(self) -> float:
        """How long was measured, without the pauses."""
        return self.frames / (self.rate or 1.0)

    def to_index(self, time: float) -> float:
        """The frame that was measured at `time`; a moment in a pause is the frame after it."""
        place = max(0, bisect_right(self._begins, round(time, _DECIMALS)) - 1)
        begin, end, frames = self.stretches[place]
        share = (time - begin) / (end - begin) if end > begin else 0.0
        return self.edges[place] + min(max(share, 0.0), 1.0) * frames

    def to_time(self, index: float) -> float:
        """When the frame was measured."""
        return self._time_in(self._stretch_at(index), index)

    def windows(self, windowing: Windowing) -> tuple[Span, ...]:
        """Cut the frames into windows and return (start, end) of each by the log's own clock.

        No window spans a pause: it is moved into the stretch that it has most of, and ends there if that is shorter.
        Where two are moved to the same place, one is left.
        """
        rate = self.rate or 1.0
        spans = window_spans(self.seconds, windowing)
        return tuple(dict.fromkeys(self.place(start * rate, (end - start) * rate) for start, end in spans))

    def place(self, first: float, frames: float) -> Span:
        """Start and end, by the log's own clock, of a window of `frames` from the index `first` on."""
        edges = self.edges
        met = range(self._stretch_at(first), max(1, min(bisect_left(edges, first + frames), len(edges) - 1)))
        number = max(met, default=len(edges) - 2, key=lambda at: _overlap(first, frames, edges[at], edges[at + 1]))
        begin, end = edges[number], edges[number + 1]
        if len(edges) > 2:
            first = max(begin, min(first, end - frames))
        last = min(first + frames, end)
        return round(self._time_in(number, first), _DECIMALS), round(self._time_in(number, last), _DECIMALS)

    def locate(self, time: float) -> tuple[int, int, int]:
        """The frame at `time`, and the first and the end of the stretch in which it lies."""
        number = max(0, bisect_right(self._begins, round(time, _DECIMALS)) - 1)
        begin, end = self.edges[number], self.edges[number + 1]
        return min(round(self.to_index(time)), max(begin, end - 1)), begin, end

    def resampled(self, frames: Sequence[int], rate: float) -> Timeline:
        """The same times with another number of frames in each stretch."""
        stretches = (stretch._replace(frames=count) for stretch, count in zip(self.stretches, frames, strict=True))
        return Timeline(stretches=tuple(stretches), rate=rate)

    def at_rate(self, rate: float) -> Timeline:
        """The times of rows, in rows, as seconds where `rate` rows make a second."""
        stretches = (Stretch(begin / rate, end / rate, frames) for begin, end, frames in self.stretches)
        return Timeline(stretches=tuple(stretches), rate=rate)

    @cached_property
    def _begins(self) -> tuple[float, ...]:
        return tuple(round(stretch.begin, _DECIMALS) for stretch in self.stretches)

    def _stretch_at(self, index: float) -> int:
        return min(max(bisect_right(self.edges, round(index, _DECIMALS)), 1), len(self.edges) - 1) - 1

    def _time_in(self, number: int, index: float) -> float:
        begin, end, frames = self.stretches[number]
        return begin + (index - self.edges[number]) / max(1, frames) * (end - begin)


def timeline_of_rows(stretches: Iterable[tuple[int, int]]) -> Timeline:
    """The timeline of rows that nobody knows the time of: (first, end) of each stretch in the file."""
    return Timeline(stretches=tuple(Stretch(first, end, end - first) for first, end in stretches), rate=0.0)


def _overlap(first: float, frames: float, begin: int, end: int) -> float:
    return round(min(first + frames, end) - max(first, begin), _DECIMALS)
