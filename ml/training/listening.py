"""Hears a stop in the middle of a step or of the scoring, which say nothing till they are done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from torch import Tensor, nn

from ml.jobs import Stop

REST = 1.0
"""Seconds: what is done by then after a stop is still waited for."""
ASK_EVERY = 0.05


class StoppedError(Exception):
    """The user wants the end, and what is going on is given up; unwinds to the loop."""


class Patience:
    """Asked with `check` between the parts of a longer work: raises StoppedError once a stop is older than `REST`."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._asked = -ASK_EVERY
        self._heard: float | None = None

    def check(self, _gradient: Tensor | None = None) -> None:
        now = time.monotonic()
        if now - self._asked < ASK_EVERY:
            return
        self._asked = now
        request = self._stop.requested()
        if not request:
            return
        self._heard = now if self._heard is None else self._heard
        if request == "cancel" or now - self._heard >= REST:
            raise StoppedError


@contextlib.contextmanager
def listening(stop: Stop, network: nn.Module) -> Iterator[None]:
    """Within it, passes through `network` and its copies raise StoppedError in the middle once a stop is overdue.

    A step of a strong network on a processor takes longer than a user should wait. A step that is given up was not
    taken: it would have been a part of an epoch that is not scored any more.
    """
    patience = Patience(stop)

    def after(_layer: nn.Module, _given: object, output: object) -> None:
        patience.check()
        # A graphics processor is quick, and there the way back does not wait for Python.
        if isinstance(output, Tensor) and output.requires_grad and output.device.type == "cpu":
            output.register_hook(patience.check)  # type: ignore[no-untyped-call]

    layers = [layer for layer in network.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(after) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
