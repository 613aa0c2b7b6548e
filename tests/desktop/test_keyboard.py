"""The window without a mouse: Enter presses what has the focus, and Tab comes to what is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import image_folder, project_of
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop.pages.ids import DATA, TRAIN
from desktop.window.main_window import MainWindow
from desktop.window.workspace import Workspace


@pytest.fixture
def workspace(studio: QApplication, qtbot: QtBot, tmp_path: Path) -> Iterator[Workspace]:
    project_of(image_folder(tmp_path / "fruit"), tmp_path / "Fruit.handlens").close()
    window = MainWindow(runner=Scan())
    window.show()
    qtbot.waitActive(window)
    with qtbot.waitSignal(window.project_opened):
        window.open_project(tmp_path / "Fruit.handlens")
    assert window.workspace is not None
    yield window.workspace
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_enter_presses_the_button_that_has_the_focus(workspace: Workspace, qtbot: QtBot, key: Qt.Key) -> None:
    workspace.show_page(DATA)
    button = workspace.page(DATA).train_button
    button.setFocus()
    qtbot.keyClick(button, key)
    assert workspace.current_page == TRAIN
    fold = workspace.page(TRAIN).setup.fold
    fold.setFocus()
    qtbot.keyClick(fold, key)
    assert fold.isChecked()


def test_a_look_at_the_mistakes_is_one_key_away(workspace: Workspace, qtbot: QtBot) -> None:
    page = workspace.page(TRAIN)
    workspace.show_page(TRAIN)
    page.result.show_finished(again="Train again")
    page.stack.setCurrentWidget(page.result)
    page.result.explore_button.setFocus()
    with qtbot.waitSignal(page.page_requested):
        qtbot.keyClick(page.result.explore_button, Qt.Key.Key_Return)


def test_from_the_details_one_comes_to_the_chosen_preset(workspace: Workspace, qtbot: QtBot) -> None:
    workspace.show_page(TRAIN)
    choose = workspace.page(TRAIN).setup
    choose.train_button.setFocus()
    qtbot.keyClick(choose.train_button, Qt.Key.Key_Tab)
    assert choose.focusWidget() is choose.fold
    choose.fold.click()
    for preset in ("standard", "quick"):
        choose.cards[preset].button.setChecked(True)
        choose.fold.setFocus()
        qtbot.keyClick(choose.fold, Qt.Key.Key_Tab)
        assert choose.focusWidget() is choose.cards[preset].button
    qtbot.keyClick(choose.cards["quick"].button, Qt.Key.Key_Right)
    assert choose.preset() == "standard"
