"""Cut recordings into windows, and choose a window length for the data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ml.core.types import Clock, Windowing

HIGHEST_RATE = 32_000
SHORTEST, LONGEST, GRAIN = 0.5, 5.0, 0.5
WHOLE_LOG = 1024
"""Rows up to which a log is one window: a longer one would lose detail in the network's input."""
FEWEST_FRAMES, MOST_FRAMES, UNTIMED_FRAMES = 128, 2048, 512


def window_spans(duration: float, windowing: Windowing) -> tuple[tuple[float, float], ...]:
    """(start, end) in seconds of each window of a recording of `duration` seconds; never empty if it has any sound.

    A recording up to 1.2 windows long is one window; in a longer one the last window ends where the recording
    ends, so that every value is in a window. `end` never lies behind the recording: what is missing there is padded.
    """
    if duration <= 0:
        return ()
    if duration <= 1.2 * windowing.seconds:
        return ((0.0, min(duration, windowing.seconds)),)
    last = duration - windowing.seconds
    count = math.ceil(last / windowing.step - 1e-6)
    starts = [*(index * windowing.step for index in range(count)), last]
    return tuple((round(start, 6), round(start + windowing.seconds, 6)) for start in starts)


def choose_windowing(durations: Sequence[float], rates: Sequence[float]) -> Windowing:
    """Window length and step that suit these recordings; `durations` in seconds, `rates` in Hz, one of each per file.

    Rate: the commonest one, but no more than 32 kHz, above which the pretrained networks gain nothing: 44.1 and
    48 kHz become 32 kHz, 8 kHz stays. Length: nine of ten recordings fit into one window, from 0.5 to 5 s in
    halves of a second: shorter says too little, longer blurs short events. Step: half a window where most
    recordings are longer than 1.5 windows, so that an event cut by one window lies whole in the next, else one window.
    """
    if not durations:
        raise ValueError("There are no recordings to choose a window for.")
    counts = Counter(rates)
    rate = min(max(counts, key=lambda value: (counts[value], value)), HIGHEST_RATE)
    usual = float(np.percentile(np.asarray(durations, dtype=np.float64), 90))
    seconds = math.ceil(round(min(max(usual, SHORTEST), LONGEST) / GRAIN, 3)) * GRAIN
    longer = sum(duration > 1.5 * seconds for duration in durations)
    step = seconds / 2 if longer > len(durations) / 2 else seconds
    return Windowing(rate=rate, seconds=seconds, step=step)


def choose_log_windowing(
    frames: Sequence[int], *, rate: float | None, columns: tuple[str, ...], clock: Clock
) -> Windowing:
    """Window length and step that suit logs of so many `frames` at `rate` Hz (None: not known).

    Logs up to `WHOLE_LOG` rows, nine of ten of them, are one window each. Of longer ones a window holds 5 s, but no
    fewer than 128 rows and no more than 2,048; 512 where nobody knows how long that is. Step: as for recordings.
    """
    if not frames:
        raise ValueError("There are no logs to choose a window for.")
    usual = math.ceil(float(np.percentile(np.asarray(frames, dtype=np.float64), 90)))
    if usual <= WHOLE_LOG:
        length = usual
    elif rate is None:
        length = UNTIMED_FRAMES
    else:
        length = min(max(round(LONGEST * rate), FEWEST_FRAMES), MOST_FRAMES)
    longer = sum(count > 1.5 * length for count in frames)
    step = max(1, length // 2) if longer > len(frames) / 2 else length
    per_second = rate or 1.0
    return Windowing(rate=per_second, seconds=length / per_second, step=step / per_second, columns=columns, clock=clock)
