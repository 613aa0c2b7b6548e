"""How it learns: four lessons, by doing and on the project that is open."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.learn.curves_page import CurvesPage, verdict
from desktop.learn.dialog import LearnDialog
from desktop.learn.line_page import NOTCHES, LinePage
from desktop.learn.stages_page import StagesPage
from desktop.pages.train.page import TrainPage
from ml.api import stage_rates
from tests.desktop.conftest import Opener


@pytest.fixture
def line(studio: QApplication, qtbot: QtBot) -> LinePage:
    page = LinePage()
    qtbot.addWidget(page)
    page.show()
    return page


def steps(page: LinePage, count: int) -> str:
    for _ in range(count):
        page.step()
    return page.verdict.text()


def test_the_learning_rate_decides_whether_the_line_learns(line: LinePage, qtbot: QtBot) -> None:
    assert steps(line, 300).startswith("Learned: after 300 steps")
    qtbot.mouseClick(line.again_button, Qt.MouseButton.LeftButton)
    line.rate.setValue(0)
    assert "the learning rate is too small" in steps(line, 100)
    assert line.fit.error() > 5 * line.fit.best_error()
    line.rate.setValue(NOTCHES)
    assert steps(line, 200).startswith("Too large")
    qtbot.mouseClick(line.start_button, Qt.MouseButton.LeftButton)
    assert line.fit.steps == 0 and line.start_button.text() == "Pause", "it begins anew"
    qtbot.waitUntil(lambda: line.fit.steps > 0)
    line.leave()
    assert line.start_button.text() == "Start"


@pytest.fixture
def lessons(open_project: Opener, qtbot: QtBot) -> Iterator[LearnDialog]:
    dialog = LearnDialog(open_project())
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.reject()


def test_the_keyboard_leads_through_the_lessons_on_the_own_run(lessons: LearnDialog, qtbot: QtBot) -> None:
    lessons.topics.setFocus()
    for row in range(1, 4):
        qtbot.keyClick(lessons.topics, Qt.Key.Key_Down)
        assert lessons.stack.currentIndex() == row
    assert not lessons.next_button.isEnabled()
    qtbot.waitUntil(lessons.map.view.has_overlay)
    assert "Here it saw" in lessons.map.verdict.text()
    smooth = lessons.map.view.overlay()
    lessons.map.fields.setChecked(True)
    assert lessons.map.view.overlay() != smooth


def test_without_a_run_every_lesson_says_what_is_missing(studio: QApplication, qtbot: QtBot) -> None:
    dialog = LearnDialog(None)
    qtbot.addWidget(dialog)
    dialog.show()
    told = [lesson.verdict.text() for lesson in dialog.lessons]
    assert "There is no run to show yet" in told[1]
    assert "No run of this project has curves yet" in told[2]
    assert told[3] == "Train, and this page shows where the network looked."
    dialog.reject()


def test_the_stages_are_those_of_the_run(open_project: Opener, qtbot: QtBot) -> None:
    session = open_project()
    assert session.run is not None
    settings = session.project.runs.folder(session.run.number) / "settings.toml"
    recipe = "[recipe]\nepochs = {}\nbody_rate = 0.001\ndecay = 0.5\nfrozen_stages = 3\n"
    settings.write_text(recipe.format(4), encoding="utf-8")
    page = StagesPage(session)
    qtbot.addWidget(page)
    assert page.verdict.text().startswith("Run 1 adjusted 6 of 9 stages")
    settings.write_text(recipe.format(0), encoding="utf-8")
    page = StagesPage(session)
    qtbot.addWidget(page)
    assert page.verdict.text().startswith("Run 1 left all 9 stages as they were.")


def test_later_stages_move_more() -> None:
    rates = stage_rates({"recipe": {"epochs": 3, "body_rate": 0.01, "decay": 0.5, "frozen_stages": 2}})
    assert rates[:2] == (0.0, 0.0) and list(rates[2:]) == sorted(rates[2:]) and rates[-1] == 0.01


def test_the_own_curves_tell_what_was_learned_by_heart(open_project: Opener, qtbot: QtBot) -> None:
    session = open_project()
    assert session.run is not None
    _write_history(session.project.runs.folder(session.run.number), [(1.0, 1.1), (0.7, 0.9), (0.3, 1.2)])
    page = CurvesPage(session)
    qtbot.addWidget(page)
    assert "after pass 2 the validation loss rose from 0.90 to 1.20" in page.verdict.text()
    assert "did not learn by heart" in verdict(1, [(1, 1.0, 1.1), (2, 0.8, 0.9)])
    assert "knows a part of its samples by heart" in verdict(1, [(1, 0.4, 1.1), (2, 0.3, 0.9)])


def _write_history(folder: Path, losses: list[tuple[float, float]]) -> None:
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("epoch", "train_loss", "valid_loss", "valid_accuracy", "rate", "best"))
        rows.writerows((number, *pair, 0.5, 0.001, 0) for number, pair in enumerate(losses, 1))


def test_the_train_page_leads_to_the_lessons(open_project: Opener, qtbot: QtBot) -> None:
    page = TrainPage()
    qtbot.addWidget(page)
    page.set_session(open_project(run=False))
    page.show()
    qtbot.mouseClick(page.setup.lessons_button, Qt.MouseButton.LeftButton)
    (dialog,) = page.findChildren(LearnDialog)
    assert dialog.isVisible()
    dialog.reject()
    page.shutdown()
