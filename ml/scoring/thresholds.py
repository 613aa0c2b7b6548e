"""From a wanted error rate to the probability below which an answer is set aside, and what that costs. Pure arrays.

"Wrong" is that the most probable class is not the label; of one class among several at once, see `ml.scoring.tasks`.

`sources` (n,) name the file of each sample. Windows of one recording are right or wrong together, so where something is
promised a file counts as one, wrong by the share of its windows that are.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
CLASS_AT_LEAST = 20
"""With fewer validation samples named so, a class gets no threshold of its own."""
STEPS = 40
MISTAKES = (0, 2, 8)


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectiveRisk:
    """What a threshold does to n samples: how many it accepts, how many of those are wrong. `proof`: of how many
    files how many are wrong, see above; the same where each sample is a file of its own."""

    n: int
    accepted: int
    wrong: int
    proof: tuple[float, int] | None = None

    @property
    def rejected_share(self) -> float:
        return 1.0 - self.accepted / self.n if self.n else 0.0

    @property
    def error(self) -> float:
        """Of the accepted."""
        return self.wrong / self.accepted if self.accepted else 0.0

    @property
    def error_at_most(self) -> float:
        """The error among the accepted is below this with 95 % confidence (Clopper and Pearson 1934)."""
        return upper_bound(*(self.proof or (self.wrong, self.accepted)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """`overall` holds for every class, `per_class` (classes,) is never below it. `files`: they were chosen by.

    `promised`: the error among the accepted stays below `wanted` with 95 % confidence. `needed`: as many samples to
    choose by (files, see above), none of them wrong, could promise it.
    """

    wanted: float
    overall: float
    per_class: tuple[float, ...]
    promised: bool
    price: SelectiveRisk
    needed: int
    files: int


def _beta_quantile(
    a: float | NDArray[np.floating], b: float | NDArray[np.floating], probability: float
) -> NDArray[np.float64]:
    from scipy.special import betaincinv  # takes half a second to load, and every command imports this module

    return np.asarray(betaincinv(a, b, probability))


def upper_bound(wrong: float, n: int, *, confidence: float = CONFIDENCE) -> float:
    """The one-sided upper limit of a fraction (Clopper and Pearson 1934); 1 for n = 0. `wrong` may be a fraction."""
    # The quantile of the beta distribution; `scipy.stats.beta.ppf` takes a hundred times as long for a single number.
    return 1.0 if wrong >= n else float(_beta_quantile(wrong + 1, n - wrong, confidence))


def samples_needed(wanted: float) -> int:
    """How many accepted samples without a single mistake it takes to promise an error of at most `wanted`."""
    return _count_for(0, wanted, CONFIDENCE)


def choose_thresholds(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    wanted: float,
    sources: NDArray[np.integer] | None = None,
) -> Thresholds:
    """The lowest thresholds that keep the error among accepted held-out samples at `wanted` or below.

    `probabilities` (n, classes) are calibrated, `labels` (n,). Candidate thresholds are tried from a strict one
    on and the last one before the first that cannot be promised is taken, so trying several costs no confidence
    (fixed-sequence testing, Angelopoulos et al. 2021). Where none can be promised, the lowest that seems to
    keep to `wanted` is taken instead, and `promised` is False. Where all may be accepted, what is nearer to guessing
    than to the least sure of these samples is not: nothing like it was ever put to the test.
    """
    classes, needed = probabilities.shape[1], samples_needed(wanted)
    if len(labels) == 0:
        none = SelectiveRisk(n=0, accepted=0, wrong=0)
        return Thresholds(
            wanted=wanted, overall=0.0, per_class=(0.0,) * classes, promised=False, price=none, needed=needed, files=0
        )
    top = probabilities.max(axis=1)
    wrong = np.argmax(probabilities, axis=1) != labels
    overall, promised = lowest_threshold(top, wrong, wanted=wanted, sources=sources)
    overall = overall or (1.0 / classes + float(top.min())) / 2.0
    per_class = _per_class(probabilities, wrong, overall=overall, wanted=wanted)
    price = selective_risk(probabilities, labels, per_class, sources=sources)
    files = len(labels) if sources is None else len(np.unique(sources))
    return Thresholds(
        wanted=wanted, overall=overall, per_class=per_class, promised=promised, price=price, needed=needed, files=files
    )


def lowest_threshold(
    sure: NDArray[np.floating],
    wrong: NDArray[np.bool_],
    *,
    wanted: float,
    sources: NDArray[np.integer] | None = None,
) -> tuple[float, bool]:
    """From how `sure` (n,) on at most a share `wanted` of what is said is `wrong` (n,), and whether it is promised."""
    promised = _promised(sure, wrong, wanted, sources)
    return (_as_seen(sure, wrong, wanted), False) if promised is None else (promised, True)


def selective_risk(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    per_class: tuple[float, ...],
    *,
    sources: NDArray[np.integer] | None = None,
) -> SelectiveRisk:
    """What thresholds per class do to samples they were not chosen by."""
    if len(labels) == 0:
        return SelectiveRisk(n=0, accepted=0, wrong=0)
    best = np.argmax(probabilities, axis=1)
    limits = np.zeros(probabilities.shape[1])
    limits[: len(per_class)] = per_class[: len(limits)]
    accepted = probabilities.max(axis=1) >= limits[best]
    wrong = (best != labels)[accepted]
    proven, files = _by_source(wrong, None if sources is None else sources[accepted])
    proof = (float(proven[-1]), int(files[-1])) if len(wrong) else None
    return SelectiveRisk(n=len(labels), accepted=int(accepted.sum()), wrong=int(wrong.sum()), proof=proof)


def risk_coverage_curve(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, sources: NDArray[np.integer] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The whole curve, for a plot: for every number of accepted samples, surest first, the share rejected, the error
    among the accepted, and its upper limit with 95 % confidence. Three arrays (n,)."""
    top = probabilities.max(axis=1)
    order = np.argsort(-top, kind="stable")
    each = np.argmax(probabilities, axis=1)[order] != labels[order]
    wrong, accepted = np.cumsum(each), np.arange(1, len(labels) + 1)
    proven, files = _by_source(each, None if sources is None else sources[order])
    # Of samples that are equally sure either all are accepted or none.
    last = np.flatnonzero(np.append(np.diff(top[order]) != 0, True)) if len(labels) else np.zeros(0, dtype=int)
    wrong, accepted, proven, files = wrong[last], accepted[last], proven[last], files[last]
    limit = np.where(proven < files, _beta_quantile(proven + 1, np.maximum(files - proven, 1e-9), CONFIDENCE), 1.0)
    return 1.0 - accepted / max(1, len(labels)), wrong / accepted, limit


def _promised(
    top: NDArray[np.floating], wrong: NDArray[np.bool_], wanted: float, sources: NDArray[np.integer] | None
) -> float | None:
    """None where nothing can be promised."""
    order = np.argsort(-top, kind="stable")
    sure = top[order]
    proven, files = _by_source(wrong[order], None if sources is None else sources[order])
    starts = _starts(int(files[-1]) if len(files) else 0, wanted)
    best = 0
    for first, confidence in starts:
        begin = int(np.searchsorted(files, first)) + 1
        for count in np.unique(np.linspace(begin, len(top), STEPS).round().astype(int)):
            place = _end_of_ties(sure, int(count))
            if upper_bound(float(proven[place - 1]), int(files[place - 1]), confidence=confidence) > wanted:
                break
            best = max(best, place)
    return _between(sure, best) if best else None


def _by_source(
    wrong: NDArray[np.bool_], sources: NDArray[np.integer] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of the first sample, the first two, and so on: of how many files how many are wrong, two arrays (n,).

    By the mean of the files' shares, or by the share of all samples if that is more. The sum of shares spreads no wider
    than as many files that are wholly right or wrong.
    """
    n = len(wrong)
    counted, one_by_one = np.cumsum(wrong), np.arange(1, n + 1)
    names, places = np.unique(np.arange(n) if sources is None else sources, return_inverse=True)
    if len(names) == n:
        return counted.astype(np.float64), one_by_one
    held, mistakes = np.zeros(len(names)), np.zeros(len(names))
    shares, files = np.zeros(n), np.zeros(n, dtype=np.int64)
    total, seen = 0.0, 0
    for row, (place, is_wrong) in enumerate(zip(places.tolist(), wrong.tolist(), strict=True)):
        if held[place]:
            total -= mistakes[place] / held[place]
        else:
            seen += 1
        held[place] += 1
        mistakes[place] += is_wrong
        total += mistakes[place] / held[place]
        shares[row], files[row] = total, seen
    return np.maximum(shares, counted / one_by_one * files), files


def _starts(n: int, wanted: float) -> list[tuple[int, float]]:
    """How many to accept at first, and the confidence to ask for.

    The fewest that can prove anything may hold a mistake already, so it is tried from larger numbers as well, and the
    doubt that is allowed is divided among the trials.
    """
    for trials in range(len(MISTAKES), 0, -1):
        confidence = 1.0 - (1.0 - CONFIDENCE) / trials
        starts = [_count_for(mistakes, wanted, confidence) for mistakes in MISTAKES[:trials]]
        if starts[-1] <= n:
            return [(start, confidence) for start in starts]
    return []


@cache
def _count_for(mistakes: int, wanted: float, confidence: float) -> int:
    """The fewest samples among which so many mistakes still prove the wanted rate."""
    from scipy.special import gammaincinv  # see `_beta_quantile`

    def proves(count: int) -> bool:
        return upper_bound(mistakes, count, confidence=confidence) <= wanted

    least = max(mistakes + 1, int(0.9 * gammaincinv(mistakes + 1, confidence) / wanted))
    most = least
    while not proves(most):
        most *= 2
    return least + bisect_left(range(least, most), True, key=proves)


def _as_seen(top: NDArray[np.floating], wrong: NDArray[np.bool_], wanted: float) -> float:
    """0 accepts everything; where even the surest are too often wrong, above the surest wrong one, be it above 1.

    One more mistake is counted than was seen: what a few samples show is kinder than what comes after them.
    """
    order = np.argsort(-top, kind="stable")
    sure = top[order]
    # Of samples that are equally sure either all are accepted or none.
    last = np.append(np.diff(sure) != 0, True) if len(sure) else np.zeros(0, dtype=bool)
    good = np.flatnonzero(last & (np.cumsum(wrong[order]) + 1 <= wanted * np.arange(2, len(top) + 2)))
    if len(good):
        return _between(sure, int(good[-1]) + 1)
    above = int((top > top[wrong].max()).sum()) if wrong.any() else len(top)
    return _between(sure, above) if above else float(sure[0] + 1e-6) if len(sure) else 0.0


def _per_class(
    probabilities: NDArray[np.floating], wrong: NDArray[np.bool_], *, overall: float, wanted: float
) -> tuple[float, ...]:
    """Stricter where a class, accepted by the overall threshold, is wrong more often than wanted; never looser."""
    best, top = np.argmax(probabilities, axis=1), probabilities.max(axis=1)
    limits = []
    for index in range(probabilities.shape[1]):
        mine = (best == index) & (top >= overall)
        enough = int((best == index).sum()) >= CLASS_AT_LEAST
        # One mistake may be chance; two beyond the wanted rate are a habit.
        habit = wrong[mine].sum() >= 2 and wrong[mine].mean() > wanted
        limits.append(max(overall, _as_seen(top[mine], wrong[mine], wanted)) if enough and habit else overall)
    return tuple(limits)


def _end_of_ties(sure: NDArray[np.floating], count: int) -> int:
    return int(np.searchsorted(-sure, -sure[count - 1], side="right"))


def _between(sure: NDArray[np.floating], count: int) -> float:
    """A threshold that accepts the first `count` of falling confidences."""
    return 0.0 if count == len(sure) else float((sure[count - 1] + sure[count]) / 2.0)
