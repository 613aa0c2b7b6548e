"""The wizard from the keyboard: where it begins, and that no key throws it away unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fabricate import image_folder
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop.dialogs.notice import Question
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions; the answer is no."""
    questions: list[str] = []

    def ask(_parent: object, question: str, *, yes: str, no: str) -> bool:
        questions.append(question)
        return False

    monkeypatch.setattr(Question, "ask", ask)
    return questions


@pytest.mark.parametrize("kind", ["recordings", "sensors"])
def test_what_was_chosen_before_stays_chosen_when_a_key_is_pressed(make: Maker, qtbot: QtBot, kind: str) -> None:
    wizard = make(kind=kind)
    page = wizard.source_page
    assert wizard.focusWidget() is page.folder_edit
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Space):
        qtbot.keyClick(page.folder_edit, key)
    assert not page.pictures_button.isChecked()
    assert wizard.currentPage() is page


def test_escape_asks_once_there_is_something_to_lose(
    make: Maker, qtbot: QtBot, tmp_path: Path, asked: list[str]
) -> None:
    wizard = make(folder=image_folder(tmp_path / "fruit"))
    qtbot.waitUntil(wizard.found_page.isComplete)
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert len(asked) == 1 and "let go" in asked[0]
    assert wizard.isVisible() and wizard.currentPage() is wizard.found_page


def test_escape_asks_nothing_while_nothing_was_chosen(make: Maker, qtbot: QtBot, asked: list[str]) -> None:
    wizard = make(kind="images")
    wizard.source_page.folder_edit.setText("/no/such/folder")
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert not asked and not wizard.isVisible()
