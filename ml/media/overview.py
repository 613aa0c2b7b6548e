"""A recording of any length as one small spectrogram, built while the recording is read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Windowing
from ml.media.audio import load_waveform, stream_waveform
from ml.media.logs.log import load_log, log_timeline
from ml.media.logs.traces import PAPER, trace_picture
from ml.media.mel import RANGE_DB, MelSettings, filterbank, hann, mel_grey, mel_picture, settings_for

MOST_COLUMNS = 4096
"""Columns of an overview: more than a screen has, so that it can be zoomed a little."""
CLOSE_COLUMNS = 1600
_FLOOR = 1e-10


class Overview:
    """The loudest sound of each band in each of up to `MOST_COLUMNS` equal parts of what was read so far."""

    def __init__(self, windowing: Windowing) -> None:
        self._settings = settings_for(windowing)
        self._rate = round(windowing.rate)
        self._filters, self._window = filterbank(self._settings), hann(self._settings)
        self._columns = np.zeros((2 * MOST_COLUMNS, self._settings.n_mels), dtype=np.float32)
        self._filled = 0
        self._per_column = 1
        """Frames in a column. It doubles whenever the columns are full."""
        self._frames = np.zeros((0, self._settings.n_mels), dtype=np.float32)
        self._values = np.zeros(0, dtype=np.float32)
        self._read = 0

    @property
    def seconds(self) -> float:
        """How much of the recording was read."""
        return self._read / self._rate

    @property
    def frequencies(self) -> tuple[float, float]:
        """The lowest and the highest frequency in Hz, as networks hear it."""
        return self._settings.f_min, self._settings.f_max

    def add(self, block: NDArray[np.float32], *, last: bool = False) -> None:
        """Take in the next values of the recording."""
        size = self._settings.n_fft
        self._read += len(block)
        values = np.concatenate([self._values, block])
        if last and len(values) % size:
            values = np.pad(values, (0, size - len(values) % size))
        count = len(values) // size
        self._values = values[count * size :]
        frames = values[: count * size].reshape(count, size) * self._window
        power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 @ self._filters
        loudness = (10.0 * np.log10(np.maximum(power, _FLOOR))).astype(np.float32)
        self._frames = np.concatenate([self._frames, loudness])
        self._fill(last=last)

    def picture(self) -> NDArray[np.uint8]:
        """Return what was read as grey RGB (bands, columns, 3), low notes below. Empty before the first frame."""
        columns = self._columns[: self._filled]
        if not len(columns):
            return np.zeros((self._settings.n_mels, 0, 3), dtype=np.uint8)
        relative = np.clip(columns.T - columns.max(), -RANGE_DB, 0.0) / RANGE_DB + 1.0
        return mel_grey(relative)

    def _fill(self, *, last: bool) -> None:
        while len(self._frames) >= self._per_column or (last and len(self._frames)):
            room = len(self._columns) - self._filled
            count = min(room, max(1, len(self._frames) // self._per_column))
            used = self._frames[: count * self._per_column]
            short = count * self._per_column - len(used)
            if short:
                used = np.pad(used, ((0, short), (0, 0)), mode="edge")
            self._frames = self._frames[count * self._per_column :]
            self._columns[self._filled : self._filled + count] = used.reshape(count, self._per_column, -1).max(axis=1)
            self._filled += count
            if self._filled == len(self._columns):
                half = self._columns.reshape(MOST_COLUMNS, 2, -1).max(axis=1)
                self._columns[:MOST_COLUMNS] = half
                self._filled, self._per_column = MOST_COLUMNS, 2 * self._per_column


def stream_overview(path: Path, windowing: Windowing) -> Iterator[Overview]:
    """Yield the overview again and again, each time with more of the recording. Memory does not grow with its length.

    Raises UnreadableError.
    """
    overview = Overview(windowing)
    for block in stream_waveform(path, rate=round(windowing.rate)):
        overview.add(block)
        yield overview
    overview.add(np.zeros(0, dtype=np.float32), last=True)
    yield overview


def close_picture(path: Path, windowing: Windowing, *, start: float, seconds: float) -> NDArray[np.uint8]:
    """Return the spectrogram of a part as grey RGB (bands, columns, 3), at most some `CLOSE_COLUMNS` wide.

    Raises UnreadableError.
    """
    settings = settings_for(windowing)
    wave = load_waveform(path, rate=round(windowing.rate), start=start, seconds=seconds)
    return mel_grey(mel_picture(wave, _coarser(settings, len(wave))))


def _coarser(settings: MelSettings, values: int) -> MelSettings:
    return replace(settings, hop=max(settings.hop, values // CLOSE_COLUMNS))


COLUMNS, ROWS = 2_048, 320


def log_seconds(path: Path, windowing: Windowing) -> float:
    """Return when the log ends by its own clock. Raises UnreadableError."""
    return log_timeline(path, windowing).stretches[-1].end


def log_picture(
    path: Path, windowing: Windowing, *, start: float = 0.0, seconds: float | None = None, dark: bool = False
) -> NDArray[np.uint8]:
    """Return the traces of `seconds` from `start` on (to the end if None) as RGB (rows, columns, 3).

    Raises UnreadableError.
    """
    timeline = log_timeline(path, windowing)
    values = load_log(path, windowing)
    length = timeline.stretches[-1].end - start if seconds is None else seconds
    ranges = tuple(zip(values.min(axis=1).tolist(), values.max(axis=1).tolist(), strict=True))
    paper = PAPER[dark]
    picture = np.full((ROWS, COLUMNS, 3), paper, dtype=np.uint8)
    per_second = COLUMNS / max(length, 1e-9)
    for stretch, (first, end) in zip(timeline.stretches, itertools.pairwise(timeline.edges), strict=True):
        begin, until = max(stretch.begin, start), min(stretch.end, start + length)
        left, right = round((begin - start) * per_second), round((until - start) * per_second)
        rows = slice(max(first, round(timeline.to_index(begin))), min(end, round(timeline.to_index(until)) + 1))
        if until <= begin or right <= left or rows.stop - rows.start < 2:
            continue
        size = (right - left, ROWS)
        picture[:, left:right] = trace_picture(values[:, rows], ranges, size=size, dark=dark)
    return picture
