"""Handle divergence (NaN or infinite loss): restore the last good weights once at half the rate, then give up."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ml.core.messages import msg
from ml.training.finetune.progress import State, TrainingHistory, load_state

RESTORED = msg("Training became unstable. Handlens restored the last good weights and halved the learning rate.")
DIVERGED_AGAIN = msg(
    "Training became unstable again and ended early. The best model so far is kept. "
    "Look for damaged or empty samples, or choose a shorter training."
)


class DivergedError(Exception):
    """A loss, a gradient or a prediction is not finite."""


class DivergenceGuard:
    """Keep the last good weights. Create it before the first step; `saved` loads the newest checkpoint."""

    def __init__(
        self,
        network: nn.Module,
        ema_model: nn.Module,
        optimiser: torch.optim.Optimizer,
        history: TrainingHistory,
        *,
        saved: Callable[[], State | None],
    ) -> None:
        self._network, self._ema_model, self._optimiser, self._history = network, ema_model, optimiser, history
        self._saved = saved
        self._first = {} if history.epoch else _copy(network)

    def note_checkpoint(self) -> None:
        """Note that a checkpoint exists, and free the copy in memory."""
        self._first = {}

    def restore_and_halve_lr(self) -> bool:
        """Restore the last good weights and halve the learning rate; return False if that was done before."""
        history = self._history
        if history.calmed:
            return False
        if self._first:
            self._network.load_state_dict(self._first)
            self._ema_model.load_state_dict(self._first)
            self._optimiser.load_state_dict({"state": {}, "param_groups": self._optimiser.state_dict()["param_groups"]})
            history.step = 0
        else:
            state = self._saved()
            assert state is not None, "an epoch has ended, so there is a checkpoint"
            load_state(state, self._network, self._ema_model, self._optimiser)
            history.step = state[1]["step"]
        self._optimiser.zero_grad(set_to_none=True)
        history.calmed = True
        return True


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
