"""Sounds become pictures once; the second pass gets the same ones without asking for the sounds again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ml.core.types import Sample, Windowing
from ml.media.mel import settings_for
from ml.networks.frontends.image_and_mel import MelFrontEnd
from ml.training.data import features as heard
from ml.training.data.features import Prefetcher, SpectrogramCache

WINDOWING = Windowing(rate=8000, seconds=1.0, step=1.0)
SAMPLES = tuple(
    Sample(id=n, source_id=n, path=f"{n}.wav", digest=f"{n}", labels=(n % 2,), split="train") for n in range(6)
)


class _Tones:
    def __init__(self) -> None:
        self.asked: list[int] = []

    def read(self, samples: list[Sample]) -> NDArray[np.float32]:
        self.asked += [sample.id for sample in samples]
        time = np.arange(8000) / 8000
        return np.stack([np.sin(2 * np.pi * 300 * (1 + sample.id) * time) for sample in samples]).astype(np.float32)


def _heard() -> tuple[SpectrogramCache, Any, MelFrontEnd]:
    tones: Any = _Tones()
    front = MelFrontEnd(settings_for(WINDOWING), (96, 128))
    return SpectrogramCache(front, tones, SAMPLES), tones, front


def test_the_second_pass_is_the_first_one_without_the_sounds() -> None:
    pictures, tones, front = _heard()
    first = pictures(torch.tensor([2, 0, 1]))
    assert first.shape == (3, 3, 96, 128)
    expected = front(torch.from_numpy(tones.read([SAMPLES[2], SAMPLES[0], SAMPLES[1]])))
    assert (first - expected).abs().max() < 1e-3
    tones.asked.clear()
    again = pictures(torch.tensor([1, 2, 4]))
    assert tones.asked == [4]
    assert torch.equal(again[:2], first[[2, 0]])


def test_what_does_not_fit_is_made_anew_and_just_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "MAX_CACHE_BYTES", 2 * 96 * 128 * 2)
    pictures, tones, _front = _heard()
    first = pictures(torch.arange(6))
    tones.asked.clear()
    assert torch.equal(pictures(torch.arange(6)), first)
    assert tones.asked == [2, 3, 4, 5]


def test_what_comes_next_is_read_before_it_is_asked_for() -> None:
    tones: Any = _Tones()
    first, second, third = torch.tensor([3, 1]), torch.tensor([5, 0]), torch.tensor([2])
    with ThreadPoolExecutor(1) as reader:
        ahead = Prefetcher(tones, SAMPLES, torch.device("cpu"), reader)
        got = [ahead(first, second), ahead(second, first), ahead(third, third[:0])]
    for rows, raw in zip((first, second, third), got, strict=True):
        expected = tones.read([SAMPLES[row] for row in rows.tolist()])
        assert np.array_equal(raw.numpy(), expected)
    tones.asked.clear()
    with ThreadPoolExecutor(1) as reader:
        ahead = Prefetcher(tones, SAMPLES, torch.device("cpu"), reader)
        ahead(first, second)
        ahead(second, third[:0])
    assert tones.asked == [3, 1, 5, 0], "each once, though the second step asks again for what was read ahead"
