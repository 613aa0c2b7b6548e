"""The first model of a multi-label project: a logistic regression for each class on frozen features."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml.probe.probe import ABSENT, C_GRID, Part, Probe, fit_incrementally, select_c
from ml.probe.whitening import Head, fit_whitener
from ml.scoring.multilabel import sigmoid


def fit_several(
    train: Part, valid: Part, *, classes: int, strengths: tuple[float, ...] = C_GRID
) -> Iterator[Probe | None]:
    """Yields a probe for each of the `strengths` that was tried; the last one yielded is the best by validation loss.
    In between it yields None for whoever wants to end it, as `fit_probe` does.

    `train` and `valid` are (embeddings (n, width), targets (n, classes) of 0 and 1). All classes share one strength:
    few of them have enough samples to choose their own. Without validation samples the middle one is taken.
    The embeddings of `train` are used up, as by `fit_probe`.
    """
    scaled, targets = train
    whitener = yield from fit_whitener(scaled, targets)
    models: dict[int, LogisticRegression] = {}

    def fit(strength: float) -> Generator[None, None, Head]:
        return (yield from _fitted(models, scaled, targets, classes=classes, strength=strength))

    yield from select_c(fit, sigmoid, whitener, train, valid, strengths=strengths)


def _fitted(
    models: dict[int, LogisticRegression],
    scaled: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    classes: int,
    strength: float,
) -> Generator[None, None, Head]:
    """Fit every class at this strength; `models`, by class, go on from the strength before."""
    head = Head(np.zeros((classes, scaled.shape[1]), dtype=np.float32), np.zeros(classes, dtype=np.float32))
    for index in range(classes):
        count = int(targets[:, index].sum())
        if count == 0:
            head.bias[index] = ABSENT
        elif count == len(targets):
            head.bias[index] = np.log((count + 1.0) / 1.0)  # always there, as far as anybody has shown
        else:
            model = models.setdefault(index, LogisticRegression(warm_start=True))
            model.C = strength
            yield from fit_incrementally(model, scaled, targets[:, index], classes=1)
            head.weight[index], head.bias[index] = model.coef_[0], float(model.intercept_[0])
    return head
