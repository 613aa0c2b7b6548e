"""How long a training will take on this machine, before it starts. Torch-free, so the window can ask."""

from __future__ import annotations

import math
import os
import tomllib

from ml.core.backbone_catalog import DEFAULT_BACKBONE, relative_cost
from ml.core.types import Preset
from ml.project.project import Project

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
_USUAL_DOUBT = 0.4
"""Of the first model of a few hundred samples, where none was made yet."""
GENTLE_UP_TO, BOLD_FROM = 0.25, 0.6
"""The doubt up to which training is as gentle as it gets, and from which on as bold."""
LONGER = 2.5
"""Times as many passes at the boldest."""

LEARN_AGAIN_UP_TO = 5_000
"""Samples to learn from and to choose by: up to as many, a training learns once more in the end, from both. Of more, a
few thousand kept to choose by are not missed."""

AGAIN = 0.35
"""Passes of that, as a share of those before."""


def epochs_for(preset: Preset, train: int) -> int:
    """Passes over `train` samples of the training split."""
    seen, fewest, most = _SEEN[preset]
    return min(most, max(fewest, round(seen / max(1, train))))


def boldness(doubt: float) -> float:
    """0…1, how hard is trained for how far the first model is from its aim, see `training.recipe.doubt_of`."""
    return min(1.0, max(0.0, (doubt - GENTLE_UP_TO) / (BOLD_FROM - GENTLE_UP_TO)))


def lengthened(epochs: int, doubt: float) -> int:
    """As many passes as a first model of this `doubt` asks for."""
    return round(epochs * (1.0 + (LONGER - 1.0) * boldness(doubt)))


def estimate_seconds(project: Project, preset: Preset, *, backbone: str = "") -> float:
    """Seconds a run with `preset` will take. Speeds measured by the newest run here with the same
    `backbone` come first, and how much was left to learn for its first model; NaN where nothing is known of it."""
    samples = project.samples()
    train = sum(sample.split == "train" for sample in samples)
    cores = os.cpu_count() or 1
    backbone = backbone or DEFAULT_BACKBONE
    effort = relative_cost(backbone)
    forward, step = ((each / cores) * (math.nan if effort is None else effort) for each in (_FORWARD, _TRAIN))
    doubt = _USUAL_DOUBT
    for run in reversed(project.runs.all()):
        speed = _measured(project, run.number, backbone)
        if speed:
            forward = speed.get("forward_seconds", forward)
            step = speed.get("train_seconds", step)
            doubt = speed.get("doubt", doubt)
            break
    passes = 1 if preset == "quick" else 2
    epochs = lengthened(epochs_for(preset, train), doubt)
    valid = sum(sample.split == "valid" for sample in samples)
    seen = epochs * train
    if valid and train + valid <= LEARN_AGAIN_UP_TO:
        seen += round(epochs * AGAIN) * (train + valid)
    learning = seen * step
    return _FIXED + len(samples) * forward * passes + learning


def _measured(project: Project, run: int, backbone: str) -> dict[str, float]:
    """Seconds per sample as run `run` had them, and its doubt; empty where it had another backbone."""
    path = project.runs.folder(run) / "settings.toml"
    if not path.is_file():
        return {}
    settings = tomllib.loads(path.read_text(encoding="utf-8"))
    if settings.get("backbone", {}).get("name", DEFAULT_BACKBONE) != backbone:
        return {}
    speed = settings.get("speed", {})
    return {str(key): float(value) for key, value in speed.items()}
