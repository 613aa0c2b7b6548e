"""A line that learns by stochastic gradient descent, one point at a time. No widgets here."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

POINTS = 40
NOISE = 0.15
SLOPE, OFFSET = 0.7, 0.1
"""Of the line that the points lie around."""
START = (-0.9, -0.6)
FAR_OFF = 50.0
"""An average error from which nobody sees the line any more."""


class LineFit:
    """`y = slope · x + offset` for points with x in -1…1.

    The loss is the squared error of a single point, so its gradient with respect to (slope, offset) is
    2 · error · (x, 1). A step of a point whose rate exceeds 1 / (1 + x²) overshoots farther than it was off.
    """

    def __init__(self, *, seed: int = 0) -> None:
        chance = np.random.default_rng(seed)
        self.x: NDArray[np.float64] = chance.uniform(-1, 1, POINTS)
        self.y: NDArray[np.float64] = SLOPE * self.x + OFFSET + chance.normal(0, NOISE, POINTS)
        self._chance = chance
        design = np.stack([self.x, np.ones(POINTS)], axis=1)
        self.best: tuple[float, float] = tuple(np.linalg.lstsq(design, self.y, rcond=None)[0])
        """Slope and offset of the line of least squares."""
        self.restart()

    def restart(self) -> None:
        """Put the line back to where it began."""
        self.slope, self.offset = START
        self.steps = 0
        self.point: int | None = None
        """The index of the point that the last step looked at."""
        self.recent: list[float] = []
        """The average errors after the last steps."""

    def step(self, rate: float) -> None:
        """Look at one point, and move the line towards it."""
        if self.diverged():
            return
        self.point = int(self._chance.integers(POINTS))
        x = float(self.x[self.point])
        error = self.slope * x + self.offset - float(self.y[self.point])
        self.slope -= rate * 2 * error * x
        self.offset -= rate * 2 * error
        self.steps += 1
        self.recent = [*self.recent[-99:], self.error()]

    def error(self) -> float:
        """Return by how much the line is off, on average."""
        return self._off(self.slope, self.offset)

    def best_error(self) -> float:
        """Return by how much the best line is off, on average."""
        return self._off(*self.best)

    def diverged(self) -> bool:
        error = self.error()
        return not math.isfinite(error) or error > FAR_OFF

    def converged(self) -> bool:
        """Return whether the line has come to rest close to the best one."""
        last = self.recent[-10:]
        return len(last) == 10 and sum(last) / 10 < 1.2 * self.best_error()

    def restless(self) -> bool:
        """Return whether it has arrived, and keeps jumping away again."""
        near = 1.25 * self.best_error()
        return self.steps >= 60 and min(self.recent) < near and max(self.recent[-30:]) > 1.6 * self.best_error()

    def _off(self, slope: float, offset: float) -> float:
        return float(np.abs(slope * self.x + offset - self.y).mean())
