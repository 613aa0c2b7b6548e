"""The whole network: front end, backbone, a linear head with exact class maps, temperature and OOD score."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.core.jobs import DEFAULT_FRONT, Front
from ml.core.types import TaskName, Windowing
from ml.graphs.log_frontend import SIZE, settings_for_logs
from ml.graphs.pretrained import Weights, bundled
from ml.media.kinds import InputName
from ml.media.mel import mel_size, settings_for
from ml.networks.backbones import Backbone, build_backbone
from ml.networks.frontends.image_and_mel import MelFrontEnd, PixelFrontEnd
from ml.networks.frontends.log import LogFrontEnd, TabularConcat
from ml.networks.gradcam import TOP_CLASSES, grad_cam
from ml.scoring.ood import NEIGHBOURS, TAIL_FROM, OodReference
from ml.scoring.tasks import task_named


class ClassifierOutputs(NamedTuple):
    """The outputs of a released model, see `ml.runtime.contract`."""

    probabilities: Tensor
    maps: Tensor
    embedding: Tensor
    unlike: Tensor


class OodScorer(nn.Module):
    """Map embeddings (batch, width) to OOD scores (batch,), equal to those of `ml.scoring.ood`.

    The reference is not part of the checkpoints: it is fitted once, at the end of a run.
    """

    scale: Tensor
    bank: Tensor
    knots: Tensor
    shares: Tensor
    tail: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        start = {
            "scale": torch.ones(width),
            "bank": torch.zeros(1, width),
            "knots": torch.tensor([0.0, 1.0]),
            "shares": torch.tensor([0.0, TAIL_FROM]),
            "tail": torch.ones(()),
        }
        for name, value in start.items():
            self.register_buffer(name, value, persistent=False)

    def fit(self, known: OodReference) -> None:
        """Store the reference."""
        for name in ("scale", "bank", "knots", "shares"):
            setattr(self, name, torch.from_numpy(getattr(known, name)))
        self.tail = torch.tensor(known.tail)

    def forward(self, embedding: Tensor) -> Tensor:
        scaled = embedding / self.scale
        directions = scaled / (scaled.norm(dim=1, keepdim=True) + 1e-9)
        alike = directions @ self.bank.T
        strange = 1.0 - alike.topk(min(NEIGHBOURS, len(self.bank)), dim=1).values.mean(1)
        # Piecewise linear: each interval between two knots adds its part.
        widths = self.knots[1:] - self.knots[:-1]
        steps = (strange[:, None] - self.knots[:-1]).clamp_min(0.0).minimum(widths)
        inside = (steps * ((self.shares[1:] - self.shares[:-1]) / widths)).sum(1)
        beyond = (strange - self.knots[-1]).clamp_min(0.0)
        score: Tensor = inside + (1.0 - TAIL_FROM) * (1.0 - torch.exp(-beyond / self.tail))
        return score


class Classifier(nn.Module):
    """Map pictures to logits (batch, classes) and features (batch, width, h, w); `predict` returns all outputs."""

    temperature: Tensor
    task: TaskName = "single"
    flip_tta: bool = False
    """Average an image and its mirror image (test-time augmentation): slightly better, in twice the time."""

    def __init__(self, front: nn.Module, backbone: Backbone | TabularConcat, classes: int) -> None:
        super().__init__()
        self.front = front
        self.backbone = backbone
        self.head = nn.Linear(backbone.width, classes)
        self.register_buffer("temperature", torch.ones(()))
        self.ood_scorer = OodScorer(backbone.width)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """`pictures` (batch, 3, h, w) come from the front end, so that training can augment them."""
        features = self.features(pictures)
        return self.head(features.mean((2, 3))), features

    def features(self, pictures: Tensor) -> Tensor:
        """Return (batch, width, h, w). Features of the mirror image are mirrored back before averaging."""
        features: Tensor = self.backbone(pictures)
        if not self.flip_tta:
            return features
        mirrored: Tensor = self.backbone(pictures.flip(3))
        return (features + mirrored.flip(3)) / 2.0

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return (n, classes): softmax, or sigmoid in a multi-label project."""
        return torch.softmax(logits, dim=1) if task_named(self.task).exclusive else torch.sigmoid(logits)

    def predict_from_features(self, features: Tensor) -> ClassifierOutputs:
        """Return all outputs of a released model from features (batch, width, h, w).

        The maps are class activation maps (Zhou et al. 2016): features × head weights. With mean pooling their mean
        plus the bias is exactly the logit.
        """
        embedding = features.mean((2, 3))
        maps = functional.conv2d(features, self.head.weight[:, :, None, None])
        probabilities = self.probabilities(self.head(embedding) / self.temperature)
        return ClassifierOutputs(probabilities, maps, embedding, self.ood_scorer(embedding))

    def predict(self, raw: Tensor) -> ClassifierOutputs:
        """Return the outputs for raw input. If the backbone ends in a vector, the maps of the likeliest classes are
        Grad-CAM's, which only torch can compute."""
        with torch.no_grad():
            pictures = self.front(raw)
            answers = self.predict_from_features(self.features(pictures))
        pooled = self.backbone.pooled
        if pooled is None or pooled.place is None:
            return answers
        likeliest = answers.probabilities.topk(min(TOP_CLASSES, answers.probabilities.shape[1])).indices
        maps = grad_cam(pooled, self._without_bias, pictures, likeliest).to(answers.maps.dtype)
        places = likeliest[:, :, None, None].expand_as(maps)
        return answers._replace(maps=answers.maps.scatter(1, places, maps))

    def _without_bias(self, pictures: Tensor) -> Tensor:
        return functional.linear(self.backbone(pictures).mean((2, 3)), self.head.weight)


class Released(nn.Module):
    """The graph to export: raw input in, `ClassifierOutputs` out."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, raw: Tensor) -> ClassifierOutputs:
        return self.network.predict_from_features(self.network.features(self.network.front(raw)))


def _picture_of(windowing: Windowing | None) -> tuple[int, int] | None:
    """Return the height and width of the front end's output, if not the backbone's square."""
    if windowing is None:
        return None
    return (SIZE, SIZE) if windowing.columns else mel_size(windowing)


def build_network(
    *,
    windowing: Windowing | None,
    classes: int,
    weights: Weights | None = None,
    task: TaskName = "single",
    log_front: Front = DEFAULT_FRONT,
    input_name: InputName | None = None,
) -> Classifier:
    """Return a pretrained backbone (the bundled one without `weights`) with an untrained head.

    `windowing` is None for images. For logs, `log_front` is the kind of picture; fit the front end before its use.
    """
    if input_name == "pixels":
        windowing = None  # the windows of such a kind are pictures
    body = build_backbone(weights or bundled(), _picture_of(windowing))
    if windowing is None:
        network = Classifier(PixelFrontEnd(body.spec.mean, body.spec.std), body, classes)
    elif windowing.columns:
        channels, frames = len(windowing.columns), windowing.frames
        logs = LogFrontEnd(settings_for_logs(channels=channels, frames=frames, front=log_front))
        network = Classifier(logs, TabularConcat(body, logs.count), classes)
    else:
        network = Classifier(MelFrontEnd(settings_for(windowing), mel_size(windowing)), body, classes)
    network.task = task
    return network
