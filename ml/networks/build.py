"""The network for a project."""

from __future__ import annotations

from torch import nn

from ml.media.mel import settings_for
from ml.networks.backbones import DEFAULT, build
from ml.networks.frontend import MelFrontEnd, PixelFrontEnd
from ml.networks.heads import Classifier
from ml.project.samples import Task, Windowing


def mel_size(windowing: Windowing) -> tuple[int, int]:
    """Rows and columns of the log-mel picture that the backbone reads: no larger than what there is to hear."""
    rows = 128 if windowing.rate > 12_000 else 96
    columns = 32 * round(min(224.0, max(128.0, 64.0 * windowing.seconds)) / 32)
    return rows, columns


def build_network(
    *, windowing: Windowing | None, classes: int, backbone: str = DEFAULT, task: Task = "single"
) -> Classifier:
    """Pretrained backbone and an untrained head, for images (`windowing` None) or recordings."""
    body = build(backbone)
    front: nn.Module
    if windowing is None:
        front = PixelFrontEnd(body.spec.mean, body.spec.std)
    else:
        front = MelFrontEnd(settings_for(windowing), mel_size(windowing))
    network = Classifier(front, body, classes)
    network.task = task
    return network
