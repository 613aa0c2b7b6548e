"""Keys that the person has changed: in force, on the sheet and in tool tips at once, and remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import image_folder, project_of
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox
from pytestqt.qtbot import QtBot

from desktop import settings
from desktop.actions import action_named, keys_of
from desktop.dialogs.key_table import KeyTable
from desktop.dialogs.keys import KeysDialog
from desktop.dialogs.notice import Question
from desktop.i18n import tr
from desktop.pages.explore.page import ExplorePage
from desktop.pages.label.page import LabelPage
from desktop.shortcuts import conflicts, pressed_key, reserved, set_keys
from desktop.window.main_window import MainWindow
from tests.desktop.conftest import Opener
from tests.desktop.test_label_page import name_class, no_features

NO, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)


@pytest.fixture
def table(qtbot: QtBot, studio: QApplication) -> KeyTable:
    table = KeyTable()
    qtbot.addWidget(table)
    table.show()
    return table


@pytest.fixture
def window(qtbot: QtBot, studio: QApplication) -> Iterator[MainWindow]:
    window = MainWindow()
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    yield window
    window.close()


@pytest.fixture
def page(qtbot: QtBot, open_project: Opener, tmp_path: Path, studio: QApplication) -> Iterator[LabelPage]:
    page = LabelPage(runner=no_features)
    qtbot.addWidget(page)
    page.set_session(open_project(project_of(image_folder(tmp_path / "f"), tmp_path / "p.handlens")))
    page.show()
    with qtbot.waitExposed(page):
        page.opened()
    yield page
    page.shutdown()


def press(qtbot: QtBot, table: KeyTable, action_id: str, key: Qt.Key, modifiers: Qt.KeyboardModifier = NO) -> None:
    button = table.key_buttons[action_id]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert button.text() == "Press a key…"
    qtbot.keyClick(button, key, modifiers)


def answer(monkeypatch: pytest.MonkeyPatch, verb: str | None) -> list[str]:
    asked: list[str] = []

    def choose(_parent: object, question: str, verbs: tuple[str, ...], *, no: str) -> str | None:
        asked.append(question)
        assert verb is None or verb in verbs
        return verb

    monkeypatch.setattr(Question, "choose", choose)
    return asked


def test_a_pressed_key_is_in_force_in_menus_and_on_the_sheet(qtbot: QtBot, window: MainWindow) -> None:
    window.show_settings()
    (table,) = window.findChildren(KeyTable)
    press(qtbot, table, "theme", Qt.Key.Key_M, CTRL)
    assert table.key_buttons["theme"].text() == "Ctrl+M"
    assert window.actions_by_id["theme"].shortcut().toString() == "Ctrl+M"
    assert "Ctrl+M" in window.actions_by_id["theme"].toolTip()
    window.actions_by_id["shortcuts"].trigger()
    sheet = window.findChild(KeysDialog)
    assert sheet is not None
    shown = {label.text() for label in sheet.findChildren(QLabel)}
    assert "Ctrl+M" in shown and "Ctrl+Shift+L" not in shown


def test_a_changed_key_survives_a_restart_and_returns_to_that_as_delivered(qtbot: QtBot, table: KeyTable) -> None:
    press(qtbot, table, "label_flag", Qt.Key.Key_Semicolon)
    assert settings.value(settings.KEYS) == {"label_flag": ";"}
    again = KeyTable()
    qtbot.addWidget(again)
    assert again.key_buttons["label_flag"].text() == ";"
    qtbot.mouseClick(table.reset_buttons["label_flag"], Qt.MouseButton.LeftButton)
    assert again.key_buttons["label_flag"].text() == "." and settings.value(settings.KEYS) == {}
    press(qtbot, table, "label_flag", Qt.Key.Key_Semicolon)
    press(qtbot, table, "go_data", Qt.Key.Key_F2)
    qtbot.mouseClick(table.reset_all_button, Qt.MouseButton.LeftButton)
    assert settings.value(settings.KEYS) == {} and table.key_buttons["go_data"].text() == "Ctrl+1"
    assert not table.reset_all_button.isEnabled()


def test_a_conflict_is_named_and_resolved_by_the_person(
    qtbot: QtBot, table: KeyTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, None)
    press(qtbot, table, "label_similar", Qt.Key.Key_G)
    assert len(asked) == 1 and "Select all samples like this" in asked[0] and "On the Label page" in asked[0]
    assert table.key_buttons["label_similar"].text() == "F", "cancelled"
    answer(monkeypatch, tr("Swap the keys"))
    press(qtbot, table, "label_similar", Qt.Key.Key_G)
    assert (table.key_buttons["label_similar"].text(), table.key_buttons["label_alike"].text()) == ("G", "F")
    answer(monkeypatch, tr("Use it here"))
    press(qtbot, table, "settings", Qt.Key.Key_O, CTRL)
    assert (table.key_buttons["settings"].text(), table.key_buttons["open"].text()) == ("Ctrl+O", "none")


def test_the_question_has_its_verbs(qtbot: QtBot, table: KeyTable, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def run(box: QMessageBox) -> int:
        seen.extend(button.text() for button in box.buttons())
        return 0

    monkeypatch.setattr(QMessageBox, "exec", run)
    press(qtbot, table, "label_similar", Qt.Key.Key_G)
    assert {"Use it here", "Swap the keys", "Cancel"} == set(seen)


@pytest.mark.parametrize(
    ("action_id", "key"),
    [("label_flag", Qt.Key.Key_3), ("open", Qt.Key.Key_Space), ("label_accept", Qt.Key.Key_Tab)],
)
def test_keys_that_are_needed_are_refused(qtbot: QtBot, table: KeyTable, action_id: str, key: Qt.Key) -> None:
    before = keys_of(action_named(action_id))
    press(qtbot, table, action_id, key)
    assert "needed" in table.note.text() and table.key_buttons[action_id].waiting
    qtbot.keyClick(table.key_buttons[action_id], Qt.Key.Key_Escape)
    assert table.key_buttons[action_id].text() == before and settings.value(settings.KEYS) == {}


def test_the_same_key_may_do_different_things_on_different_pages() -> None:
    assert not conflicts("G", action_named("retrain")) and not reserved("G", action_named("retrain"))
    assert [each.id for each in conflicts("Shift+J", action_named("label_flag"))] == ["label_next"]
    assert {each.id for each in conflicts("H", action_named("settings"))} == {"overlay", "use_map"}


@pytest.mark.parametrize(
    ("key", "modifiers", "text", "wanted"),
    [
        (Qt.Key.Key_Question, SHIFT, "?", "?"),
        (Qt.Key.Key_B, SHIFT, "B", "Shift+B"),
        (Qt.Key.Key_F5, CTRL, "", "Ctrl+F5"),
        (Qt.Key.Key_Plus, Qt.KeyboardModifier.KeypadModifier, "+", "+"),
        (Qt.Key.Key_Shift, SHIFT, "", ""),
    ],
)
def test_keys_are_named_as_they_are_written(
    key: Qt.Key, modifiers: Qt.KeyboardModifier, text: str, wanted: str
) -> None:
    assert pressed_key(QKeyEvent(QKeyEvent.Type.KeyPress, key, modifiers, text)) == wanted


def test_the_label_page_follows_at_once(qtbot: QtBot, page: LabelPage) -> None:
    first = int(page.grid.ids()[0])
    page.grid.choose_row(0)
    set_keys({"label_flag": "B", "label_next": "L"})
    assert page.view.panel.flag_button.toolTip().endswith("(B)")
    qtbot.keyClick(page.grid, Qt.Key.Key_Period)
    assert not page.model.remark(first).flagged
    qtbot.keyClick(page.grid, Qt.Key.Key_B)
    assert page.model.remark(first).flagged
    qtbot.keyClick(page.grid, Qt.Key.Key_L)
    assert page.grid.currentIndex().row() == 1
    qtbot.keyClick(page.grid, Qt.Key.Key_L, SHIFT)
    assert page.grid.selected_count() == 2


def test_a_class_gives_up_the_letter_that_the_person_uses_otherwise(qtbot: QtBot, page: LabelPage) -> None:
    for number in range(11 - len(page.model.classes())):
        name_class(qtbot, page, f"further {number}")
    keys = [button.text().split()[0] for button in page.view.keys.buttons()]
    assert keys[10] == "B"
    set_keys({"label_flag": "B"})
    keys = [button.text().split()[0] for button in page.view.keys.buttons()]
    assert keys[10] == "C"


def test_explore_follows_at_once(qtbot: QtBot, studio: QApplication) -> None:
    page = ExplorePage()
    qtbot.addWidget(page)
    set_keys({"undo": "Ctrl+U"})
    assert page.view.undo_button.toolTip() == "Undo (Ctrl+U)"
    page.shutdown()


def test_settings_that_somebody_has_spoilt_leave_the_keys_as_delivered(table: KeyTable, tmp_path: Path) -> None:
    settings.set_value(settings.KEYS, {"label_flag": "no such key!", "gone": "X", "label_class": "Y"})
    assert keys_of(action_named("label_flag")) == "." and keys_of(action_named("label_class")).startswith("1")
