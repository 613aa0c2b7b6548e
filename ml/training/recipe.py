"""What a preset means in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ml.estimate import EPOCHS
from ml.jobs import TrainJob


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Settings of the fine-tuning. Rates are AdamW's at the top of one cycle, `decay` smaller at each stage below."""

    epochs: int
    batch: int
    head_rate: float
    body_rate: float
    decay: float
    weight_decay: float
    smoothing: float
    warmup: float
    average: float
    """Decay per step of the exponential moving average of the weights, which is what is scored and kept."""
    strength: float
    """Of augmentation, 0…1."""
    frozen_stages: int
    """Stages from the input on that keep their pretrained weights: on a CPU they cost half the time and gain little."""
    patience: int
    """Epochs without a better validation score before training ends by itself."""


def recipe_for(job: TrainJob, *, on_gpu: bool) -> Recipe:
    """The recipe of the job's preset. `quick` has no epochs: the probe is its model."""
    epochs = EPOCHS[job.preset] if job.epochs is None else job.epochs
    thorough = job.preset == "thorough"
    return Recipe(
        epochs=epochs,
        batch=32 if on_gpu else 16,
        # The head comes ready from the probe: faster, it would forget that before the stages below can follow.
        head_rate=1e-4,
        body_rate=3e-4,
        decay=0.75,
        weight_decay=0.02,
        smoothing=0.1,
        warmup=0.2,
        average=0.97,
        strength=0.8 if thorough else 0.5,
        frozen_stages=0 if on_gpu or thorough else 3,
        patience=8 if thorough else 4,
    )
