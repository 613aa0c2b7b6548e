"""Fewer dimensions for many points: principal components. Pure arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FITTED = 10_000
"""As many evenly picked points are enough to know the directions."""
CHUNK = 8_192


def principal_components(points: NDArray[np.floating], count: int, *, unit: bool = False) -> NDArray[np.float32]:
    """Return the coordinates (n, count) of points (n, width) along their `count` directions of largest variance.

    `unit`: of the points at distance 1 from the origin in the same directions. The signs are fixed, so the same points
    always give the same coordinates. Points may lie on the disk; only a part of them is in memory at a time.
    """
    fitted = _taken(points[:: max(1, -(-len(points) // FITTED))], unit=unit)
    middle = fitted.mean(axis=0)
    centred = fitted - middle
    _values, vectors = np.linalg.eigh(centred.T @ centred)
    directions = vectors[:, ::-1][:, :count]
    largest = np.abs(directions).argmax(axis=0)
    directions = (directions * np.sign(directions[largest, np.arange(directions.shape[1])])).astype(np.float32)
    found = np.empty((len(points), directions.shape[1]), dtype=np.float32)
    for begin in range(0, len(points), CHUNK):
        chunk = _taken(points[begin : begin + CHUNK], unit=unit)
        found[begin : begin + CHUNK] = (chunk - middle) @ directions
    return found


def unit_vectors(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return points (n, width) at distance 1 from the origin; those in the origin stay there."""
    points = np.asarray(points, dtype=np.float32)
    return np.asarray(points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def _taken(points: NDArray[np.floating], *, unit: bool) -> NDArray[np.float32]:
    return unit_vectors(points) if unit else np.asarray(points, dtype=np.float32)
