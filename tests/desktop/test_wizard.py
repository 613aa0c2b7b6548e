"""From a folder to a project, with clicks and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fabricate import CLASSES, image_folder, sound_folder
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget, QWizard
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop import settings
from desktop.dialogs.items import ItemsDialog
from desktop.pages.wizard import NewProjectWizard
from ml.api import Failed, Project, Unreadable

Maker = Callable[..., NewProjectWizard]
NEXT, BACK, FINISH = QWizard.WizardButton.NextButton, QWizard.WizardButton.BackButton, QWizard.WizardButton.FinishButton


@pytest.fixture
def make(studio: QApplication) -> Iterator[Maker]:
    made: list[NewProjectWizard] = []

    def make_wizard(scan: Scan | None = None, **known: object) -> NewProjectWizard:
        wizard = NewProjectWizard(runner=scan or Scan(), **known)  # type: ignore[arg-type]
        made.append(wizard)
        wizard.open()
        return wizard

    yield make_wizard
    for wizard in made:
        wizard.reject()
        wizard.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_folder(tmp_path / "fruit")


def _click(qtbot: QtBot, wizard: NewProjectWizard, which: QWizard.WizardButton) -> None:
    button = wizard.button(which)
    assert button.isEnabled() and button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def _texts(page: QWidget) -> str:
    return " ".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def _drop(target: QWidget, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys)
    target.dropEvent(event)  # the system only sends it after a drag over the screen, which a test cannot make
    assert event.isAccepted()


def test_from_a_folder_to_a_project(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make()
    assert not wizard.button(NEXT).isEnabled()
    qtbot.mouseClick(wizard.source_page.pictures_button, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(wizard.source_page.folder_edit, str(folder))
    _click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    assert "3 classes, 30 pictures" in _texts(wizard.found_page)
    assert [(row.name, row.count) for row in wizard.found_page.bars.rows()] == [(name, 10) for name in CLASSES]
    qtbot.waitUntil(lambda: all(len(row.images) == 3 for row in wizard.found_page.bars.rows()))
    _click(qtbot, wizard, NEXT)
    assert [part.count for part in wizard.split_page.picture.parts()] == [18, 6, 6]
    _click(qtbot, wizard, NEXT)
    wizard.place_page.name_edit.clear()
    qtbot.keyClicks(wizard.place_page.name_edit, "My fruit")
    with qtbot.waitSignal(wizard.created) as created:
        _click(qtbot, wizard, FINISH)
    path = settings.projects_folder() / "My fruit.handlens"
    assert created.args == [path] and not wizard.isVisible()
    with Project.open(path) as project:
        assert project.name == "My fruit"
        assert [item.name for item in project.classes()] == list(CLASSES)
        assert len(project.samples()) == 30


def test_a_dropped_folder_says_what_it_holds(make: Maker, tmp_path: Path) -> None:
    wizard = make()
    _drop(wizard.source_page.drop, sound_folder(tmp_path / "tones"))
    assert wizard.source_page.sounds_button.isChecked()
    assert wizard.source_page.folder_edit.text() == str(tmp_path / "tones")
    assert wizard.button(NEXT).isEnabled()


def test_what_is_known_is_not_asked_again(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make(folder=folder)
    assert wizard.currentPage() is wizard.found_page
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())


def test_a_folder_that_is_not_there_is_said_on_the_page(make: Maker, qtbot: QtBot) -> None:
    wizard = make()
    qtbot.mouseClick(wizard.source_page.pictures_button, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(wizard.source_page.folder_edit, "/no/such/folder")
    assert "no folder with that name" in _texts(wizard.source_page)
    assert not wizard.button(NEXT).isEnabled()


def test_a_folder_with_one_class_stops_with_a_sentence(make: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    folder = image_folder(tmp_path / "fruit")
    for name in CLASSES[1:]:
        for path in (folder / name).iterdir():
            path.unlink()
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: "only one class" in _texts(wizard.found_page))
    assert not wizard.button(NEXT).isEnabled()


def test_a_scan_that_fails_can_be_tried_again(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make(Scan(ending=Failed(message="The folder went away while it was read.")), folder=folder)
    qtbot.waitUntil(lambda: "went away" in _texts(wizard.found_page))
    assert not wizard.button(NEXT).isEnabled()
    qtbot.mouseClick(wizard.found_page.again_button, Qt.MouseButton.LeftButton)
    assert wizard.found_page.stop_button.isVisible()
    qtbot.waitUntil(lambda: "went away" in _texts(wizard.found_page))


def test_looking_can_be_stopped(make: Maker, folder: Path, qtbot: QtBot) -> None:
    scan = Scan(hold=True)
    wizard = make(scan, folder=folder)
    qtbot.waitUntil(lambda: "5 of 10" in _texts(wizard.found_page))
    qtbot.mouseClick(wizard.found_page.stop_button, Qt.MouseButton.LeftButton)
    assert scan.ended_by == ["cancel"]
    assert "was stopped" in _texts(wizard.found_page) and not wizard.button(NEXT).isEnabled()


def test_closing_the_wizard_ends_the_scan(make: Maker, folder: Path, qtbot: QtBot) -> None:
    scan = Scan(hold=True)
    wizard = make(scan, folder=folder)
    qtbot.waitUntil(lambda: "5 of 10" in _texts(wizard.found_page))
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert scan.ended_by == ["cancel"] and not wizard.isVisible()


def test_another_folder_is_looked_at_anew(make: Maker, folder: Path, tmp_path: Path, qtbot: QtBot) -> None:
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    _click(qtbot, wizard, BACK)
    wizard.source_page.take_folder(image_folder(tmp_path / "more", each=4))
    _click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: "12 pictures" in _texts(wizard.found_page))


def test_unreadable_files_are_listed_with_their_reasons(make: Maker, folder: Path, qtbot: QtBot) -> None:
    broken = Unreadable(path="apple/half.jpg", reason="The picture is cut off.")
    other = Unreadable(path="apple/none.jpg", reason="The file is empty.")
    wizard = make(Scan(unreadable=(broken, other)), folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    assert "2 files could not be read" in _texts(wizard.found_page)
    (show,) = (button for button in wizard.found_page.findChildren(QPushButton) if button.text() == "Show")
    qtbot.mouseClick(show, Qt.MouseButton.LeftButton)
    dialog = wizard.findChild(ItemsDialog)
    assert dialog is not None
    assert dialog.rows() == (("apple/half.jpg", "The picture is cut off."), ("apple/none.jpg", "The file is empty."))
    dialog.close()


def test_the_split_follows_a_part_of_the_file_name(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    _click(qtbot, wizard, NEXT)
    page = wizard.split_page
    assert not page.pattern_edit.isVisible()
    qtbot.mouseClick(page.fold.button, Qt.MouseButton.LeftButton)
    page.ways["pattern:"].click()
    assert not wizard.button(NEXT).isEnabled()
    qtbot.keyClicks(page.pattern_edit, "(")
    assert not wizard.button(NEXT).isEnabled() and len(_texts(page)) > 40
    page.pattern_edit.clear()
    qtbot.keyClicks(page.pattern_edit, r" (\d)")
    assert wizard.button(NEXT).isEnabled()
    assert "stay together" in _texts(page)


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "taken"])
def test_a_name_that_cannot_be_is_said_before_create(make: Maker, folder: Path, qtbot: QtBot, name: str) -> None:
    (settings.projects_folder() / "taken.handlens").mkdir(parents=True)
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    _click(qtbot, wizard, NEXT)
    _click(qtbot, wizard, NEXT)
    wizard.place_page.name_edit.clear()
    qtbot.keyClicks(wizard.place_page.name_edit, name)
    assert not wizard.button(FINISH).isEnabled()


def test_the_project_cannot_lie_among_the_originals(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    _click(qtbot, wizard, NEXT)
    _click(qtbot, wizard, NEXT)
    wizard.place_page.place_edit.setText(str(folder / "apple"))
    assert "inside the folder with your files" in _texts(wizard.place_page)
    assert not wizard.button(FINISH).isEnabled()
