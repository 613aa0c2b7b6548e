"""Presets in numbers, and how they are adapted to the data."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.core.jobs import TrainJob
from ml.project.estimate import epochs_for, lr_interpolation, scale_epochs

MIN_LR, MAX_LR = 5e-4, 1e-3
"""Learning rates of the last backbone stage if the pretrained features separate the classes, and if they do not."""
MIN_STEPS = 100
"""Optimiser steps below which the rates are reduced: fewer steps cannot repair what full rates damage at first."""
AUGMENT_MAGNITUDES, MANY_EPOCHS = (0.3, 0.6), 40
"""Magnitudes of the augmentation for no epochs and for so many (before they are scaled): a sample that is seen more
often has to vary more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentConfig:
    """Settings of the augmentation: `magnitude` 0…1. Images: whether to flip and to rotate by quarter turns, see
    `ml.training.selection.symmetry`."""

    magnitude: float
    hflip: bool = True
    rotate: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Settings of the fine-tuning. Rates are the highest of AdamW's one-cycle schedule."""

    epochs: int
    batch: int
    head_lr: float
    backbone_lr: float
    """Of the last stage; each stage below has `layer_lr_decay` times the rate of the stage above."""
    layer_lr_decay: float
    weight_decay: float
    label_smoothing: float
    warmup: float
    """Share of all steps."""
    ema_decay: float
    """Decay per step of the exponential moving average of the weights, which is validated and kept."""
    augment_magnitude: float
    """0…1."""
    frozen_stages: int
    """Number of the bundled network's nine stages, from the input, that keep their pretrained weights; the same share
    of another network's. On a CPU they take half the time and gain little."""
    patience: int
    """Epochs without a better validation score until training stops early. They count while the learning rate decays,
    because most models improve only then."""
    hflip: bool = True
    """Images: augment with mirror images."""
    rotate: bool = False
    """Images: augment with quarter turns."""

    flip_tta: bool = False
    """Images: average the predictions of an image and its mirror image (test-time augmentation), if `hflip`."""

    @property
    def midpoint_epoch(self) -> int:
        """The last epoch of the first half, after which the learning rate is low enough for early stopping."""
        return self.epochs // 2

    @property
    def augment_config(self) -> AugmentConfig:
        """The settings of the augmentation."""
        return AugmentConfig(magnitude=self.augment_magnitude, hflip=self.hflip, rotate=self.rotate)


def recipe_for(job: TrainJob, *, train: int, on_gpu: bool) -> Recipe:
    """Return the recipe of the job's preset for `train` samples. `quick` has no epochs: the probe is its model."""
    thorough = job.preset == "thorough"
    epochs = epochs_for(job.preset, train) if job.epochs is None else job.epochs
    low, high = AUGMENT_MAGNITUDES
    return Recipe(
        epochs=epochs,
        batch=32 if on_gpu else 16,
        head_lr=MAX_LR,
        backbone_lr=MIN_LR,
        layer_lr_decay=0.75,
        weight_decay=0.02,
        label_smoothing=0.05,
        warmup=0.2,
        ema_decay=0.97,
        augment_magnitude=0.7 if thorough else low + (high - low) * min(1.0, epochs / MANY_EPOCHS),
        frozen_stages=0 if on_gpu or thorough else 3,
        patience=8,
        flip_tta=thorough,
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
    interpolation = lr_interpolation(relative_loss)
    epochs = scale_epochs(recipe.epochs, relative_loss) if lengthen else recipe.epochs
    steps = epochs * -(-train // recipe.batch)
    damping = min(1.0, steps / MIN_STEPS)
    return dataclasses.replace(
        recipe,
        epochs=epochs,
        patience=max(recipe.patience, epochs // 4),
        head_lr=recipe.head_lr * damping,
        backbone_lr=MIN_LR * (MAX_LR / MIN_LR) ** interpolation * damping,
        frozen_stages=0 if interpolation > 0.5 else recipe.frozen_stages,
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
