"""Suggestions follow every label at once, and rank samples as a full fit of the same regression ranks them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml.probe import few_shot
from ml.probe.few_shot import FewShot
from ml.probe.objective import class_weights
from ml.probe.whitening import fit_whitener
from tests.benchmarks.few_shot import lowest_rank, made_up

CLASSES = 4


@pytest.fixture(scope="module")
def made() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return made_up(1500, 160, CLASSES, apart=0.4)


def _sklearn(features: NDArray[np.float32], labels: dict[int, int]) -> NDArray[np.float32]:
    """Return the probabilities of scikit-learn's regression, fitted from the start."""
    whitened = features.copy()
    fit_whitener(whitened, np.zeros(len(whitened), dtype=np.int64))
    rows, targets = np.array(list(labels)), np.array(list(labels.values()))
    model = LogisticRegression(C=few_shot.C, tol=1e-8, max_iter=5000)
    model.fit(whitened[rows].astype(np.float64), targets, sample_weight=class_weights(targets))
    answers = np.zeros((len(features), CLASSES), dtype=np.float32)
    answers[:, model.classes_] = model.predict_proba(whitened)
    return answers


def test_each_label_is_followed_as_by_a_full_fit(made: tuple[NDArray[np.float32], NDArray[np.int64]]) -> None:
    features, truth = made
    shots, labels = FewShot(features, classes=CLASSES), dict[int, int]()
    for row in range(300):
        labels[row] = int(truth[row])
        shots.set_label(row, labels[row])
        if row % 7 == 0:
            shots.probabilities()
        if row in (11, 60, 299):
            answers = shots.probabilities()
            assert lowest_rank(answers, _sklearn(features, labels)) > 0.99
            np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-5)
    for row in range(0, 300, 2):  # labels are changed and taken away
        labels[row] = (labels[row] + 1) % CLASSES
        shots.set_label(row, labels[row])
    for row in range(1, 60):
        del labels[row]
        shots.set_label(row, None)
    assert lowest_rank(shots.probabilities(), _sklearn(features, labels)) > 0.99


def test_it_helps_from_the_first_label_on(made: tuple[NDArray[np.float32], NDArray[np.int64]]) -> None:
    features, truth = made
    shots = FewShot(features, classes=CLASSES)
    np.testing.assert_allclose(shots.probabilities(), 1 / CLASSES)
    first = np.flatnonzero(truth == 2)[:8]
    shots.set_labels({int(row): 2 for row in first})
    one = shots.probabilities()
    new = np.ones(len(truth), dtype=bool)
    new[first] = False
    likeliest = np.argsort(-np.where(new, one[:, 2], 0.0))[:50]
    assert (truth[likeliest] == 2).mean() > 0.7
    np.testing.assert_allclose(one.sum(axis=1), 1.0, atol=1e-5)
    shots.set_labels({int(row): 0 for row in np.flatnonzero(truth == 0)[:8]})
    two = shots.probabilities()
    assert (two[:, [1, 3]] == 0).all(), "no sample of these is known"
    inside = np.isin(truth, (0, 2))
    assert (two[inside].argmax(axis=1) == truth[inside]).mean() > 0.8
    for row in first:
        shots.set_label(int(row), None)
    assert shots.probabilities()[:, 0].std() > 0, "one class is left"
    shots.add_class()
    assert shots.probabilities().shape == (len(truth), CLASSES + 1)


def test_several_classes_at_once(made: tuple[NDArray[np.float32], NDArray[np.int64]]) -> None:
    features, truth = made
    shots = FewShot(features, classes=2, exclusive=False)
    assert (shots.probabilities() == 0.5).all()
    for row in range(200):  # class 0: even truth, class 1: truth above 1
        shots.set_label(row, [index for index in (0, 1) if (truth[row] % 2 == 0, truth[row] > 1)[index]])
    answers = shots.probabilities()[200:]
    assert ((answers[:, 0] > 0.5) == (truth[200:] % 2 == 0)).mean() > 0.8
    assert ((answers[:, 1] > 0.5) == (truth[200:] > 1)).mean() > 0.8
