"""Detect jobs without progress and report them. Nothing is ended here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from ml.core.events import Event, Progress, StageStarted, Stalled
from ml.core.messages import Message, msg
from ml.core.phrases import duration
from ml.core.stages import Stage

STALL_SECONDS = 60.0
"""Seconds without an event before the first report; the next one follows when that time has doubled."""

SLOW = msg("It may only be slow. Wait, or cancel and try again later.")
HANGING = msg("The process does not respond; a disk or network drive may hang. Wait, or cancel.")


class Watch:
    """Measure the time since the last event. Call `notify` with every event, and `check` regularly."""

    def __init__(self, *, stall_seconds: float = STALL_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._stall_seconds = stall_seconds
        self._clock = clock
        self._last = clock()
        self._next = stall_seconds
        self._stage: Stage | None = None

    def notify(self, event: Event) -> None:
        """Restart the measurement."""
        self._last, self._next = self._clock(), self._stall_seconds
        if isinstance(event, StageStarted | Progress):
            self._stage = event.stage

    def check(self, *, answers: bool = True) -> Stalled | None:
        """Return the report that is due, if any. `answers`: the process sends heartbeats."""
        silence = self._clock() - self._last
        if silence < self._next:
            return None
        self._next = 2 * silence
        sentence = msg(
            "{no_progress} {advice}",
            no_progress=_no_progress(self._stage, duration(silence)),
            advice=SLOW if answers else HANGING,
        )
        return Stalled(sentence=sentence, seconds=silence, answers=answers)


class Watchdog:
    """A `Watch` in a thread of its own, for jobs in this process. `report` is called from that thread."""

    def __init__(self, report: Callable[[Stalled], None], *, stall_seconds: float = STALL_SECONDS) -> None:
        self._watch = Watch(stall_seconds=stall_seconds)
        self._report = report
        self._ended = threading.Event()
        self._every = min(1.0, stall_seconds / 4)
        self._thread = threading.Thread(target=self._check_regularly, name="watchdog", daemon=True)

    def notify(self, event: Event) -> None:
        """Restart the measurement."""
        self._watch.notify(event)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _check_regularly(self) -> None:
        while not self._ended.wait(self._every):
            stalled = self._watch.check()
            if stalled is not None:
                self._report(stalled)


def _no_progress(stage: Stage | None, time: Message) -> Message:
    """Return the sentence that nothing has happened for `time` in `stage`, or before the first stage."""
    match stage:
        case None:
            return msg("No progress for {time} while starting.", time=time)
        case "scan":
            return msg("No progress for {time} while looking through the folder.", time=time)
        case "preflight":
            return msg("No progress for {time} while getting ready.", time=time)
        case "download":
            return msg("No progress for {time} while downloading the pretrained network.", time=time)
        case "decode":
            return msg("No progress for {time} while opening the files.", time=time)
        case "features":
            return msg("No progress for {time} while the pretrained network looks at the samples.", time=time)
        case "probe":
            return msg("No progress for {time} while training the first model.", time=time)
        case "finetune":
            return msg("No progress for {time} while adjusting the network.", time=time)
        case "refit":
            return msg("No progress for {time} during the final training.", time=time)
        case "predict":
            return msg("No progress for {time} while predicting the samples.", time=time)
        case "export":
            return msg("No progress for {time} while writing the model to a file.", time=time)
        case "label_issues":
            return msg("No progress for {time} while checking the labels.", time=time)
        case "map":
            return msg("No progress for {time} while arranging the map.", time=time)
        case "evaluate":
            return msg("No progress for {time} while testing the model.", time=time)
