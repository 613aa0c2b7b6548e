"""How long a training will take on this machine, before it starts. Torch-free, so the window can ask."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from ml.core.backbone_catalog import DEFAULT_BACKBONE, relative_cost, yamnet_file
from ml.core.errors import HandlensError
from ml.core.jobs import DEFAULT_EAR, Ear
from ml.core.stages import Stage
from ml.core.types import Preset
from ml.project.project import Project
from ml.project.run_settings import read_run_settings

# Seconds per sample, measured on two cores of an AMD EPYC with the default backbone, times two cores.
_DECODE = 2 * 0.003
_FORWARD = 2 * 0.012
_TRAIN = 2 * 0.062
_PICTURE_EAR, _SPEECH_EAR, _YAMNET_EAR = (0.0103, 0.0024), (0.0040, 0.0034), (0.0, 0.0045)
"""Seconds of a core that the networks for recordings take: per window, and per second of sound in it."""
_FIXED: dict[Stage, float] = {"preflight": 6.0, "probe": 3.0, "export": 3.0}
"""Seconds of the stages that hardly depend on the number of samples."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class TimePlan:
    """The expected seconds of each stage of a training, in their order."""

    stages: dict[Stage, float]
    per_sample: dict[Stage, float]
    """Expected seconds per sample of the stages "decode" and "features"."""
    measured: frozenset[Stage]
    """Those of them that were measured on this machine."""
    passes: int
    """Epochs of the fine-tuning that the plan counts with."""
    known: bool
    """False for a backbone whose cost was never measured: the seconds are those of the default backbone."""

    @property
    def seconds(self) -> float:
        """The expected seconds of the whole training; NaN where they are not known."""
        return sum(self.stages.values()) if self.known else math.nan

    def with_passes(self, passes: int, *, done: int = 0) -> TimePlan:
        """Return the plan for so many epochs, of which `done` are over."""
        if not self.passes or passes <= 0:
            return self
        factors = {"finetune": max(0, passes - done) / self.passes, "refit": passes / self.passes}
        stages = {stage: seconds * factors.get(stage, 1.0) for stage, seconds in self.stages.items()}
        return dataclasses.replace(self, stages=stages, passes=passes)


def plan_time(
    project: Project,
    preset: Preset,
    *,
    backbone: str = "",
    speeds: Mapping[str, float] | None = None,
    ear: Ear = DEFAULT_EAR,
) -> TimePlan:
    """Return the expected seconds of each stage of a run with `preset`; `ear` counts for recordings.

    Speeds and the relative loss of the first model come from the newest runs here with the same `backbone`, then from
    `speeds`: what was measured in other projects on this machine, see `SPEEDS`.
    """
    splits = project.count_splits()
    count = sum(splits.values())
    backbone = backbone or DEFAULT_BACKBONE
    effort = relative_cost(backbone)
    measured = {**(speeds or {}), **_measured(project, backbone)}
    core_share = (1.0 if effort is None else effort) / (os.cpu_count() or 1)
    forward = measured.get("features", _FORWARD * core_share)
    step = measured.get("finetune", forward * _TRAIN / _FORWARD)
    decode = measured.get("decode", _DECODE / (os.cpu_count() or 1))
    train, valid = splits.get("train", 0), splits.get("valid", 0)
    epochs = scale_epochs(epochs_for(preset, train), measured.get("doubt", _TYPICAL_PROBE_LOSS))
    retrained = train + valid if valid and train + valid <= RETRAIN_MAX_SAMPLES else 0
    # Predictions of an unchanged network come from the cached features.
    predict = 0.1 * forward if preset == "quick" else measured.get("predict", forward)
    seen_before = any((project.path / "cache").glob(f"embeddings-{backbone}*"))
    look = forward * _ear_factor(project, preset, ear)
    stages: dict[Stage, float] = {
        "preflight": measured.get("preflight", _FIXED["preflight"]),
        "decode": 0.0 if seen_before else count * decode,
        "features": 0.0 if seen_before else count * look,
        "probe": measured.get("probe", _FIXED["probe"]),
        "finetune": epochs * train * step,
        "refit": round(epochs * RETRAIN_FRACTION) * retrained * step,
        "predict": (count + (retrained if epochs else 0)) * predict,
        "export": measured.get("export", _FIXED["export"]),
    }
    known = effort is not None or "features" in measured
    per_sample: dict[Stage, float] = {"decode": decode, "features": look}
    return TimePlan(
        stages=stages,
        per_sample=per_sample,
        measured=frozenset(stage for stage in per_sample if stage in measured),
        passes=epochs,
        known=known,
    )


def _ear_factor(project: Project, preset: Preset, ear: Ear) -> float:
    """Return the time that the chosen networks for recordings take, compared with the one for pictures alone.

    "auto" tries all that are there, and adjusting needs the one for pictures, whatever the first model uses.
    """
    windowing = project.windowing
    if windowing is None or windowing.columns or ear == "picture":
        return 1.0
    picture, speech, yamnet = (
        fixed + rate * windowing.as_heard.seconds for fixed, rate in (_PICTURE_EAR, _SPEECH_EAR, _YAMNET_EAR)
    )
    alone = {"speech": speech, "yamnet": yamnet}
    if ear in alone:
        return (alone[ear] + (0.0 if preset == "quick" else picture)) / picture
    tried = yamnet if ear == "auto" and yamnet_file().is_file() else 0.0
    return (picture + speech + tried) / picture


def estimate_seconds(
    project: Project, preset: Preset, *, backbone: str = "", speeds: Mapping[str, float] | None = None
) -> float:
    """Return the seconds that a run with `preset` will take, see `plan_time`; NaN where nothing is known of it."""
    return plan_time(project, preset, backbone=backbone, speeds=speeds).seconds


SPEEDS = ("preflight", "decode", "features", "probe", "finetune", "predict", "export")
"""What is remembered of a machine: seconds per sample for "decode", "features", "finetune" and "predict", else seconds
of the stage."""
_RECORDED = {"forward_seconds": "features", "train_seconds": "finetune", "doubt": "doubt"}
"""Names in settings.toml of a run."""


def _measured(project: Project, backbone: str) -> dict[str, float]:
    """Return the speeds and the relative probe loss of the newest runs with this backbone that measured them."""
    found: dict[str, float] = {}
    for run in project.runs.all():
        try:
            settings = read_run_settings(project.runs.folder(run.number))
        except HandlensError:  # an estimate is not worth an error
            continue
        if not settings or settings.get("backbone", {}).get("name", DEFAULT_BACKBONE) != backbone:
            continue
        for name, value in settings.get("speed", {}).items():
            if name in _RECORDED:
                found[_RECORDED[name]] = float(value)
    return found
