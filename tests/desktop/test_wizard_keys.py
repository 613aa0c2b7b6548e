"""The wizard from the keyboard: where it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop.pages.wizard import NewProjectWizard

Maker = Callable[..., NewProjectWizard]


@pytest.fixture
def make(studio: QApplication, qtbot: QtBot) -> Iterator[Maker]:
    made: list[NewProjectWizard] = []

    def make_wizard(**known: object) -> NewProjectWizard:
        wizard = NewProjectWizard(runner=Scan(), **known)  # type: ignore[arg-type]
        made.append(wizard)
        wizard.open()
        qtbot.waitUntil(wizard.isVisible)
        return wizard

    yield make_wizard
    for wizard in made:
        wizard.done(0)
        wizard.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.mark.parametrize("kind", ["recordings", "sensors"])
def test_what_was_chosen_before_stays_chosen_when_a_key_is_pressed(make: Maker, qtbot: QtBot, kind: str) -> None:
    wizard = make(kind=kind)
    page = wizard.source_page
    assert wizard.focusWidget() is page.folder_edit
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Space):
        qtbot.keyClick(page.folder_edit, key)
    assert not page.pictures_button.isChecked()
    assert wizard.currentPage() is page
