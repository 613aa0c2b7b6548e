"""The first model: logistic regression on frozen features (the linear probe of LP-FT, Kumar et al. 2022)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ml.core.jobs import NeverStop, Stop, raise_if_requested
from ml.probe.objective import Score, class_weights, logit_adjustment, score_of
from ml.probe.whitening import Head, Whitener, fit_whitener
from ml.scoring.calibration import softmax
from ml.scoring.task import Task
from ml.scoring.tasks import task_for

C_GRID = (0.001, 0.003, 0.01, 0.03, 0.1)
"""Values of C (inverse regularisation strength) to try on whitened features; the validation split selects one."""
INIT_C = 0.0005
"""C of the head that fine-tuning starts from. A head that already fits every training sample leaves no gradient."""
ABSENT = -20.0
"""Bias of a class without training samples: never predicted, but part of the model."""
MAX_ITERATIONS = 200
"""Solver iterations for each C."""
FIT_OPERATIONS = 2e9
"""Weights times samples of the solver between two checks for a stop request: less than a second."""


LabelledEmbeddings = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Embeddings (n, width) and their targets, see `ml.probe.objective`."""
FitHead = Callable[[float], Head]
"""Maps C to a head for whitened features."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """The first model: a linear head with its scores."""

    head: Head
    init_head: Head
    """The head that fine-tuning starts from."""
    C: float
    train_loss: float
    valid_loss: float | None
    valid_accuracy: float | None
    valid_score: Score | None
    """The score that fine-tuning has to beat."""

    def probabilities(self, embeddings: NDArray[np.floating], *, temperature: float = 1.0) -> NDArray[np.float32]:
        """Return (n, classes) from embeddings (n, width)."""
        return softmax(self.head.logits(embeddings) / temperature)


def fit_probe(
    train: LabelledEmbeddings,
    valid: LabelledEmbeddings,
    *,
    classes: int,
    task: Task | None = None,
    c_grid: tuple[float, ...] = C_GRID,
    stop: Stop | None = None,
) -> Iterator[Probe]:
    """Yield a probe for each C that was tried; the last one yielded has the lowest validation loss.

    The embeddings of `train` are whitened in place, since a copy of 100,000 samples takes half a gigabyte. Without
    validation samples the middle of `c_grid` is used. Without a `task` the shape of the targets tells which. Exclusive
    tasks: rare classes have a higher weight, with logit adjustment. Others: one regression per class, all with the same
    C, since few classes have enough samples to select their own.

    Raises StopRequestedError within about a second of a request of `stop`; the last probe yielded is then the best.
    """
    stop = stop or NeverStop()
    whitened, targets = train
    whitener = fit_whitener(whitened, targets, stop)
    task = task or task_for(targets)
    fit = (_softmax_regression if task.exclusive else _binary_regressions)(whitened, targets, classes, stop)
    yield from _select_c(fit, task, whitener, train, valid, c_grid=c_grid)


def _select_c(
    fit: FitHead,
    task: Task,
    whitener: Whitener,
    train: LabelledEmbeddings,
    valid: LabelledEmbeddings,
    *,
    c_grid: tuple[float, ...],
) -> Iterator[Probe]:
    """Increase C, each fit warm-started from the one before, until the validation loss rises."""
    init_head = whitener.fold_into_head(fit(INIT_C))
    best: Probe | None = None
    for c in c_grid if len(valid[1]) else (c_grid[len(c_grid) // 2],):
        head = fit(c)
        train_loss = task.score_and_loss(task.activation(head.logits(train[0])), train[1])[1]
        head = whitener.fold_into_head(head)
        on_valid = task.activation(head.logits(valid[0]))
        valid_accuracy, valid_loss = task.score_and_loss(on_valid, valid[1])
        probe = Probe(
            head=head,
            init_head=init_head,
            C=c,
            train_loss=train_loss or 0.0,
            valid_loss=valid_loss,
            valid_accuracy=valid_accuracy,
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


def _softmax_regression(whitened: NDArray[np.float32], labels: NDArray[np.int64], classes: int, stop: Stop) -> FitHead:
    """Return the fit of one multinomial regression with class weights and logit adjustment."""
    model = LogisticRegression(tol=1e-3, warm_start=True)
    weights = class_weights(labels)

    def fit(c: float) -> Head:
        model.C = c
        _fit_incrementally(model, whitened, labels, classes=classes, weights=weights, stop=stop)
        head = _head_of(model, classes=classes)
        head.bias[model.classes_] -= logit_adjustment(labels)
        return head

    return fit


def _binary_regressions(whitened: NDArray[np.float32], targets: NDArray[np.int64], classes: int, stop: Stop) -> FitHead:
    """Return the fit of one binary regression per class."""
    models: dict[int, LogisticRegression] = {}

    def fit(c: float) -> Head:
        head = Head(np.zeros((classes, whitened.shape[1]), dtype=np.float32), np.zeros(classes, dtype=np.float32))
        for index in range(classes):
            count = int(targets[:, index].sum())
            if count == 0:
                head.bias[index] = ABSENT
            elif count == len(targets):
                head.bias[index] = np.log((count + 1.0) / 1.0)  # no sample without it: additive smoothing
            else:
                model = models.setdefault(index, LogisticRegression(warm_start=True))
                model.C = c
                _fit_incrementally(model, whitened, targets[:, index], classes=1, stop=stop)
                head.weight[index], head.bias[index] = model.coef_[0], float(model.intercept_[0])
        return head

    return fit


def _fit_incrementally(
    model: LogisticRegression,
    whitened: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    classes: int,
    weights: NDArray[np.float32] | None = None,
    stop: Stop,
) -> None:
    """Fit a warm-started model with sample `weights` (n,), and check for a stop request after every few iterations.

    scikit-learn cannot be interrupted. The number of iterations between two checks depends on the shapes alone, not on
    the clock, so that a resumed run fits the same probe.
    """
    most = max(4, min(MAX_ITERATIONS, int(FIT_OPERATIONS / (whitened.size * classes))))
    for done in range(0, MAX_ITERATIONS, most):
        model.max_iter = min(most, MAX_ITERATIONS - done)
        with warnings.catch_warnings():
            # Near convergence is enough to compare values of C, and the fit continues from here.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(whitened, labels, sample_weight=weights)
        raise_if_requested(stop)
        if int(np.max(model.n_iter_)) < model.max_iter:
            break


def _head_of(model: LogisticRegression, *, classes: int) -> Head:
    """Return the fitted weights, extended to all classes."""
    coefficients, intercepts = model.coef_, model.intercept_
    if len(coefficients) == 1:
        # scikit-learn keeps one row for two classes; the softmax of ± half of it is the same model.
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    head = Head(np.zeros((classes, coefficients.shape[1]), dtype=np.float32), np.full(classes, ABSENT, np.float32))
    head.weight[model.classes_], head.bias[model.classes_] = coefficients, intercepts
    return head
