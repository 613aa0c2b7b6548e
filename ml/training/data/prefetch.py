"""Prefetch the raw input of the next training step in a thread."""

from __future__ import annotations

from concurrent.futures import Executor, Future

import torch
from torch import Tensor

from ml.core.types import Sample
from ml.features.decode import Decoded


class Prefetcher:
    """Map rows of the training split to raw input on the device, and read the next rows in the background."""

    def __init__(self, decoded: Decoded, samples: tuple[Sample, ...], device: torch.device, reader: Executor) -> None:
        self._decoded = decoded
        self._samples = samples
        self._device = device
        self._reader = reader
        self._pending: tuple[list[int], Future[Tensor]] | None = None

    def __call__(self, rows: Tensor, next_rows: Tensor) -> Tensor:
        numbers, pending = rows.tolist(), self._pending
        raw = pending[1].result() if pending is not None and pending[0] == numbers else self._read(numbers)
        next_numbers = next_rows.tolist()
        self._pending = (next_numbers, self._reader.submit(self._read, next_numbers)) if next_numbers else None
        return raw.to(self._device, non_blocking=self._device.type == "cuda")

    def _read(self, numbers: list[int]) -> Tensor:
        raw = torch.from_numpy(self._decoded.read([self._samples[number] for number in numbers]))
        # Only copies from pinned memory overlap with computation on the GPU.
        return raw.pin_memory() if self._device.type == "cuda" else raw
