"""The network for a project."""

from __future__ import annotations

from ml.core.jobs import DEFAULT_FRONT, Front
from ml.core.types import Task, Windowing
from ml.media.mel import settings_for
from ml.networks.backbones import build
from ml.networks.frontends.image_and_mel import MelFrontEnd, PixelFrontEnd
from ml.networks.frontends.log import SIZE, LogFrontEnd, WithNumbers, settings_for_logs
from ml.networks.heads import Classifier
from ml.networks.weights.bundled import Weights, bundled


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
    task: Task = "single",
    log_front: Front = DEFAULT_FRONT,
) -> Classifier:
    """Pretrained backbone (the bundled one without `weights`) and an untrained head, for images (`windowing` None),
    recordings or logs of sensors.

    For logs, `log_front` says what picture is made of them; its `learn` wants the training split before it is used.
    """
    body = build(weights or bundled(), _picture_of(windowing))
    if windowing is None:
        network = Classifier(PixelFrontEnd(body.spec.mean, body.spec.std), body, classes)
    elif windowing.columns:
        channels, frames = len(windowing.columns), windowing.frames
        logs = LogFrontEnd(settings_for_logs(channels=channels, frames=frames, front=log_front))
        network = Classifier(logs, WithNumbers(body, logs.count), classes)
    else:
        network = Classifier(MelFrontEnd(settings_for(windowing), mel_size(windowing)), body, classes)
    network.task = task
    return network
