"""Near-duplicates are found by their embeddings, and only those."""

from __future__ import annotations

import numpy as np

from ml.api import near_duplicates, principal_components


def test_planted_copies_are_found_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1, (3000, 64)).astype(np.float16)
    points[100] = points[7] + rng.normal(0, 0.002, 64)
    points[200] = points[7]
    points[2999] = points[1500] * 1.01
    found = [group.tolist() for group in near_duplicates(points)]
    assert found == [[7, 100, 200], [1500, 2999]]


def test_a_few_and_equal_samples() -> None:
    assert near_duplicates(np.zeros((1, 4), dtype=np.float16)) == []
    assert [group.tolist() for group in near_duplicates(np.ones((3, 4), dtype=np.float16))] == [[0, 1, 2]]


def test_components_keep_what_varies_most_and_are_the_same_again() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(0, [9.0, 3.0, *[0.1] * 10], (30_000, 12))
    first = principal_components(points, 2)
    assert np.array_equal(first, principal_components(points, 2))
    assert abs(np.corrcoef(first[:, 0], points[:, 0])[0, 1]) > 0.99
    assert abs(np.corrcoef(first[:, 1], points[:, 1])[0, 1]) > 0.99
