"""How long a training will take on this machine, before it starts. Torch-free, so the window can ask."""

from __future__ import annotations

import math
import os

from ml.core.backbone_catalog import DEFAULT_BACKBONE, relative_cost
from ml.core.errors import HandlensError
from ml.core.types import Preset
from ml.project.project import Project
from ml.project.run_settings import read_run_settings

# Seconds per sample, measured on two cores of an AMD EPYC with the default backbone, times two cores.
_FORWARD = 2 * 0.012
_TRAIN = 2 * 0.062
_FIXED = 8.0
# Samples to be seen in all, and the fewest and most passes over the data that this may come to: a small set needs more
# passes, and has the time for them.
_SEEN: dict[Preset, tuple[int, int, int]] = {
    "quick": (0, 0, 0),
    "standard": (7_000, 4, 40),
    "thorough": (20_000, 12, 60),
}
_TYPICAL_PROBE_LOSS = 0.4
"""Relative loss of the probe of a few hundred samples, before any was measured."""
LOW_LR_UP_TO, HIGH_LR_FROM = 0.25, 0.6
"""Relative losses of the probe between which the learning rate grows from its lowest to its highest."""
MAX_EPOCH_FACTOR = 2.5
"""Factor of the epochs at the highest learning rate."""

RETRAIN_MAX_SAMPLES = 5_000
"""Training and validation samples up to which a run retrains on both splits. Larger sets do not miss the latter."""

RETRAIN_FRACTION = 0.35
"""Epochs of the retraining, as a fraction of those of the fine-tuning."""


def epochs_for(preset: Preset, train: int) -> int:
    """Passes over `train` samples of the training split."""
    seen, fewest, most = _SEEN[preset]
    return min(most, max(fewest, round(seen / max(1, train))))


def lr_interpolation(relative_loss: float) -> float:
    """Return 0…1: where the learning rate lies between its lowest and highest; see `training.recipe.adapt_recipe`."""
    return min(1.0, max(0.0, (relative_loss - LOW_LR_UP_TO) / (HIGH_LR_FROM - LOW_LR_UP_TO)))


def scale_epochs(epochs: int, relative_loss: float) -> int:
    """Return the epochs for a probe of this relative loss: up to `MAX_EPOCH_FACTOR` times as many."""
    return round(epochs * (1.0 + (MAX_EPOCH_FACTOR - 1.0) * lr_interpolation(relative_loss)))


def estimate_seconds(project: Project, preset: Preset, *, backbone: str = "") -> float:
    """Seconds a run with `preset` will take. Speeds measured by the newest run here with the same
    `backbone` come first, and how much was left to learn for its first model; NaN where nothing is known of it."""
    samples = project.samples()
    train = sum(sample.split == "train" for sample in samples)
    cores = os.cpu_count() or 1
    backbone = backbone or DEFAULT_BACKBONE
    effort = relative_cost(backbone)
    forward, step = ((each / cores) * (math.nan if effort is None else effort) for each in (_FORWARD, _TRAIN))
    relative_loss = _TYPICAL_PROBE_LOSS
    for run in reversed(project.runs.all()):
        speed = _measured(project, run.number, backbone)
        if speed:
            forward = speed.get("forward_seconds", forward)
            step = speed.get("train_seconds", step)
            relative_loss = speed.get("doubt", relative_loss)
            break
    passes = 1 if preset == "quick" else 2
    epochs = scale_epochs(epochs_for(preset, train), relative_loss)
    valid = sum(sample.split == "valid" for sample in samples)
    seen = epochs * train
    if valid and train + valid <= RETRAIN_MAX_SAMPLES:
        seen += round(epochs * RETRAIN_FRACTION) * (train + valid)
    learning = seen * step
    return _FIXED + len(samples) * forward * passes + learning


def _measured(project: Project, run: int, backbone: str) -> dict[str, float]:
    """Return the speeds and the relative probe loss of run `run`; empty if it had another backbone."""
    try:
        settings = read_run_settings(project.runs.folder(run))
    except HandlensError:  # an estimate is not worth an error
        return {}
    if not settings or settings.get("backbone", {}).get("name", DEFAULT_BACKBONE) != backbone:
        return {}
    speed = settings.get("speed", {})
    return {str(key): float(value) for key, value in speed.items()}
