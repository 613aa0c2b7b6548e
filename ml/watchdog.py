"""Notices that a job says nothing any more, and puts it in a sentence. It never ends anything by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from ml.events import Event, Progress, Stage, StageStarted, Stalled

QUIET_SECONDS = 60.0
"""How long a job may say nothing before the user is told; then again each time the silence has doubled."""

_DOING: dict[Stage, str] = {
    "scan": "it was looking through the folder",
    "preflight": "it was getting ready",
    "download": "it was downloading the pretrained network",
    "decode": "it was opening the files",
    "features": "the pretrained network was looking at the samples",
    "probe": "it was learning a first model",
    "finetune": "it was adjusting the network",
    "refit": "it was learning once more",
    "predict": "it was asking the finished model about the samples",
    "export": "it was writing the model to a file",
}


class Watch:
    """Tell it every event with `heard`, ask now and then with `overdue`. `quiet` in seconds."""

    def __init__(self, *, quiet: float = QUIET_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._clock = clock
        self._last = clock()
        self._next = quiet
        self._doing = "it was starting"

    def heard(self, event: Event) -> None:
        self._last, self._next = self._clock(), self._quiet
        if isinstance(event, StageStarted | Progress):
            self._doing = _DOING[event.stage]

    def overdue(self, *, answers: bool = True) -> Stalled | None:
        """What to tell the user, once for each doubling of the silence. `answers`: the process shows signs of life."""
        silent = self._clock() - self._last
        if silent < self._next:
            return None
        self._next = 2 * silent
        what = f"Nothing has happened for {_spoken(silent)} while {self._doing}"
        if answers:
            sentence = f"{what}; it may only be slow, so wait, or cancel and go on later."
        else:
            sentence = f"{what}, and it does not answer; a disk or network drive may hang, so wait, or cancel."
        return Stalled(sentence=sentence, seconds=silent, answers=answers)


class Watchdog:
    """A `Watch` in a thread of its own, for jobs that run in this process. `say` is called from that thread."""

    def __init__(self, say: Callable[[Stalled], None], *, quiet: float = QUIET_SECONDS) -> None:
        self._watch = Watch(quiet=quiet)
        self._say = say
        self._ended = threading.Event()
        self._every = min(1.0, quiet / 4)
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)

    def heard(self, event: Event) -> None:
        self._watch.heard(event)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(self._every):
            stalled = self._watch.overdue()
            if stalled is not None:
                self._say(stalled)


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"
