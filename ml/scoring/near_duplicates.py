"""Samples that are nearly the same, found by their embeddings. Pure arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.scoring.projection import principal_components, unit_vectors

RELATIVE = 0.13
"""Nearer than this part of the median distance to the nearest sample: near-duplicates (Datalab of cleanlab)."""
WIDTH = 48
MEASURED = 1_000
"""Samples whose nearest one is looked for among all, to know the median."""
BLOCK = 512
LINKS = 8
_EQUAL = 1e-3
"""Embeddings are kept with 11 bits: identical pictures may differ by as much."""


def near_duplicates(embeddings: NDArray[np.floating], *, relative: float = RELATIVE) -> list[NDArray[np.int64]]:
    """Return groups of rows (n, width) that are near-duplicates of each other, the largest group first.

    The distance is that of unit vectors. It is never less in all dimensions than in the first components, and never
    less in these than in the first one alone, so few pairs remain to be measured.
    """
    count = len(embeddings)
    if count < 2:
        return []
    narrow = principal_components(embeddings, min(WIDTH, embeddings.shape[1]), unit=True)
    limit = max(relative * _median_nearest(narrow), _EQUAL)
    order = np.argsort(narrow[:, 0], kind="stable")
    sorted_points, first = narrow[order], narrow[order, 0]
    parents = np.arange(count)
    for begin in range(0, count, BLOCK):
        end = min(begin + BLOCK, count)
        last = int(np.searchsorted(first, first[end - 1] + limit, side="right"))
        near = _distances(sorted_points[begin:end], sorted_points[begin:last]) <= limit
        for row in np.flatnonzero(near.sum(axis=1) > 1).tolist():
            # A few links are enough to join a group, and thousands may be the same.
            for column in (row + 1 + np.flatnonzero(near[row, row + 1 :])[:LINKS]).tolist():
                one, other = int(order[begin + row]), int(order[begin + column])
                pair = unit_vectors(embeddings[[one, other]])
                if float(np.linalg.norm(pair[0] - pair[1])) <= limit:
                    _join(parents, one, other)
    return _groups(parents)


def _median_nearest(points: NDArray[np.float32]) -> float:
    """Return the median distance of samples to their nearest other one, which may lie in another place."""
    rows = np.unique(np.linspace(0, len(points) - 1, min(MEASURED, len(points))).astype(np.int64))
    nearest = []
    for begin in range(0, len(rows), 64):
        some = rows[begin : begin + 64]
        distances = _distances(points[some], points)
        distances[np.arange(len(some)), some] = np.inf
        nearest.append(distances.min(axis=1))
    return float(np.median(np.concatenate(nearest)))


def _distances(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None] - 2.0 * (one @ other.T)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)), dtype=np.float32)


def _root(parents: NDArray[np.int64], row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = int(parents[row])
    return row


def _join(parents: NDArray[np.int64], one: int, other: int) -> None:
    roots = sorted((_root(parents, one), _root(parents, other)))
    parents[roots[1]] = roots[0]


def _groups(parents: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    members: dict[int, list[int]] = {}
    for row in range(len(parents)):
        members.setdefault(_root(parents, row), []).append(row)
    found = [np.array(rows, dtype=np.int64) for rows in members.values() if len(rows) > 1]
    return sorted(found, key=lambda rows: (-len(rows), int(rows[0])))
