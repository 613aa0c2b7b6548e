"""Runs that were cut off: which can go on, and what the Train page says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import add_run, image_folder, project_of
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.session import Session, open_session
from ml.api import RunInfo
from tests.desktop.scripted_training import Script, press_train, shown


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    project_of(image_folder(tmp_path / "fruit"), tmp_path / "fruit.handlens").close()
    session = open_session(tmp_path / "fruit.handlens")
    yield session
    session.close()


def cut_off(session: Session, *, passes: bool, seed: int = 0) -> RunInfo:
    """A run that was begun and interrupted; with `passes` it left something to go on from."""
    runs = session.project.runs
    run = runs.begin(preset="standard", seed=seed, class_names=("apple", "pear", "plum"))
    runs.update(run.number, state="interrupted")
    if passes:
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
    assert page.choose.resume_button.isVisible()
    assert page.choose.resume_button.text() == "Resume run 1"
    assert "What it has learned so far is kept." in page.choose.resume_label.text()
    qtbot.mouseClick(page.choose.resume_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert script.seen[1].resume and script.seen[1].seed == 7
    page.shutdown()


def test_the_offer_names_the_run_that_the_job_goes_on_with(qtbot: QtBot, session: Session) -> None:
    cut_off(session, passes=True)
    cut_off(session, passes=False)
    page = shown(qtbot, session, None)
    unfinished = session.project.runs.unfinished()
    assert unfinished is not None and unfinished.number == 1
    assert page.choose.resume_button.text() == "Resume run 1"
    page.shutdown()


def test_what_has_nothing_to_go_on_from_is_not_offered_for_ever(qtbot: QtBot, session: Session) -> None:
    cut_off(session, passes=False)
    page = shown(qtbot, session, None)
    assert page.choose.resume_button.isVisible()
    assert page.choose.resume_label.text().startswith("Run 1 was cut off at its beginning.")
    add_run(session.project)
    session.refresh_runs()
    page.set_session(session)
    assert not page.choose.resume_button.isVisible()
    page.shutdown()


def test_a_run_of_other_classes_is_not_offered(qtbot: QtBot, session: Session) -> None:
    run = session.project.runs.begin(preset="standard", seed=0, class_names=("apple", "pear"))
    session.project.runs.update(run.number, state="interrupted")
    page = shown(qtbot, session, None)
    assert not page.choose.resume_button.isVisible()
    page.shutdown()
