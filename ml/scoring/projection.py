"""Fewer dimensions for many points: principal components. Pure arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FITTED = 20_000
"""As many evenly picked points are enough to know the directions."""
CHUNK = 8_192


def principal_components(points: NDArray[np.floating], count: int) -> NDArray[np.float32]:
    """Return the coordinates (n, count) of points (n, width) along their `count` directions of largest variance.

    The signs are fixed, so the same points always give the same coordinates.
    """
    fitted = np.asarray(points[:: max(1, -(-len(points) // FITTED))], dtype=np.float32)
    middle = fitted.mean(axis=0)
    centred = fitted - middle
    _values, vectors = np.linalg.eigh(centred.T @ centred)
    directions = vectors[:, ::-1][:, :count]
    largest = np.abs(directions).argmax(axis=0)
    directions = (directions * np.sign(directions[largest, np.arange(directions.shape[1])])).astype(np.float32)
    found = np.empty((len(points), directions.shape[1]), dtype=np.float32)
    for begin in range(0, len(points), CHUNK):
        chunk = np.asarray(points[begin : begin + CHUNK], dtype=np.float32)
        found[begin : begin + CHUNK] = (chunk - middle) @ directions
    return found
