"""Notice files that are new in a folder, and when each is complete: writers need time, and networks even more."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.inference.watch_memory import Stamp
from ml.project.scan.folder import entries_below, is_link, is_litter

SETTLED = 1.0
"""Seconds without a change after which a file counts as complete."""
OLD = 60.0
"""Seconds: a file that was written so long ago is complete at first sight, whatever the clock of its drive."""
PATIENCE = 10.0
"""Seconds without a change after which a file that cannot be read is not merely unfinished."""
MOST_WAITING = 10_000
"""Files that are in memory at once."""
_SCANS_EVERY = 2.0
_MOST_SCANNING = 0.05
"""Share of the time that may go into searching the folder."""


@dataclass(slots=True)
class _Sight:
    """A file as it was last seen, since when it looks like that, and from when on it is worth reading."""

    stamp: Stamp
    since: float
    ready_at: float
    there_at_start: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """A complete file. `at`: when it arrived, in seconds since 1970."""

    path: Path
    stamp: Stamp
    at: float


class Arrivals:
    """The files of `folder` with these `suffixes` that are not answered yet, each once it is complete.

    Notifications make it quick; a search now and then finds what they miss, as on network drives.
    """

    def __init__(
        self,
        folder: Path,
        suffixes: Collection[str],
        is_answered: Callable[[Path, Stamp], bool],
        *,
        skip: Collection[Path] = (),
    ) -> None:
        self._folder = folder
        self._suffixes = suffixes
        self._is_answered = is_answered
        self._skip = {*skip}
        self._seen: dict[Path, _Sight] = {}
        self._next_search = 0.0
        self._first = True

    def note(self, paths: Iterable[str]) -> None:
        """Look at what a notification named."""
        for name in paths:
            path = Path(name)
            if not path.is_relative_to(self._folder) or any(
                is_litter(part) for part in path.relative_to(self._folder).parts
            ):
                continue
            if path.suffix.lower() in self._suffixes and not is_link(path):
                self._look_at(path)
            elif is_link(path) or path.is_dir():
                self._next_search = 0.0  # what lies behind it is not notified

    def search(self) -> None:
        """Look through the whole folder if it is time. Raises OSError where it cannot be opened."""
        began = time.monotonic()
        if began < self._next_search:
            return
        for entry in entries_below(self._folder):
            path = self._folder / entry.path
            if entry.obstacle is None and path.suffix.lower() in self._suffixes:
                self._look_at(path)
                if len(self._seen) >= MOST_WAITING:
                    return  # the rest is found once these are answered
        took = time.monotonic() - began
        self._next_search = time.monotonic() + max(_SCANS_EVERY, took / _MOST_SCANNING)
        self._first = False

    def search_soon(self) -> None:
        """Search again at the next occasion."""
        self._next_search = 0.0

    def complete(self) -> Iterator[Arrival]:
        """Yield the files that may be read now, in the order they were seen. Tell `answered` or `unfinished`."""
        for path, sight in list(self._seen.items()):
            if time.monotonic() < sight.ready_at:
                continue
            self._look_at(path)
            sight_now = self._seen.get(path)
            if sight_now is None or sight_now.stamp != sight.stamp or time.monotonic() < sight_now.ready_at:
                continue
            old = sight.stamp.mtime_ns / 1e9
            yield Arrival(path, sight.stamp, min(old, time.time()) if sight.there_at_start else time.time())

    def answered(self, arrival: Arrival) -> None:
        """Forget the file, which is remembered elsewhere, unless it has changed meanwhile."""
        sight = self._seen.get(arrival.path)
        if sight is not None and sight.stamp == arrival.stamp:
            del self._seen[arrival.path]

    def unfinished(self, arrival: Arrival) -> bool:
        """Look again later at a file that could not be read; False where it has been the same for long enough."""
        self._look_at(arrival.path)
        sight = self._seen.get(arrival.path)
        if sight is None or sight.stamp != arrival.stamp:
            return True
        age = time.time() - arrival.stamp.mtime_ns / 1e9
        if time.monotonic() - sight.since >= PATIENCE or (sight.there_at_start and age > OLD):
            return False
        sight.ready_at = min(time.monotonic() + SETTLED, sight.since + PATIENCE)
        return True

    def unchanged(self, arrival: Arrival) -> bool:
        """Whether the file is still what it was when it counted as complete."""
        try:
            return _stamp(arrival.path.stat()) == arrival.stamp
        except OSError:
            return False

    def _look_at(self, path: Path) -> None:
        try:
            facts = path.stat()
        except OSError:
            self._seen.pop(path, None)
            return
        if not stat.S_ISREG(facts.st_mode) or path in self._skip:
            return
        stamp, now = _stamp(facts), time.monotonic()
        known = self._seen.get(path)
        if known is not None and known.stamp == stamp:
            return
        if known is None and self._is_answered(path, stamp):
            return
        wait = 0.0 if _looks_complete(facts) else SETTLED
        self._seen.pop(path, None)  # a changed file goes to the end
        self._seen[path] = _Sight(stamp, now, now + wait, self._first)


def _stamp(facts: os.stat_result) -> Stamp:
    return Stamp(facts.st_size, facts.st_mtime_ns)


def _looks_complete(facts: os.stat_result) -> bool:
    """Whether nobody can be writing the file: it is old, or it was renamed or dated after its last byte."""
    if not facts.st_size:
        return False
    if time.time() - facts.st_mtime_ns / 1e9 > OLD:
        return True
    return sys.platform != "win32" and facts.st_mtime_ns < facts.st_ctime_ns
