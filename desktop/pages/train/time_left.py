"""The time left of a training: planned, then measured, and shown as a steady countdown. No widgets here.

The shown time only falls, or stands still, unless the training is really slower than expected for a while.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ml.api import BatchDone, Event, Finished, FirstModel, Progress, Stage, StageStarted, TimePlan

STAGES: tuple[Stage, ...] = (
    "preflight",
    "download",
    "decode",
    "features",
    "probe",
    "finetune",
    "refit",
    "predict",
    "export",
)
TRUSTED_AFTER = 20.0
"""Seconds after which a stage's own speed counts alone; before, the plan counts as well."""
LATE_AFTER = 15.0
"""Seconds for which the expected end must lie late before the shown time grows."""
TOLERANCE, MARGIN = 1.25, 10.0
"""Factor and seconds by which the expected time may exceed the shown one without being late."""
FALL_SECONDS, RISE_SECONDS = 10.0, 5.0
"""Time constants with which the shown time approaches the expected one."""
OVERRUN = 0.25
"""What a stage that measures nothing is expected to take longer, as a share of the time it has taken."""
SLOWER = 1.5
"""Factor of the usual seconds per sample from which on a training counts as slower than usual."""
FEWEST_STEPS = 10
"""Optimiser steps before their speed is compared."""
FEWEST_SAMPLES = 20
"""Samples of a stage before its speed is worth remembering."""


class TimeLeft:
    """Takes every event. `plan` is None where nothing is known before the first measurement."""

    def __init__(self, plan: TimePlan | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._planned_passes = plan.passes if plan is not None else 0
        self._clock = clock
        self._stage: Stage = "preflight"
        self._stage_began = clock()
        self._measured: float | None = None
        """Seconds that the stage had left at `_measured_at`, with what the event covers after it."""
        self._measured_at = 0.0
        self._done = 0.0
        """Share of the stage that is done."""
        self._factor = 1.0
        """How much slower than planned the pretrained network turned out to be."""
        self._per_sample: dict[Stage, float] = {}
        self._speeds: dict[str, float] = {}
        self._stopped = False
        self._adjusting: bool | None = None
        """Whether the network is adjusted behind a first model; None while that is still to come."""
        self._fastest = math.inf
        self._steps = 0
        self._shown: float | None = None
        self._shown_at = clock()
        self._late_since: float | None = None
        self._rising = self._grown = False
        self._began = clock()
        self._first: float | None = None
        """Seconds that the whole training should take, as the first shown time said."""

    # -- what happens --------------------------------------------------------------------------------------------

    def update(self, event: Event) -> None:
        match event:
            case StageStarted():
                self._begin(event.stage)
            case Progress():
                if event.stage != self._stage:
                    self._begin(event.stage)
                left = event.seconds_left
                if left is None and event.per_second > 0 and event.stage in ("decode", "features", "download"):
                    left = (event.total - event.done) / event.per_second
                if left is not None:
                    self._measure(left, event.done / event.total if event.total else 0.0)
                self._note_speed(event)
            case FirstModel():
                self._end_stage()
                self._stage, self._stage_began, self._measured, self._adjusting = "preflight", self._clock(), None, True
            case BatchDone() if not self._stopped:
                self._on_batch(event)
            case Finished():
                self._end_stage()
            case _:
                return

    def stop(self) -> None:
        """Expect only the last stages: the person has ended the training."""
        self._stopped = True
        if self._stage not in ("predict", "export"):
            self._shown, self._late_since, self._rising = None, None, False

    def seconds(self) -> float | None:
        """Return the time to show; None before anything is known."""
        now = self._clock()
        passed, self._shown_at = now - self._shown_at, now
        expected = self._expected(now)
        if expected is None:
            return None
        if self._shown is None:
            self._shown = expected
            if self._first is None:
                self._first = now - self._began + expected
            return expected
        self._shown = self._approach(expected, self._shown, passed, now)
        return self._shown

    # -- why it takes longer -------------------------------------------------------------------------------------

    @property
    def longer(self) -> bool:
        """Whether the shown time has grown, and the training still ends clearly later than it said at first."""
        if not self._grown or self._first is None or self._shown is None:
            return self._rising
        total = self._shown_at - self._began + self._shown
        return self._rising or total > TOLERANCE * self._first + MARGIN

    @property
    def slower(self) -> bool:
        """Whether a sample takes much longer than usual on this machine, or than earlier in this run."""
        usual = self._usual(self._stage)
        now = self._per_sample.get(self._stage)
        return usual is not None and now is not None and now > SLOWER * usual

    @property
    def more_passes(self) -> bool:
        """Whether the training needs clearly more epochs than planned."""
        return self._plan is not None and 0 < 1.25 * self._planned_passes < self._plan.passes

    # -- details -------------------------------------------------------------------------------------------------

    def speeds(self) -> dict[str, float]:
        """Return what was measured, by the names in `ml.api.SPEEDS`."""
        return dict(self._speeds)

    def _begin(self, stage: Stage) -> None:
        if stage == self._stage == "preflight":
            return  # it began with the start of the child process
        self._end_stage()
        self._stage, self._stage_began = stage, self._clock()
        self._measured, self._done = None, 0.0

    def _end_stage(self) -> None:
        if self._stage in ("preflight", "probe", "export"):
            self._speeds[self._stage] = self._clock() - self._stage_began

    def _note_speed(self, event: Progress) -> None:
        """Remember the seconds per sample of a stage that looks at every sample."""
        if event.per_second <= 0 or event.stage not in ("decode", "features", "predict"):
            return
        self._per_sample[event.stage] = 1 / event.per_second
        if event.done >= FEWEST_SAMPLES and (event.stage != "predict" or self._steps):
            # Without fine-tuning, the predictions come from the cached features.
            self._speeds[event.stage] = 1 / event.per_second
        if event.stage == "features":
            self._compare_with_plan()

    def _measure(self, left: float, done: float) -> None:
        self._measured, self._measured_at, self._done = left, self._clock(), done

    def _on_batch(self, event: BatchDone) -> None:
        if self._stage != "finetune":
            self._begin("finetune")
        if self._plan is not None and event.epochs != self._plan.passes:
            self._plan = self._plan.with_passes(event.epochs, done=event.epoch - 1)
        if event.seconds_left is not None:
            done = (event.epoch - 1 + event.step / max(1, event.steps)) / max(1, event.epochs)
            self._measure(event.seconds_left, done)
        self._steps += 1
        if event.samples_per_second > 0:
            self._per_sample["finetune"] = 1 / event.samples_per_second
            if self._steps >= FEWEST_STEPS:
                self._speeds["finetune"] = self._per_sample["finetune"]
                self._fastest = min(self._fastest, self._per_sample["finetune"])

    def _compare_with_plan(self) -> None:
        """Let the speed of the pretrained network correct the plan for the stages that also use it."""
        plan = self._plan
        if plan is None or not plan.per_sample.get("features"):
            return
        ratio = min(20.0, max(0.1, self._per_sample["features"] / plan.per_sample["features"]))
        self._factor = float(ratio ** self._trust())

    def _trust(self) -> float:
        """Return 0…1: how far the stage's own measurement counts."""
        return min(1.0, max((self._clock() - self._stage_began) / TRUSTED_AFTER, 3 * self._done))

    def _planned(self, stage: Stage) -> float:
        if self._plan is None:
            return 0.0
        if self._adjusting and stage in ("decode", "features", "probe"):
            return 0.0  # done for the first model
        factor = self._factor if stage in ("features", "finetune", "refit", "predict") else 1.0
        return self._plan.stages.get(stage, 0.0) * factor

    def _later(self, stage: Stage) -> float:
        """Return the planned seconds of the stages that follow."""
        stages = STAGES[STAGES.index(stage) + 1 :]
        if stage in ("predict", "export") and self._adjusting is None and not self._steps and not self._stopped:
            stages = (*stages, *(each for each in ("finetune", "refit", "predict", "export") if self._adjusts()))
        return sum(self._planned(each) for each in stages)

    def _adjusts(self) -> bool:
        """Return whether the network will be adjusted after the first model."""
        return self._plan is not None and self._plan.stages.get("finetune", 0.0) > 0.0

    def _expected(self, now: float) -> float | None:
        """Return the seconds until the end by plan and measurement, not smoothed."""
        measured = self._measured
        if self._stage not in STAGES or (self._plan is None and measured is None):
            return None
        if self._stopped and self._stage not in ("predict", "export"):
            return None if self._plan is None else self._later("refit")
        # The job counts the final training while it adjusts the network.
        last: Stage = "refit" if self._stage == "finetune" else self._stage
        planned = self._planned(self._stage) + (self._planned("refit") if last != self._stage else 0.0)
        passed = now - self._stage_began
        planned = max(planned - passed, OVERRUN * passed if measured is None else 0.0)
        if measured is None:
            return planned + self._later(last)
        measured = max(measured - (now - self._measured_at), 0.0)
        trust = self._trust() if self._plan is not None else 1.0
        return trust * measured + (1 - trust) * planned + self._later(last)

    def _approach(self, expected: float, shown: float, passed: float, now: float) -> float:
        """Return the next time to show after `passed` seconds."""
        counted = max(0.0, shown - passed)
        if expected <= counted * TOLERANCE + MARGIN:
            if not (self._rising and expected > counted):
                self._late_since, self._rising = None, False
        elif self._late_since is None:
            self._late_since = now
        elif now - self._late_since >= LATE_AFTER:
            self._rising = self._grown = True
        if self._rising:
            return counted + (expected - counted) * (1 - math.exp(-passed / RISE_SECONDS))
        if expected < counted:
            return counted - (counted - expected) * (1 - math.exp(-passed / FALL_SECONDS))
        return min(shown, counted + (expected - counted) * (1 - math.exp(-passed / FALL_SECONDS)))

    def _usual(self, stage: Stage) -> float | None:
        """Return the usual seconds per sample of the stage; None while unknown."""
        if stage == "finetune":
            # Not that of other runs: it depends on how much of the network is adjusted.
            return self._fastest if math.isfinite(self._fastest) else None
        plan = self._plan
        return plan.per_sample[stage] if plan is not None and stage in plan.measured else None
