"""Say before the network is adjusted what that is expected to gain, and what would help more if it is little."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.core.messages import Message, msg
from ml.core.phrases import counted
from ml.core.types import KindName
from ml.project.predictions import Predictions

ERRORS_REMOVED = (0.1, 0.7)
"""Share of the first model's errors that adjusting removed, in the runs of docs/learning.md, from and to."""
LITTLE = 1.0
"""More correct predictions of 100 up to which adjusting hardly helps."""


@dataclass(frozen=True, slots=True)
class Advice:
    """`gain`: how many more of 100 will be right, from and to; None without validation samples."""

    gain: tuple[float, float] | None
    sentence: Message


def advise(
    predictions: Predictions, *, score: float | None, names: Sequence[str], kind: KindName, other_ear: bool
) -> Advice:
    """Return what adjusting the network is expected to gain over the first model.

    `score` is the validation score of the first model, `other_ear` whether it uses another network than the one that
    will be adjusted: then nothing may be gained.
    """
    count = int(predictions.labelled("valid").sum())
    if score is None or not count:
        return Advice(None, msg("There are no validation samples, so what adjusting the network gains is not known."))
    # One mistake more, of two samples more, than there were (Laplace): no mistake on a few samples means little.
    errors = (count * (1.0 - score) + 1.0) / (count + 2.0)
    low, high = (100.0 * share * errors for share in ERRORS_REMOVED)
    gain = float(0 if other_ear else math.floor(low)), float(math.ceil(high))
    if gain[1] <= LITTLE or round(count * (1.0 - score)) == 0:
        return Advice(gain, _hardly(predictions, count, score, names, kind))
    return Advice(
        gain,
        msg(
            "Adjusting the network is expected to get {low} to {high} more of 100 right.",
            low=round(gain[0]),
            high=round(gain[1]),
        ),
    )


def _hardly(predictions: Predictions, count: int, score: float, names: Sequence[str], kind: KindName) -> Message:
    """Return the sentence that adjusting is hardly worth it, and what would help."""
    samples = counted(count, kind)
    if round(count * (1.0 - score)) == 0:
        return msg(
            "The first model makes no mistake on {samples} in validation. Adjusting will hardly help. Samples that "
            "differ from these, as of another day or place, would help more.",
            samples=samples,
        )
    pair = confused_pair(predictions)
    if pair is None:
        return msg(
            "The first model makes hardly a mistake on {samples} in validation. Adjusting will hardly help.",
            samples=samples,
        )
    return msg(
        "The first model makes hardly a mistake on {samples} in validation. Adjusting will hardly help. More labelled "
        "samples of “{first}” and “{second}” would help more, since it confuses these.",
        samples=samples,
        first=names[pair[0]],
        second=names[pair[1]],
    )


def confused_pair(predictions: Predictions) -> tuple[int, int] | None:
    """Return the two classes that are confused most often in validation; None without a mistake or for multi-label."""
    if predictions.targets is not None:
        return None
    rows = np.flatnonzero(predictions.labelled("valid"))
    truth = np.asarray(predictions.labels[rows])
    predicted = np.argmax(np.asarray(predictions.probabilities[rows]), axis=1) if len(rows) else truth
    pairs = np.sort(np.stack([truth, predicted], axis=1)[truth != predicted], axis=1)
    if not len(pairs):
        return None
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    first, second = found[np.argmax(counts)]
    return int(first), int(second)
