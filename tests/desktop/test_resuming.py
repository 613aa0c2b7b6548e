"""Runs that were cut off: which can go on, and what the Train page says of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from fabricate import add_run
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop import settings
from desktop.pages.start import StartPage
from desktop.session import Session
from ml.api import (
    Event,
    Job,
    ProbeDone,
    Project,
    RunInfo,
    RunStarted,
    StageStarted,
    Stop,
    Stopped,
    english,
    stage_message,
)
from tests.desktop.conftest import Opener
from tests.desktop.scripted_training import Script, press_train, shown

HISTORY = """epoch,train_loss,valid_loss,valid_accuracy,rate,best
0,0.5,0.6,0.7,,True
1,0.4,0.5,0.8,0.001,True
2,0.3,,,0.0005,False
"""


@pytest.fixture
def session(open_project: Opener) -> Session:
    return open_project(run=False)


def cut_off(session: Session, *, passes: bool, seed: int = 0) -> RunInfo:
    """A run that was begun and interrupted; with `passes` it left something to go on from."""
    runs = session.project.runs
    run = runs.begin(preset="standard", seed=seed, class_names=("apple", "pear", "plum"))
    runs.update(run.number, state="interrupted")
    if passes:
        (runs.folder(run.number) / "history.csv").write_text(HISTORY, encoding="utf-8")
        checkpoint = runs.folder(run.number) / "checkpoint"
        checkpoint.mkdir()
        (checkpoint / "latest.safetensors").touch()
    return run


def test_a_paused_run_can_still_be_resumed_after_another_training(qtbot: QtBot, session: Session) -> None:
    cut_off(session, passes=True, seed=7)
    script = Script(session)
    page = shown(qtbot, session, script)
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    qtbot.mouseClick(page.result.again_button, Qt.MouseButton.LeftButton)
    assert page.setup.resume_button.isVisible()
    assert page.setup.resume_button.text() == "Resume run 1"
    assert "Its training so far is kept." in page.setup.resume_label.text()
    qtbot.mouseClick(page.setup.resume_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert script.seen[1].resume and script.seen[1].seed == 7
    page.shutdown()


def test_the_offer_names_the_run_that_the_job_goes_on_with(qtbot: QtBot, session: Session) -> None:
    cut_off(session, passes=True)
    cut_off(session, passes=False)
    page = shown(qtbot, session, None)
    unfinished = session.project.runs.unfinished()
    assert unfinished is not None and unfinished.number == 1
    assert page.setup.resume_button.text() == "Resume run 1"
    page.shutdown()


def test_what_has_nothing_to_go_on_from_is_not_offered_for_ever(qtbot: QtBot, session: Session) -> None:
    cut_off(session, passes=False)
    page = shown(qtbot, session, None)
    assert page.setup.resume_button.isVisible()
    assert page.setup.resume_label.text().startswith("Run 1 is paused.")
    add_run(session.project)
    session.refresh_runs()
    page.set_session(session)
    assert not page.setup.resume_button.isVisible()
    page.shutdown()


def test_a_run_of_other_classes_is_not_offered(qtbot: QtBot, session: Session) -> None:
    run = session.project.runs.begin(preset="standard", seed=0, class_names=("apple", "pear"))
    session.project.runs.update(run.number, state="interrupted")
    page = shown(qtbot, session, None)
    assert not page.setup.resume_button.isVisible()
    page.shutdown()


class Going:
    """A resumed run that says no more than `events`, until it is asked to stop."""

    def __init__(self, session: Session, *events: Event) -> None:
        self._session, self._events = session, events

    def __call__(self, job: Job, stop: Stop) -> Iterator[Event]:
        yield from self._events
        pause = threading.Event()
        while not stop.requested():
            pause.wait(0.02)
        runs = self._session.project.runs.all()
        if runs:
            self._session.project.runs.update(runs[-1].number, state="interrupted")
        yield Stopped(resumable=bool(runs))


BEGUN = RunStarted(run=1, resumed=True, train=18, valid=6, test=6, class_names=("apple", "pear", "plum"))
LOOKING = StageStarted(stage="features")
FIRST = ProbeDone(seconds=1.0, train_loss=0.4, valid_loss=0.5, valid_accuracy=4 / 6)


def test_a_resumed_run_shows_the_passes_it_had(qtbot: QtBot, session: Session) -> None:
    cut_off(session, passes=True)
    page = shown(qtbot, session, Going(session, BEGUN, FIRST))
    qtbot.mouseClick(page.setup.resume_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.progress.plot.points() == {"train": 2, "rate": 2, "valid": 2, "score": 2})
    page.shutdown()


def test_a_stop_right_after_a_resume_says_that_the_passes_are_kept(qtbot: QtBot, session: Session) -> None:
    cut_off(session, passes=True)
    page = shown(qtbot, session, Going(session, BEGUN, LOOKING))
    qtbot.mouseClick(page.setup.resume_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.progress.sentence.text() == english(stage_message("features")))
    assert "The training so far is kept" in page.progress.stop_button.toolTip()
    qtbot.mouseClick(page.progress.stop_button, Qt.MouseButton.LeftButton)
    assert page.progress.sentence.text() == "Pausing. The training so far is kept, and you can continue later."
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.setup)
    kept = "Run 1 is paused. Its training so far is kept."
    assert page.setup.resume_label.text() == kept
    page.shutdown()


def test_a_stop_before_a_run_has_begun_promises_nothing(qtbot: QtBot, session: Session) -> None:
    page = shown(qtbot, session, Going(session))
    press_train(qtbot, page)
    qtbot.mouseClick(page.progress.stop_button, Qt.MouseButton.LeftButton)
    assert page.progress.sentence.text() == "Stopping. Training has not begun, so nothing is lost."
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.setup)
    assert not page.setup.resume_button.isVisible()
    page.shutdown()


def test_a_paused_project_says_so_on_the_start_page(qtbot: QtBot, session: Session) -> None:
    """Also where the training was killed and could not write down that it ended."""
    project = session.project
    run = project.runs.begin(preset="standard", seed=0, class_names=("apple", "pear", "plum"))
    session.close()
    settings.remember_project(project.path, project.name)
    page = StartPage()
    qtbot.addWidget(page)
    page.refresh()
    qtbot.waitUntil(lambda: not page.waiting)
    assert "30 pictures · training is paused" in page.cards()[0].accessibleName()
    with Project.open(project.path) as again:
        again.runs.update(run.number, state="finished", test_accuracy=0.5)
        again.runs.begin(preset="quick", seed=0, class_names=run.class_names)
        again.runs.mark_interrupted()
    page.refresh()
    qtbot.waitUntil(lambda: not page.waiting)
    assert "run 2 is paused" in page.cards()[0].accessibleName()
    page.shutdown()


def test_a_failed_run_is_not_called_paused(qtbot: QtBot, session: Session) -> None:
    run = cut_off(session, passes=True)
    session.project.runs.update(run.number, state="failed")
    page = shown(qtbot, session, None)
    assert page.setup.resume_label.text() == "Run 1 failed before it ended. Its training so far is kept."
    page.shutdown()
