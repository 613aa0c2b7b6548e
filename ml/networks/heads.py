"""The whole network: front end, backbone, a linear head whose class maps are exact, and what calibrates its answers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.networks.backbones import Backbone
from ml.networks.gradcam import LIKELIEST, grad_cam
from ml.networks.log_frontend import WithNumbers
from ml.project.samples import Task


class Answers(NamedTuple):
    """The outputs of a released model, see `ml.runtime.contract`."""

    probabilities: Tensor
    maps: Tensor
    embedding: Tensor
    unlike: Tensor


class Classifier(nn.Module):
    """Raw input -> logits (batch, classes) and features (batch, width, h, w); `answer` gives all that is released."""

    temperature: Tensor
    centres: Tensor
    spread: Tensor
    usual_distance: Tensor
    task: Task = "single"

    def __init__(self, front: nn.Module, backbone: Backbone | WithNumbers, classes: int) -> None:
        super().__init__()
        self.front = front
        self.backbone = backbone
        self.head = nn.Linear(backbone.width, classes)
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("centres", torch.zeros(classes, backbone.width))
        self.register_buffer("spread", torch.ones(backbone.width))
        self.register_buffer("usual_distance", torch.ones(()))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures as the front end makes them (batch, 3, h, w); so training can augment in between."""
        features = self.backbone(pictures)
        return self.head(features.mean((2, 3))), features

    def probabilities(self, logits: Tensor) -> Tensor:
        """(n, classes): of one class among all, or in a multi-label project of each by itself."""
        return torch.sigmoid(logits) if self.task == "multi" else torch.softmax(logits, dim=1)

    def answer(self, features: Tensor) -> Answers:
        """Everything a released model says of features (batch, width, h, w).

        The maps are class activation maps (Zhou et al. 2016): features × head weights. With mean pooling their mean
        plus the bias is exactly the logit.
        """
        embedding = features.mean((2, 3))
        maps = functional.conv2d(features, self.head.weight[:, :, None, None])
        probabilities = self.probabilities(self.head(embedding) / self.temperature)
        scaled = embedding / self.spread
        gaps = scaled[:, None, :] - (self.centres / self.spread)[None, :, :]
        distance = gaps.square().mean(2).sqrt().amin(1)
        return Answers(probabilities, maps, embedding, distance / (distance + self.usual_distance))

    def look(self, raw: Tensor) -> Answers:
        """`answer` for raw input, with the best maps there are: Grad-CAM of the likeliest classes where the backbone
        keeps no places to the end, which only torch can do."""
        with torch.no_grad():
            pictures = self.front(raw)
            answers = self.answer(self.backbone(pictures))
        pooled = self.backbone.pooled
        if pooled is None or pooled.place is None:
            return answers
        likeliest = answers.probabilities.topk(min(LIKELIEST, answers.probabilities.shape[1])).indices
        maps = grad_cam(pooled, self._without_bias, pictures, likeliest).to(answers.maps.dtype)
        places = likeliest[:, :, None, None].expand_as(maps)
        return answers._replace(maps=answers.maps.scatter(1, places, maps))

    def _without_bias(self, pictures: Tensor) -> Tensor:
        return functional.linear(self.backbone(pictures).mean((2, 3)), self.head.weight)


class Released(nn.Module):
    """The graph that is exported: raw input in, `Answers` out."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, raw: Tensor) -> Answers:
        return self.network.answer(self.network.backbone(self.network.front(raw)))
