"""The network for a project."""

from __future__ import annotations

from ml.media.mel import settings_for
from ml.networks.backbones import DEFAULT, build
from ml.networks.frontend import MelFrontEnd, PixelFrontEnd
from ml.networks.heads import Classifier
from ml.project.samples import Windowing

MEL_SIZE = (128, 224)
"""Rows and columns of the log-mel picture that the backbone reads."""


def build_network(*, windowing: Windowing | None, classes: int, backbone: str = DEFAULT) -> Classifier:
    """Pretrained backbone and an untrained head, for images (`windowing` None) or recordings."""
    body = build(backbone)
    if windowing is None:
        return Classifier(PixelFrontEnd(body.spec.mean, body.spec.std), body, classes)
    return Classifier(MelFrontEnd(settings_for(windowing), MEL_SIZE), body, classes)
