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

from ml.training.scaling import scale_at_once

STRENGTH = 0.003
"""Weak, so that a few wrong labels are not learned along with the right ones."""
MOST_ROUNDS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspicion:
    """For n samples: `score` (n,) 0…1, 1 is most probably wrong; `suggested` (n,) the class it looks like instead;
    `flagged` (n,) whether confident learning takes the label for an error."""

    score: NDArray[np.float64]
    suggested: NDArray[np.int64]
    flagged: NDArray[np.bool_]


def from_the_others(
    embeddings: NDArray[np.floating], labels: NDArray[np.integer], held: NDArray[np.bool_], *, classes: int
) -> NDArray[np.float64]:
    """(held, classes) probabilities of the samples that are `held` (n,), from a model that learned from the rest.

    Where the rest has no sample of a class it cannot say that a label of that class is wrong, and takes it for right.
    """
    rest = ~held
    told = np.full((int(held.sum()), classes), 1e-6)
    known = np.unique(labels[rest])
    if len(known) == 1:
        told[:, known] = 1.0
    elif len(known):
        scaled = np.array(embeddings[rest], dtype=np.float32)
        scaling = scale_at_once(scaled, labels[rest])
        model = LogisticRegression(C=STRENGTH, max_iter=MOST_ROUNDS)
        with warnings.catch_warnings():
            # Not quite converged ranks just as well.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(scaled, labels[rest])
        told[:, model.classes_] = model.predict_proba(scaling.apply(np.asarray(embeddings[held], dtype=np.float32)))
    strangers = ~np.isin(labels[held], known)
    told[strangers] = np.eye(classes)[labels[held][strangers]] + 1e-6
    return np.asarray(told / told.sum(axis=1, keepdims=True), dtype=np.float64)


def suspicion(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> Suspicion:
    """Judge labels (n,) by out-of-fold probabilities (n, classes); every class needs a sample."""
    quality = get_label_quality_scores(labels, probabilities, method="self_confidence", adjust_pred_probs=False)
    others = np.array(probabilities)
    others[np.arange(len(labels)), labels] = -1.0
    return Suspicion(
        score=1.0 - np.asarray(quality, dtype=np.float64),
        suggested=np.asarray(others.argmax(axis=1), dtype=np.int64),
        flagged=np.asarray(find_label_issues(labels, probabilities, filter_by="both", n_jobs=1), dtype=np.bool_),
    )
