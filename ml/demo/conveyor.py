"""The belt under the bricks: one long strip of worn rubber, made once per sample project."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from ml.demo.solids import Array

DOTS_PER_UNIT = 28
STRIP = (12 * DOTS_PER_UNIT, 60 * DOTS_PER_UNIT)
"""Rows across the belt, columns along it."""


def belt_strip(rng: np.random.Generator) -> Array:
    """Brightness of the belt relative to its colour, about 1 on average, shape `STRIP`; wraps around."""
    rows, columns = STRIP
    y, x = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None, :]
    weave = 0.035 * np.sin(2 * np.pi * (x + 2 * y) / 7) * np.sin(2 * np.pi * (x - 2 * y) / 7)
    strip = 1 + weave + 0.03 * rng.standard_normal(STRIP, dtype=np.float32)
    strip += 0.10 * _clouds(rng, (14, 60)) + 0.05 * _clouds(rng, (3, 40))
    _scratch(strip, rng, count=260)
    _seams(strip, rng)
    _dust(strip, rng, count=900)
    return np.asarray(np.clip(strip, 0.3, 2.2), dtype=np.float32)


def _clouds(rng: np.random.Generator, sigma: tuple[int, int]) -> Array:
    noise = scipy.ndimage.gaussian_filter(rng.standard_normal(STRIP, dtype=np.float32), sigma, mode="wrap")
    return np.asarray(noise / noise.std(), dtype=np.float32)


def _scratch(strip: Array, rng: np.random.Generator, *, count: int) -> None:
    """Scratches run along the belt, as whatever drags on it does."""
    rows, columns = strip.shape
    for _ in range(count):
        length = int(rng.integers(20, 420))
        steps = np.arange(length)
        row = rng.uniform(0, rows) + rng.normal(0, 0.03) * steps
        fade = np.sin(np.pi * (steps + 0.5) / length)
        place = (row.astype(int) % rows, (int(rng.integers(columns)) + steps) % columns)
        strip[place] += rng.choice([-0.14, 0.12, 0.22]) * rng.uniform(0.3, 1) * fade


def _seams(strip: Array, rng: np.random.Generator) -> None:
    """Where the belt was joined: a dark slanting groove with a worn bright lip."""
    rows, columns = strip.shape
    for _ in range(3):
        row = np.arange(rows)
        at = (int(rng.integers(columns)) + rng.uniform(0.1, 0.4) * row).astype(int)
        for offset, change in ((-1, -0.2), (0, -0.5), (1, -0.4), (2, 0.12), (3, 0.2), (4, 0.08)):
            strip[row, (at + offset) % columns] += change


def _dust(strip: Array, rng: np.random.Generator, *, count: int) -> None:
    rows, columns = strip.shape
    specks = np.zeros_like(strip)
    place = (rng.integers(0, rows, count), rng.integers(0, columns, count))
    specks[place] = rng.choice([-1.5, 1.5, 3.0], count) * rng.uniform(0.3, 1, count)
    strip += scipy.ndimage.gaussian_filter(specks, 0.8, mode="wrap")
