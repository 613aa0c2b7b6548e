"""What a preset means in numbers."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.core.jobs import TrainJob
from ml.project.estimate import boldness, epochs_for, lengthened
from ml.training.data.augment import AugmentConfig

GENTLE, BOLD = 5e-4, 1e-3
"""Rates at the last stage of the body where the pretrained features fit the classes well, and where they do not."""
ENOUGH_STEPS = 100
"""Of the optimiser, to mend what the full rates upset at first."""
STRENGTH, MANY_PASSES = (0.3, 0.6), 40
"""Of augmentation, with no and with so many passes (before doubt makes them more): what is seen more often has to be
varied more."""


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
    """Of the bundled network's nine stages, from the input on, those that keep their pretrained weights; of another
    network as large a share. On a CPU they cost half the time and gain little."""
    patience: int
    """Epochs in which nothing became better than before them, by the validation score, until training ends by itself.
    Counted while the rate falls: before, a model is seldom better than it was, and nearly always becomes so."""
    mirror: bool = True
    """Of pictures: whether left and right may change places."""
    turns: bool = False
    """Of pictures: whether they may be turned any way up."""

    both_sides: bool = False
    """Of pictures: whether the finished model looks at the mirror image too, where there may be one."""

    @property
    def midpoint_epoch(self) -> int:
        """The last epoch of the first half; from here on the rate falls far enough to count."""
        return self.epochs // 2

    @property
    def variation(self) -> AugmentConfig:
        return AugmentConfig(strength=self.strength, mirror=self.mirror, turns=self.turns)


def recipe_for(job: TrainJob, *, train: int, on_gpu: bool) -> Recipe:
    """The recipe of the job's preset for `train` samples. `quick` has no epochs: the probe is its model."""
    thorough = job.preset == "thorough"
    epochs = epochs_for(job.preset, train) if job.epochs is None else job.epochs
    return Recipe(
        epochs=epochs,
        batch=32 if on_gpu else 16,
        head_rate=BOLD,
        body_rate=GENTLE,
        decay=0.75,
        weight_decay=0.02,
        smoothing=0.05,
        warmup=0.2,
        average=0.97,
        strength=0.7 if thorough else STRENGTH[0] + (STRENGTH[1] - STRENGTH[0]) * min(1.0, epochs / MANY_PASSES),
        frozen_stages=0 if on_gpu or thorough else 3,
        patience=8,
        both_sides=thorough,
    )


def adapt_recipe(recipe: Recipe, *, relative_loss: float, train: int, lengthen: bool = True) -> Recipe:
    """Return the recipe adapted to the quality of the probe and to the number of training samples.

    `relative_loss` is 0…1, see `relative_probe_loss`. If the pretrained features already separate the classes, high
    learning rates distort them (Kumar et al. 2022). If they do not, as with spectrograms of speech, all stages train
    at higher rates and, with `lengthen`, for more epochs. With few steps in total the rates stay small, because a
    handful of large steps would only damage the pretrained weights.
    """
    if recipe.epochs == 0:
        return recipe
    bold = boldness(relative_loss)
    epochs = lengthened(recipe.epochs, relative_loss) if lengthen else recipe.epochs
    steps = epochs * -(-train // recipe.batch)
    care = min(1.0, steps / ENOUGH_STEPS)
    return dataclasses.replace(
        recipe,
        epochs=epochs,
        patience=max(recipe.patience, epochs // 4),
        head_rate=recipe.head_rate * care,
        body_rate=GENTLE * (BOLD / GENTLE) ** bold * care,
        frozen_stages=0 if bold > 0.5 else recipe.frozen_stages,
    )


def relative_probe_loss(loss: float | None, targets: NDArray[np.int64]) -> float:
    """Return the probe's validation loss divided by that of guessing by class frequency: 0 is perfect, 1 is guessing.

    `targets` of the training split as in `ml.training.objective`. Without a loss: 0.
    """
    if loss is None:
        return 0.0
    if targets.ndim == 1:
        shares = np.bincount(targets) / len(targets)
        guess = -float(sum(share * math.log(share) for share in shares if share > 0))
    else:
        shares = np.clip(targets.mean(axis=0), 1e-6, 1 - 1e-6)
        guess = -float((shares * np.log(shares) + (1 - shares) * np.log1p(-shares)).sum())
    return min(1.0, loss / max(guess, 1e-6))
