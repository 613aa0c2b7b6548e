"""The scale features are learned on: what varies within the classes is evened out; nothing is lost on the way back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.probe.probe import ABSENT, fit_probe
from ml.probe.whitening import SHRINKAGE, SQUARE, Head, fit_whitener

WIDTH = 12


def features_of(labels: NDArray[np.integer], *, seed: int = 5, width: int = WIDTH) -> NDArray[np.float32]:
    """Classes far apart, and within each some directions that are loud and go together."""
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 1, (len(labels), width)) @ rng.normal(0, 1, (width, width))
    return np.asarray(made + 30 * rng.normal(0, 1, (labels.max() + 1, width))[labels], dtype=np.float32)


def within(features: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """(width, width) covariance about the means of the classes."""
    left = np.array(features, dtype=np.float64)
    for index in np.unique(labels):
        left[labels == index] -= left[labels == index].mean(axis=0)
    return np.asarray(left.T @ left / len(left), dtype=np.float64)


@pytest.mark.parametrize("several", [False, True])
def test_what_varies_within_the_classes_is_evened_out_as_far_as_is_known(several: bool) -> None:
    labels = np.arange(240) % 4
    raw = features_of(labels)
    targets = np.eye(4, dtype=np.int64)[labels] if several else labels
    scaled = raw.copy()
    whitener = fit_whitener(scaled, targets)
    assert np.square(scaled).sum(1).mean() == pytest.approx(SQUARE, rel=1e-3)

    before = np.linalg.eigvalsh(within((raw - whitener.mean) / whitener.spread, labels))
    after = np.linalg.eigvalsh(within(scaled, labels)) * whitener.level**2
    shrunk = before / ((1 - SHRINKAGE) * before + SHRINKAGE * before.mean())
    assert np.allclose(np.sort(after), np.sort(shrunk), rtol=1e-3)


def test_a_head_says_the_same_of_raw_features() -> None:
    labels = np.arange(90) % 3
    raw = features_of(labels)
    scaled = raw.copy()
    whitener = fit_whitener(scaled, labels)
    assert np.allclose(whitener.apply(raw), scaled, atol=1e-3)
    rng = np.random.default_rng(0)
    head = Head(rng.normal(size=(3, WIDTH)).astype(np.float32), rng.normal(size=3).astype(np.float32))
    assert np.allclose(whitener.fold_into_head(head).logits(raw), head.logits(scaled), atol=1e-2)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("what", ["one of each", "copies", "several at once", "nearly copies"])
def test_where_nothing_varies_within_the_classes_it_is_learned_from_all_the_same(what: str, seed: int) -> None:
    labels = np.arange(3 if what == "one of each" else 15) % 3
    raw = features_of(np.arange(3), seed=seed, width=256)[labels]
    targets = labels
    rng = np.random.default_rng(seed)
    if what == "several at once":
        raw += rng.normal(0, 1, raw.shape).astype(np.float32)
        targets = (rng.random((15, 40)) < 0.3).astype(np.int64)
    elif what == "nearly copies":
        raw += rng.normal(0, 3e-4, raw.shape).astype(np.float32)
    scaled = raw.copy()
    whitener = fit_whitener(scaled, targets)
    assert np.square(scaled).sum(1).mean() == pytest.approx(SQUARE, rel=1e-3)
    if what in ("one of each", "copies"):
        assert np.array_equal(whitener.root, np.eye(256))
    if targets.ndim == 1:
        *_, probe = fit_probe((raw, labels), (raw[:0], labels[:0]), classes=3)
        assert probe is not None and np.isfinite(probe.head.weight).all()


@pytest.mark.parametrize("several", [False, True])
def test_the_head_to_go_on_from_leaves_more_to_learn_than_the_first_model(several: bool) -> None:
    labels = np.arange(60) % 3
    rng = np.random.default_rng(2)
    raw = (rng.normal(0, 1, (60, 40)) + 2 * np.eye(40)[labels]).astype(np.float32)
    targets = np.eye(4, dtype=np.int64)[labels] if several else labels
    *_, probe = fit_probe((raw.copy(), targets), (raw[:0], targets[:0]), classes=4)
    assert probe is not None

    def lead(head: Head) -> float:
        """Of the right class over the others on average, on samples it learned from."""
        logits = head.logits(raw)[:, :3]
        own = logits[np.arange(60), labels]
        return float((own - (logits.sum(1) - own) / 2).mean())

    assert 0 < lead(probe.init_head) < lead(probe.head) / 2
    assert probe.init_head.bias[3] < ABSENT / 2
