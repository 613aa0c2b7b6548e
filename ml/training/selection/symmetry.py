"""Which ways up the pictures of a project may be, found out by asking the first model about turned ones.

It has learned from pictures as they are. Where it knows mirrored or turned ones nearly as well, as those of a forest
from above, showing them so teaches more; where it does not, as with letters or arrows, it would teach the wrong thing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ml.core.jobs import Stop
from ml.core.types import Sample
from ml.networks.heads import Classifier
from ml.training.data.decode import Decoded
from ml.training.recipe import Recipe

ASKED = 96
"""Samples to ask about, at most: every one costs three looks of the network."""
MIN_AGREEMENT = 0.9
"""Share of the right answers that have to stay right."""
BATCH = 16


def detect_symmetries(
    recipe: Recipe, network: Classifier, decoded: Decoded, samples: Sequence[Sample], stop: Stop
) -> Recipe:
    """The recipe with `mirror` and `turns` as these held-out samples allow. `network` has the first model's head.

    `samples` have one label each; without any, or when asked to stop, the recipe stays as it is. The network stays
    where it is.
    """
    if not samples:
        return recipe
    chosen = samples[:: max(1, -(-len(samples) // ASKED))]
    views = {"as it is": 0, "mirrored": 0, "turned": 0}
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        labels = np.array([sample.labels[0] for sample in batch])
        pictures = _pictures(network, decoded, batch)
        for view, shown in (
            ("as it is", pictures),
            ("mirrored", pictures.flip(3)),
            ("turned", torch.rot90(pictures, 1, (2, 3))),
        ):
            if stop.requested():
                return recipe
            views[view] += int((_answers(network, shown) == labels).sum())
    least = MIN_AGREEMENT * views["as it is"]
    return dataclasses.replace(recipe, hflip=views["mirrored"] >= least, rotate=views["turned"] >= least)


def _pictures(network: Classifier, decoded: Decoded, batch: Sequence[Sample]) -> Tensor:
    device = next(network.head.parameters()).device
    pictures: Tensor = network.front(torch.from_numpy(decoded.read(batch)).to(device))
    return pictures


def _answers(network: Classifier, pictures: Tensor) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    with torch.inference_mode():
        logits, _features = network(pictures.contiguous(memory_format=torch.channels_last))
    answers: np.ndarray[tuple[int], np.dtype[np.int64]] = logits.argmax(1).cpu().numpy()
    return answers
