"""When the loss is not a number any more: once back to the last good weights with half the rate, then no further."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ml.core.messages import msg
from ml.training.standing import History, State, put_back

CALMED = msg("Training became unstable. Handlens restored the last good weights and halved the learning rate.")
GIVEN_UP = msg(
    "Training became unstable again and ended early. The best model so far is kept. "
    "Look for damaged or empty samples, or choose a shorter training."
)


class DivergedError(Exception):
    """A loss, a gradient or an answer is not a finite number."""


class Rescue:
    """Knows the last good weights. Made before the first step of a loop; `saved` gives the newest checkpoint."""

    def __init__(
        self,
        network: nn.Module,
        steady: nn.Module,
        optimiser: torch.optim.Optimizer,
        history: History,
        *,
        saved: Callable[[], State | None],
    ) -> None:
        self._network, self._steady, self._optimiser, self._history = network, steady, optimiser, history
        self._saved = saved
        self._first = {} if history.epoch else _copy(network)

    def saved_now(self) -> None:
        """There is a checkpoint: the copy in memory is not needed any more."""
        self._first = {}

    def go_back(self) -> bool:
        """Put the last good weights back and halve the rate; False where that was done before."""
        history = self._history
        if history.calmed:
            return False
        if self._first:
            self._network.load_state_dict(self._first)
            self._steady.load_state_dict(self._first)
            self._optimiser.load_state_dict({"state": {}, "param_groups": self._optimiser.state_dict()["param_groups"]})
            history.step = 0
        else:
            state = self._saved()
            assert state is not None, "an epoch has ended, so there is a checkpoint"
            put_back(state, self._network, self._steady, self._optimiser)
            history.step = state[1]["step"]
        self._optimiser.zero_grad(set_to_none=True)
        history.calmed = True
        return True


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
