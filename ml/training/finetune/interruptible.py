"""Interrupt a training step or a validation pass when the user requests a stop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from torch import Tensor, nn

from ml.core.jobs import Stop, StopRequestedError

STOP_GRACE_SECONDS = 1.0
"""Grace period in seconds for the current step after a stop request."""
CHECK_SECONDS = 0.05
"""Seconds between two looks at the stop button."""


class StopChecker:
    """Call `check` between parts of longer work: raises StopRequestedError after the grace period of a stop request."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._checked_at = -CHECK_SECONDS
        self._requested_at: float | None = None

    def check(self, _gradient: Tensor | None = None) -> None:
        """Raise if a stop is overdue. Also a gradient hook, hence the argument."""
        now = time.monotonic()
        if now - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = now
        request = self._stop.requested()
        if not request:
            return
        self._requested_at = now if self._requested_at is None else self._requested_at
        if request in ("first", "cancel") or now - self._requested_at >= STOP_GRACE_SECONDS:
            raise StopRequestedError


@contextlib.contextmanager
def interruptible(stop: Stop, network: nn.Module) -> Iterator[None]:
    """Make forward and backward passes of `network` and its copies raise StopRequestedError when a stop is overdue.

    On a CPU a step of a large network takes longer than a user should wait. An abandoned step loses nothing, because
    its epoch would not be validated any more.
    """
    checker = StopChecker(stop)

    def after(_layer: nn.Module, _inputs: object, output: object) -> None:
        checker.check()
        # A GPU is fast, and its backward pass does not wait for Python.
        if isinstance(output, Tensor) and output.requires_grad and output.device.type == "cpu":
            output.register_hook(checker.check)  # type: ignore[no-untyped-call]

    layers = [layer for layer in network.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(after) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
