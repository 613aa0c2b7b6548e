"""Saying how sure to be: calibration error, thresholds that keep a promise, what another source costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_model import tiny_info

from ml.core.messages import english
from ml.evaluation.sanity_checks import error_rate_finding
from ml.runtime.decision import decide
from ml.scoring.calibration import fit_temperature
from ml.scoring.group_effect import score_on_seen_and_new_groups
from ml.scoring.metrics import accuracy_interval, expected_calibration_error
from ml.scoring.thresholds import choose_thresholds, risk_coverage_curve, samples_needed, selective_risk, upper_bound

Rows = tuple[NDArray[np.float64], NDArray[np.int64]]


def honest(n: int, *, seed: int, low: float = 0.5, mostly_sure: float = 1.0) -> Rows:
    """Two classes; a probability p is right in p of the cases."""
    rng = np.random.default_rng(seed)
    top = 1.0 - (1.0 - low) * rng.uniform(size=n) ** mostly_sure
    return np.stack([top, 1 - top], axis=1), (rng.uniform(size=n) > top).astype(np.int64)


def test_a_perfect_model_on_a_small_test_set_is_hardly_called_off() -> None:
    errors = [expected_calibration_error(*honest(100, seed=seed, low=0.7)) for seed in range(40)]
    assert np.mean(errors) < 0.055
    probabilities, labels = honest(2000, seed=0)
    assert expected_calibration_error(probabilities, labels) < 0.03
    boast = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert expected_calibration_error(boast, labels) > 0.08


def test_a_few_samples_that_are_all_right_do_not_make_it_boundlessly_sure() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 12)
    logits = 3.0 * np.eye(3)[labels] + rng.normal(0, 0.1, (12, 3))
    assert 0.3 < fit_temperature(logits, labels) < 1.0


def test_what_is_promised_is_kept_by_new_samples() -> None:
    kept = []
    for seed in range(60):
        chosen = choose_thresholds(*honest(600, seed=seed, mostly_sure=3.0), wanted=0.05)
        price = selective_risk(*honest(4000, seed=1000 + seed, mostly_sure=3.0), chosen.per_class)
        if chosen.promised:
            kept.append(price.error <= 0.05)
            assert 0 < price.accepted < price.n
    assert len(kept) > 30
    assert np.mean(kept) >= 0.9  # 95 % are promised; sixty trials can be unlucky


def test_too_few_samples_promise_nothing_and_say_how_many_it_takes() -> None:
    chosen = choose_thresholds(*honest(50, seed=1), wanted=0.01)
    assert not chosen.promised
    assert chosen.needed == samples_needed(0.01) == 299
    assert upper_bound(0, 299) <= 0.01 < upper_bound(0, 298)
    remark = error_rate_finding(chosen, chosen.price, "images")
    told = english(remark.sentence)
    assert told.startswith("At most 1 of 100 accepted answers should be wrong. In the test the model accepted ")
    assert "This is not guaranteed" in told and "A guarantee needs 299 pictures in the validation set" in told


def test_windows_of_a_recording_promise_no_more_than_the_recording() -> None:
    probabilities, labels = honest(600, seed=2, low=0.9)
    labels[:] = 0  # all right
    assert choose_thresholds(probabilities, labels, wanted=0.05).promised
    sources = np.arange(600) // 30
    chosen = choose_thresholds(probabilities, labels, wanted=0.05, sources=sources)
    assert not chosen.promised
    price = selective_risk(probabilities, labels, chosen.per_class, sources=sources)
    assert price.error_at_most == upper_bound(0, 20)
    labels[:15] = 1
    labels[30:60] = 1
    price = selective_risk(probabilities, labels, (0.0, 0.0), sources=sources)
    assert price.error_at_most == pytest.approx(upper_bound(1.5, 20))
    assert risk_coverage_curve(probabilities, labels, sources=sources)[2][-1] == pytest.approx(price.error_at_most)


def test_what_is_hardly_more_than_a_guess_is_not_accepted_even_by_a_model_without_mistakes() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.05, 0.9]] * 4)
    labels = np.array([0, 1, 2] * 4)
    chosen = choose_thresholds(probabilities, labels, wanted=0.05)
    assert chosen.price.accepted == chosen.price.n
    info = replace(tiny_info(), reject_below=chosen.overall, class_reject_below=chosen.per_class, unlike_above=1.0)
    assert decide(np.array([0.38, 0.37, 0.25]), 0.0, info) == "reject"
    assert decide(np.array([0.7, 0.2, 0.1]), 0.0, info) == "accept"


def test_a_stricter_aim_never_takes_a_lower_threshold() -> None:
    rng = np.random.default_rng(9)
    for _trial in range(40):
        top = rng.uniform(0.5, 1.0, 24).round(1 if rng.uniform() < 0.3 else 4)
        labels = (rng.uniform(size=24) > top).astype(np.int64)
        probabilities = np.stack([top, 1 - top], axis=1)
        chosen = [choose_thresholds(probabilities, labels, wanted=wanted) for wanted in (0.01, 0.03, 0.05, 0.1, 0.2)]
        # What is promised is stricter than an aim.
        aims = [each.overall for each in chosen if not each.promised]
        assert aims == sorted(aims, reverse=True)
        assert not ((top >= aims[0]) & (labels == 1)).any()


def test_equally_sure_ones_are_accepted_together_or_not_at_all() -> None:
    labels = np.array([1] * 12 + [0] * 38)
    probabilities = np.tile([1.0, 0.0], (50, 1))
    chosen = choose_thresholds(probabilities, labels, wanted=0.05)
    assert chosen.price.accepted == 0


def test_a_class_that_is_often_wrong_needs_to_be_surer() -> None:
    rng = np.random.default_rng(6)
    n = 900
    said = np.arange(n) % 3
    top = rng.uniform(0.6, 1.0, n)
    probabilities = np.repeat(((1 - top) / 2)[:, None], 3, axis=1)
    probabilities[np.arange(n), said] = top
    # Class 2 is mistaken one time in four below 0.9; the others never are.
    multilabel_confusion = (said == 2) & (top < 0.9) & (rng.uniform(size=n) < 0.25)
    labels = np.where(multilabel_confusion, 0, said)
    chosen = choose_thresholds(probabilities, labels, wanted=0.08)
    assert chosen.promised
    assert chosen.per_class[2] > chosen.per_class[0]
    info = replace(tiny_info(), reject_below=chosen.overall, class_reject_below=chosen.per_class, unlike_above=1.0)
    between = (chosen.per_class[0] + chosen.per_class[2]) / 2
    rest = (1 - between) / 2
    assert decide(np.array([between, rest, rest]), 0.0, info) == "accept"
    assert decide(np.array([rest, rest, between]), 0.0, info) == "reject"


def test_the_trade_off_begins_with_the_surest_and_ends_with_everything() -> None:
    probabilities, labels = honest(300, seed=8)
    rejected, error, limit = risk_coverage_curve(probabilities, labels)
    assert rejected[-1] == 0.0 and rejected[0] > 0.99
    assert error[-1] == pytest.approx(float(labels.mean()))
    assert np.all(limit >= error)


def test_windows_of_a_recording_do_not_count_as_many() -> None:
    narrow, wide = accuracy_interval(0.9, 1000), accuracy_interval(0.9, 20)
    assert wide[1] - wide[0] > 4 * (narrow[1] - narrow[0])


def test_knowing_the_source_is_told_from_knowing_the_class() -> None:
    rng = np.random.default_rng(9)
    speakers, classes = np.repeat(np.arange(12), 20), np.tile(np.arange(4), 60)
    # What a class looks like depends on who shows it.
    manner = rng.normal(0, 2.0, (12, 4, 24))
    shown = rng.normal(0, 0.8, (4, 24))[classes] + manner[speakers, classes] + rng.normal(0, 0.7, (240, 24))
    train = speakers < 7
    known, new = score_on_seen_and_new_groups(
        (shown[train], classes[train]), (shown[~train], classes[~train]), samples=[str(n) for n in range(100)]
    )
    assert known > new + 0.1
