"""Videos in the window: their frames are found by the wizard, shown with their time, and answered one by one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import CLASSES, add_run, image_folder, project_of
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from tiny_model import write_colour_model
from videos import write_video

from desktop.dialogs.folder import FileSaver
from desktop.models.answers import COLUMNS
from desktop.pages.explore.page import ExplorePage
from desktop.pages.ids import EXPLORE, USE
from desktop.pages.label.messages import sample_name
from desktop.pages.use.page import UsePage
from desktop.window.main_window import MainWindow
from ml.api import FilePrediction, Project
from ml.pipeline.dispatch import run as run_here
from ml.project.update.add_files import add_files
from tests.desktop.wizards import NEXT, Maker, click, texts

SLOW = 30_000


@pytest.fixture
def window(studio: QApplication, qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(runner=run_here)
    window.resize(1280, 800)
    window.show()
    qtbot.waitActive(window)
    yield window
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    with project_of(image_folder(tmp_path / "fruit", each=3), tmp_path / "Fruit.handlens") as made:
        add_files(made, [write_video(tmp_path / "gate.mp4", {"red": 2})], label="apple")
        add_run(made)
        write_colour_model(made.runs.folder(1) / "model.onnx", classes=CLASSES, reject_below=0.5, unlike_above=0.3)
    return tmp_path / "Fruit.handlens"


def test_the_wizard_shows_how_far_apart_frames_are(make_wizard: Maker, qtbot: QtBot, tmp_path: Path) -> None:
    for name, colour in (("cat", "red"), ("dog", "blue")):
        for number in range(2):
            write_video(tmp_path / "gate" / name / f"{number}.mp4", {colour: 3})
    wizard = make_wizard(run_here, kind="images", folder=tmp_path / "gate")
    page = wizard.found_page
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled(), timeout=SLOW)
    assert "24 pictures from 4 videos" in texts(page)
    assert "4 videos give 24 pictures, one every 0.5 s." in texts(page)
    choice = page.result.frames
    assert choice.isVisible() and choice.box.value() == 0.5
    choice.box.setValue(1.0)
    assert "12 pictures from 4 videos" in texts(page)
    assert "4 videos give 12 pictures, one every 1 s." in texts(page)
    click(qtbot, wizard, NEXT)
    click(qtbot, wizard, NEXT)
    with qtbot.waitSignal(wizard.created, timeout=SLOW) as made:
        wizard.accept()
    assert made.args is not None
    with Project.open(made.args[0]) as project:
        assert len(project.samples()) == 12
        assert project.frames is not None and project.frames.every == 1.0


def test_folders_of_pictures_alone_say_nothing_of_frames(make_wizard: Maker, qtbot: QtBot, tmp_path: Path) -> None:
    wizard = make_wizard(run_here, kind="images", folder=image_folder(tmp_path / "fruit", each=3))
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled(), timeout=SLOW)
    assert not wizard.found_page.result.frames.isVisible()


def open_page(window: MainWindow, path: Path, page: str, qtbot: QtBot) -> QWidget:
    with qtbot.waitSignal(window.project_opened, timeout=SLOW):
        window.open_path(path)
    assert window.workspace is not None
    window.workspace.show_page(page)
    return window.workspace.page(page).widget()


def test_explore_and_label_name_a_frame_by_its_time(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    page = open_page(window, project, EXPLORE, qtbot)
    assert isinstance(page, ExplorePage)
    session = page.model.session
    assert session is not None
    frames = [sample for sample in session.samples if sample.start is not None]
    assert [sample_name(session, sample) for sample in frames] == [
        f"{time} in {frames[0].path}" for time in ("00:00", "00:00.5", "00:01", "00:01.5")
    ]
    page.show_only([frames[2].id], "one frame")
    qtbot.waitUntil(lambda: "00:01 in" in texts(page), timeout=SLOW)


def test_a_dropped_video_is_answered_frame_by_frame(
    window: MainWindow, project: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_video(tmp_path / "yard.mp4", {"red": 2, "blue": 1})
    page = open_page(window, project, USE, qtbot)
    assert isinstance(page, UsePage)
    qtbot.waitUntil(lambda: page.model is not None, timeout=SLOW)
    page.add([video])
    qtbot.waitUntil(lambda: len(page.answers.answers) == 6, timeout=SLOW)
    names = [str(page.answers.index(row, COLUMNS.index("file")).data()) for row in range(6)]
    assert names == [f"{time} in yard.mp4" for time in ("00:00", "00:00.5", "00:01", "00:01.5", "00:02", "00:02.5")]
    said = [str(page.answers.index(row, COLUMNS.index("answer")).data()) for row in range(6)]
    assert said == ["apple"] * 4 + ["plum"] * 2
    page.list.table.selectRow(4)
    qtbot.waitUntil(page.view.panel.picture.has_picture, timeout=SLOW)
    answered = page.answers.answers[4]
    assert isinstance(answered, FilePrediction) and answered.windows[0].start == 2.0
    page.answers.sort(COLUMNS.index("file"), Qt.SortOrder.DescendingOrder)
    assert str(page.answers.index(0, 0).data()) == "00:02.5 in yard.mp4"
    target = tmp_path / "answers.csv"
    monkeypatch.setattr(FileSaver, "ask", lambda *_arguments, **_words: target)
    page.list.save_button.click()
    qtbot.waitUntil(lambda: "6 answers are in" in page.list.saved.text(), timeout=SLOW)
    with target.open(encoding="utf-8-sig", newline="") as stream:
        assert [row["start"] for row in csv.DictReader(stream)] == ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]
    page.label_selected("apple")
    assert "cannot be taken one by one" in page.list.saved.text()
