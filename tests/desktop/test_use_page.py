"""The Use page: files are dropped on a model, and its answers are seen, sorted, filtered and saved."""

from __future__ import annotations

import csv
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import CLASSES, add_run, image_folder, project_of
from PIL import Image
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from tiny_model import write_colour_model, write_loudness_model

from desktop.dialogs.folder import FileSaver, FolderChooser
from desktop.dialogs.notice import Choice
from desktop.dialogs.release import ReleaseDialog
from desktop.models.answers import COLUMNS
from desktop.pages.explore.page import ExplorePage
from desktop.pages.ids import DATA, EXPLORE, TRAIN, USE
from desktop.pages.train.page import TrainPage
from desktop.pages.use.page import UsePage
from desktop.window.main_window import MainWindow
from desktop.window.workspace import Workspace
from desktop.workers.answering import AnswerThread
from ml.api import FilePrediction, Project, ReleasedModel, UnreadableInput, open_model
from ml.pipeline.dispatch import run as run_here

SLOW = 30_000
"""Milliseconds: a busy machine opens a project slowly."""
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def window(studio: QApplication, qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(runner=run_here)
    window.show()
    qtbot.waitActive(window)
    yield window
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two finished runs with models that name the strongest of red, green and blue apple, pear and plum."""
    with project_of(image_folder(tmp_path / "fruit", each=5), tmp_path / "Fruit.handlens") as made:
        for number in (1, 2):
            add_run(made)
            write_colour_model(
                made.runs.folder(number) / "model.onnx", classes=CLASSES, reject_below=0.5, unlike_above=0.3
            )
    return tmp_path / "Fruit.handlens"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """One red, one green and one grey picture, and a file that is none."""
    folder = tmp_path / "new"
    folder.mkdir()
    for name, colour in (("a red", "red"), ("b green", "green"), ("c grey", (90, 90, 90))):
        Image.new("RGB", (80, 60), colour).save(folder / f"{name}.png")
    (folder / "d broken.png").write_text("no picture")
    return folder


def drop(widget: QWidget, *paths: Path, image: QImage | None = None) -> QDropEvent:
    """Drop these with the mouse, from a source that offers copy and move."""
    data = QMimeData()
    if paths:
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    if image is not None:
        data.setImageData(image)
    offered = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    event = QDropEvent(QPointF(5, 5), offered, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    widget.dropEvent(event)
    return event


def open_use(window: MainWindow, path: Path, qtbot: QtBot) -> UsePage:
    with qtbot.waitSignal(window.project_opened, timeout=SLOW):
        window.open_path(path)
    assert window.workspace is not None
    window.workspace.show_page(USE)
    page = window.workspace.page(USE)
    assert isinstance(page, UsePage)
    qtbot.waitUntil(lambda: page.model is not None, timeout=SLOW)
    return page


def wait_for(page: UsePage, count: int, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(page.answers.answers) == count, timeout=SLOW)


def wait_saved(page: UsePage, words: str, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: words in page.list.saved.text(), timeout=SLOW)


def cells(page: UsePage, column: str) -> list[str]:
    place = COLUMNS.index(column)
    return [str(page.answers.index(row, place).data()) for row in range(page.answers.rowCount())]


def test_files_dropped_on_a_trained_project_are_answered(
    window: MainWindow, project: Path, pictures: Path, qtbot: QtBot
) -> None:
    page = open_use(window, project, qtbot)
    assert window.workspace is not None
    window.workspace.show_page(DATA)
    event = drop(window, pictures / "a red.png", pictures / "d broken.png")
    assert event.dropAction() == Qt.DropAction.CopyAction
    assert window.workspace.current_page == USE and window.wizard is None
    wait_for(page, 2, qtbot)
    assert cells(page, "file") == ["a red.png", "d broken.png"]
    assert cells(page, "answer") == ["apple", ""]
    assert cells(page, "state")[1].startswith("Unreadable: ")
    assert page.list.summary.text() == "2 pictures: 1 accepted, 0 set aside, 1 unreadable"
    panel = page.view.panel
    assert panel.headline.text().startswith("apple · ") and panel.verdict.text() == "Accepted"
    qtbot.waitUntil(lambda: panel.picture.has_picture() and panel.picture.has_overlay(), timeout=SLOW)
    drop(page.view.drop, pictures / "c grey.png")
    qtbot.waitUntil(lambda: panel.verdict.text() == "Set aside: it is like nothing the model was shown.", timeout=SLOW)
    wait_for(page, 3, qtbot)


def test_a_dropped_folder_is_asked_about(
    window: MainWindow, project: Path, pictures: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_use(window, project, qtbot)
    answers = iter([None, 0, 1])
    asked: list[str] = []

    def ask(_parent: QWidget, question: str, _verbs: tuple[str, ...]) -> int | None:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr(Choice, "ask", ask)
    drop(window, pictures)
    qtbot.waitUntil(lambda: len(asked) == 1)
    assert "“new”" in asked[0] and not page.answers.answers and window.wizard is None
    drop(window, pictures)
    wait_for(page, 4, qtbot)
    drop(window, pictures)
    qtbot.waitUntil(lambda: window.wizard is not None)


def test_the_table_is_sorted_and_filtered(window: MainWindow, project: Path, pictures: Path, qtbot: QtBot) -> None:
    page = open_use(window, project, qtbot)
    page.add((pictures,))
    wait_for(page, 4, qtbot)
    header = page.list.table.horizontalHeader()
    page.list.table.sortByColumn(COLUMNS.index("probability"), Qt.SortOrder.AscendingOrder)
    assert cells(page, "file")[:2] == ["d broken.png", "c grey.png"]
    page.list.table.selectRow(1)
    page.list.table.sortByColumn(COLUMNS.index("file"), Qt.SortOrder.DescendingOrder)
    assert cells(page, "file")[0] == "d broken.png" and cells(page, "file")[-1] == "a red.png"
    assert page.list.table.currentIndex().row() == 1, "what is selected stays selected"
    assert header.sortIndicatorSection() == 0
    qtbot.keyClicks(page.list.search, "GREEN")
    assert cells(page, "file") == ["b green.png"]
    page.list.search.clear()
    page.list.state_box.setCurrentIndex(page.list.state_box.findData("aside"))
    page.list.filter_changed.emit()
    assert cells(page, "file") == ["c grey.png"]
    page.list.state_box.setCurrentIndex(0)
    page.list.class_box.setCurrentIndex(page.list.class_box.findText("pear"))
    page.list.filter_changed.emit()
    assert cells(page, "answer") == ["pear"]


def test_it_is_used_with_the_keyboard_alone(window: MainWindow, project: Path, pictures: Path, qtbot: QtBot) -> None:
    page = open_use(window, project, qtbot)
    assert page.view.files_button.hasFocus()
    page.add((pictures / "a red.png", pictures / "b green.png"))
    wait_for(page, 2, qtbot)
    table, panel = page.list.table, page.view.panel
    assert table.hasFocus()
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert panel.headline.text().startswith("pear · ")
    qtbot.waitUntil(panel.picture.has_overlay, timeout=SLOW)
    qtbot.keyClick(table, Qt.Key.Key_H)
    assert not panel.picture.has_overlay()
    qtbot.keyClick(window, Qt.Key.Key_F, CONTROL)
    assert page.list.search.hasFocus()


def test_a_copied_picture_and_copied_files_are_pasted(
    window: MainWindow, project: Path, pictures: Path, qtbot: QtBot
) -> None:
    page = open_use(window, project, qtbot)
    clipboard, image = QGuiApplication.clipboard(), QImage(40, 40, QImage.Format.Format_RGB32)
    image.fill(QColor("blue"))
    clipboard.setImage(image)
    qtbot.keyClick(window, Qt.Key.Key_V, CONTROL)
    wait_for(page, 1, qtbot)
    assert cells(page, "answer") == ["plum"] and cells(page, "file") == ["Pasted picture 1.png"]
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(pictures / "a red.png"))])
    clipboard.setMimeData(data)
    qtbot.keyClick(window, Qt.Key.Key_V, CONTROL)
    wait_for(page, 2, qtbot)
    clipboard.setText("words")
    qtbot.keyClick(window, Qt.Key.Key_V, CONTROL)
    assert "Copy a picture" in page.view.problem.text()


def test_answers_are_saved(
    window: MainWindow, project: Path, pictures: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_use(window, project, qtbot)
    page.add((pictures,))
    wait_for(page, 4, qtbot)
    before = {path: path.read_bytes() for path in pictures.iterdir()}
    table, workbook = tmp_path / "answers.csv", tmp_path / "answers.xlsx"
    for target in (table, workbook):
        monkeypatch.setattr(FileSaver, "ask", lambda *_args, chosen=target, **_more: chosen)
        page.list.save_button.click()
        wait_saved(page, f"4 answers are in {target}.", qtbot)
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(Path(row["path"]).name, row["label"], row["decision"]) for row in rows] == [
        ("a red.png", "apple", "accept"),
        ("b green.png", "pear", "accept"),
        ("c grey.png", rows[2]["label"], "reject"),
        ("d broken.png", "", "unreadable"),
    ]
    with zipfile.ZipFile(workbook) as excel:
        assert excel.read("xl/worksheets/sheet1.xml").count(b"<row ") == 5
    copies, maps = tmp_path / "copies", tmp_path / "maps"
    for folder, button in ((copies, page.list.sort_button), (maps, page.list.pictures_button)):
        monkeypatch.setattr(FolderChooser, "ask", lambda *_args, chosen=folder, **_more: chosen)
        button.click()
        wait_saved(page, str(folder), qtbot)
        assert page.list.saved.text().startswith("3 ")
    copied = sorted(path.relative_to(copies).as_posix() for path in copies.rglob("*.png"))
    assert copied == [
        "apple/a red.png",
        "pear/b green.png",
        "set aside/c grey.png",
    ]
    assert len(list(maps.glob("*.png"))) == 3
    assert {path: path.read_bytes() for path in pictures.iterdir()} == before
    monkeypatch.setattr(FolderChooser, "ask", lambda *_args, **_more: pictures / "inside")
    page.list.sort_button.click()
    wait_saved(page, "Choose another folder", qtbot)


def test_a_model_file_opens_without_a_project(window: MainWindow, pictures: Path, tmp_path: Path, qtbot: QtBot) -> None:
    model = write_colour_model(tmp_path / "sent.onnx")
    with qtbot.waitSignal(window.project_opened, timeout=SLOW):
        drop(window, model)
    workspace = window.workspace
    assert workspace is not None and workspace.current_page == USE and not workspace.has_page(DATA)
    assert window.windowTitle() == "sent – Handlens"
    assert not window.actions_by_id["go_data"].isEnabled() and window.actions_by_id["go_use"].isEnabled()
    page = workspace.page(USE)
    assert isinstance(page, UsePage)
    drop(window, pictures)
    wait_for(page, 4, qtbot)
    assert cells(page, "answer")[:2] == ["red", "green"]
    assert not page.view.release_button.isVisible() and page.view.card_button.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_W, CONTROL)
    assert window.workspace is None and window.start_page.isVisible()


def test_a_file_that_is_no_model_is_refused_in_a_sentence(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with qtbot.waitSignal(window.project_opened, timeout=SLOW):
        window.open_path(broken)
    assert window.workspace is not None
    page = window.workspace.page(USE)
    assert isinstance(page, UsePage)
    qtbot.waitUntil(lambda: "broken.onnx cannot be used as a model" in page.view.problem.text(), timeout=SLOW)


def test_a_run_is_released_and_exported(
    window: MainWindow, project: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_use(window, project, qtbot)
    assert page.choice.run_number() == 2
    page.choice.box.setCurrentIndex(page.choice.box.findData(1))
    page.choice.box.activated.emit(page.choice.box.currentIndex())
    qtbot.waitUntil(lambda: page.model is not None, timeout=SLOW)
    monkeypatch.setattr(ReleaseDialog, "ask", lambda *_args: ("Harvest", "checked"))
    page.view.release_button.click()
    assert "Harvest" in page.choice.box.currentText()
    with Project.open(project, to_read=True) as opened:
        assert opened.run_in_use().number == 1
    page.view.export_button.click()
    dialog = page.hand_over.dialog
    assert dialog is not None
    for target in (tmp_path / "out.onnx", tmp_path / "out.handlensmodel"):
        monkeypatch.setattr(FileSaver, "ask", lambda *_args, chosen=target, **_more: chosen)
        dialog.choose(target.suffix)
        dialog.export_button.click()
        qtbot.waitUntil(lambda: not page.hand_over.exporting(), timeout=SLOW)
        assert str(target) in dialog.sentence.text()
        assert open_model(target).info.classes == CLASSES
    dialog.cancel_button.click()
    assert page.hand_over.dialog is None
    with qtbot.waitSignal(window.project_opened, timeout=SLOW):
        window.open_path(target)
    assert window.windowTitle() == "out – Handlens"


def test_another_model_answers_the_same_files(window: MainWindow, project: Path, pictures: Path, qtbot: QtBot) -> None:
    with Project.open(project) as opened:
        write_colour_model(opened.runs.folder(1) / "model.onnx", classes=CLASSES, reject_below=1.0, unlike_above=1.0)
    page = open_use(window, project, qtbot)
    page.add((pictures / "a red.png",))
    wait_for(page, 1, qtbot)
    assert cells(page, "state") == ["Accepted"]
    page.choice.box.setCurrentIndex(page.choice.box.findData(1))
    page.choice.box.activated.emit(page.choice.box.currentIndex())
    qtbot.waitUntil(
        lambda: [state.startswith("Set aside: below") for state in cells(page, "state")] == [True], timeout=SLOW
    )


def test_a_new_run_is_used_at_once_unless_there_are_answers(
    window: MainWindow, project: Path, pictures: Path, qtbot: QtBot
) -> None:
    page = open_use(window, project, qtbot)
    workspace = window.workspace
    assert isinstance(workspace, Workspace)

    def train(number: int) -> None:
        add_run(workspace.session.project)
        write_colour_model(workspace.session.project.runs.folder(number) / "model.onnx", classes=CLASSES)
        workspace.session.refresh_runs()

    train(3)
    assert page.choice.run_number() == 3
    page.add((pictures / "a red.png",))
    train(4)
    assert page.choice.run_number() == 3 and page.choice.box.count() == 4


def test_a_project_without_a_model_says_what_to_do(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    project_of(image_folder(tmp_path / "fruit", each=3), tmp_path / "New.handlens").close()
    with qtbot.waitSignal(window.project_opened, timeout=SLOW):
        window.open_project(tmp_path / "New.handlens")
    assert window.workspace is not None
    window.workspace.show_page(USE)
    page = window.workspace.page(USE)
    assert isinstance(page, UsePage)
    assert "no trained model yet" in page.empty.sentence.text()
    page.empty.button.click()
    assert window.workspace.current_page == "train"


def test_what_was_dropped_last_is_answered_first(studio: QApplication, tmp_path: Path, qtbot: QtBot) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    for number in range(200):
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"{number:03d}.png")
    one = tmp_path / "one" / "one.png"
    one.parent.mkdir()
    Image.new("RGB", (8, 8), "blue").save(one)
    go = threading.Event()

    def load() -> ReleasedModel:
        go.wait(5)
        return ReleasedModel.open(model)

    thread = AnswerThread(load)
    thread.start()
    thread.add([tmp_path])
    thread.add([one])
    found: list[Path] = []
    thread.arrived.connect(lambda: found.extend(answered.path for _group, answered in thread.take()))
    with qtbot.waitSignal(thread.ran_dry, timeout=20_000):
        go.set()
    found.extend(answered.path for _group, answered in thread.take())
    thread.shutdown()
    assert found[0] == one and len(found) == 202


def test_stopping_keeps_what_is_answered_and_pausing_answers_nothing(
    studio: QApplication, tmp_path: Path, qtbot: QtBot
) -> None:
    model = write_loudness_model(tmp_path / "model.onnx")
    nothing = [tmp_path / "none.wav"]
    nothing[0].write_bytes(b"")
    thread = AnswerThread(lambda: ReleasedModel.open(model))
    thread.set_paused(True)
    thread.add(nothing)
    with qtbot.waitSignal(thread.opened):
        thread.start()
    qtbot.wait(50)
    assert thread.take() == [] and thread.busy()
    with qtbot.waitSignal(thread.ran_dry):
        thread.drop_rest()
    assert not thread.busy() and thread.take() == []
    with qtbot.waitSignal(thread.ran_dry):
        thread.add(nothing)
    (answered,) = thread.take()
    assert isinstance(answered[1], UnreadableInput) and not isinstance(answered[1], FilePrediction)
    thread.shutdown()


def test_explore_and_train_lead_to_using_releasing_and_exporting_a_run(
    window: MainWindow, project: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    use = open_use(window, project, qtbot)
    workspace = window.workspace
    assert workspace is not None
    explore, train = workspace.page(EXPLORE).widget(), workspace.page(TRAIN)
    assert isinstance(explore, ExplorePage) and isinstance(train, TrainPage)
    monkeypatch.setattr(ReleaseDialog, "ask", lambda *_args: ("", ""))
    workspace.show_page(EXPLORE)
    explore.runs.box.setCurrentIndex(explore.runs.box.findData(1))
    explore.runs.box.activated.emit(explore.runs.box.currentIndex())
    explore.runs.release_action.trigger()
    assert use.choice.run_number() == 1
    workspace.show_page(TRAIN)
    train.setup.runs.run_chosen.emit(2)
    target = tmp_path / "two.onnx"
    monkeypatch.setattr(FileSaver, "ask", lambda *_args, **_more: target)
    qtbot.mouseClick(train.result.export_button, Qt.MouseButton.LeftButton)
    dialog = train.hand_over.dialog
    assert dialog is not None
    dialog.export_button.click()
    qtbot.waitUntil(lambda: not train.hand_over.exporting() and target.is_file(), timeout=SLOW)
    dialog.cancel_button.click()
    qtbot.mouseClick(train.result.use_button, Qt.MouseButton.LeftButton)
    assert workspace.current_page == USE and use.choice.run_number() == 2


def test_a_folder_with_class_folders_is_offered_as_a_test(
    window: MainWindow, project: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    page = open_use(window, project, qtbot)
    for name, colour in (
        ("Apple/a", "red"),
        ("Apple/b", "red"),
        ("pear/c", "lime"),
        ("pear/d", "red"),
        ("else/e", "red"),
    ):
        path = tmp_path / "test" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 60), colour).save(path)
    page.add((tmp_path / "test",))
    assert page.view.test_button.isVisible() and "2 classes" in page.view.test_words.text()
    wait_for(page, 5, qtbot)
    page.view.test_button.click()
    qtbot.waitUntil(lambda: page.view.test_words.text().startswith("Test: 3 of 4 files are right"), timeout=SLOW)
    assert "pear as apple (1)" in page.view.test_words.text()
    page.view.wrong_button.click()
    assert cells(page, "file") == ["d.png"]
    page.add((tmp_path / "test" / "pear",))
    assert not page.view.test_words.isVisible()
