"""Detections in the files of other programs: CSV, Audacity labels, Raven and BirdNET tables, counts, clips."""

from __future__ import annotations

import csv
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import IO

from ml.core.disk import new_draft, replace_with
from ml.core.printable import printable
from ml.inference.counts import HourTally
from ml.inference.detections import Detection, FileEnd
from ml.media.audio import cut_audio

Cell = str | int | float
BOM = "utf-8-sig"
"""The mark at its beginning lets Excel read umlauts."""


RAVEN_COLUMNS = (
    "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
    "Begin Path", "File Offset (s)", "Annotation", "Score",
)  # fmt: skip


class DetectionWriter(ABC):
    """Takes in detections as they come, and at the end of each file its length."""

    @abstractmethod
    def add(self, detection: Detection) -> None:
        """Write a detection. Raises OSError."""

    def end_file(self, end: FileEnd) -> None:  # noqa: B027 - most need not know
        """Note that a file is over."""

    @abstractmethod
    def close(self, *, complete: bool) -> None:
        """Give the result its name. What an interrupted run found is kept if there is any. Raises OSError."""


class TextTable:
    """A text table that takes its name when it is closed, so that an older one is not lost to a failed run."""

    def __init__(
        self, target: Path, header: Sequence[str] = (), *, delimiter: str = "\t", encoding: str = "utf-8"
    ) -> None:
        self._target = target
        self._draft = new_draft(target)
        self.rows = 0
        # A name of a file need be no text at all; it is still told apart.
        self._stream: IO[str] = self._draft.open("w", encoding=encoding, errors="backslashreplace", newline="")
        self._csv = csv.writer(self._stream, delimiter=delimiter, lineterminator="\n")
        if header:
            self._csv.writerow(header)

    def write(self, *cells: Cell) -> None:
        """Write a row in which no spreadsheet finds a formula."""
        self._csv.writerow([_inert(cell) if isinstance(cell, str) else cell for cell in cells])
        self.rows += 1

    def close(self, *, complete: bool) -> None:
        """Give the table its name; without rows only if it is complete."""
        self._stream.close()
        if complete or self.rows:
            replace_with(self._draft, self._target)
        else:
            self._draft.unlink(missing_ok=True)


class _TableOfDetections(DetectionWriter):
    """A table with a row per detection."""

    def __init__(self, target: Path, header: Sequence[str], *, delimiter: str = ",", encoding: str = BOM) -> None:
        self._table = TextTable(target, header, delimiter=delimiter, encoding=encoding)

    def close(self, *, complete: bool) -> None:
        self._table.close(complete=complete)


class DetectionCsvTable(_TableOfDetections):
    """The fields of `handlens predict --detections --json`."""

    def __init__(self, target: Path) -> None:
        super().__init__(target, ("path", "start", "end", "label", "score"))

    def add(self, detection: Detection) -> None:
        self._table.write(*row_of(detection).values())


class BirdNetTable(_TableOfDetections):
    """The CSV of BirdNET-Analyzer. Handlens knows one name of a class, so both names are the same."""

    def __init__(self, target: Path) -> None:
        super().__init__(target, ("Start (s)", "End (s)", "Scientific name", "Common name", "Confidence", "File"))

    def add(self, detection: Detection) -> None:
        label = detection.label
        score = round(detection.score, 4)
        self._table.write(detection.start, detection.end, label, label, score, str(detection.path))


class RavenTable(_TableOfDetections):
    """A selection table of Raven. Times go on from file to file, as Raven counts them when it opens several."""

    def __init__(self, target: Path, *, highest: float) -> None:
        """`highest`: the frequency in Hz up to which a selection reaches."""
        super().__init__(target, RAVEN_COLUMNS, delimiter="\t", encoding="utf-8")
        self._highest = highest
        self._before = 0.0

    def add(self, detection: Detection) -> None:
        begin, end = round(self._before + detection.start, 3), round(self._before + detection.end, 3)
        where = (str(detection.path.absolute()), detection.start)
        number = self._table.rows + 1
        score = round(detection.score, 4)
        self._table.write(number, "Spectrogram 1", 1, begin, end, 0, self._highest, *where, detection.label, score)

    def end_file(self, end: FileEnd) -> None:
        self._before += end.seconds


class AudacityLabels(DetectionWriter):
    """Label tracks of Audacity. A track belongs to one recording: several of them get a folder of tracks."""

    def __init__(self, target: Path, *, files: int) -> None:
        self._target, self._many = target, files > 1
        if self._many:
            target.mkdir(exist_ok=True)
        self._track: TextTable | None = None
        self._of: Path | None = None

    def add(self, detection: Detection) -> None:
        start, end = f"{detection.start:.6f}", f"{detection.end:.6f}"
        self._open(detection.path).write(start, end, detection.label)

    def end_file(self, end: FileEnd) -> None:
        self._open(end.path)
        self.close(complete=True)

    def close(self, *, complete: bool) -> None:
        if self._track is not None:
            self._track.close(complete=complete)
            self._track = None

    def _open(self, path: Path) -> TextTable:
        if self._track is not None and self._of != path:
            self.close(complete=True)  # the file before broke off
        if self._track is None:
            target = free_path(self._target, path.stem, ".txt") if self._many else self._target
            self._track, self._of = TextTable(target), path
        return self._track


class HourlyCounts(DetectionWriter):
    """How many detections of each class there were in each hour of each day, and how many minutes were recorded then.

    Where neither a recording nor its name tells when it was made, hours count from its beginning; `untimed` are these
    files. Hours without a detection have rows, too: nothing was there, which is not the same as nothing was recorded.
    """

    def __init__(self, target: Path, classes: Sequence[str]) -> None:
        header = ("file", "day", "hour", "minutes", "label", "detections")
        self._table = TextTable(target, header, delimiter=",", encoding=BOM)
        self._classes = classes
        self._tally = HourTally()

    @property
    def untimed(self) -> list[Path]:
        return self._tally.untimed

    def add(self, detection: Detection) -> None:
        self._tally.add(detection.path, detection.start, detection.label)

    def end_file(self, end: FileEnd) -> None:
        self._tally.cover(end.path, end.seconds)

    def close(self, *, complete: bool) -> None:
        tally = self._tally
        for hour in tally.hours():
            for name in self._classes:
                self._table.write(*hour, round(tally.minutes[hour], 2), name, tally.count(hour, name))
        self._table.close(complete=complete)


class Clips(DetectionWriter):
    """Cuts each detection out of its recording, with some seconds on either side, into a folder per class.

    Such a folder can become a project. No file is overwritten. `written` counts clips.
    """

    def __init__(self, folder: Path, *, margin: float) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._margin = folder, margin
        self.written = 0

    def add(self, detection: Detection) -> None:
        folder = self._folder / plain_name(detection.label)
        folder.mkdir(exist_ok=True)
        start = max(0.0, detection.start - self._margin)
        name = f"{plain_name(detection.path.stem)}_{detection.start:.1f}-{detection.end:.1f}s"
        cut_audio(detection.path, free_path(folder, name, ".wav"), start=start, end=detection.end + self._margin)
        self.written += 1

    def close(self, *, complete: bool) -> None:
        """Nothing is left to do."""


def row_of(detection: Detection) -> dict[str, Cell]:
    """Return what `--json` and the table say of a detection."""
    return {
        "path": str(detection.path),
        "start": detection.start,
        "end": detection.end,
        "label": detection.label,
        "score": round(detection.score, 6),
    }


def _inert(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, on one line."""
    shown = printable(cell)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@") and not _is_number(shown) else shown


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d+)?", text) is not None


def plain_name(name: str) -> str:
    """Return a name for a file or folder on any system."""
    kept = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", printable(name)).strip(" .")
    return kept.encode()[:120].decode(errors="ignore") or "_"


def free_path(folder: Path, stem: str, suffix: str) -> Path:
    """Return a path that no file has yet."""
    return next(path for path in _candidates(folder, stem, suffix) if not path.exists())


def _candidates(folder: Path, stem: str, suffix: str) -> Iterator[Path]:
    yield folder / f"{stem}{suffix}"
    for number in count(2):
        yield folder / f"{stem}-{number}{suffix}"
