"""Cutting recordings into windows: where they lie, and how long they should be for the data at hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ml.project.samples import Windowing

HIGHEST_RATE = 32_000
SHORTEST, LONGEST, GRAIN = 0.5, 5.0, 0.5


def window_spans(duration: float, windowing: Windowing) -> tuple[tuple[float, float], ...]:
    """(start, end) in seconds of each window of a recording of `duration` seconds; never empty if it has any sound.

    A recording up to 1.2 windows long is one window; in a longer one the last window ends where the recording
    ends, so that nothing is left unheard. `end` never lies behind the recording: what is missing there is padded.
    """
    if duration <= 0:
        return ()
    if duration <= 1.2 * windowing.seconds:
        return ((0.0, min(duration, windowing.seconds)),)
    last = duration - windowing.seconds
    count = math.ceil(last / windowing.step - 1e-6)
    starts = [*(index * windowing.step for index in range(count)), last]
    return tuple((round(start, 6), round(start + windowing.seconds, 6)) for start in starts)


def choose_windowing(durations: Sequence[float], rates: Sequence[int]) -> Windowing:
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
