"""Find label errors with confident learning (Northcutt et al. 2021) on out-of-fold probabilities.

The labels are one class of several, or whether one class is present.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ml.probe.confident_learning import mislabelled
from ml.probe.whitening import fit_whitener

C = 0.003
"""Small (strong regularisation), so that the model does not fit a few wrong labels."""
MAX_ITERATIONS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelIssues:
    """For n samples: `score` (n,) 0…1, 1 is most probably wrong; `suggested` (n,) the most probable other class;
    `flagged` (n,) whether confident learning counts the label as an error."""

    score: NDArray[np.float64]
    suggested: NDArray[np.int64]
    flagged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CrossValidationFold:
    """One fold: the embeddings of the samples held out and of the rest, whitened with the rest."""

    held_out: NDArray[np.bool_]
    """(n,)"""
    rest_embeddings: NDArray[np.float32]
    held_out_embeddings: NDArray[np.float32]


def make_fold(
    embeddings: NDArray[np.float32], targets: NDArray[np.integer], held_out: NDArray[np.bool_]
) -> CrossValidationFold:
    """Return the fold of `embeddings` (n, width) that holds out the samples `held_out` (n,).

    `targets` as in `ml.probe.objective`.
    """
    rest = np.asarray(embeddings[~held_out], dtype=np.float32)
    if not len(rest):
        return CrossValidationFold(held_out, rest, embeddings)
    whitener = fit_whitener(rest, targets[~held_out])
    return CrossValidationFold(held_out, rest, whitener.apply(embeddings[held_out]))


def out_of_fold_probabilities(
    fold: CrossValidationFold, labels: NDArray[np.integer], *, classes: int
) -> NDArray[np.float64]:
    """Return (held out, classes) probabilities of a model that was fitted to the `labels` (n,) of the rest.

    If the rest has no sample of a class, the model cannot question labels of that class, so they count as correct.
    """
    rest, held_out = labels[~fold.held_out], labels[fold.held_out]
    probabilities = np.full((len(held_out), classes), 1e-6)
    known = np.unique(rest)
    if len(known) == 1:
        probabilities[:, known] = 1.0
    elif len(known):
        model = LogisticRegression(C=C, max_iter=MAX_ITERATIONS)
        with warnings.catch_warnings():
            # Near convergence is enough for a ranking.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(fold.rest_embeddings, rest)
        probabilities[:, model.classes_] = model.predict_proba(fold.held_out_embeddings)
    unknown = ~np.isin(held_out, known)
    probabilities[unknown] = np.eye(classes)[held_out[unknown]] + 1e-6
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True), dtype=np.float64)


def find_label_issues(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> LabelIssues:
    """Score labels (n,) by out-of-fold probabilities (n, classes); every class needs a sample."""
    rows = np.arange(len(labels))
    others = np.array(probabilities, dtype=np.float64)
    others[rows, labels] = -1.0
    return LabelIssues(
        score=1.0 - np.asarray(probabilities[rows, labels], dtype=np.float64),
        suggested=np.asarray(others.argmax(axis=1), dtype=np.int64),
        flagged=mislabelled(labels, probabilities),
    )
