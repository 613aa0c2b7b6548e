"""The state of a training, folded from its events. No widgets here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from desktop.i18n import printable, text, tr
from desktop.pages.train.messages import expected_gain, time_left
from desktop.pages.train.time_left import TimeLeft
from ml.api import (
    BatchDone,
    EpochDone,
    Event,
    FirstModel,
    Note,
    Preset,
    ProbeDone,
    Progress,
    RunStarted,
    StageStarted,
    TaskName,
    TimePlan,
    stage_message,
)

# The rough share of each stage: the bar only has to move evenly and never back.
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
_FIRST = {"predict": (0.18, 0.195), "export": (0.195, 0.20)}
"""Of the first model, before the network is adjusted."""
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
    """`update` takes every event. `plan` has the expected seconds of each stage; None where they are unknown.

    `has_checkpoint`: it resumes a run that finished at least one epoch.
    """

    def __init__(
        self,
        *,
        preset: Preset,
        plan: TimePlan | None = None,
        has_checkpoint: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run: int | None = None
        self.train = self.valid = self.test = 0
        self.class_names: tuple[str, ...] = ()
        self.task: TaskName = "single"
        self.stage = "preflight"
        self.sentence = ""
        self.epoch = 0
        self.epochs = 0
        self.fraction = 0.0
        self.accuracy: float | None = None
        """Validation accuracy of the newest epoch."""
        self.probe_accuracy: float | None = None
        self.findings: list[Note] = []
        """The findings of the self-test at the end of the run."""
        self.stopping = False
        """Whether the user has asked for a stop."""
        self.has_model = False
        self.first: FirstModel | None = None
        """The first model that can be explored while the network is adjusted."""
        self._quick = preset == "quick"
        self.has_checkpoint = has_checkpoint
        self._spans = _QUICK if preset == "quick" else _FINE
        self.time = TimeLeft(plan, clock=clock)

    def update(self, event: Event) -> None:
        self.time.update(event)
        match event:
            case RunStarted():
                self.run = event.run
                self.train, self.valid, self.test = event.train, event.valid, event.test
                self.class_names, self.task = tuple(map(printable, event.class_names)), event.task
                if self.stopping:
                    self.sentence = stopping_sentence(self.stop_state, self.sentence)
            case StageStarted():
                self.stage, self.sentence = event.stage, text(stage_message(event.stage))
                if self.stopping and self.stop_state == "finishing":
                    self.sentence = finishing_sentence(self.sentence)
                self._move(0.0)
            case Progress():
                self.stage = event.stage
                self._move(event.done / event.total if event.total else 0.0)
            case ProbeDone():
                self.has_model = True
                self.probe_accuracy = self.accuracy = event.valid_accuracy
            case FirstModel():
                self.first, self.has_model, self.stage = event, True, "preflight"
                self.probe_accuracy = self.accuracy = event.probe_accuracy
                self.findings.clear()  # the better model gets its own
                self._move(0.0)
            case BatchDone():
                self.epoch, self.epochs = event.epoch, event.epochs
                self._move((event.epoch - 1 + event.step / max(1, event.steps)) / max(1, event.epochs))
            case EpochDone():
                self.epoch, self.epochs = event.epoch, event.epochs
                self.accuracy = event.valid_accuracy
            case Note() if event.about:
                self.findings.append(event)
            case _:
                return

    @property
    def _adjusted(self) -> bool:
        """Whether the stages "predict" and "export" are the last ones, not those of a first model."""
        return self._quick or self.first is not None or self.epochs > 0

    @property
    def stop_state(self) -> StopState:
        """What a stop would mean now."""
        if not self.has_model:
            return "resumed" if self.has_checkpoint else "unbegun" if self.run is None else "nothing"
        if self.stage in ("predict", "export") and (self.stopping or self._adjusted):
            return "finishing"
        return "learning"

    def stop(self) -> None:
        """Note the request to stop."""
        self.stopping = True
        self.sentence = stopping_sentence(self.stop_state, self.sentence)
        self.time.stop()

    def seconds_left(self) -> float | None:
        """Return the time left; None before anything is known, and where the training just ends."""
        if self.stopping and not self.has_model:
            return None
        return self.time.seconds()

    def words(self) -> str:
        """Describe the training: "Training run 4 · pass 3 of 8 · 2 min left"."""
        parts = [tr("Training run {n}", n=str(self.run)) if self.run else tr("Training")]
        if self.first is not None:
            parts = [tr("Adjusting the network of run {n}", n=str(self.run))]
        if self.stopping:
            parts.append(tr("stopping") if self.stop_state != "finishing" else tr("finishing"))
        elif self.stage == "finetune" and self.epochs:
            parts.append(tr("pass {n} of {of}", n=max(1, self.epoch), of=self.epochs))
        left = time_left(self.seconds_left())
        parts += [left] if left else []
        if self.first is not None and not self.stopping:
            parts += [gain] if (gain := expected_gain(self.first)) else []
            parts.append(tr("you can look meanwhile"))
        return " · ".join(parts)

    def _move(self, within: float) -> None:
        spans = self._spans
        if not self._adjusted:
            spans = {**spans, **_FIRST}
        begin, end = spans.get(self.stage, (self.fraction, self.fraction))
        self.fraction = max(self.fraction, begin + (end - begin) * min(1.0, within))


StopState = Literal["unbegun", "nothing", "resumed", "learning", "finishing"]
"""No run number yet; no model yet; no model yet, but a checkpoint; a model that is still trained; training is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumableRun:
    """A run that can be continued. `failed`: an error ended it; else it is paused."""

    run: int
    has_checkpoint: bool
    failed: bool = False


def stop_button_text(state: StopState) -> tuple[str, str]:
    """Return the text and the tooltip of the stop button."""
    if state == "unbegun":
        return tr("Stop"), tr("End now. Training has not begun, so nothing is lost.")
    if state == "resumed":
        return tr("Pause"), tr("End now. The training so far is kept, and you can continue later.")
    if state == "nothing":
        return tr("Pause"), tr("End now. There is no model to keep yet, but you can continue later.")
    if state == "learning":
        return tr("Stop and keep the best so far"), tr("End now and keep the best model so far.")
    return tr("Stop and keep the best so far"), tr("Training has ended. The best model is being finished.")


def stopping_sentence(state: StopState, now: str) -> str:
    """Return the sentence after the stop button was pressed. `now` describes the current stage."""
    if state == "unbegun":
        return tr("Stopping. Training has not begun, so nothing is lost.")
    if state == "resumed":
        return tr("Pausing. The training so far is kept, and you can continue later.")
    if state == "nothing":
        return tr("Pausing. There is no model to keep yet, but you can continue later.")
    if state == "learning":
        return tr("Stopping. The best model so far is kept.")
    return finishing_sentence(now)


def finishing_sentence(now: str) -> str:
    """Return the sentence while a stopped training writes its model."""
    return tr("Training has ended. {now}", now=now)


def keep_alternative(state: StopState, *, stopping: bool) -> tuple[str, str]:
    """Return how the run ends if it is not discarded, and the button text for that."""
    if state == "finishing":
        return tr("Training has ended. The best model is being finished."), tr("Let it finish")
    if stopping:
        return stopping_sentence(state, ""), tr("Let it finish")
    keeps = tr("“Stop and keep the best so far” also ends the training, but keeps its best model.")
    return keeps if state == "learning" else "", tr("Continue training")


def resume_offer(run: ResumableRun) -> str:
    """Say that a run can be resumed."""
    number = str(run.run)
    if run.failed:
        return tr("Run {n} failed before it ended. Its training so far is kept.", n=number)
    if run.has_checkpoint:
        return tr("Run {n} is paused. Its training so far is kept.", n=number)
    return tr("Run {n} is paused. It has no model yet, but its preparation is kept.", n=number)
