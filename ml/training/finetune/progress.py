"""The history of a fine-tuning: its best model, early stopping, what is saved after every epoch, and the time left."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ml.probe.objective import Score, score_of
from ml.scoring.task import Task
from ml.scoring.tasks import task_for
from ml.training.finetune import checkpoint
from ml.training.recipe import Recipe


class TrainingHistory:
    """Epochs so far and the best of them; saved after every epoch."""

    def __init__(self, probe_score: Score, labels: str) -> None:
        self.labels = labels
        """Fingerprint of the training and validation labels: scores with other labels cannot be compared."""
        self.epoch = 0
        self.step = 0
        self.probe_score = self.best = probe_score
        self.best_epoch = 0
        self.baseline_epoch = 0
        """The epoch in which the labels changed; 0 if they did not."""
        self.scores: list[float] = []
        """Of every epoch since `baseline_epoch`."""
        self.lr_halved = False
        """Whether training has diverged once."""

    @property
    def lr_factor(self) -> float:
        """Factor of the recipe's learning rates."""
        return 0.5 if self.lr_halved else 1.0

    def should_stop(self, recipe: Recipe) -> bool:
        """Return whether all epochs are done, or early stopping applies."""
        if self.epoch >= recipe.epochs:
            return True
        # A model without validation errors hardly improves, whatever the learning rate.
        if self.best.accuracy >= 1.0 and self.epoch - max(self.best_epoch, self.baseline_epoch) >= recipe.patience:
            return True
        # Compare with the score `patience` epochs ago, not with the best: one of many epochs at a high rate was lucky,
        # and a model that has improved since will improve further as the rate decays.
        if len(self.scores) <= recipe.patience or self.epoch - recipe.midpoint_epoch < recipe.patience:
            return False
        return max(self.scores[-recipe.patience :]) <= self.scores[-recipe.patience - 1]

    @classmethod
    def restored(cls, saved: checkpoint.Contents | None, *, probe_score: Score, labels: str) -> TrainingHistory:
        """Return the history of a checkpoint, or a new one."""
        history = cls(probe_score, labels)
        if saved is not None:
            facts = saved[1]
            history.epoch, history.step = facts["epoch"], facts["step"]
            history.lr_halved = facts.get("calmed", False)
            if facts["labels"] == labels:
                history.best, history.best_epoch = Score(*facts["best"]), facts["best_epoch"]
                history.baseline_epoch = facts["counted_from"]
                history.scores = facts["merits"]
            else:
                history.baseline_epoch = history.epoch
        return history

    def record_epoch(
        self,
        epoch: int,
        train_loss: float,
        probabilities: NDArray[np.float32],
        labels: NDArray[np.int64],
        *,
        task: Task | None = None,
    ) -> tuple[float | None, float | None, bool]:
        """Record the validation of an epoch; return its accuracy, its loss, and whether it is the best so far."""
        accuracy, loss = (task or task_for(labels)).score_and_loss(probabilities, labels)
        score = score_of(probabilities, labels, task) if len(labels) else Score(-train_loss, 0.0)
        self.epoch = epoch
        self.scores.append(score.value)
        # A model with a lower accuracy than the probe is not better, whatever its loss.
        improved = score > self.best and score.accuracy >= self.probe_score.accuracy
        if improved:
            self.best, self.best_epoch = score, epoch
        return accuracy, loss, improved

    def save(self, folder: Path, network: nn.Module, ema_model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Write `latest.safetensors` and, if the last epoch was the best, `best.safetensors`."""
        facts = {
            "epoch": self.epoch,
            "step": self.step,
            "best": list(self.best),
            "best_epoch": self.best_epoch,
            "labels": self.labels,
            "counted_from": self.baseline_epoch,
            "merits": self.scores,
            "calmed": self.lr_halved,
        }
        if self.best_epoch == self.epoch:
            checkpoint.save(folder / "best.safetensors", checkpoint.network_tensors(ema_model), facts)
        tensors = (
            checkpoint.network_tensors(network, "network.")
            | checkpoint.network_tensors(ema_model, "steady.")
            | checkpoint.optimiser_tensors(optimiser)
        )
        checkpoint.save(folder / "latest.safetensors", tensors, facts)


def load_state(
    saved: checkpoint.Contents, network: nn.Module, ema_model: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Load weights and optimiser state of a checkpoint. Raises HandlensError if they are of another network."""
    tensors = saved[0]
    network.load_state_dict(checkpoint.state_dict_for(network, tensors, "network."))
    ema_model.load_state_dict(checkpoint.state_dict_for(ema_model, tensors, "steady."))
    checkpoint.restore_optimiser(optimiser, tensors)


RECENT_STEPS = 200
SLOWEST_SHARE = 0.1
"""Share of the recent steps that the mean leaves out: the first step, or one that waited for the disk."""


class Timer:
    """Measure the seconds per sample of training and of validation, by a trimmed mean of the recent steps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._steps: deque[tuple[float, int]] = deque(maxlen=RECENT_STEPS)
        """Seconds per sample and samples of each step."""
        self._valid_seconds = 0.0
        self._validated = 0

    def tick(self, samples: int) -> None:
        """Add a training step."""
        now = self._clock()
        self._steps.append(((now - self._began) / max(1, samples), samples))
        self._began = now

    def pause(self) -> None:
        """Begin a validation."""
        self._began = self._clock()

    def resume(self, validated: int) -> None:
        """End a validation of so many samples."""
        now = self._clock()
        self._valid_seconds += now - self._began
        self._validated += validated
        self._began = now

    @property
    def per_sample(self) -> float:
        """Seconds per training sample; 0 before the first step."""
        steps = sorted(self._steps)[: max(1, len(self._steps) - math.ceil(SLOWEST_SHARE * len(self._steps)))]
        return sum(each * samples for each, samples in steps) / max(1, sum(samples for _, samples in steps))

    @property
    def per_second(self) -> float:
        """Training samples per second."""
        return 1.0 / max(1e-9, self.per_sample) if self._steps else 0.0

    def left(self, train: int, valid: int) -> float:
        """Return the seconds for so many training and validation samples; before a validation was measured, a
        validation sample counts a third of a training sample."""
        each = self._valid_seconds / self._validated if self._validated else self.per_sample / 3
        return max(0, train) * self.per_sample + valid * each
