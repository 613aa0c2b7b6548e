"""The scale features are learned on: what varies within classes is evened out, and nothing is lost on the way back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.training.scaling import SQUARE, Head, scale_at_once


def features_of(targets: NDArray[np.integer], *, width: int = 12) -> NDArray[np.float32]:
    """A quiet direction tells the classes apart; a loud one, which goes along with it by half, tells nothing."""
    rng = np.random.default_rng(5)
    made = rng.normal(0, 1, (len(targets), width))
    loud = rng.normal(0, 20, len(targets))
    made[:, 0] += loud
    made[:, 1] += loud / 2 + 3 * targets
    return made.astype(np.float32)


@pytest.mark.parametrize("several", [False, True])
def test_what_tells_classes_apart_becomes_louder_than_what_varies_within_them(several: bool) -> None:
    labels = np.arange(200) % 2
    raw = features_of(labels)
    targets = np.stack([labels, 1 - labels, np.zeros_like(labels)], axis=1) if several else labels
    scaled = raw.copy()
    scale_at_once(scaled, targets)

    def told(features: NDArray[np.float32]) -> float:
        """How far apart the classes lie, measured in the deviation along the line between them."""
        way = features[labels == 1].mean(0) - features[labels == 0].mean(0)
        along = features @ (way / np.linalg.norm(way))
        return float((along[labels == 1].mean() - along[labels == 0].mean()) / along[labels == 0].std())

    assert told(scaled) > 3 * told(raw)
    assert np.square(scaled).sum(1).mean() == pytest.approx(SQUARE, rel=1e-3)


def test_a_head_says_the_same_of_raw_features() -> None:
    raw = features_of(np.arange(90) % 3)
    scaled = raw.copy()
    scaling = scale_at_once(scaled, np.arange(90) % 3)
    assert np.allclose(scaling.apply(raw), scaled, atol=1e-3)
    rng = np.random.default_rng(0)
    head = Head(rng.normal(size=(3, 12)).astype(np.float32), rng.normal(size=3).astype(np.float32))
    assert np.allclose(scaling.on_raw(head).logits(raw), head.logits(scaled), atol=1e-2)


def test_one_sample_of_each_class_says_nothing_of_what_varies_and_is_learned_from_all_the_same() -> None:
    scaled = features_of(np.arange(3))
    scale_at_once(scaled, np.arange(3))
    assert np.isfinite(scaled).all()
    assert np.square(scaled).sum(1).mean() == pytest.approx(SQUARE, rel=1e-3)
