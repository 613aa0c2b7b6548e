"""Detections in recordings and logs of any length: when a class begins and ends, and how sure that is.

Windows overlap. The class maps of each say when within it a class was heard, its probability how surely. Both together
give the log-odds of every class in short cells; overlapping windows are averaged, their middle counting most. A
detection begins and ends where these cells cross a low threshold. Its score is the calibrated probability of the window
that fits it best, which has to reach the threshold: averages over windows that hold only a part of a call would lower
it. Everything streams.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.memory import start_threads
from ml.core.messages import msg
from ml.media.kinds import kind_named
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import BATCH, Span, UnreadableInput, why_unreadable
from ml.runtime.model import Outputs, ReleasedModel
from ml.scoring.tasks import task_named

THRESHOLD = 0.4
"""Where the classes exclude each other, and at least what a model of so few classes gives by chance. Has the best F1 on
planted calls (tests/benchmarks, `--tune`); 0.5 finds a sixteenth less, with as many false alarms."""
HOP = 0.5
"""Share of a window from one window to the next."""
BACKGROUND = frozenset(
    {"nothing", "none", "nil", "noise", "background", "silence", "silent", "empty", "ambient", "ambience", "other"}
    | {"others", "negative", "nichts", "keine", "rauschen", "hintergrund", "stille", "leer", "andere", "sonstiges"}
)
"""Names, in lower case, of classes that stand for the absence of all others."""

_AHEAD = 3
"""Batches that are decoded before they are needed."""
_MOST_CELLS = 32
"""Cells in a window: finer maps are averaged."""
_LEAST_PROBABILITY = 1e-7
_MOST_SPREADS = 64
_EVEN = 1e-6
"""Weights that differ by less are equal."""
_TRUST, _SMOOTHED = 0.25, 0.3
"""How much of the contrast of a map counts, and over which share of a window it is averaged. Maps are noisy: a network
learns from whole windows. Chosen on planted calls, see tests/benchmarks. With more trust, calls that fill a window fall
apart; with less, the ends of calls that are much shorter than a window blur, here by up to a third of a window."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """`label` from `start` to `end` s of the file; `score`: its probability in the window that fits best."""

    path: Path
    start: float
    end: float
    label: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FileEnd:
    """A file was read to its end: it is `seconds` long and had so many detections."""

    path: Path
    seconds: float
    detections: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What makes a detection of one class.

    It has a score of `threshold`, and goes on while the probability is at least `lower`. Two of them are one if not
    more than `gap` seconds lie between. It lasts at least `shortest` seconds.
    """

    threshold: float
    lower: float
    shortest: float
    gap: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionOptions:
    """What the user asked for; None leaves it to the model and the length of its windows.

    `hop`: share of a window between the beginnings of two. `threshold`: of every class; `thresholds`: of single ones.
    `background`: report classes such as “nothing”, too.
    """

    hop: float = HOP
    threshold: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    lower: float | None = None
    shortest: float | None = None
    gap: float | None = None
    background: bool = False

    def limits(self, info: ModelInfo) -> tuple[Limits | None, ...]:
        """Return the limits of each class, None where a class is not reported.

        Raises HandlensError for a threshold of a class that the model does not know, and for a model of pictures.
        """
        if info.windowing is None:
            raise HandlensError(
                msg("This model looks at pictures, which have no duration. Detections need recordings or logs.")
            )
        for name in self.thresholds:
            if name not in info.classes:
                raise HandlensError(
                    msg("The model knows no class “{name}”. Its classes: {classes}.", name=name, classes=info.classes)
                )
        unasked = frozenset() if self.background else BACKGROUND
        return tuple(
            None if name.strip().casefold() in unasked - self.thresholds.keys() else self._limits(place, info)
            for place, name in enumerate(info.classes)
        )

    def _limits(self, place: int, info: ModelInfo) -> Limits:
        assert info.windowing is not None
        by_chance = max(THRESHOLD, 1 / len(info.classes))
        usual = info.present_above[place] if place < len(info.present_above) else by_chance
        threshold = self.thresholds.get(info.classes[place], usual if self.threshold is None else self.threshold)
        least = info.windowing.seconds / 5
        return Limits(
            threshold=threshold,
            lower=min(threshold, threshold / 2 if self.lower is None else self.lower),
            shortest=least if self.shortest is None else self.shortest,
            gap=least if self.gap is None else self.gap,
        )


def detect_files(
    model: ReleasedModel,
    paths: Iterable[Path],
    options: DetectionOptions | None = None,
    *,
    go_on: Callable[[Path, float], bool] = lambda _path, _seconds: True,
) -> Iterator[Detection | FileEnd | UnreadableInput]:
    """Yield the detections of each file in the order of their beginnings, then its end, or why it cannot be read.

    A file that breaks off in the middle yields what was found before the damage, then an `UnreadableInput`. Memory
    grows neither with the length of a file nor with their number. `go_on` is told after each batch how far a file is
    read; nothing more is yielded once it returns False. Raises HandlensError, see `DetectionOptions.limits`.
    """
    options = options or DetectionOptions()
    limits = options.limits(model.info)
    detector: Detector | None = None
    for item in _decoded_ahead(paths, model.info, options.hop):
        if detector is None:
            detector = Detector(model.info, limits, item.path, hop=options.hop)
        if item.windows is not None:
            yield from detector.add(item.spans, model.predict(item.windows))
            if not go_on(item.path, detector.seconds):
                return
            continue
        yield from detector.close()
        yield item.unreadable or FileEnd(path=item.path, seconds=detector.seconds, detections=detector.detections)
        detector = None


class Detector:
    """The detections of one file, window by window. `seconds` is how far it was read."""

    def __init__(self, info: ModelInfo, limits: Sequence[Limits | None], path: Path, *, hop: float = HOP) -> None:
        assert info.windowing is not None
        self._path = path
        self._cells = _Cells(info, hop=hop)
        self._tracks = {place: _Track(each) for place, each in enumerate(limits) if each is not None}
        self._names = info.classes
        # Log-odds from which a class is looked at; a class without limits never is.
        self._lower = np.array([math.inf if each is None else _log_odds(each.lower) for each in limits])
        self._ready: list[tuple[float, int, float, float]] = []
        self.seconds = 0.0
        self.detections = 0

    def add(self, spans: Sequence[Span], outputs: Outputs) -> Iterator[Detection]:
        """Take in the next windows and yield the detections that are certain now."""
        for row, (start, end) in enumerate(spans):
            self._follow(self._cells.before(start))
            self._cells.add(start, end, outputs.probabilities[row], outputs.maps[row])
            self.seconds = max(self.seconds, end)
        yield from self._ordered()

    def close(self) -> Iterator[Detection]:
        """Yield the detections that the end of the file ends."""
        self._follow(self._cells.before(math.inf))
        for place, track in self._tracks.items():
            self._found(place, track.close())
        yield from self._ordered()

    def _follow(self, cells: _ClosedCells) -> None:
        active = cells.odds >= self._lower
        open_ = {place for place, track in self._tracks.items() if track.is_open}
        for row in range(len(cells.begins)):
            start = float(cells.begins[row])
            for place in open_.union(np.flatnonzero(active[row]).tolist()):
                track, is_active = self._tracks[place], bool(active[row, place])
                found = track.add(start, start + self._cells.seconds, float(cells.surest[row, place]), active=is_active)
                self._found(place, found)
                (open_.add if track.is_open else open_.discard)(place)

    def _found(self, place: int, found: tuple[float, float, float] | None) -> None:
        if found is not None:
            start, end, score = found
            heapq.heappush(self._ready, (start, place, end, score))

    def _ordered(self) -> Iterator[Detection]:
        """Yield what ended, but not before anything that began earlier and may still become a detection."""
        earliest = min((track.begin for track in self._tracks.values() if track.is_open), default=math.inf)
        while self._ready and self._ready[0][0] <= earliest:
            start, place, end, score = heapq.heappop(self._ready)
            self.detections += 1
            yield Detection(
                path=self._path,
                start=round(start, 3),
                end=round(min(end, self.seconds), 3),
                label=self._names[place],
                score=score,
            )


@dataclass(frozen=True, slots=True)
class _ClosedCells:
    """Cells that no later window reaches: when they begin (cells,), and for each class (cells, classes) its log-odds
    there and in the window that has the cell nearest to its middle."""

    begins: NDArray[np.float64]
    odds: NDArray[np.float64]
    surest: NDArray[np.float64]


class _Cells:
    """Log-odds of every class in short cells of time, averaged over the windows that overlap there."""

    def __init__(self, info: ModelInfo, *, hop: float) -> None:
        assert info.windowing is not None
        self._task, self._temperature = task_named(info.task), info.temperature
        self._window = info.windowing.seconds
        step = hop * self._window
        columns = min(_MOST_CELLS, max(1, info.map_size[1]))
        self.seconds = step / math.ceil(round(step * columns / self._window, 6))
        self._sums = np.zeros((0, len(info.classes)))
        self._weights = np.zeros(0)
        self._surest = np.zeros((0, len(info.classes)))
        """Log-odds of the window whose middle is nearest, with the weight that the cell has in it."""
        self._nearest = np.zeros(0)
        self._spreads: dict[tuple[float, int, int], tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self._first = 0
        """Number of the first cell that is still open."""
        self._end = 0.0

    def add(self, start: float, end: float, probabilities: NDArray[np.floating], maps: NDArray[np.floating]) -> None:
        """Add a window. The map of a class is its logit, spread over the window; the rest of the logit is constant."""
        places = np.asarray(maps, dtype=np.float64).mean(axis=1) / self._temperature
        contrast = _TRUST * (places - places.mean(axis=1, keepdims=True))
        logits = self._link(probabilities)[:, None] + contrast
        first = max(self._first, round(start / self.seconds))
        count = max(1, round(end / self.seconds) - first)
        spread, weights = self._spread(first * self.seconds - start, count, logits.shape[1])
        values = (logits @ spread).T
        place = first - self._first
        missing = max(0, place + count - len(self._sums))
        self._sums = np.concatenate([self._sums, np.zeros((missing, len(logits)))])
        self._weights = np.concatenate([self._weights, np.zeros(missing)])
        self._surest = np.concatenate([self._surest, np.full((missing, len(logits)), -np.inf)])
        self._nearest = np.concatenate([self._nearest, np.zeros(missing)])
        here = slice(place, place + count)
        self._sums[here] += values
        self._weights[here] += weights
        odds, before = _log_odds_of(probabilities), self._nearest[here]
        # Between two middles both windows count.
        self._surest[here] = np.where(
            (weights > before + _EVEN)[:, None],
            odds,
            np.where((weights >= before - _EVEN)[:, None], np.maximum(self._surest[here], odds), self._surest[here]),
        )
        self._nearest[here] = np.maximum(before, weights)

    def _spread(self, offset: float, count: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what takes `columns` of a window to `count` cells, and the weights (count,) in it.

        Cells lie on one grid for the file; the first begins `offset` s after the window.
        """
        key = (round(offset, 6), count, columns)
        if key not in self._spreads:
            if len(self._spreads) >= _MOST_SPREADS:
                self._spreads.clear()
            times = np.clip((np.arange(count) + 0.5) * self.seconds + offset, 0.0, self._window)
            middles = (np.arange(columns) + 0.5) * self._window / columns
            weights = 0.05 + np.minimum(times, self._window - times) / self._window
            near = np.abs(middles[:, None] - middles) <= _SMOOTHED / 2 * self._window
            each = np.stack([np.interp(times, middles, one) for one in near / near.sum(axis=0)])
            self._spreads[key] = np.asarray(each * weights, dtype=np.float64), np.asarray(weights, dtype=np.float64)
        return self._spreads[key]

    def before(self, start: float) -> _ClosedCells:
        """Return and forget the cells that no window from `start` on reaches."""
        count = len(self._sums) if math.isinf(start) else max(0, round(start / self.seconds) - self._first)
        sums, weights, surest = self._sums[:count], self._weights[:count], self._surest[:count]
        there = weights > 0  # a pause in a log has no cells
        begins = np.asarray((self._first + np.flatnonzero(there)) * self.seconds, dtype=np.float64)
        self._sums, self._weights, self._first = self._sums[count:], self._weights[count:], self._first + count
        self._surest, self._nearest = self._surest[count:], self._nearest[count:]
        return _ClosedCells(begins, self._odds(sums[there] / weights[there, None]), surest[there])

    def _link(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return logits that the task turns into these probabilities."""
        return np.log(_certain(probabilities)) if self._task.exclusive else _log_odds_of(probabilities)

    def _odds(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self._task.exclusive:
            return logits
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances = np.clip(chances / chances.sum(axis=1, keepdims=True), 1e-12, 1 - 1e-12)
        return np.asarray(np.log(chances) - np.log1p(-chances))


class _Track:
    """Follows one class from cell to cell, by hysteresis, in constant memory."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.is_open = False
        self.begin = self._end = 0.0
        self._best = -math.inf

    def add(self, start: float, end: float, surest: float, *, active: bool) -> tuple[float, float, float] | None:
        """Take in a cell, and return start, end and score of the detection that it ended, if any."""
        closed = None
        if self.is_open and start - self._end > self._limits.gap + 1e-9:
            closed = self.close()
        if active:
            if not self.is_open:
                self.is_open, self.begin = True, start
            self._end, self._best = end, max(self._best, surest)
        return closed

    def close(self) -> tuple[float, float, float] | None:
        """End what is open, and return its start, end and score if it is a detection."""
        if not self.is_open:
            return None
        score = 1 / (1 + math.exp(-min(max(self._best, -500.0), 500.0)))
        found = (self.begin, self._end, score)
        self.is_open, self._best = False, -math.inf
        long_enough = found[1] - found[0] >= self._limits.shortest - 1e-9
        return found if long_enough and score >= self._limits.threshold else None


@dataclass(slots=True)
class _Item:
    """Windows of a file, or its end: `unreadable` if that came too early."""

    path: Path
    spans: Sequence[Span] = ()
    windows: NDArray[np.generic] | None = None
    unreadable: UnreadableInput | None = None


def _decoded_ahead(paths: Iterable[Path], info: ModelInfo, hop: float) -> Iterator[_Item]:
    """Decode in a thread, a few batches ahead of the model."""
    items = _decoded(paths, info, hop)
    ahead: deque[Future[_Item | None]] = deque()
    with start_threads(1, name="decode") as pool:
        try:
            while True:
                while len(ahead) < _AHEAD:
                    ahead.append(pool.submit(next, items, None))
                item = ahead.popleft().result()
                if item is None:
                    return
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


def _decoded(paths: Iterable[Path], info: ModelInfo, hop: float) -> Iterator[_Item]:
    assert info.windowing is not None
    windowing = replace(info.windowing, step=hop * info.windowing.seconds)
    kind = kind_named(info.kind)
    for path in paths:
        try:
            for spans, windows in kind.stream_input(path, windowing=windowing, size=info.size, batch=BATCH):
                yield _Item(path, spans, windows)
            yield _Item(path)
        except Exception as error:  # of thousands of files one that nobody thought of costs the others nothing
            yield _Item(path, unreadable=UnreadableInput(path=path, reason=why_unreadable(path, error)))


def _certain(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.clip(np.asarray(probabilities, dtype=np.float64), _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)


def _log_odds_of(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    certain = _certain(probabilities)
    return np.asarray(np.log(certain) - np.log1p(-certain))


def _log_odds(probability: float) -> float:
    within = min(max(probability, _LEAST_PROBABILITY), 1 - _LEAST_PROBABILITY)
    return math.log(within) - math.log1p(-within)


def count_labels(detections: Iterable[Detection]) -> Counter[str]:
    """Return how many detections there are of each class."""
    return Counter(each.label for each in detections)
