"""Precision of detections from a reviewed sample of them, and the threshold that reaches a wanted precision.

The sample is stratified by score, so that rare scores near the threshold are reviewed, too. Estimates weigh each
stratum by the number of its detections (stratified sampling; Cochran, Sampling Techniques, ch. 5).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.core.messages import Message, msg
from ml.core.phrases import between, of_hundred
from ml.inference.detections import Detection
from ml.scoring.metrics import wilson_interval

STRATA = 8
TARGET = 0.95
FEWEST = 10
"""Reviewed detections above a threshold that can be proposed."""
_SPREAD = 7.0
"""Log-odds of a score that are told apart: 0.001 to 0.999."""


_Parts = list[tuple[int, NDArray[np.float64]]]
"""For each stratum, how many detections of it are kept, and the answers (0 or 1) about these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrecisionEstimate:
    """How many detections with at least this score are right: a share with its 95 % interval.

    `kept` detections have the score, `reviewed` of them were looked at. `found` is the share of all right detections
    that the threshold keeps.
    """

    threshold: float
    precision: float
    interval: tuple[float, float]
    kept: int
    reviewed: int
    found: float

    def sentence(self) -> Message:
        """Say it as a person would."""
        return msg(
            "At {threshold}, about {share} detections are right ({interval}).",
            threshold=round(self.threshold, 2),
            share=of_hundred(self.precision),
            interval=between(self.interval),
        )


def review_sample(scores: Sequence[float], *, count: int, seed: int = 0) -> tuple[int, ...]:
    """Return which detections to review: `count` of them, as many from each stratum of scores, in random order."""
    rng = np.random.default_rng(seed)
    strata = _strata(np.asarray(scores, dtype=np.float64))
    queues = [list(rng.permutation(np.flatnonzero(strata == each))) for each in np.unique(strata)]
    chosen: list[int] = []
    while len(chosen) < min(count, len(scores)):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(int(queue.pop()))
    return tuple(int(each) for each in rng.permutation(chosen))


def estimate_precision(scores: Sequence[float], answers: Mapping[int, bool], *, threshold: float) -> PrecisionEstimate:
    """Return the precision of all detections from `threshold` on.

    `answers`: for each reviewed detection, by its place in `scores`, whether it is right.
    """
    every = np.asarray(scores, dtype=np.float64)
    return _estimate(_strata(every), answers, every >= threshold, threshold)


def _estimate(
    strata: NDArray[np.int64], answers: Mapping[int, bool], kept: NDArray[np.bool_], threshold: float
) -> PrecisionEstimate:
    parts = _parts(strata, answers, kept)
    right, total = _right_ones(parts), int(kept.sum())
    reviewed = sum(bool(kept[place]) for place in answers)
    if not reviewed:
        return PrecisionEstimate(
            threshold=threshold, precision=0.0, interval=(0.0, 1.0), kept=total, reviewed=0, found=0.0
        )
    precision = right / total
    size = _effective_size(parts)
    everywhere = _right_ones(_parts(strata, answers, np.ones(len(strata), dtype=bool)))
    return PrecisionEstimate(
        threshold=threshold,
        precision=precision,
        interval=wilson_interval(precision * size, size),
        kept=total,
        reviewed=reviewed,
        found=min(1.0, right / everywhere) if everywhere else 0.0,
    )


def propose_threshold(
    scores: Sequence[float], answers: Mapping[int, bool], *, target: float = TARGET
) -> PrecisionEstimate | None:
    """Return the lowest threshold whose estimated precision reaches `target`; None if none does.

    Thresholds are reviewed scores, rounded down to hundredths where that keeps the precision.
    """
    every = np.asarray(scores, dtype=np.float64)
    strata = _strata(every)
    for threshold in sorted({float(every[place]) for place in answers}):
        estimate = _estimate(strata, answers, every >= threshold, threshold)
        if estimate.reviewed < FEWEST:
            return None
        if estimate.precision >= target:
            below = math.floor(threshold * 100) / 100
            rounded = _estimate(strata, answers, every >= below, below)
            return rounded if rounded.precision >= target else estimate
    return None


def review_by_class(
    detections: Sequence[Detection], answers: Mapping[int, bool], *, target: float = TARGET
) -> dict[str, PrecisionEstimate | None]:
    """Return the proposal for each class that has answers. `answers`: by the place of a detection in `detections`."""
    proposals: dict[str, PrecisionEstimate | None] = {}
    for label in sorted({detections[place].label for place in answers}):
        places = [place for place, each in enumerate(detections) if each.label == label]
        known = {number: answers[place] for number, place in enumerate(places) if place in answers}
        proposals[label] = propose_threshold([detections[place].score for place in places], known, target=target)
    return proposals


def _strata(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the stratum of each score: equal steps of log-odds, between the lowest and the highest score."""
    clipped = np.clip(scores, 1e-9, 1 - 1e-9)
    odds = np.clip(np.log(clipped) - np.log1p(-clipped), -_SPREAD, _SPREAD)
    low, high = (odds.min(), odds.max()) if len(odds) else (0.0, 0.0)
    if high <= low:
        return np.zeros(len(scores), dtype=np.int64)
    return np.asarray(np.minimum((odds - low) / (high - low) * STRATA, STRATA - 1), dtype=np.int64)


def _parts(strata: NDArray[np.int64], answers: Mapping[int, bool], kept: NDArray[np.bool_]) -> _Parts:
    """Return the strata of what is kept.

    A stratum nobody reviewed joins the next one below that somebody did, or above.
    """
    places = np.array([place for place in answers if kept[place]], dtype=np.int64)
    values = np.array([answers[int(place)] for place in places], dtype=np.float64)
    known = np.unique(strata[places])
    if not len(known):
        return []
    joined = known[np.maximum(np.searchsorted(known, strata, side="right") - 1, 0)]
    return [(int((kept & (joined == each)).sum()), values[joined[places] == each]) for each in known]


def _right_ones(parts: _Parts) -> float:
    """Return the estimated number of right detections."""
    return float(sum(total * values.mean() for total, values in parts))


def _effective_size(parts: _Parts) -> float:
    """Return how large a simple random sample would be that is as exact as this one."""
    whole = sum(total for total, _ in parts)
    # Half an answer of each sort keeps the variance of strata whose answers all agree above zero (Jeffreys).
    smoothed = [(total / whole, (values.sum() + 0.5) / (len(values) + 1), len(values)) for total, values in parts]
    mean = sum(weight * share for weight, share, _ in smoothed)
    variance = sum(weight**2 * share * (1 - share) / number for weight, share, number in smoothed)
    return float(mean * (1 - mean) / variance)
