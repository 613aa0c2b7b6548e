"""Why this machine is slow now, by what can be measured: other programs, the battery, the memory."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Literal

import psutil

BUSY = 0.25
"""Share of the processor that other programs must use to be called the reason."""
SHORT_OF_MEMORY = 0.08
"""Share of the memory that is free when it is called short."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slowdown:
    """A reason that was measured. `share` of the processor is what other programs use."""

    name: Literal["processor", "battery", "memory"]
    share: float = 0.0


class MachineLoad:
    """Compares two readings of the processor times, so the first `measure` cannot see other programs."""

    def __init__(self) -> None:
        self._before: tuple[float, float, float] | None = None

    def measure(self) -> Slowdown | None:
        """Return the reason why the machine is slow; None where none can be measured. Takes milliseconds."""
        memory = psutil.virtual_memory()
        if memory.available < SHORT_OF_MEMORY * memory.total:
            return Slowdown(name="memory")
        others = self._used_by_others()
        if others is not None and others > BUSY:
            return Slowdown(name="processor", share=min(1.0, others))
        # Not every system has the function.
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
        return Slowdown(name="battery") if battery is not None and battery.power_plugged is False else None

    def _used_by_others(self) -> float | None:
        """Return the share of the processor that other programs used since the last call; None at the first call."""
        now, busy, own = time.monotonic(), _busy_seconds(), _own_seconds()
        before, self._before = self._before, (now, busy, own)
        if before is None or now - before[0] < 0.5:
            return None
        capacity = (now - before[0]) * (os.cpu_count() or 1)
        return max(0.0, (busy - before[1]) - max(0.0, own - before[2])) / capacity


def _busy_seconds() -> float:
    """Return the processor seconds of all programs since the machine started."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))


def _own_seconds() -> float:
    """Return the processor seconds of Handlens and its child processes."""
    here = psutil.Process()
    seconds = 0.0
    for process in (here, *here.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:  # it ended in between
            continue
        seconds += times.user + times.system
    return seconds
