"""Choose the moments at which pictures are taken from videos."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ml.core.types import FrameSampling

SPACINGS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds between two frames, where nobody asked for others."""
USUAL_FRAMES = 100
"""Frames of a video of the usual length, at most: neighbouring frames are much alike, and each takes its time."""
MOST_ASKED = 10_000
"""Frames of a video where somebody chose how far they are apart."""
SHORTEST, LONGEST = 0.02, 86_400.0
"""Seconds between two frames that somebody may choose."""
_END = 0.05
"""Seconds before the end of a video in which no frame is taken: it may have none that late."""


def choose_frames(seconds: Sequence[float]) -> FrameSampling:
    """Return which frames suit videos of these lengths: of nine of ten of them no more than `USUAL_FRAMES`."""
    usual = float(np.percentile(np.asarray(seconds, dtype=np.float64), 90))
    every = next((each for each in SPACINGS if usual <= each * USUAL_FRAMES), SPACINGS[-1])
    return FrameSampling(every=every)


def frames_asked(every: float) -> FrameSampling:
    """Return the frames that somebody asked for, one every so many seconds. Raises ValueError."""
    if not SHORTEST <= every <= LONGEST:
        raise ValueError(f"a frame every {every} s")
    return FrameSampling(every=every, most=MOST_ASKED)


def frame_spans(seconds: float, frames: FrameSampling) -> tuple[tuple[float, float], ...]:
    """Return the moment of each frame of a video so long, and until when it stands for what is shown."""
    step = frames.every
    if seconds > step * frames.most:
        step = math.ceil(1000.0 * seconds / frames.most) / 1000.0
    count = max(1, math.ceil((seconds - _END) / step))
    return tuple(
        (round(place * step, 6), round(max(place * step, min((place + 1) * step, seconds)), 6))
        for place in range(count)
    )
