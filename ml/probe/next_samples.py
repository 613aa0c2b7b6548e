"""Which samples to look at next while a person labels: uncertain and varied ones, or those like a chosen one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.scoring.task import Task

POOL = 400
"""So many of the most uncertain samples are looked at for variety."""
WIDTH = 256
"""To so many columns the features of large projects are reduced."""
MOST_VALUES = 20_000 * 1280
"""Larger features are reduced, so that a window can hold and fit them."""
SEED = 0
SURE = 0.8
"""Probability from which a sample counts as one of its class when all like it are looked for."""


def reduced(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features, or a random projection that keeps their distances nearly (Johnson and Lindenstrauss)."""
    if features.size <= MOST_VALUES or features.shape[1] <= WIDTH:
        return features
    directions = np.random.default_rng(SEED).standard_normal((features.shape[1], WIDTH)) / np.sqrt(WIDTH)
    return np.asarray(features @ directions.astype(np.float32), dtype=np.float32)


def uncertainty(probabilities: NDArray[np.float32], task: Task) -> NDArray[np.float32]:
    """Return how little sure each row (n, classes) is, 0…1: the smaller the margin, the higher."""
    if not task.exclusive:
        return np.asarray(1.0 - 2.0 * np.abs(probabilities - 0.5).min(axis=1, initial=0.5), dtype=np.float32)
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), dtype=np.float32)
    top = np.partition(probabilities, -2, axis=1)
    return np.asarray(1.0 - (top[:, -1] - top[:, -2]), dtype=np.float32)


def most_useful(
    features: NDArray[np.float32],
    doubt: NDArray[np.float32],
    candidates: NDArray[np.int64],
    *,
    known: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """Return up to `count` of the rows `candidates`: of the most uncertain ones each time the farthest from the others.

    `known` are the rows with a label; of these at most `POOL` count as others.
    """
    if not len(candidates):
        return candidates
    order = candidates[np.argsort(-doubt[candidates], kind="stable")]
    if np.ptp(doubt[candidates]) == 0:  # nothing is known yet, so all are alike
        order = order[:: max(1, len(order) // POOL)]
    pool = order[:POOL]
    points = _unit(features[pool])
    nearest = np.full(len(pool), -1.0, dtype=np.float32)
    if len(known):
        nearest = (points @ _unit(features[known[-POOL:]]).T).max(axis=1)
    chosen: list[int] = []
    weight = 0.5 + doubt[pool]
    for _ in range(min(count, len(pool))):
        score = (1.0 - nearest) * weight
        score[chosen] = -1.0
        place = int(np.argmax(score))
        chosen.append(place)
        nearest = np.maximum(nearest, points @ points[place])
    return np.asarray(pool[chosen], dtype=np.int64)


def most_similar(
    features: NDArray[np.float32], rows: NDArray[np.int64], candidates: NDArray[np.int64], *, count: int
) -> NDArray[np.int64]:
    """Return up to `count` of `candidates`, the most similar to `rows` first."""
    middle = _unit(features[rows]).mean(axis=0)
    alike = _unit(features[candidates]) @ middle
    return np.asarray(candidates[np.argsort(-alike, kind="stable")[:count]], dtype=np.int64)


def all_like(
    features: NDArray[np.float32],
    probabilities: NDArray[np.float32] | None,
    row: int,
    candidates: NDArray[np.int64],
    *,
    count: int,
) -> NDArray[np.int64]:
    """Return those of `candidates` that are of one sort with `row`, the most similar first: a cluster.

    They lie nearer to it than the midpoint between the nearest sample and an average one. With `probabilities` they
    also share its likeliest class, and those that surely do belong to it however far away they lie.
    """
    alike = _unit(features[candidates]) @ _unit(features[[row]])[0]
    others = alike[candidates != row]
    limit = (float(others.max()) + float(np.median(others))) / 2 if len(others) else 0.0
    same = alike >= limit
    if probabilities is not None and probabilities.shape[1]:
        index = int(np.argmax(probabilities[row]))
        same &= probabilities[candidates].argmax(axis=1) == index
        same |= probabilities[candidates, index] >= SURE
    found = np.flatnonzero(same | (candidates == row))
    return np.asarray(candidates[found[np.argsort(-alike[found], kind="stable")[:count]]], dtype=np.int64)


def _unit(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the points at distance 1 from the middle, so that products are cosines."""
    return np.asarray(points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9), dtype=np.float32)
