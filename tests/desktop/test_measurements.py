"""The window over logs of sensors: the wizard, the Train page, and traces to look at instead of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import CLASSES, LOGS, log_folder
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication, QLabel, QWizard
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop import settings
from desktop.pages.explore.page import ExplorePage
from desktop.pages.train.page import TrainPage
from desktop.pages.wizard.wizard import NewProjectWizard
from desktop.session import Session
from ml.api import Event, Failed, Job, Project, Stop, TrainJob
from tests.desktop.conftest import Opener


@pytest.fixture
def session(open_project: Opener) -> Session:
    return open_project(kind="sensors", mistakes=1)


def test_from_a_folder_of_logs_to_a_project(studio: QApplication, tmp_path: Path, qtbot: QtBot) -> None:
    wizard = NewProjectWizard(runner=Scan())
    wizard.open()
    source, forward = wizard.source_page, wizard.button(QWizard.WizardButton.NextButton)
    assert not source.rate_box.isVisible()
    qtbot.mouseClick(source.logs_button, Qt.MouseButton.LeftButton)
    assert source.rate_box.isVisible()  # only measurements may need to be told it
    qtbot.keyClicks(source.folder_edit, str(log_folder(tmp_path / "fan")))
    qtbot.mouseClick(forward, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(forward.isEnabled)
    said = " ".join(label.text() for label in wizard.found_page.findChildren(QLabel) if label.isVisible())
    assert "3 classes, 15 measurements" in said
    qtbot.waitUntil(lambda: all(len(row.images) == 3 for row in wizard.found_page.result.bars.rows()))
    for _ in range(2):
        qtbot.mouseClick(forward, Qt.MouseButton.LeftButton)
    wizard.target_page.name_edit.setText("Fan")
    with qtbot.waitSignal(wizard.created):
        qtbot.mouseClick(wizard.button(QWizard.WizardButton.FinishButton), Qt.MouseButton.LeftButton)
    with Project.open(settings.projects_folder() / "Fan.handlens") as project:
        assert project.kind == "sensors" and project.windowing == LOGS
        assert [item.name for item in project.classes()] == list(CLASSES)
    wizard.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_a_log_is_shown_as_traces_with_the_names_of_its_columns(qtbot: QtBot, session: Session) -> None:
    page = ExplorePage()
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    assert page.panel.views.currentWidget() is page.panel.traces
    assert not page.panel.player_row.isVisible()  # there is nothing to hear
    qtbot.waitUntil(lambda: page.panel.traces.lanes() == LOGS.columns)
    qtbot.waitUntil(page.panel.traces.has_overlay)
    page.shutdown()


def test_the_picture_a_log_becomes_can_be_chosen(qtbot: QtBot, session: Session) -> None:
    seen: list[TrainJob] = []

    def runner(job: Job, stop: Stop) -> Iterator[Event]:
        assert isinstance(job, TrainJob)
        seen.append(job)
        yield Failed(message="It ends here.")

    page = TrainPage(runner=runner)
    qtbot.addWidget(page)
    page.set_session(session)
    page.show()
    assert page.setup.headline.text() == "Ready for training: 15 measurements in 3 classes."
    qtbot.mouseClick(page.setup.fold, Qt.MouseButton.LeftButton)
    assert page.setup.front.isVisible()
    page.setup.front.setCurrentIndex(page.setup.front.findData("traces"))
    qtbot.mouseClick(page.setup.train_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert seen[0].front == "traces"
    page.shutdown()
