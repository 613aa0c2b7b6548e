"""The wizard from the keyboard: where it begins, and that no key throws it away unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWizard
from pytestqt.qtbot import QtBot

from desktop.dialogs.notice import Question
from desktop.pages.wizard.wizard import LEAVE
from tests.desktop.wizards import BACK, NEXT, Maker, click


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
def test_what_was_chosen_before_stays_chosen_when_a_key_is_pressed(make_wizard: Maker, qtbot: QtBot, kind: str) -> None:
    wizard = make_wizard(kind=kind)
    page = wizard.source_page
    assert wizard.focusWidget() is page.folder_edit
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Space):
        qtbot.keyClick(page.folder_edit, key)
    assert not page.pictures_button.isChecked()
    assert wizard.currentPage() is page


@pytest.mark.parametrize("kind", ["images", "sensors"])
def test_back_on_the_first_page_the_folder_has_the_keys(
    make_wizard: Maker, qtbot: QtBot, folder: Path, kind: str
) -> None:
    wizard = make_wizard(kind=kind, folder=folder)
    qtbot.waitUntil(lambda: wizard.currentPage() is wizard.found_page)
    click(qtbot, wizard, BACK)
    assert wizard.currentPage() is wizard.source_page
    assert wizard.focusWidget() is wizard.source_page.folder_edit


def test_escape_asks_once_there_is_something_to_lose(
    make_wizard: Maker, qtbot: QtBot, folder: Path, asked: list[str]
) -> None:
    wizard = make_wizard(folder=folder)
    qtbot.waitUntil(wizard.found_page.isComplete)
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert asked == [str(LEAVE)]
    assert wizard.isVisible() and wizard.currentPage() is wizard.found_page


def test_escape_asks_nothing_while_nothing_was_chosen(make_wizard: Maker, qtbot: QtBot, asked: list[str]) -> None:
    wizard = make_wizard(kind="images")
    wizard.source_page.folder_edit.setText("/no/such/folder")
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert not asked and not wizard.isVisible()


def test_tab_comes_from_the_content_to_next_then_to_back_and_to_cancel(
    make_wizard: Maker, qtbot: QtBot, folder: Path
) -> None:
    wizard = make_wizard(kind="images", folder=folder)
    qtbot.waitUntil(wizard.found_page.isComplete)
    click(qtbot, wizard, NEXT)
    buttons = {wizard.button(which): which.name for which in (NEXT, BACK, QWizard.WizardButton.CancelButton)}
    wizard.split_page.fold.button.setFocus()
    passed = []
    for _ in range(3):
        focused = wizard.focusWidget()
        qtbot.keyClick(focused, Qt.Key.Key_Tab)
        passed.append(buttons.get(wizard.focusWidget(), "content"))
    assert passed == ["NextButton", "BackButton", "CancelButton"]
