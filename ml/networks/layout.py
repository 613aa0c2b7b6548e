"""Where the places of a picture are in what a network gives: rows and columns, or a sequence of tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

MOST_PREFIX = 8
"""Tokens that stand for no place: one for the class, one for a teacher, a few registers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How to bring a tensor into (batch, channels, height, width). `grid` and `prefix` are for tokens only."""

    order: Literal["nchw", "nhwc", "tokens"]
    prefix: int = 0
    grid: tuple[int, int] = (0, 0)

    def apply(self, given: Tensor) -> Tensor:
        """(batch, channels, height, width)."""
        match self.order:
            case "nchw":
                return given
            case "nhwc":
                return given.permute(0, 3, 1, 2)
            case _:
                # One size may stay open, so that the exported graph takes any batch.
                return given[:, self.prefix :].transpose(1, 2).reshape(-1, given.shape[2], *self.grid)


def layout_of(
    given: Tensor, *, picture: tuple[int, int], channels: int | None = None, prefix: int | None = None
) -> Layout | None:
    """The layout of one sample's features (1, …), made from a picture of (height, width); None without places.

    `channels` and `prefix` are what the model says of itself; without them the places must have the picture's shape.
    """
    if given.ndim == 4:
        first, last = given.shape[1], given.shape[3]
        if channels in (first, last) and first != last:
            order: Literal["nchw", "nhwc"] = "nchw" if first == channels else "nhwc"
        elif _alike((given.shape[2], last), picture):
            order = "nchw"
        elif _alike((first, given.shape[2]), picture):
            order = "nhwc"
        else:
            return None
        layout = Layout(order=order)
        shape = layout.apply(given).shape
        return layout if shape[2] * shape[3] > 1 else None
    if given.ndim == 3 and channels in (None, given.shape[2]):
        for before in range(MOST_PREFIX + 1) if prefix is None else (prefix,):
            grid = _grid_of(given.shape[1] - before, picture)
            if grid is not None:
                return Layout(order="tokens", prefix=before, grid=grid)
    return None


def _grid_of(tokens: int, picture: tuple[int, int]) -> tuple[int, int] | None:
    """Height and width of so many tokens in the picture's proportions; None where they do not come out even."""
    if tokens < 4:
        return None
    height = round(math.sqrt(tokens * picture[0] / picture[1]))
    if height < 1 or tokens % height:
        return None
    grid = (height, tokens // height)
    return grid if _alike(grid, picture) else None


def _alike(grid: tuple[int, int], picture: tuple[int, int]) -> bool:
    return abs(grid[0] * picture[1] - grid[1] * picture[0]) <= max(picture)
