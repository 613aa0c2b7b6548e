"""Detect the symmetries of a project's images with the first model.

The first model was trained on unchanged images. If it predicts mirrored or rotated ones nearly as well, as for aerial
images of a forest, they are useful augmentations. If it does not, as for letters or arrows, they would be harmful.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ml.core.jobs import Stop
from ml.core.types import Sample
from ml.features.decode import Decoded
from ml.networks.heads import Classifier
from ml.training.recipe import Recipe

MAX_SAMPLES = 96
"""Each sample takes three forward passes."""
MIN_AGREEMENT = 0.9
"""Share of the correct predictions that has to remain."""
BATCH = 16


def detect_symmetries(
    recipe: Recipe, network: Classifier, decoded: Decoded, samples: Sequence[Sample], stop: Stop
) -> Recipe:
    """Return the recipe with `hflip` and `rotate` set by held-out `samples` of one label each.

    `network` has the head of the first model. Without samples, or on a stop request, the recipe does not change.
    """
    if not samples:
        return recipe
    subset = samples[:: max(1, -(-len(samples) // MAX_SAMPLES))]
    correct = {"original": 0, "flipped": 0, "rotated": 0}
    for start in range(0, len(subset), BATCH):
        batch = subset[start : start + BATCH]
        labels = np.array([sample.labels[0] for sample in batch])
        pictures = _pictures(network, decoded, batch)
        for view, version in (
            ("original", pictures),
            ("flipped", pictures.flip(3)),
            ("rotated", torch.rot90(pictures, 1, (2, 3))),
        ):
            if stop.requested():
                return recipe
            correct[view] += int((_predicted_classes(network, version) == labels).sum())
    least = MIN_AGREEMENT * correct["original"]
    return dataclasses.replace(recipe, hflip=correct["flipped"] >= least, rotate=correct["rotated"] >= least)


def _pictures(network: Classifier, decoded: Decoded, batch: Sequence[Sample]) -> Tensor:
    device = next(network.head.parameters()).device
    pictures: Tensor = network.front(torch.from_numpy(decoded.read(batch)).to(device))
    return pictures


def _predicted_classes(network: Classifier, pictures: Tensor) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    with torch.inference_mode():
        logits, _features = network(pictures.contiguous(memory_format=torch.channels_last))
    classes: np.ndarray[tuple[int], np.dtype[np.int64]] = logits.argmax(1).cpu().numpy()
    return classes
