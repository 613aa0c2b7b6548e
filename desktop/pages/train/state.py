"""Where a training stands: its events folded into a few numbers and words. No widgets here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from desktop.i18n import text, tr
from desktop.pages.train import messages as train_words
from ml.api import (
    BatchDone,
    EpochDone,
    Event,
    Note,
    Preset,
    ProbeDone,
    Progress,
    RunStarted,
    StageStarted,
    Task,
    stage_message,
)

# Which part of the whole each stage is, roughly; the bar only has to move evenly and never back.
_FINE = {
    "preflight": (0.0, 0.01),
    "decode": (0.01, 0.05),
    "features": (0.05, 0.18),
    "probe": (0.18, 0.20),
    "finetune": (0.20, 0.72),
    "refit": (0.72, 0.90),
    "predict": (0.90, 0.97),
    "export": (0.97, 1.0),
}
_QUICK = {
    "preflight": (0.0, 0.02),
    "decode": (0.02, 0.25),
    "features": (0.25, 0.80),
    "probe": (0.80, 0.84),
    "finetune": (0.84, 0.84),
    "refit": (0.84, 0.84),
    "predict": (0.84, 0.94),
    "export": (0.94, 1.0),
}


class TrainingState:
    """Feed it every event with `take`. `estimate` is how many seconds the whole was thought to last."""

    def __init__(
        self,
        *,
        preset: Preset,
        estimate: float | None,
        stands: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run: int | None = None
        self.train = self.valid = self.test = 0
        self.class_names: tuple[str, ...] = ()
        self.task: Task = "single"
        self.stage = "preflight"
        self.sentence = ""
        self.epoch = 0
        self.epochs = 0
        self.fraction = 0.0
        self.accuracy: float | None = None
        """Of the newest pass, on the validation split: what the samples beside it show."""
        self.probe_accuracy: float | None = None
        self.remarks: list[Note] = []
        """What the run found out about itself when it ended."""
        self.stopping = False
        """Whether the user has asked for the end."""
        self.has_model = False
        self.stands = stands
        """Whether it goes on with a run that left passes."""
        self._spans = _QUICK if preset == "quick" else _FINE
        self._estimate = estimate
        self._left: float | None = None
        self._left_at = 0.0
        self._clock = clock
        self._began = clock()

    def take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.run = event.run
                self.train, self.valid, self.test = event.train, event.valid, event.test
                self.class_names, self.task = event.class_names, event.task
                if self.stopping:
                    self.sentence = asked(self.ending, self.sentence)
            case StageStarted():
                self.stage, self.sentence = event.stage, text(stage_message(event.stage))
                if self.stopping and self.ending == "finishing":
                    self.sentence = finishing(self.sentence)
                self._move(0.0)
            case Progress():
                self.stage = event.stage
                self._hear(event.seconds_left)
                self._move(event.done / event.total if event.total else 0.0)
            case ProbeDone():
                self.has_model = True
                self.probe_accuracy = self.accuracy = event.valid_accuracy
            case BatchDone():
                self.epoch, self.epochs = event.epoch, event.epochs
                self._hear(event.seconds_left)
                self._move((event.epoch - 1 + event.step / max(1, event.steps)) / max(1, event.epochs))
            case EpochDone():
                self.epoch, self.epochs = event.epoch, event.epochs
                self.accuracy = event.valid_accuracy
            case Note() if event.about:
                self.remarks.append(event)
            case _:
                return

    @property
    def ending(self) -> StopState:
        """What a stop would mean now."""
        if not self.has_model:
            return "standing" if self.stands else "unbegun" if self.run is None else "nothing"
        return "finishing" if self.stage in ("predict", "export") else "learning"

    def stop(self) -> None:
        """The user wants the end: what was said about the time left holds no more."""
        self.stopping = True
        self.sentence = asked(self.ending, self.sentence)
        if self.ending != "finishing":
            self._left = self._estimate = None

    def seconds_left(self) -> float | None:
        """What the job said last, counted on; before it says anything, what is left of the estimate."""
        if self._left is not None:
            return max(0.0, self._left - (self._clock() - self._left_at))
        if self._estimate is None:
            return None
        rest = self._estimate - (self._clock() - self._began)
        return rest if rest > 5 else None

    def words(self) -> str:
        """The training in a few words: "Training run 4 · epoch 3 of 8 · 2 min left"."""
        parts = [tr("Training run {n}", n=str(self.run)) if self.run else tr("Training")]
        if self.stopping:
            parts.append(tr("stopping") if self.ending != "finishing" else tr("finishing"))
        elif self.stage == "finetune" and self.epochs:
            parts.append(tr("pass {n} of {of}", n=max(1, self.epoch), of=self.epochs))
        left = train_words.time_left(self.seconds_left())
        return " · ".join([*parts, left] if left else parts)

    def _hear(self, seconds_left: float | None) -> None:
        if seconds_left is not None and not (self.stopping and self.ending == "learning"):
            self._left, self._left_at = seconds_left, self._clock()

    def _move(self, within: float) -> None:
        begin, end = self._spans.get(self.stage, (self.fraction, self.fraction))
        self.fraction = max(self.fraction, begin + (end - begin) * min(1.0, within))


StopState = Literal["unbegun", "nothing", "standing", "learning", "finishing"]
"""The run has no number yet; there is no model yet; none yet, but passes from before; there is one and it learns on;
learning is over and the model is being finished."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumableRun:
    """A run that can be gone on with: `stopped` by the user just now, or cut off; whether it left passes (`stands`)."""

    run: int
    stopped: bool
    stands: bool


def button(state: StopState) -> tuple[str, str]:
    """The words and the tooltip of the button that ends a training well."""
    if state == "unbegun":
        return tr("Stop"), tr("End now. Training has not begun, so nothing is lost.")
    if state == "standing":
        return tr("Stop"), tr("End now. The training so far is kept, and you can continue later.")
    if state == "nothing":
        return tr("Stop"), tr("End now. There is no model to keep yet, but you can continue later.")
    if state == "learning":
        return tr("Stop and keep"), tr("End now and keep the best model so far.")
    return tr("Stop and keep"), tr("Training has ended. The best model is being finished.")


def asked(state: StopState, now: str) -> str:
    """Right after the button was pressed. `now` is what the job said last about what it is doing."""
    if state == "unbegun":
        return tr("Stopping. Training has not begun, so nothing is lost.")
    if state == "standing":
        return tr("Stopping. The training so far is kept, and you can continue later.")
    if state == "nothing":
        return tr("Stopping. There is no model to keep yet, but you can continue later.")
    if state == "learning":
        return tr("Stopping. The best model so far is kept.")
    return finishing(now)


def finishing(now: str) -> str:
    """While a stopped training writes down what it has learned."""
    return tr("Training has ended. {now}", now=now)


def not_discarded(state: StopState, *, stopping: bool) -> tuple[str, str]:
    """Beside the question whether the run shall be discarded: how it would end otherwise, and the verb for that."""
    if state == "finishing":
        return tr("Training has ended. The best model is being finished."), tr("Let it finish")
    if stopping:
        return asked(state, ""), tr("Let it finish")
    keeps = tr("“Stop and keep” also ends the training, and keeps the best model so far.")
    return keeps if state == "learning" else "", tr("Continue training")


def left_over(left: ResumableRun) -> str:
    """Of a run that can be gone on with."""
    number = str(left.run)
    if left.stands and left.stopped:
        return tr("Run {n} was stopped before it ended. Its training so far is kept.", n=number)
    if left.stands:
        return tr("Run {n} was interrupted before it ended. Its training so far is kept.", n=number)
    if left.stopped:
        return tr("Run {n} was stopped before it had a model. Its preparation so far is kept.", n=number)
    return tr("Run {n} was interrupted at the start. Its preparation so far is kept.", n=number)
