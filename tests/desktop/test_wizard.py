"""From a folder to a project, with clicks and keys."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fabricate import CLASSES, image_folder, sound_folder
from mixtures import mixture_folder
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from scripted import Scan
from ultrasound import bat_folder

from desktop import settings, style
from desktop.dialogs.items import ItemsDialog
from desktop.dialogs.notice import Question
from desktop.i18n import msg
from desktop.pages.data import DataPage
from desktop.pages.wizard.found_page import STOPPED
from ml.api import Failed, Project, Unreadable
from ml.pipeline.dispatch import run
from tests.desktop.conftest import Opener
from tests.desktop.wizards import BACK, FINISH, NEXT, Maker, click, drop, texts


def test_from_a_folder_to_a_project(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make_wizard()
    assert not wizard.button(NEXT).isEnabled()
    qtbot.mouseClick(wizard.source_page.pictures_button, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(wizard.source_page.folder_edit, str(folder))
    click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    assert "3 classes, 30 pictures" in texts(wizard.found_page)
    assert [(row.name, row.count) for row in wizard.found_page.result.bars.rows()] == [(name, 10) for name in CLASSES]
    qtbot.waitUntil(lambda: all(len(row.images) == 3 for row in wizard.found_page.result.bars.rows()))
    click(qtbot, wizard, NEXT)
    assert [part.count for part in wizard.split_page.picture.parts()] == [18, 6, 6]
    click(qtbot, wizard, NEXT)
    wizard.target_page.name_edit.clear()
    qtbot.keyClicks(wizard.target_page.name_edit, "My fruit")
    with qtbot.waitSignal(wizard.created) as created:
        click(qtbot, wizard, FINISH)
    path = settings.projects_folder() / "My fruit.handlens"
    assert created.args == [path] and not wizard.isVisible()
    with Project.open(path) as project:
        assert project.name == "My fruit"
        assert [item.name for item in project.classes()] == list(CLASSES)
        assert len(project.samples()) == 30


def test_recordings_and_the_sounds_cut_from_them_are_told_apart(
    make_wizard: Maker, tmp_path: Path, qtbot: QtBot, open_project: Opener
) -> None:
    folder = sound_folder(tmp_path / "tones", each=5)
    tone, rate = soundfile.read(folder / "pear" / "pear 0.wav")
    soundfile.write(folder / "pear" / "pear 0.wav", np.tile(tone, 8), rate)
    wizard = make_wizard(folder=folder, kind="recordings")
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    found = re.search(r"15 recordings, cut into (\d+) sounds", texts(wizard.found_page))
    assert found is not None and int(found[1]) == 22
    click(qtbot, wizard, NEXT)
    assert sum(part.count for part in wizard.split_page.picture.parts()) == int(found[1])
    click(qtbot, wizard, NEXT)
    assert found[0] in texts(wizard.target_page)
    with qtbot.waitSignal(wizard.created) as created:
        click(qtbot, wizard, FINISH)
    page = DataPage()
    qtbot.addWidget(page)
    said: list[str] = []
    page.sentence_changed.connect(said.append)
    page.show()
    page.set_session(open_project(Project.open(created.args[0])))
    assert said[-1] == f"{found[0]} in 3 classes."
    page.shutdown()


def test_a_dropped_folder_says_what_it_holds(make_wizard: Maker, tmp_path: Path) -> None:
    wizard = make_wizard()
    drop(wizard.source_page.drop, sound_folder(tmp_path / "tones"))
    assert wizard.source_page.sounds_button.isChecked()
    assert wizard.source_page.folder_edit.text() == str(tmp_path / "tones")
    assert wizard.button(NEXT).isEnabled()


def test_what_is_known_is_not_asked_again(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(folder=folder)
    assert wizard.currentPage() is wizard.found_page
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())


def test_the_way_on_is_drawn_as_the_primary_button(make_wizard: Maker, folder: Path) -> None:
    wizard = make_wizard(kind="images")
    wizard.source_page.take_folder(folder)
    button = wizard.button(NEXT)
    assert button.isEnabled()
    assert button.grab().toImage().pixelColor(6, button.height() // 2) == style.current().accent


def test_a_folder_that_is_not_there_is_said_on_the_page(make_wizard: Maker, qtbot: QtBot) -> None:
    wizard = make_wizard()
    qtbot.mouseClick(wizard.source_page.pictures_button, Qt.MouseButton.LeftButton)
    page = wizard.source_page
    below = page.labels.y()
    qtbot.keyClicks(page.folder_edit, "/no/such/folder")
    assert not wizard.button(NEXT).isEnabled()
    assert "no folder with that name" not in texts(page), "whoever still types has made no mistake yet"
    qtbot.waitUntil(lambda: "no folder with that name" in texts(page))
    page.grab()
    assert page.labels.y() == below, "nothing jumps"
    qtbot.keyClicks(page.folder_edit, "s")
    assert "no folder with that name" not in texts(page)
    qtbot.keyClick(page.folder_edit, Qt.Key.Key_Return)
    assert "no folder with that name" in texts(page)


def test_a_folder_with_one_class_stops_with_a_sentence(make_wizard: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    folder = image_folder(tmp_path / "fruit")
    for name in CLASSES[1:]:
        for path in (folder / name).iterdir():
            path.unlink()
    wizard = make_wizard(folder=folder)
    qtbot.waitUntil(lambda: "only one class" in texts(wizard.found_page))
    assert not wizard.button(NEXT).isEnabled()


def test_where_folders_are_no_classes_the_files_can_be_labelled_by_hand(
    make_wizard: Maker, tmp_path: Path, qtbot: QtBot
) -> None:
    walks = tmp_path / "walks"
    walks.mkdir()
    (image_folder(tmp_path / "fruit") / CLASSES[0]).rename(walks / "monday")
    wizard = make_wizard(run, folder=walks)
    page = wizard.found_page
    qtbot.waitUntil(page.failure.unlabelled_button.isVisible, timeout=20_000)
    assert "only one class" in texts(page) and not wizard.button(NEXT).isEnabled()
    qtbot.mouseClick(page.failure.unlabelled_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "You will name the classes as you go" in texts(page), timeout=20_000)
    assert wizard.button(NEXT).isEnabled()


def test_a_scan_that_fails_can_be_tried_again(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(Scan(ending=Failed(message=msg("The folder went away while it was read."))), folder=folder)
    qtbot.waitUntil(lambda: "went away" in texts(wizard.found_page))
    assert not wizard.button(NEXT).isEnabled()
    qtbot.mouseClick(wizard.found_page.failure.again_button, Qt.MouseButton.LeftButton)
    assert wizard.found_page.progress.stop_button.isVisible()
    qtbot.waitUntil(lambda: "went away" in texts(wizard.found_page))


def test_looking_can_be_stopped(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    scan = Scan(hold=True)
    wizard = make_wizard(scan, folder=folder)
    qtbot.waitUntil(lambda: "5 of 10" in texts(wizard.found_page))
    qtbot.mouseClick(wizard.found_page.progress.stop_button, Qt.MouseButton.LeftButton)
    assert scan.ended_by == ["cancel"]
    assert str(STOPPED) in texts(wizard.found_page) and not wizard.button(NEXT).isEnabled()


def test_closing_the_wizard_ends_the_scan(
    make_wizard: Maker, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "ask", lambda *_args, **_verbs: True)
    scan = Scan(hold=True)
    wizard = make_wizard(scan, folder=folder)
    qtbot.waitUntil(lambda: "5 of 10" in texts(wizard.found_page))
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert scan.ended_by == ["cancel"] and not wizard.isVisible()


def test_another_folder_is_looked_at_anew(make_wizard: Maker, folder: Path, tmp_path: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    click(qtbot, wizard, BACK)
    wizard.source_page.take_folder(image_folder(tmp_path / "more", each=4))
    click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: "12 pictures" in texts(wizard.found_page))


def test_unreadable_files_are_listed_with_their_reasons(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    broken = Unreadable(path="apple/half.jpg", reason=msg("The picture is cut off."))
    other = Unreadable(path="apple/none.jpg", reason=msg("The file is empty."))
    wizard = make_wizard(Scan(unreadable=(broken, other)), folder=folder)
    qtbot.waitUntil(lambda: "2 files could not be read" in texts(wizard.found_page))
    (show,) = (button for button in wizard.found_page.findChildren(QPushButton) if button.text() == "Show")
    qtbot.mouseClick(show, Qt.MouseButton.LeftButton)
    dialog = wizard.findChild(ItemsDialog)
    assert dialog is not None and dialog.windowTitle() == "Files to look at", "short enough for a window"
    assert dialog.rows() == (("apple/half.jpg", "The picture is cut off."), ("apple/none.jpg", "The file is empty."))
    dialog.close()


def test_the_split_follows_a_part_of_the_file_name(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    click(qtbot, wizard, NEXT)
    page = wizard.split_page
    assert not page.pattern_edit.isVisible()
    qtbot.mouseClick(page.fold.button, Qt.MouseButton.LeftButton)
    page.ways["pattern:"].click()
    assert not wizard.button(NEXT).isEnabled()
    qtbot.keyClicks(page.pattern_edit, "(")
    assert not wizard.button(NEXT).isEnabled() and len(texts(page)) > 40
    page.pattern_edit.clear()
    qtbot.keyClicks(page.pattern_edit, r" (\d)")
    assert wizard.button(NEXT).isEnabled()
    assert "stay together" in texts(page)


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "taken"])
def test_a_name_that_cannot_be_is_said_before_create(make_wizard: Maker, folder: Path, qtbot: QtBot, name: str) -> None:
    (settings.projects_folder() / "taken.handlens").mkdir(parents=True)
    wizard = make_wizard(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    click(qtbot, wizard, NEXT)
    click(qtbot, wizard, NEXT)
    wizard.target_page.name_edit.clear()
    qtbot.keyClicks(wizard.target_page.name_edit, name)
    assert not wizard.button(FINISH).isEnabled()


def test_the_project_cannot_lie_among_the_originals(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    click(qtbot, wizard, NEXT)
    click(qtbot, wizard, NEXT)
    wizard.target_page.place_edit.setText(str(folder / "apple"))
    assert "inside the folder with your files" in texts(wizard.target_page)
    assert not wizard.button(FINISH).isEnabled()


def test_more_than_one_may_be_present(make_wizard: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(kind="images", folder=mixture_folder(tmp_path / "mixed", count=12))
    page = wizard.found_page
    qtbot.waitUntil(page.isComplete)
    assert page.result.task.single.isChecked()
    assert [row.name for row in page.result.bars.rows()] == ["bar", "disc", "none", "square"]
    qtbot.mouseClick(page.result.task.multi, Qt.MouseButton.LeftButton)
    assert [row.name for row in page.result.bars.rows()] == ["bar", "disc", "square"]
    assert "4 of the pictures show more than one class." in texts(page)
    click(qtbot, wizard, NEXT)
    click(qtbot, wizard, NEXT)
    with qtbot.waitSignal(wizard.created) as created:
        click(qtbot, wizard, FINISH)
    with Project.open(created.args[0]) as project:
        assert project.task == "multi"
        assert sum(len(sample.labels) == 2 for sample in project.samples()) == 4
        assert sum(sample.labelled and not sample.labels for sample in project.samples()) == 4


def test_bats_are_heard_slower_unless_a_person_wants_it_otherwise(
    make_wizard: Maker, tmp_path: Path, qtbot: QtBot
) -> None:
    wizard = make_wizard(folder=bat_folder(tmp_path / "bats", each=3), kind="recordings", runner=run)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    box = wizard.found_page.result.speed.box
    assert box.isVisible() and box.value() == 8 and "8 times slower" in texts(wizard.found_page)
    box.setValue(1)
    assert "sounds up to 128 kHz" in texts(wizard.found_page)
    box.setValue(10)
    assert "10 times slower" in texts(wizard.found_page)
    click(qtbot, wizard, NEXT)
    click(qtbot, wizard, NEXT)
    with qtbot.waitSignal(wizard.created) as created:
        click(qtbot, wizard, FINISH)
    with Project.open(created.args[0]) as project:
        assert project.windowing is not None and project.windowing.time_expansion == 10
