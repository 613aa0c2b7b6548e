"""Which labels are probably wrong: confident learning (Northcutt et al. 2021) by cleanlab, out of fold.

One class of several, or whether one class is there. Loads scikit-learn, so it runs where training runs.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ml.probe.whitening import fit_whitener_at_once

STRENGTH = 0.003
"""Weak, so that a few wrong labels are not learned along with the right ones."""
MOST_ROUNDS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelIssues:
    """For n samples: `score` (n,) 0…1, 1 is most probably wrong; `suggested` (n,) the class it looks like instead;
    `flagged` (n,) whether confident learning takes the label for an error."""

    score: NDArray[np.float64]
    suggested: NDArray[np.int64]
    flagged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fold:
    """Samples to be judged, and the others, which are learned from; both on the scale of the others."""

    held: NDArray[np.bool_]
    """(n,) which are judged."""
    others: NDArray[np.float32]
    judged: NDArray[np.float32]


def fold_of(embeddings: NDArray[np.float32], targets: NDArray[np.integer], held: NDArray[np.bool_]) -> Fold:
    """`embeddings` (n, width) with their targets (see `training.objective`), of which those `held` (n,) are judged."""
    others = np.asarray(embeddings[~held], dtype=np.float32)
    if not len(others):
        return Fold(held, others, embeddings)
    whitener = fit_whitener_at_once(others, targets[~held])
    return Fold(held, others, whitener.apply(embeddings[held]))


def out_of_fold_probabilities(fold: Fold, labels: NDArray[np.integer], *, classes: int) -> NDArray[np.float64]:
    """(held, classes) probabilities of the samples that are judged, from a model that learned from the others' `labels`
    (n,).

    Where the others have no sample of a class it cannot say that a label of that class is wrong: it takes it for right.
    """
    rest, held = labels[~fold.held], labels[fold.held]
    told = np.full((len(held), classes), 1e-6)
    known = np.unique(rest)
    if len(known) == 1:
        told[:, known] = 1.0
    elif len(known):
        model = LogisticRegression(C=STRENGTH, max_iter=MOST_ROUNDS)
        with warnings.catch_warnings():
            # Not quite converged ranks just as well.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(fold.others, rest)
        told[:, model.classes_] = model.predict_proba(fold.judged)
    strangers = ~np.isin(held, known)
    told[strangers] = np.eye(classes)[held[strangers]] + 1e-6
    return np.asarray(told / told.sum(axis=1, keepdims=True), dtype=np.float64)


def label_issues(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> LabelIssues:
    """Judge labels (n,) by out-of-fold probabilities (n, classes); every class needs a sample."""
    quality = get_label_quality_scores(labels, probabilities, method="self_confidence", adjust_pred_probs=False)
    others = np.array(probabilities)
    others[np.arange(len(labels)), labels] = -1.0
    return LabelIssues(
        score=1.0 - np.asarray(quality, dtype=np.float64),
        suggested=np.asarray(others.argmax(axis=1), dtype=np.int64),
        flagged=np.asarray(find_label_issues(labels, probabilities, filter_by="both", n_jobs=1), dtype=np.bool_),
    )
