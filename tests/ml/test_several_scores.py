"""Scores where more than one class may be present, against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from ml.scoring.calibration import fit_temperature
from ml.scoring.multilabel import (
    average_precisions,
    best_thresholds,
    calibration_error,
    error_controlled_thresholds,
    mean_average_precision,
    multilabel_confusion,
    precision_recall,
    predicted_labels,
    relative_to_threshold,
    sigmoid,
)
from ml.scoring.tasks import task_named


def test_average_precision_is_scikit_learns_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((60, 4)) < (0.5, 0.2, 0.1, 0.0)).astype(np.int64)
    probabilities = np.round(rng.random((60, 4)) * 0.6 + 0.4 * targets, 1)
    ours = average_precisions(probabilities, targets)
    assert np.isnan(ours[3])
    for index in range(3):
        assert ours[index] == pytest.approx(average_precision_score(targets[:, index], probabilities[:, index]))
    assert mean_average_precision(probabilities, targets) == pytest.approx(np.nanmean(ours))


def test_the_shape_of_the_targets_says_which_task_is_scored() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert task_named("single").score_and_loss(probabilities, np.array([0, 1]))[0] == 1.0
    score, loss = task_named("multi").score_and_loss(probabilities, np.array([[1, 0], [1, 1]]))
    assert score == 1.0
    assert loss == pytest.approx(-np.log([0.9, 0.9, 0.2, 0.8]).sum() / 2)
    assert task_named("multi").score_and_loss(probabilities[:0], np.zeros((0, 2), dtype=np.int64)) == (None, None)


def test_a_threshold_lies_where_f1_is_best() -> None:
    probabilities = np.array([[0.9, 0.3], [0.7, 0.2], [0.3, 0.1], [0.1, 0.05]])
    targets = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])
    assert best_thresholds(probabilities, targets) == pytest.approx([0.5, 0.5])
    targets[:, 1] = [1, 1, 1, 0]
    assert best_thresholds(probabilities, targets)[1] == pytest.approx(0.075)


def test_of_windows_a_threshold_is_chosen_by_files() -> None:
    """It is half sure of half the windows of a call, and a little of one in ten where none is: few windows are wrong
    at a low threshold, but every file without a call would be."""
    files, window = np.repeat(np.arange(20), 10), np.arange(200) % 10
    called = files < 10
    probabilities = np.where(called, np.where(window < 5, 0.9, 0.4), np.where(window == 0, 0.45, 0.01))[:, None]
    targets = called[:, None].astype(np.int64)
    assert best_thresholds(probabilities, targets)[0] < 0.4
    assert best_thresholds(probabilities, targets, sources=files)[0] == pytest.approx((0.9 + 0.45) / 2)


def test_leaning_turns_at_the_threshold() -> None:
    thresholds = np.array([0.2, 0.8])
    bent = relative_to_threshold(np.array([[0.2, 0.8], [0.1, 0.4], [1.0, 1.0], [0.0, 0.0]]), thresholds)
    assert bent == pytest.approx(np.array([[0.5, 0.5], [0.25, 0.25], [1, 1], [0, 0]]))


def test_what_is_found_and_what_is_said_wrongly() -> None:
    targets = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]])
    said = predicted_labels(np.array([[0.9, 0.2, 0.9], [0.9, 0.9, 0.1], [0.1, 0.1, 0.9]]), np.full(3, 0.5))
    scores = precision_recall(said, targets, ("a", "b", "c"))
    assert (scores["a"]["found"], scores["a"]["n"], scores["a"]["wrongly"]) == (2, 2, 0)
    assert (scores["b"]["found"], scores["b"]["n"], scores["b"]["wrongly"], scores["b"]["named"]) == (0, 1, 1, 1)
    # Of two that are both found more than a half may be missed; of two windows of one recording nearly all.
    assert scores["a"]["recall_low"] == pytest.approx(0.34, abs=0.01) and scores["a"]["recall_high"] == 1.0
    halved = precision_recall(np.tile(said, (2, 1)), np.tile(targets, (2, 1)), ("a", "b", "c"), sources=3)
    assert halved["a"]["recall_low"] == pytest.approx(scores["a"]["recall_low"])
    # A sample of a and b that is called a and c mistakes c for something; that it has b too is no mistake.
    assert multilabel_confusion(said, targets).tolist() == [[2, 1, 1], [0, 0, 1], [0, 0, 0]]


def test_calibration_makes_overconfident_probabilities_come_true() -> None:
    rng = np.random.default_rng(1)
    honest = rng.normal(0, 1.5, (4000, 3))
    targets = (rng.random(honest.shape) < sigmoid(honest)).astype(np.int64)
    temperature = fit_temperature(3 * honest, targets)
    assert temperature == pytest.approx(3.0, rel=0.1)
    assert calibration_error(sigmoid(3 * honest / temperature), targets) < 0.02
    assert calibration_error(sigmoid(3 * honest), targets) > 0.08


def test_a_few_samples_that_are_all_right_ask_for_no_boundless_confidence() -> None:
    targets = np.eye(3, dtype=np.int64)[[0, 1, 2, 0, 1, 2]]
    assert fit_temperature(np.where(targets == 1, 1.0, -1.0), targets) > 0.3


def test_a_rate_is_kept_where_all_are_nearly_certain() -> None:
    probabilities = np.array([[0.9998]] * 300 + [[0.9993]] * 40, dtype=np.float32)
    targets = np.array([[1]] * 300 + [[0]] * 40)
    thresholds, promised = error_controlled_thresholds(probabilities, targets, wanted=0.05)
    assert promised
    assert 0.9993 < thresholds[0] <= 0.9998
    never, _promised = error_controlled_thresholds(
        np.full((20, 1), 0.9999), np.zeros((20, 1), dtype=np.int64), wanted=0.05
    )
    assert never[0] > 0.9999
    assert np.isfinite(relative_to_threshold(probabilities, never)).all()


def test_windows_of_few_recordings_promise_nothing() -> None:
    probabilities, targets = np.full((200, 1), 0.9), np.ones((200, 1), dtype=np.int64)
    assert error_controlled_thresholds(probabilities, targets, wanted=0.05)[1]
    assert not error_controlled_thresholds(probabilities, targets, wanted=0.05, sources=np.arange(200) // 50)[1]
