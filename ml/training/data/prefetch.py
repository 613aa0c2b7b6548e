"""Prefetch the raw input of the next training step in a thread."""

from __future__ import annotations

from concurrent.futures import Executor, Future

import torch
from torch import Tensor

from ml.core.types import Sample
from ml.training.data.decode import Decoded


class Prefetcher:
    """Map rows of the training split to raw input on the device, and read the next rows in the background."""

    def __init__(self, decoded: Decoded, samples: tuple[Sample, ...], device: torch.device, reader: Executor) -> None:
        self._decoded = decoded
        self._samples = samples
        self._device = device
        self._reader = reader
        self._ahead: tuple[list[int], Future[Tensor]] | None = None

    def __call__(self, rows: Tensor, then: Tensor) -> Tensor:
        numbers, ahead = rows.tolist(), self._ahead
        raw = ahead[1].result() if ahead is not None and ahead[0] == numbers else self._read(numbers)
        coming = then.tolist()
        self._ahead = (coming, self._reader.submit(self._read, coming)) if coming else None
        return raw.to(self._device, non_blocking=self._device.type == "cuda")

    def _read(self, numbers: list[int]) -> Tensor:
        raw = torch.from_numpy(self._decoded.read([self._samples[number] for number in numbers]))
        # Only copies from pinned memory overlap with computation on the GPU.
        return raw.pin_memory() if self._device.type == "cuda" else raw
