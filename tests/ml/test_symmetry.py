"""Which ways up pictures may be, asked of a first model that knows them only as they are."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from little import RECIPE, network
from numpy.typing import NDArray

from ml.core.jobs import NeverStop, Stop, StopRequest
from ml.core.types import Sample
from ml.training.selection.symmetry import detect_symmetries


class _Halves:
    """Pictures one half of which is bright: the left or the right one, or the upper or the lower one."""

    def __init__(self, *, across: bool) -> None:
        self._across = across

    def read(self, samples: list[Sample]) -> NDArray[np.uint8]:
        pixels = np.zeros((len(samples), 16, 16, 3), dtype=np.uint8)
        for picture, sample in zip(pixels, samples, strict=True):
            view = picture if self._across else picture.transpose(1, 0, 2)
            view[:, 8 * sample.labels[0] : 8 * sample.labels[0] + 8] = 255
        return pixels


class _Sides(torch.nn.Module):
    """Says class 0 where the left (or, not `across`, the upper) half is brighter."""

    def __init__(self, *, across: bool) -> None:
        super().__init__()
        self._across = across

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        pictures = pictures if self._across else pictures.transpose(2, 3)
        left, right = pictures[..., :8].mean((1, 2, 3)), pictures[..., 8:].mean((1, 2, 3))
        return torch.stack([left, right], 1)[:, :, None, None]


def _asked(across: bool, stop: Stop | None = None) -> tuple[bool, bool]:
    network_ = network()
    network_.backbone = cast(Any, _Sides(across=across))
    network_.head = torch.nn.Linear(2, 2)
    with torch.no_grad():
        network_.head.weight.copy_(torch.eye(2))
        network_.head.bias.zero_()
    samples = [
        Sample(id=n, source_id=n, path=f"{n}.png", digest=f"{n}", labels=(n % 2,), split="valid") for n in range(20)
    ]
    recipe = detect_symmetries(RECIPE, network_, cast(Any, _Halves(across=across)), samples, stop or NeverStop())
    return recipe.hflip, recipe.rotate


def test_what_differs_between_left_and_right_is_not_mirrored() -> None:
    assert _asked(across=True) == (False, False)


def test_what_differs_between_up_and_down_may_be_mirrored_but_not_turned() -> None:
    assert _asked(across=False) == (True, False)


def test_a_stop_is_not_kept_waiting() -> None:
    class _Hurry:
        def requested(self) -> StopRequest:
            return "stop"

    assert _asked(across=True, stop=_Hurry()) == (RECIPE.hflip, RECIPE.rotate)


def test_without_samples_to_ask_about_it_stays_as_it_is() -> None:
    recipe = detect_symmetries(RECIPE, network(), cast(Any, None), [], NeverStop())
    assert (recipe.hflip, recipe.rotate) == (RECIPE.hflip, RECIPE.rotate)
