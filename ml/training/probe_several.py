"""The first model of a multi-label project: a logistic regression for each class on frozen features."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml.insight.several import quality, sigmoid
from ml.training.probe import ABSENT, STRENGTHS, Probe, half_scale, in_pieces
from ml.training.score import score_of

Part = tuple[NDArray[np.float32], NDArray[np.int64]]


def fit_several(train: Part, valid: Part, *, classes: int) -> Iterator[Probe | None]:
    """Yields a probe for each strength that was tried; the last one yielded is the best by validation loss. In between
    it yields None for whoever wants to end it, as `fit_probe` does.

    `train` and `valid` are (embeddings (n, width), targets (n, classes) of 0 and 1). All classes share one strength:
    few of them have enough samples to choose their own. Without validation samples the middle one is taken.
    The embeddings of `train` are used up, as by `fit_probe`.
    """
    scaled, targets = train
    mean, spread = scaled.mean(axis=0), half_scale(scaled)
    scaled -= mean
    scaled /= spread
    best: Probe | None = None
    models: dict[int, LogisticRegression] = {}
    for strength in STRENGTHS if len(valid[1]) else STRENGTHS[2:3]:
        weight = np.zeros((classes, scaled.shape[1]), dtype=np.float32)
        bias = np.zeros(classes, dtype=np.float32)
        for index in range(classes):
            count = int(targets[:, index].sum())
            if count == 0:
                bias[index] = ABSENT
            elif count == len(targets):
                bias[index] = np.log((count + 1.0) / 1.0)  # always there, as far as anybody has shown
            else:
                model = models.setdefault(index, LogisticRegression(warm_start=True))
                model.C = strength  # it goes on from the strength before
                yield from in_pieces(model, scaled, targets[:, index], classes=1)
                weight[index], bias[index] = model.coef_[0], float(model.intercept_[0])
        on_train = quality(sigmoid(scaled @ weight.T + bias), targets)
        weight /= spread
        bias -= weight @ mean
        probe = _judged(weight, bias, on_train, valid, strength=strength)
        improved = best is None or (probe.valid_loss or 0.0) < (best.valid_loss or 0.0)
        if improved:
            best = probe
        yield probe
        if not improved:
            break
    assert best is not None
    yield best


def _judged(
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    on_train: tuple[float | None, float | None],
    valid: Part,
    *,
    strength: float,
) -> Probe:
    on_valid = sigmoid(valid[0] @ weight.T + bias)
    average, loss = quality(on_valid, valid[1])
    return Probe(
        weight=weight,
        bias=bias,
        strength=strength,
        train_loss=on_train[1] or 0.0,
        valid_loss=loss,
        valid_accuracy=average,
        valid_score=score_of(on_valid, valid[1]) if len(valid[1]) else None,
    )
