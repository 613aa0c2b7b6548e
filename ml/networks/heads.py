"""The whole network: front end, backbone, a linear head whose class maps are exact, and what calibrates its answers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.core.jobs import DEFAULT_FRONT, Front
from ml.core.types import TaskName, Windowing
from ml.media.kinds import InputName
from ml.media.mel import settings_for
from ml.networks.backbones import Backbone, build
from ml.networks.frontends.image_and_mel import MelFrontEnd, PixelFrontEnd
from ml.networks.frontends.log import SIZE, LogFrontEnd, TabularConcat, settings_for_logs
from ml.networks.gradcam import LIKELIEST, grad_cam
from ml.networks.weights.bundled import Weights, bundled
from ml.scoring.ood import NEIGHBOURS, TAIL_FROM, OodReference
from ml.scoring.tasks import task_named


class Answers(NamedTuple):
    """The outputs of a released model, see `ml.runtime.contract`."""

    probabilities: Tensor
    maps: Tensor
    embedding: Tensor
    unlike: Tensor


class OodScorer(nn.Module):
    """Embedding (batch, width) -> unlike score (batch,), the same as `ml.scoring.ood` says; nothing is known yet.

    What it knows is no part of the checkpoints: it is found once, when a run is finished.
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

    def learn(self, known: OodReference) -> None:
        """Take over what is familiar."""
        for name in ("scale", "bank", "knots", "shares"):
            setattr(self, name, torch.from_numpy(getattr(known, name)))
        self.tail = torch.tensor(known.tail)

    def forward(self, embedding: Tensor) -> Tensor:
        scaled = embedding / self.scale
        directions = scaled / (scaled.norm(dim=1, keepdim=True) + 1e-9)
        alike = directions @ self.bank.T
        strange = 1.0 - alike.topk(min(NEIGHBOURS, len(self.bank)), dim=1).values.mean(1)
        # Every stretch between two knots adds its part of the share.
        widths = self.knots[1:] - self.knots[:-1]
        steps = (strange[:, None] - self.knots[:-1]).clamp_min(0.0).minimum(widths)
        inside = (steps * ((self.shares[1:] - self.shares[:-1]) / widths)).sum(1)
        beyond = (strange - self.knots[-1]).clamp_min(0.0)
        score: Tensor = inside + (1.0 - TAIL_FROM) * (1.0 - torch.exp(-beyond / self.tail))
        return score


class Classifier(nn.Module):
    """Raw input -> logits (batch, classes) and features (batch, width, h, w); `answer` gives all that is released."""

    temperature: Tensor
    task: TaskName = "single"
    both_sides: bool = False
    """Answer from the mean of a picture and its mirror image: a little better, for twice the time."""

    def __init__(self, front: nn.Module, backbone: Backbone | TabularConcat, classes: int) -> None:
        super().__init__()
        self.front = front
        self.backbone = backbone
        self.head = nn.Linear(backbone.width, classes)
        self.register_buffer("temperature", torch.ones(()))
        self.unlikeness = OodScorer(backbone.width)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures as the front end makes them (batch, 3, h, w); so training can augment in between."""
        features = self.features(pictures)
        return self.head(features.mean((2, 3))), features

    def features(self, pictures: Tensor) -> Tensor:
        """(batch, width, h, w). Those of the mirror image are mirrored back, so that every place stays in its place."""
        features: Tensor = self.backbone(pictures)
        if not self.both_sides:
            return features
        mirrored: Tensor = self.backbone(pictures.flip(3))
        return (features + mirrored.flip(3)) / 2.0

    def probabilities(self, logits: Tensor) -> Tensor:
        """(n, classes): of one class among all, or in a multi-label project of each by itself."""
        return torch.softmax(logits, dim=1) if task_named(self.task).exclusive else torch.sigmoid(logits)

    def answer(self, features: Tensor) -> Answers:
        """Everything a released model says of features (batch, width, h, w).

        The maps are class activation maps (Zhou et al. 2016): features × head weights. With mean pooling their mean
        plus the bias is exactly the logit.
        """
        embedding = features.mean((2, 3))
        maps = functional.conv2d(features, self.head.weight[:, :, None, None])
        probabilities = self.probabilities(self.head(embedding) / self.temperature)
        return Answers(probabilities, maps, embedding, self.unlikeness(embedding))

    def look(self, raw: Tensor) -> Answers:
        """`answer` for raw input, with the best maps there are: Grad-CAM of the likeliest classes where the backbone
        keeps no places to the end, which only torch can do."""
        with torch.no_grad():
            pictures = self.front(raw)
            answers = self.answer(self.features(pictures))
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
        return self.network.answer(self.network.features(self.network.front(raw)))


def mel_size(windowing: Windowing) -> tuple[int, int]:
    """Rows and columns of the log-mel picture that the backbone reads: no larger than what there is to hear."""
    rows = 128 if windowing.rate > 12_000 else 96
    columns = 32 * round(min(224.0, max(128.0, 64.0 * windowing.seconds)) / 32)
    return rows, columns


def _picture_of(windowing: Windowing | None) -> tuple[int, int] | None:
    """Height and width of what the front end makes, where that is not the backbone's own square."""
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
    """Pretrained backbone (the bundled one without `weights`) and an untrained head, for images (`windowing` None),
    recordings or logs of sensors.

    For logs, `log_front` says what picture is made of them; its `learn` wants the training split before it is used.
    """
    if input_name == "pixels":
        windowing = None  # the windows of such a kind are pictures
    body = build(weights or bundled(), _picture_of(windowing))
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
