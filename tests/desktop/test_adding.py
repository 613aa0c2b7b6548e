"""Files join the open project: new ones of its folder, dropped ones, and those that were answered wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from fabricate import CLASSES, add_run, image_folder, project_of
from PIL import Image
from PySide6.QtCore import QItemSelectionModel, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot
from tiny_model import write_colour_model

from desktop.dialogs.folder import FolderChooser
from desktop.pages.data import DataPage
from desktop.pages.use.page import UsePage
from desktop.session import Session
from ml.api import add_files
from tests.desktop.conftest import Opener

SLOW = 60_000


def picture(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), (shade, 20, 30)).save(path)
    return path


def drop(widget: QWidget, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action = Qt.DropAction.CopyAction
    event = QDropEvent(QPointF(5, 5), action, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    widget.dropEvent(event)


def data_page(qtbot: QtBot, session: Session) -> DataPage:
    page = DataPage()
    qtbot.addWidget(page)
    page.resize(1100, 700)
    page.set_session(session)
    page.show()
    page.opened()
    return page


def test_a_changed_folder_is_noticed_and_added(qtbot: QtBot, open_project: Opener) -> None:
    session = open_project(run=False)
    folder = session.project.source_folder
    for shade in range(3):
        picture(folder / "quince" / f"{shade}.png", 200 + shade)
    before = session.project.splits()
    page = data_page(qtbot, session)
    box = page.adding
    qtbot.waitUntil(box.update_button.isVisible, timeout=SLOW)
    assert box.changes_label.text() == "The folder has 3 pictures and 1 class that are not in the project yet."
    qtbot.mouseClick(box.update_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "quince" in session.class_names and not box.update_button.isVisible(), timeout=SLOW)
    assert {path: session.project.splits()[path] for path in before} == before
    assert len(session.samples) == len(before) + 3
    page.shutdown()


def test_files_dropped_on_the_data_page_join_the_project(qtbot: QtBot, open_project: Opener, tmp_path: Path) -> None:
    session = open_project(run=False)
    first = session.class_names[0]
    picture(tmp_path / "phone" / first / "a.png", 210)
    (tmp_path / "phone" / first / "broken.png").write_bytes(b"no picture")
    page = data_page(qtbot, session)
    box = page.adding
    drop(box.drop, tmp_path / "phone")
    qtbot.waitUntil(box.notice_label.isVisible, timeout=SLOW)
    assert box.notice_label.text() == "1 picture was added. 1 could not be read." and box.why_button.isVisible()
    sample = next(sample for sample in session.samples if sample.path == f"+phone/{first}/a.png")
    assert sample.labels == (0,) and sample.split == "train"
    page.shutdown()


def test_an_added_folder_that_moved_is_found_again(
    qtbot: QtBot, open_project: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_project(run=False)
    phone, first = tmp_path / "phone", session.class_names[0]
    for shade in (210, 211, 212):
        picture(phone / first / f"{shade}.png", shade)
    add_files(session.project, [phone])
    session.reload()
    page = data_page(qtbot, session)
    box = page.folders
    qtbot.waitUntil(lambda: "+phone" in box.buttons, timeout=SLOW)
    assert box.buttons["+phone"].text() == "Moved…"
    phone.rename(tmp_path / "archive")
    (tmp_path / "archive" / first / "211.png").unlink()
    page.opened()
    qtbot.waitUntil(lambda: box.buttons["+phone"].text() == "Find it…", timeout=SLOW)
    assert any("is missing" in label.toolTip() + label.text() for label in box.findChildren(QLabel))
    chosen = [tmp_path / "fruit", tmp_path / "archive"]
    monkeypatch.setattr(FolderChooser, "ask", lambda *_args, **_start: chosen.pop(0))
    qtbot.mouseClick(box.buttons["+phone"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: box.result_label.text().startswith("None of the project's files is in"), timeout=SLOW)
    with qtbot.waitSignal(session.originals_found, timeout=SLOW):
        qtbot.mouseClick(box.buttons["+phone"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: box.buttons["+phone"].text() == "Moved…", timeout=SLOW)
    assert box.result_label.text() == "2 of 3 files were found there."
    sample = next(sample for sample in session.samples if sample.path == f"+phone/{first}/210.png")
    assert session.project.file(sample.path) == tmp_path / "archive" / first / "210.png"
    page.shutdown()


def test_a_moved_source_folder_says_how_many_files_it_holds(qtbot: QtBot, open_project: Opener, tmp_path: Path) -> None:
    session = open_project(run=False)
    folder, count = session.project.source_folder, len(session.samples)
    page = data_page(qtbot, session)
    folder.rename(tmp_path / "moved")
    page.opened()
    page.relink(tmp_path / "moved")
    qtbot.waitUntil(page.folders.result_label.isVisible, timeout=SLOW)
    assert page.folders.result_label.text() == f"{count} of {count} files were found there."
    assert not page.find_button.isVisible()
    page.shutdown()


def test_wrong_answers_become_samples(qtbot: QtBot, open_project: Opener, tmp_path: Path) -> None:
    made = project_of(image_folder(tmp_path / "fruit", each=5), tmp_path / "Fruit.handlens")
    add_run(made)
    write_colour_model(made.runs.folder(1) / "model.onnx", classes=CLASSES, reject_below=0.5, unlike_above=0.3)
    session = open_project(made)
    page = UsePage()
    qtbot.addWidget(page)
    page.set_session(session)
    page.show()
    page.opened()
    qtbot.waitUntil(lambda: page.model is not None, timeout=SLOW)
    files = [picture(tmp_path / "new" / f"{name}.png", shade) for name, shade in (("a", 200), ("b", 220), ("c", 240))]
    page.add(files)
    qtbot.waitUntil(lambda: page.answers.rowCount() == 3, timeout=SLOW)
    page.list.table.clearSelection()
    both = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    for row in (0, 1):
        page.list.table.selectionModel().select(page.answers.index(row, 0), both)
    page.list.wrong_menu.aboutToShow.emit()
    action = next(each for each in page.list.wrong_menu.actions() if each.text() == CLASSES[2])
    action.trigger()
    qtbot.waitUntil(lambda: page.list.saved.text() == "2 pictures were added.", timeout=SLOW)
    added = [sample for sample in session.samples if sample.path.startswith("+new/")]
    assert {Path(sample.path).name for sample in added} == {page.answers.answer(row).path.name for row in (0, 1)}
    assert {(sample.labels, sample.split, sample.set_by) for sample in added} == {((2,), "train", "person")}
    page.shutdown()
