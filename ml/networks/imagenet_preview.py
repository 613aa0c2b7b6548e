"""Predictions of the pretrained network with its own ImageNet classes, before any training."""

from __future__ import annotations

from collections.abc import Iterator

import timm
import torch
from timm.data.imagenet_info import ImageNetInfo

from ml.core.errors import UnreadableError
from ml.core.events import Event, Looked
from ml.core.jobs import LookJob
from ml.graphs.pretrained import bundled
from ml.media.images import load_squashed
from ml.networks.backbones import spec_for
from ml.networks.frontends.image_and_mel import PixelFrontEnd
from ml.networks.weights.load import load_in_order


def preview_with_imagenet_labels(job: LookJob) -> Iterator[Event]:
    """Predict the most probable ImageNet class of each picture."""
    weights = bundled()
    spec = spec_for(weights)
    network = timm.create_model(spec.name, pretrained=False).eval()
    load_in_order(network, weights.path)
    front = PixelFrontEnd(spec.mean, spec.std)
    names = ImageNetInfo()
    words: list[str] = []
    probabilities: list[float] = []
    for path in job.pictures:
        try:
            pixels = torch.from_numpy(load_squashed(path, spec.size)[None])
        except (UnreadableError, OSError):
            words.append("")
            probabilities.append(0.0)
            continue
        with torch.inference_mode():
            top = torch.softmax(network(front(pixels)), dim=1)[0].max(dim=0)
        words.append(names.index_to_description(int(top.indices)).split(",")[0])
        probabilities.append(float(top.values))
    yield Looked(words=tuple(words), probabilities=tuple(probabilities))
