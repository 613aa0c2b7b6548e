"""Pictures of the training split's sounds, kept in memory: making one takes a fifth of the time of learning from it."""

from __future__ import annotations

import torch
from torch import Tensor

from ml.networks.frontend import MelFrontEnd
from ml.project.samples import Sample
from ml.training.decode import Decoded

ROOM = 512 * 2**20
"""Bytes of memory for them: about 9,000 windows; what does not fit is made anew each time."""


class Heard:
    """Rows of the training split -> log-mel pictures (n, 3, rows, columns) on the front end's device."""

    def __init__(self, front: MelFrontEnd, decoded: Decoded, samples: tuple[Sample, ...]) -> None:
        self._front = front
        self._decoded = decoded
        self._samples = samples
        self._kept: dict[int, Tensor] = {}
        self._room = ROOM

    def __call__(self, rows: Tensor, _then: Tensor | None = None) -> Tensor:
        numbers = rows.tolist()
        device = self._front.window.device
        made: dict[int, Tensor] = {}
        new = [number for number in numbers if number not in self._kept]
        if new:
            raw = torch.from_numpy(self._decoded.read([self._samples[number] for number in new])).to(device)
            # Rounded at once, not only when kept: a run that is resumed has to learn from the same.
            made = dict(zip(new, self._front(raw)[:, :1].half().cpu(), strict=True))
        for number, picture in made.items():
            if self._room >= picture.nbytes:
                self._room -= picture.nbytes
                self._kept[number] = picture.clone()
        pictures = torch.stack([made[number] if number in made else self._kept[number] for number in numbers])
        return pictures.to(device).float().expand(-1, 3, -1, -1)
