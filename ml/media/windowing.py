"""Cut recordings into windows, and choose a window length for the data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ml.core.types import Clock, Windowing

HIGHEST_RATE = 32_000
_ABOVE = 0.25
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


def choose_time_expansion(rates: Sequence[float], shares_above: Sequence[float | None]) -> int:
    """How many times slower networks should hear these recordings, so that the whole recorded band is in their range.

    1 unless a quarter of the recordings hold sound mostly above that range, see `AudioFacts.share_above`. A quarter is
    enough: what is slowed down without need is still heard, and what is not is lost.
    """
    known = [share for share in shares_above if share is not None]
    if not known or sum(share > 0.5 for share in known) < _ABOVE * len(known):
        return 1
    return max(1, math.ceil(_usual_rate(rates) / HIGHEST_RATE))


def choose_windowing(durations: Sequence[float], rates: Sequence[float], *, time_expansion: int = 1) -> Windowing:
    """Window length and step that suit these recordings; `durations` in seconds, `rates` in Hz, one of each per file.

    Rate: the commonest one, but no more than 32 kHz, above which the pretrained networks gain nothing: 44.1 and
    48 kHz become 32 kHz, 8 kHz stays. Length: nine of ten recordings fit into one window, from 0.5 to 5 s in
    halves of a second: shorter says too little, longer blurs short events. Step: half a window where most
    recordings are longer than 1.5 windows, so that an event cut by one window lies whole in the next, else one window.
    With a time expansion this holds for what networks hear.
    """
    if not durations:
        raise ValueError("There are no recordings to choose a window for.")
    rate = min(_usual_rate(rates), HIGHEST_RATE * time_expansion)
    if time_expansion > 1:
        rate = time_expansion * (int(rate) // time_expansion)  # so that both rates are whole
    heard = time_expansion * np.asarray(durations, dtype=np.float64)
    usual = float(np.percentile(heard, 90))
    seconds = math.ceil(round(min(max(usual, SHORTEST), LONGEST) / GRAIN, 3)) * GRAIN
    step = seconds / 2 if int((heard > 1.5 * seconds).sum()) > len(durations) / 2 else seconds
    return Windowing(
        rate=rate, seconds=seconds / time_expansion, step=step / time_expansion, time_expansion=time_expansion
    )


def _usual_rate(rates: Sequence[float]) -> float:
    """The commonest rate, the highest of equally common ones."""
    counts = Counter(rates)
    return max(counts, key=lambda value: (counts[value], value))


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
