"""Where a fine-tuning stands: the best model so far, what goes to disk after every epoch, and the time it will take."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.core.events import EpochDone
from ml.probe.objective import Score, score_of
from ml.scoring.tasks import Task, task_for
from ml.training.finetune import checkpoint
from ml.training.recipe import Recipe

State = tuple[dict[str, Tensor], dict[str, Any]]
"""What `checkpoint.load` gives: tensors and facts."""


class TrainingHistory:
    """Where the loop stands and the best it has seen; goes to disk after every epoch."""

    def __init__(self, probe: Score, labels: str) -> None:
        self.labels = labels
        """Fingerprint of what is learned and validated with: scores from other labels do not compare."""
        self.epoch = 0
        self.step = 0
        self.first = self.best = probe
        self.best_epoch = 0
        self.baseline_epoch = 0
        self.scores: list[float] = []
        """Of every epoch since then."""
        self.calmed = False
        """Whether the rate was halved, because the loss had stopped being a number."""

    @property
    def lr_factor(self) -> float:
        """What the recipe's rates are multiplied with."""
        return 0.5 if self.calmed else 1.0

    def should_stop(self, recipe: Recipe) -> bool:
        """Whether every pass is done, or nothing better is to be expected of the rest."""
        if self.epoch >= recipe.epochs:
            return True
        # What makes no mistake can hardly become better, whatever the rate.
        if self.best.accuracy >= 1.0 and self.epoch - max(self.best_epoch, self.baseline_epoch) >= recipe.patience:
            return True
        # Against where it stood when it lost patience, not against the best: while the rate was high, one of many
        # passes was lucky, and what has become better since will go on as the rate falls to nothing.
        if len(self.scores) <= recipe.patience or self.epoch - recipe.midpoint_epoch < recipe.patience:
            return False
        return max(self.scores[-recipe.patience :]) <= self.scores[-recipe.patience - 1]

    @classmethod
    def restored(cls, state: State | None, *, probe: Score, labels: str) -> TrainingHistory:
        """Where a checkpoint stood, or the beginning."""
        history = cls(probe, labels)
        if state is not None:
            facts = state[1]
            history.epoch, history.step = facts["epoch"], facts["step"]
            history.calmed = facts.get("calmed", False)
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
        rate: float,
        of: Recipe,
        task: Task | None = None,
    ) -> EpochDone:
        accuracy, loss = (task or task_for(labels)).score_and_loss(probabilities, labels)
        score = score_of(probabilities, labels, task) if len(labels) else Score(-train_loss, 0.0)
        self.epoch = epoch
        self.scores.append(score.merit)
        # Nobody would call better what is right less often than the first model, whatever its loss.
        better = score > self.best and score.accuracy >= self.first.accuracy
        if better:
            self.best, self.best_epoch = score, epoch
        return EpochDone(
            epoch=epoch,
            epochs=of.epochs,
            train_loss=train_loss,
            valid_loss=loss,
            valid_accuracy=accuracy,
            rate=rate,
            best=better,
        )

    def save(self, folder: Path, network: nn.Module, ema_model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        facts = {
            "epoch": self.epoch,
            "step": self.step,
            "best": list(self.best),
            "best_epoch": self.best_epoch,
            "labels": self.labels,
            "counted_from": self.baseline_epoch,
            "merits": self.scores,
            "calmed": self.calmed,
        }
        if self.best_epoch == self.epoch:
            checkpoint.save(folder / "best.safetensors", checkpoint.network_tensors(ema_model), facts)
        tensors = (
            checkpoint.network_tensors(network, "network.")
            | checkpoint.network_tensors(ema_model, "steady.")
            | checkpoint.optimiser_tensors(optimiser)
        )
        checkpoint.save(folder / "latest.safetensors", tensors, facts)


def load_state(state: State, network: nn.Module, ema_model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Weights and optimiser as a checkpoint has them. Raises HandlensError where they are of another network."""
    tensors = state[0]
    network.load_state_dict(checkpoint.state_of(network, tensors, "network."))
    ema_model.load_state_dict(checkpoint.state_of(ema_model, tensors, "steady."))
    checkpoint.restore_optimiser(optimiser, tensors)


class Timer:
    """Seconds per sample of training and of validation, as measured so far."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._train_seconds = 0.0
        self._trained = 0
        self._valid_seconds = 0.0
        self._validated = 0

    def tick(self, samples: int) -> None:
        now = time.monotonic()
        self._train_seconds += now - self._began
        self._trained += samples
        self._began = now

    def pause(self) -> None:
        self._began = time.monotonic()

    def resume(self, validated: int) -> None:
        now = time.monotonic()
        self._valid_seconds += now - self._began
        self._validated += validated
        self._began = now

    @property
    def per_sample(self) -> float:
        return self._train_seconds / max(1, self._trained)

    @property
    def per_second(self) -> float:
        return self._trained / max(1e-9, self._train_seconds)

    def left(self, train: int, valid: int) -> float:
        """Seconds for as many samples to train on and to validate; validating costs a third till it was measured."""
        each = self._valid_seconds / self._validated if self._validated else self.per_sample / 3
        return max(0, train) * self.per_sample + valid * each
