"""The unlike score: calibrated on what was held out, the same in the graph and in arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ml.networks.heads import OodScorer
from ml.scoring.ood import NEIGHBOURS, fit_reference, knn_distance, unlike_scores


def test_the_unlike_score_is_the_share_of_known_samples_that_are_less_strange() -> None:
    rng = np.random.default_rng(3)
    directions = rng.normal(0, 1, (3, 32)) * 4
    seen = directions[np.arange(900) % 3] + rng.normal(0, 1, (900, 32))
    known = fit_reference(seen[:300], held_out=seen[300:600])
    scores = unlike_scores(knn_distance(seen[600:], bank=known.bank, scale=known.scale), known)
    for share in (0.25, 0.5, 0.75, 0.9, 0.99):
        assert (scores < share).mean() == pytest.approx(share, abs=0.08)
    odd = rng.normal(0, 1, (50, 32)) - directions.sum(axis=0)
    assert unlike_scores(knn_distance(odd, bank=known.bank, scale=known.scale), known).min() > 0.99


@pytest.mark.parametrize("held_out", [80, 300])
def test_of_a_hundred_known_samples_about_one_is_above_the_usual_limit(held_out: int) -> None:
    rng = np.random.default_rng(4)
    above = []
    for _ in range(30):
        noise = rng.uniform(0, 2, (900, 1)) ** 0.5 * rng.normal(0, 1, (900, 32))  # a wide spread, a short tail
        seen = rng.normal(0, 1, (3, 32))[np.arange(900) % 3] + noise
        known = fit_reference(seen[:300], held_out=seen[300 : 300 + held_out])
        scores = unlike_scores(knn_distance(seen[600:], bank=known.bank, scale=known.scale), known)
        above.append((scores > 0.99).mean())
    assert 0.005 < np.mean(above) < 0.02


def test_windows_of_one_recording_are_no_measure_of_what_is_usual() -> None:
    """With hardly any held out, samples are compared with each other: those of the same file are too much alike."""
    rng = np.random.default_rng(6)
    files = np.arange(200) // 20
    seen = rng.normal(0, 1, (10, 32))[files] + rng.normal(0, 0.05, (200, 32))
    new = rng.normal(0, 1, (50, 32))
    none = np.zeros((0, 32))
    alone, apart = (fit_reference(seen, held_out=none, sources=sources) for sources in (None, files))
    for known, least, most in ((alone, 0.999, 1.0), (apart, 0.3, 0.8)):
        scores = unlike_scores(knn_distance(new, bank=known.bank, scale=known.scale), known)
        assert least <= np.median(scores) <= most
    one = fit_reference(seen[:20], held_out=none, sources=files[:20])
    assert np.isfinite(one.knots).all()


@pytest.mark.parametrize("rows", [1, NEIGHBOURS - 1, 40])
def test_the_graph_scores_as_the_arrays_do(rows: int) -> None:
    rng = np.random.default_rng(5)
    embeddings = rng.normal(1, 1, (rows, 16)).astype(np.float32)
    known = fit_reference(embeddings, held_out=rng.normal(1, 1, (30 if rows > 1 else 0, 16)))
    module = OodScorer(16)
    module.fit(known)
    asked = rng.normal(0, 2, (20, 16)).astype(np.float32)
    told = module(torch.from_numpy(asked)).numpy()
    ours = unlike_scores(knn_distance(asked, bank=known.bank, scale=known.scale), known)
    assert np.abs(told - ours).max() < 1e-4
    assert np.all((told >= 0) & (told <= 1))


def test_dimensions_that_are_left_out_make_nothing_strange() -> None:
    rng = np.random.default_rng(5)
    seen = rng.normal(1, 1, (80, 8)).astype(np.float32)
    known = fit_reference(seen[:60], held_out=seen[60:], left_out=slice(4, 8))
    odd = seen[60:].copy()
    odd[:, 4:] = 100.0
    scores = [knn_distance(rows, bank=known.bank, scale=known.scale) for rows in (seen[60:], odd)]
    assert np.array_equal(*scores)
    assert np.isfinite(scores[0]).all()
