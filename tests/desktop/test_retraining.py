"""One key trains again: Explore and Label stay as they are, and what changed is marked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fabricate import add_run
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.models.prediction_table import table_of
from desktop.pages.changes import RunChanges
from desktop.pages.explore.page import ExplorePage
from desktop.pages.ids import EXPLORE, LABEL
from desktop.pages.label.page import LabelPage
from desktop.session import Session
from desktop.window.workspace import Workspace
from ml.api import Event, Finished, Job, NeverStop, Stop, TrainJob
from tests.desktop.conftest import Opener


class SecondRun:
    """In place of the child process: the next run, right on what was wrong and wrong on one that was right."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.jobs: list[TrainJob] = []
        test = [sample.id for sample in session.samples if sample.split == "test"]
        self.wrong_now = test[2:3]

    def __call__(self, job: Job, _stop: Stop = NeverStop()) -> Iterator[Event]:  # noqa: B008
        if not isinstance(job, TrainJob):  # the Label page prepares suggestions
            return
        self.jobs.append(job)
        run = add_run(self.session.project, wrong=tuple(self.wrong_now), accuracy=5 / 6)
        yield Finished(run=run.number, seconds=1.0, valid_accuracy=1.0, test_accuracy=5 / 6, probe_accuracy=0.8)


@pytest.fixture
def session(open_project: Opener) -> Session:
    return open_project(mistakes=2)


@pytest.fixture
def runner(session: Session) -> SecondRun:
    return SecondRun(session)


@pytest.fixture
def workspace(studio: QApplication, qtbot: QtBot, session: Session, runner: SecondRun) -> Iterator[Workspace]:
    frame = Workspace(session, [], runner=runner)
    qtbot.addWidget(frame)
    for _step in frame.steps():
        pass
    frame.resize(1366, 720)
    frame.show()
    yield frame
    frame.shutdown()


def test_explore_returns_to_the_same_view_and_marks_what_changed(
    workspace: Workspace, runner: SecondRun, qtbot: QtBot
) -> None:
    workspace.show_page(EXPLORE)
    page = workspace.page(EXPLORE)
    assert isinstance(page, ExplorePage)
    page.view.choose("unsure")
    page.filters.class_box.setCurrentIndex(1)
    page.filters.filter_changed.emit()
    fixed = int(next(each for each in page.grid.ids() if " → " in page.model.tile(int(each)).caption))
    page.grid.choose(fixed)
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_T)
    qtbot.waitUntil(lambda: page.model.run_number == 2)
    assert runner.jobs[0].preset == "quick" and workspace.current_page == EXPLORE
    assert page.view.current() == "unsure" and page.filters.class_box.currentIndex() == 1
    assert page.grid.current_id() == fixed
    assert page.model.tile(fixed).caption.startswith("▲ ")
    assert page.model.tile(runner.wrong_now[0]).caption.startswith("▼ ")
    assert page.changes_bar.buttons["right"].text() == "▲ 2 now right"
    qtbot.mouseClick(page.changes_bar.buttons["wrong"], Qt.MouseButton.LeftButton)
    assert page.grid.ids().tolist() == runner.wrong_now
    qtbot.waitUntil(lambda: not workspace.session.training)


def test_label_goes_on_while_it_trains_and_says_how_it_ended(
    workspace: Workspace, runner: SecondRun, qtbot: QtBot
) -> None:
    workspace.show_page(LABEL)
    page = workspace.page(LABEL)
    assert isinstance(page, LabelPage)
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_T)
    qtbot.waitUntil(lambda: "Run 2 is ready: 5 of 6 right. Run 1: 4 of 6 right" in page.view.hint.text())
    assert workspace.current_page == LABEL and len(runner.jobs) == 1
    qtbot.waitUntil(lambda: not workspace.session.training)


def test_label_stays_where_it_is_and_marks_what_changed(
    workspace: Workspace, runner: SecondRun, session: Session, qtbot: QtBot
) -> None:
    workspace.show_page(LABEL)
    page = workspace.page(LABEL)
    assert isinstance(page, LabelPage)
    table = page.model._table()
    assert table is not None
    fixed = int(table.ids[table.wrong()][0])
    page.view.choose_shown("labelled")
    page.view.class_box.setCurrentIndex(1)
    page.view.class_box.activated.emit(1)
    shown = page.grid.ids().tolist()
    page.grid.choose_row(2)
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_T)
    qtbot.waitUntil(page.view.changes_bar.isVisible)
    assert page.grid.ids().tolist() == shown and page.grid.currentIndex().row() == 2
    assert page.view.class_filter() == 0 and page.view.shown() == "labelled"
    assert page.model.tile(fixed).caption.startswith("▲ ") and "was wrong" in page.model.tile(fixed).spoken
    assert page.model.tile(runner.wrong_now[0]).caption.startswith("▼ ")
    assert page.view.changes_bar.buttons["right"].text() == "▲ 2 now right"
    qtbot.mouseClick(page.view.changes_bar.buttons["wrong"], Qt.MouseButton.LeftButton)
    assert page.grid.ids().tolist() == runner.wrong_now
    qtbot.keyClick(page.grid, Qt.Key.Key_Escape)
    page._forget_changes()
    assert not page.view.changes_bar.isVisible() and not page.model.tile(fixed).caption.startswith("▲ ")
    qtbot.waitUntil(lambda: not workspace.session.training)


def test_another_guess_of_a_sample_without_a_label_is_marked(session: Session, runner: SecondRun) -> None:
    changed = runner.wrong_now[0]
    before = table_of(session.project.predictions(1), session.samples)
    run = add_run(session.project, wrong=(changed,), accuracy=5 / 6)
    now = table_of(session.project.predictions(run.number), session.samples)
    changes = RunChanges()
    changes.remember(1, before)
    changes.follow(run.number, now)
    assert changes.flip(changed) == "wrong"
    changes.update([session.sample(changed)._replace(labels=(), set_by=None)])
    assert changes.flip(changed) == "other" and changed in changes.flipped(None)["other"].tolist()


def test_what_cannot_be_trained_says_why(workspace: Workspace, session: Session, qtbot: QtBot) -> None:
    workspace.show_page(EXPLORE)
    page = workspace.page(EXPLORE)
    assert isinstance(page, ExplorePage)
    session.set_training(True)
    page.retrain()
    assert "already" in page.view.problem.text() and not page.changes_bar.isVisible()
    session.set_training(False)
