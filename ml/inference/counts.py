"""Count what was found in each hour and on each day, from when a recording was made or a picture was taken."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.inference.detections import Detection, FileEnd
from ml.inference.recorded_at import recorded_at
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import FilePrediction, UnreadableInput

Per = Literal["hour", "day", "clock"]
"""Each hour of each day, each day, or each hour of the clock over all days."""


class Hour(NamedTuple):
    """An hour of a day; of a file whose time is unknown, counted from its beginning."""

    file: str
    day: str
    hour: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CountTable:
    """`counts` (times, classes) int64, and the `minutes` (times,) that were recorded then, 0 for pictures.

    A time is a day, an hour, or both; "" if it is unknown.
    """

    times: tuple[str, ...]
    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    minutes: NDArray[np.float64]


class HourTally:
    """Counts by hour and class. `untimed`: files whose time is unknown."""

    def __init__(self) -> None:
        self.minutes: defaultdict[Hour, float] = defaultdict(float)
        self.untimed: list[Path] = []
        self._counts: Counter[tuple[Hour, str]] = Counter()
        self._known: tuple[Path, datetime | None] | None = None

    def add(self, path: Path, seconds: float, label: str) -> None:
        """Count one find, so many seconds after the beginning of a file."""
        self._counts[self._hour(path, seconds), label] += 1

    def cover(self, path: Path, seconds: float) -> None:
        """Note that a file was searched, and how long it is; 0 for a picture."""
        if self._begin(path) is None:
            self.untimed.append(path)
        at = 0.0
        while at < seconds:
            until = min(seconds, at + self._left(path, at))
            self.minutes[self._hour(path, at)] += (until - at) / 60
            at = until
        if not seconds:
            self.minutes[self._hour(path, 0.0)] += 0.0

    def hours(self) -> list[Hour]:
        """Return the hours in which something was recorded or found, in order."""
        return sorted(self.minutes.keys() | {hour for hour, _label in self._counts})

    def count(self, hour: Hour, label: str) -> int:
        return self._counts[hour, label]

    def table(self, classes: Sequence[str], per: Per) -> CountTable:
        """Return the counts of these classes. Times that are unknown are one line, unless it is only one file."""
        places: dict[str, int] = {}
        hours = self.hours()
        alone = len({hour.file for hour in hours}) == 1
        for hour in hours:
            places.setdefault(_time(hour, per, alone=alone), len(places))
        counts, minutes = np.zeros((len(places), len(classes)), dtype=np.int64), np.zeros(len(places))
        for hour in hours:
            row = places[_time(hour, per, alone=alone)]
            counts[row] += [self.count(hour, name) for name in classes]
            minutes[row] += self.minutes.get(hour, 0.0)
        order = sorted(range(len(places)), key=lambda place: list(places)[place])
        times = tuple(list(places)[place] for place in order)
        return CountTable(times=times, classes=tuple(classes), counts=counts[order], minutes=minutes[order])

    def _begin(self, path: Path) -> datetime | None:
        if self._known is None or self._known[0] != path:
            self._known = path, recorded_at(path)
        return self._known[1]

    def _hour(self, path: Path, seconds: float) -> Hour:
        begin = self._begin(path)
        if begin is None:
            return Hour(str(path), "", f"{int(seconds // 3600):02d}:00")
        at = begin + timedelta(seconds=seconds)
        return Hour("", at.date().isoformat(), f"{at.hour:02d}:00")

    def _left(self, path: Path, seconds: float) -> float:
        """Return the seconds until the next full hour."""
        begin = self._begin(path)
        if begin is not None:
            at = begin + timedelta(seconds=seconds)
            seconds = at.minute * 60 + at.second + at.microsecond / 1e6
        return 3600 - seconds % 3600


def _time(hour: Hour, per: Per, *, alone: bool) -> str:
    if hour.file:
        return hour.hour if alone and per == "hour" else ""
    return {"hour": f"{hour.day} {hour.hour}", "day": hour.day, "clock": hour.hour}[per]


def tally_detections(detections: Iterable[Detection], end: FileEnd) -> HourTally:
    """Return the detections of one recording by hour."""
    tally = HourTally()
    for each in detections:
        tally.add(each.path, each.start, each.label)
    tally.cover(end.path, end.seconds)
    return tally


def tally_files(answers: Iterable[FilePrediction | UnreadableInput], info: ModelInfo) -> HourTally:
    """Return the files by hour and predicted class, without those that are set aside or unreadable."""
    tally = HourTally()
    for each in answers:
        if isinstance(each, FilePrediction):
            if each.decision == "accept":
                for place in info.predicted(each.probabilities):
                    tally.add(each.path, 0.0, info.classes[place])
            tally.cover(each.path, each.windows[-1].end if each.windows else 0.0)
    return tally
