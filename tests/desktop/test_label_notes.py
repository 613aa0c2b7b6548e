"""Flags, notes, filters, the history, and labels out of and into a project, on the Label page with real keys."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import image_folder, project_of
from PySide6.QtCore import QDate, Qt
from pytestqt.qtbot import QtBot

from desktop.pages.label.page import LabelPage
from desktop.session import Session
from desktop.widgets.tiles import TILE_ROLE, Tile
from ml.api import Event, Job, Project, Remark, Stop, Stopped
from tests.desktop.conftest import Opener


def no_features(_job: Job, _stop: Stop) -> Iterator[Event]:
    yield Stopped()


@pytest.fixture
def session(tmp_path: Path, open_project: Opener) -> Session:
    """Nine pictures of fruits with labels, and a copy of the project in two.handlens."""
    made = project_of(image_folder(tmp_path / "fruit", each=3), tmp_path / "one.handlens")
    made.close()
    shutil.copytree(tmp_path / "one.handlens", tmp_path / "two.handlens")
    return open_project(Project.open(tmp_path / "one.handlens"))


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[LabelPage]:
    page = LabelPage(runner=no_features)
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.opened()
    yield page
    page.shutdown()


def tile(page: LabelPage, row: int) -> Tile:
    found: Tile = page.grid.model().index(row, 0).data(TILE_ROLE)
    return found


def test_flags_and_notes_by_keys_are_on_disk_and_undone(qtbot: QtBot, page: LabelPage, session: Session) -> None:
    first = page.grid.current_id()
    assert first is not None
    qtbot.keyClick(page.grid, Qt.Key.Key_Period)
    qtbot.keyClick(page.grid, Qt.Key.Key_Comma)
    qtbot.keyClicks(page.panel.note_field, "2. half")  # digits go into the note
    qtbot.keyClick(page.panel.note_field, Qt.Key.Key_Return)
    assert page.grid.hasFocus()
    with Project.open(session.project.path) as again:
        assert again.remarks() == {first: Remark(True, "2. half")}
    assert tile(page, 0).flagged and tile(page, 0).noted and "2. half" in tile(page, 0).spoken
    page.view.show_box.setCurrentIndex(page.view.show_box.findText("Flagged"))
    page._arrange()
    assert page.grid.ids().tolist() == [first]
    page.undo()
    assert session.remarks() == {first: Remark(True, "")}
    page.undo()
    assert session.remarks() == {} and not page.panel.flag_button.isChecked()
    page.model.redo()
    assert session.remarks() == {first: Remark(True, "")}


def test_filters_by_folder_date_and_size(page: LabelPage, session: Session) -> None:
    page.view.filter_button.click()
    row = page.view.filters
    assert row.isVisible()
    row.folder_box.setCurrentIndex(row.folder_box.findText("pear"))
    row.changed.emit()
    shown = {session.sample(int(each)).path for each in page.grid.ids()}
    assert shown == {"pear/pear 0.png", "pear/pear 1.png", "pear/pear 2.png"}
    row.least_field.setValue(161)  # they are 160 pixels wide
    assert not len(page.grid.ids())
    row.least_field.setValue(160)
    assert len(page.grid.ids()) == 3
    row.end_field.setDate(QDate.currentDate().addDays(-2))
    assert not len(page.grid.ids())
    row.end_field.setDate(QDate.currentDate())
    assert len(page.grid.ids()) == 3
    page.view.filter_button.click()
    assert len(page.grid.ids()) == 9, "hidden filters are not in force"


def test_the_history_says_who_and_from_what(qtbot: QtBot, page: LabelPage, session: Session) -> None:
    first = page.grid.current_id()
    assert first is not None
    session.project.set_labels([first], [2], annotator="jo")
    page.model.label([first], 1)
    page.detail.show(first)
    qtbot.waitUntil(lambda: "jo: apple → plum" in page.panel.history.lines.text())
    newest = page.panel.history.lines.text().splitlines()[0]
    assert newest.endswith(f"{session.annotator}: plum → pear")
    assert page.panel.history.more_button.text() == "1 earlier change…"


def test_a_colleagues_copy_is_merged_in_one_step(
    qtbot: QtBot, page: LabelPage, session: Session, tmp_path: Path
) -> None:
    first, second, third = (int(each) for each in page.grid.ids()[:3])
    with Project.open(tmp_path / "two.handlens") as theirs:
        owl = theirs.add_class("quince").index
        theirs.set_labels([first, second], [owl], annotator="jo")
        theirs.set_remarks({third: Remark(True, "cut")}, annotator="jo")
    page.model.label([second], 1)
    page.exchange.merge(tmp_path / "two.handlens")
    qtbot.waitUntil(lambda: page.exchange.dialog is not None)
    assert page.exchange.dialog is not None
    (row,) = page.exchange.dialog.rows()
    assert row[0] == "apple/apple 1.png" and row[1] == "pear" and row[3] == "quince" and row[4].startswith("jo")
    page.exchange.dialog.close()
    names = session.class_names
    assert [names[session.sample(each).labels[0]] for each in (first, second)] == ["quince", "pear"]
    assert session.project.history(first)[-1].annotator == "jo"
    assert session.remarks() == {third: Remark(True, "cut")}
    assert "Took over the labels of 1 sample" in page.view.hint.text()
    page.undo()
    assert [names[session.sample(each).labels[0]] for each in (first, second)] == ["apple", "pear"]
    assert session.remarks() == {} and "quince" not in [item.name for item in session.active_classes()]


def test_labels_are_saved_from_the_menu(qtbot: QtBot, page: LabelPage, tmp_path: Path) -> None:
    assert [action.text() for action in page.exchange.menu.actions() if action.text()] == [
        "Save as a table (CSV)…",
        "Save as Label Studio tasks (JSON)…",
        "Copy the files to a folder for each class…",
        "Merge a colleague's copy of this project…",
    ]
    page.exchange.export("csv", tmp_path / "out.csv")
    qtbot.waitUntil(lambda: "The labels of 9 files are in" in page.view.hint.text())
    assert (tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()[:2] == [
        "file,label,split",
        "apple/apple 0.png,apple,train",
    ]
