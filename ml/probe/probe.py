"""The first model: logistic regression on frozen features (the linear probe of LP-FT, Kumar et al. 2022)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ml.probe.objective import Score, class_weights, logit_adjustment, score_of
from ml.probe.whitening import Head, Whitener, fit_whitener
from ml.scoring.calibration import softmax
from ml.scoring.tasks import Task, task_for

C_GRID = (0.001, 0.003, 0.01, 0.03, 0.1)
"""Inverse regularisation strengths to try on the scaled features; the validation split chooses."""
INIT_C = 0.0005
"""That of the head which fine-tuning begins from: one that explains every training sample leaves nothing to learn."""
ABSENT = -20.0
"""The bias of a class that has no training sample: never predicted, but there once it has some."""
ROUNDS = 200
"""Of the solver, for each strength, at the most."""
AT_ONCE = 2e9
"""Weights times samples that the solver goes through before somebody may ask it to stop: less than a second's work."""


Part = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Embeddings (n, width) and their targets, see `training.objective`."""
Fit = Callable[[float], Generator[None, None, Head]]
"""A strength to a head of scaled features."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """The first model: a linear head with its scores."""

    head: Head
    init_head: Head
    """Where fine-tuning begins."""
    strength: float
    train_loss: float
    valid_loss: float | None
    valid_accuracy: float | None
    valid_score: Score | None
    """What fine-tuning has to beat."""

    def probabilities(self, embeddings: NDArray[np.floating], *, temperature: float = 1.0) -> NDArray[np.float32]:
        """(n, classes) from embeddings (n, width)."""
        return softmax(self.head.logits(embeddings) / temperature)


def fit_probe(
    train: Part, valid: Part, *, classes: int, task: Task | None = None, strengths: tuple[float, ...] = C_GRID
) -> Iterator[Probe | None]:
    """Yield a probe for each of the `strengths` that was tried; the last one yielded is the best by validation loss.

    In between it yields None at least every second or so, for whoever wants to end it: the probe yielded last is then
    the best of those that were tried. `train` and `valid` are (embeddings (n, width), targets); those of `train`
    are used up: they are scaled in place, for with 100,000 samples every copy is half a gigabyte. Without validation
    samples the middle strength is taken as it is. Without a `task` the shape of the targets tells which.
    """
    scaled, targets = train
    task = task or task_for(targets)
    whitener = yield from fit_whitener(scaled, targets)
    fit = (_softmax_fit if task.exclusive else _sigmoid_fit)(scaled, targets, classes=classes)
    yield from select_c(fit, task, whitener, train, valid, strengths=strengths)


def _softmax_fit(scaled: NDArray[np.float32], labels: NDArray[np.int64], *, classes: int) -> Fit:
    """One model of all classes. Rare classes weigh more, and are not predicted more often for that."""
    model = LogisticRegression(tol=1e-3, warm_start=True)
    weights = class_weights(labels)

    def fit(strength: float) -> Generator[None, None, Head]:
        model.C = strength
        yield from fit_incrementally(model, scaled, labels, classes=classes, weights=weights)
        head = _head_of(model, classes=classes)
        head.bias[model.classes_] -= logit_adjustment(labels)
        return head

    return fit


def _sigmoid_fit(scaled: NDArray[np.float32], targets: NDArray[np.int64], *, classes: int) -> Fit:
    """One model of each class. They share one strength: few classes have enough samples to choose their own."""
    models: dict[int, LogisticRegression] = {}

    def fit(strength: float) -> Generator[None, None, Head]:
        return (yield from _fitted(models, scaled, targets, classes=classes, strength=strength))

    return fit


def select_c(
    fit: Fit,
    task: Task,
    whitener: Whitener,
    train: Part,
    valid: Part,
    *,
    strengths: tuple[float, ...],
) -> Iterator[Probe | None]:
    """Try the strengths from weak to strong, each going on from the one before, until the validation loss rises.

    `fit` makes a head of scaled features. Yields as `fit_probe` does.
    """
    init_head = whitener.fold_into_head((yield from fit(INIT_C)))
    best: Probe | None = None
    for strength in strengths if len(valid[1]) else (strengths[len(strengths) // 2],):
        head = yield from fit(strength)
        train_loss = task.score_and_loss(task.activation(head.logits(train[0])), train[1])[1]
        head = whitener.fold_into_head(head)
        on_valid = task.activation(head.logits(valid[0]))
        how_good, valid_loss = task.score_and_loss(on_valid, valid[1])
        probe = Probe(
            head=head,
            init_head=init_head,
            strength=strength,
            train_loss=train_loss or 0.0,
            valid_loss=valid_loss,
            valid_accuracy=how_good,
            valid_score=score_of(on_valid, valid[1], task) if len(valid[1]) else None,
        )
        improved = best is None or (probe.valid_loss or 0.0) < (best.valid_loss or 0.0)
        if improved:
            best = probe
        yield probe
        if not improved:
            break
    assert best is not None
    yield best


def fit_incrementally(
    model: LogisticRegression,
    scaled: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    classes: int,
    weights: NDArray[np.float32] | None = None,
) -> Iterator[None]:
    """Fit a model that starts warm, with `weights` (n,) of the samples, and yield after every piece of the work.

    The pieces follow from the sizes alone, not from the clock: a run that is resumed gets the same probe again.
    """
    most = max(4, min(ROUNDS, int(AT_ONCE / (scaled.size * classes))))
    for begun in range(0, ROUNDS, most):
        model.max_iter = min(most, ROUNDS - begun)
        with warnings.catch_warnings():
            # Not quite converged is good enough to compare strengths, and the fit goes on from here.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(scaled, labels, sample_weight=weights)
        yield None
        if int(np.max(model.n_iter_)) < model.max_iter:
            break


def _head_of(model: LogisticRegression, *, classes: int) -> Head:
    """The fitted model, with all classes."""
    coefficients, intercepts = model.coef_, model.intercept_
    if len(coefficients) == 1:
        # Two classes: scikit-learn keeps one row; the softmax of ± half of it is the same model.
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    head = Head(np.zeros((classes, coefficients.shape[1]), dtype=np.float32), np.full(classes, ABSENT, np.float32))
    head.weight[model.classes_], head.bias[model.classes_] = coefficients, intercepts
    return head


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
