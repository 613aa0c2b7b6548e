"""The time left of a training: always there, steady, and longer only where the training really is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from fabricate import image_folder, project_of
from pytestqt.qtbot import QtBot

from desktop import settings
from desktop.pages.train.messages import slow_sentence
from desktop.pages.train.time_left import TimeLeft
from desktop.session import Session
from desktop.workers.slowdown import MachineLoad, Slowdown
from ml.api import DEFAULT_BACKBONE, BatchDone, Finished, Progress, StageStarted, TimePlan, plan_time
from tests.desktop.conftest import Opener
from tests.desktop.scripted_training import Script, press_train, shown

SAMPLES = 100
STEPS = 10
PASSES = 4
PLAN = TimePlan(
    stages={"features": 20.0, "probe": 2.0, "finetune": 80.0, "refit": 20.0, "predict": 20.0, "export": 3.0},
    per_sample={"decode": 0.01, "features": 0.2},
    measured=frozenset({"features"}),
    passes=PASSES,
    known=True,
)


@dataclass
class Run:
    """A training in made-up seconds; `shown` is what the window says every quarter of a second."""

    plan: TimePlan | None = PLAN
    now: float = 0.0
    shown: list[float | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.time = TimeLeft(self.plan, clock=lambda: self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.25)
            self.shown.append(self.time.seconds())

    def look(self, per_sample: float = 0.2) -> None:
        self.time.update(StageStarted(stage="features"))
        began = self.now
        for done in range(10, SAMPLES + 1, 10):
            self.wait(10 * per_sample)
            rate = done / (self.now - began)
            self.time.update(Progress(stage="features", done=done, total=SAMPLES, per_second=rate))

    def learn(self, seconds: Callable[[int], float], *, passes: int = PASSES) -> None:
        """Train; `seconds` of each step by its number."""
        self.time.update(StageStarted(stage="finetune"))
        for number in range(passes * STEPS):
            self.wait(seconds(number))
            self.time.update(
                BatchDone(
                    epoch=1 + number // STEPS,
                    epochs=passes,
                    step=1 + number % STEPS,
                    steps=STEPS,
                    loss=1.0,
                    rate=0.1,
                    samples_per_second=10 / seconds(number),
                    seconds_left=(passes * STEPS - number - 1) * seconds(number) + PLAN.stages["refit"],
                )
            )

    def rises(self) -> float:
        """Return by how many seconds the shown time ever grew."""
        known = [each for each in self.shown if each is not None]
        return sum(max(0.0, after - before) for before, after in pairwise(known))


def test_a_usual_training_counts_down_steadily_from_the_first_moment() -> None:
    run = Run()
    run.look()
    run.learn(lambda _number: 2.0)
    assert None not in run.shown
    assert run.shown[0] == pytest.approx(145, abs=2)
    assert run.rises() == 0
    assert not run.time.slower and not run.time.longer
    assert run.shown[-1] == pytest.approx(43, abs=8)


def test_a_slow_first_step_does_not_make_minutes_of_seconds() -> None:
    run = Run()
    run.look()
    before = run.shown[-1]
    assert before is not None
    run.learn(lambda number: 12.0 if number == 0 else 2.0)
    assert max(each for each in run.shown if each is not None) < 160
    assert run.rises() == 0


def test_a_guess_that_was_much_too_short_is_corrected_while_the_network_looks() -> None:
    """Nothing jumps when the adjusting begins: how slow the machine is was known before."""
    run = Run(plan=TimePlan(**{**_fields(PLAN), "measured": frozenset()}))
    run.look(per_sample=1.0)
    before = run.shown[-1]
    assert before is not None and before > 400
    run.learn(lambda _number: 10.0)
    first = run.shown[len(run.shown) - PASSES * STEPS * 40]
    assert first == pytest.approx(before, rel=0.25)
    assert not run.time.slower, "nobody knows what is usual here"


def test_a_training_that_is_really_slower_shows_more_time_and_says_so() -> None:
    run = Run()
    run.look()
    run.learn(lambda number: 2.0 if number < 15 else 8.0)
    assert run.rises() > 20
    assert run.time.slower and run.time.longer, "also when the shown time has stopped to grow"


def test_more_passes_than_planned_are_a_reason_of_their_own() -> None:
    run = Run()
    run.look()
    run.learn(lambda _number: 2.0, passes=10)
    assert run.time.more_passes and not run.time.slower
    assert slow_sentence(slower=False, reason=None, passes=10).endswith("so there are 10 passes.")


def test_a_start_that_takes_long_is_not_called_a_few_seconds() -> None:
    """The child process loads its libraries, which on a busy machine takes a minute."""
    run = Run(plan=TimePlan(**{**_fields(PLAN), "stages": {"preflight": 3.0, "probe": 3.0, "export": 3.0}}))
    run.wait(60)
    assert run.shown[-1] is not None and run.shown[-1] > 10
    assert run.time.longer
    assert slow_sentence(slower=False, reason=None, passes=0) == "It takes longer than expected."


def test_without_a_plan_there_is_a_time_as_soon_as_something_was_measured() -> None:
    run = Run(plan=None)
    run.wait(1)
    assert run.shown[-1] is None
    run.look()
    assert run.shown[-1] is not None


def test_after_a_stop_only_the_last_stages_are_left() -> None:
    run = Run()
    run.look()
    run.learn(lambda _number: 2.0, passes=1)
    run.time.stop()
    run.wait(1)
    assert run.shown[-1] == pytest.approx(23, abs=2)


def test_what_one_training_measured_is_where_the_next_begins(tmp_path: Path) -> None:
    run = Run()
    run.look(per_sample=0.5)
    run.learn(lambda _number: 2.0)
    run.time.update(
        Finished(run=1, seconds=1.0, valid_accuracy=None, test_accuracy=None, probe_accuracy=None, early=False)
    )
    speeds = run.time.speeds()
    assert speeds["features"] == pytest.approx(0.5) and speeds["finetune"] == pytest.approx(0.2)
    settings.remember_speeds("images", DEFAULT_BACKBONE, speeds)
    with project_of(image_folder(tmp_path / "fruit"), tmp_path / "fruit.handlens") as project:
        plan = plan_time(project, "standard", speeds=settings.speeds("images", DEFAULT_BACKBONE))
        guess = plan_time(project, "standard")
        assert plan.stages["features"] == pytest.approx(len(project.samples()) * 0.5)
        assert "features" in plan.measured and "features" not in guess.measured
    settings.remember_speeds("images", DEFAULT_BACKBONE, {"features": 2.0})
    assert settings.speeds("images", DEFAULT_BACKBONE)["features"] == pytest.approx(1.0), "one slow run counts half"


def test_the_window_remembers_the_speeds_of_a_finished_training(qtbot: QtBot, open_project: Opener) -> None:
    session: Session = open_project(run=False)
    page = shown(qtbot, session, Script(session))
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert settings.speeds("images", DEFAULT_BACKBONE)["finetune"] == pytest.approx(1 / 40)
    page.shutdown()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A machine whose readings a test sets."""
    facts = SimpleNamespace(busy=0.0, now=0.0, free=0.5, battery=None)
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(user=facts.busy, system=0.0, nice=0.0, idle=0.0))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=facts.free, total=1.0))
    monkeypatch.setattr(psutil, "sensors_battery", lambda: facts.battery, raising=False)
    monkeypatch.setattr("desktop.workers.slowdown.os.cpu_count", lambda: 2)
    monkeypatch.setattr("desktop.workers.slowdown.time.monotonic", lambda: facts.now)
    yield facts


def test_only_a_reason_that_was_measured_is_said(machine: SimpleNamespace) -> None:
    load = MachineLoad()
    assert load.measure() is None
    machine.now, machine.busy = 10.0, 0.2
    assert load.measure() is None
    machine.now, machine.busy = 20.0, 12.2
    busy = load.measure()
    assert busy is not None and busy.name == "processor" and busy.share == pytest.approx(0.6, abs=0.1)
    machine.now, machine.battery = 30.0, SimpleNamespace(power_plugged=False)
    assert load.measure() == Slowdown(name="battery")
    machine.free = 0.01
    assert load.measure() == Slowdown(name="memory")
    assert slow_sentence(slower=True, reason=None, passes=1) == "It is slower than usual."
    assert "60 % of the processor" in slow_sentence(slower=True, reason=Slowdown(name="processor", share=0.6), passes=1)


def _fields(plan: TimePlan) -> dict[str, object]:
    return {name: getattr(plan, name) for name in plan.__slots__}
