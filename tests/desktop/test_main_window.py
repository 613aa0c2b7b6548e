"""The window as a whole: projects open and close, folders are dropped, and every fault is a sentence."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fabricate import add_run, image_folder, project_of
from PySide6.QtCore import QEvent, QLocale, QMimeData, QPointF, QProcess, QSize, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QDropEvent, QScreen
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop import actions, i18n, settings, style
from desktop.app import ThemeKeeper, make_app
from desktop.dialogs.folder import FolderChooser
from desktop.dialogs.keys import KeysDialog
from desktop.dialogs.notice import Notice, Question
from desktop.dialogs.preferences import PreferencesDialog
from desktop.i18n import current_language
from desktop.pages.ids import DATA, EXPLORE, TRAIN
from desktop.widgets.drop_target import DropTarget
from desktop.window.faults import FaultNotice, FaultReporter
from desktop.window.main_window import MainWindow
from desktop.window.workspace import Workspace
from ml.api import DEMO_NAMES, Project, __version__, log_folder
from ml.core.messages import language
from ml.demo import planted

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def window(studio: QApplication, qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(runner=Scan())
    window.show()
    qtbot.waitActive(window)
    yield window
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = project_of(image_folder(tmp_path / "fruit"), tmp_path / "Fruit.handlens")
    made.close()
    return made.path


def _open(window: MainWindow, path: Path, qtbot: QtBot) -> Workspace:
    with qtbot.waitSignal(window.project_opened):
        window.open_project(path)
    assert window.workspace is not None
    return window.workspace


def _notice(window: MainWindow, qtbot: QtBot) -> str:
    """The sentence of the notice that is shown; closes it."""
    qtbot.waitUntil(lambda: any(notice.isVisible() for notice in window.findChildren(Notice)))
    notice = next(notice for notice in window.findChildren(Notice) if notice.isVisible())
    text = notice.text()
    notice.close()
    return text


def test_a_project_opens_on_training_and_once_trained_on_exploring(
    window: MainWindow, project: Path, qtbot: QtBot
) -> None:
    assert _open(window, project, qtbot).current_page == TRAIN
    assert window.windowTitle() == "Fruit – Handlens"
    qtbot.keyClick(window, Qt.Key.Key_W, CONTROL)
    assert window.workspace is None and window.start_page.isVisible()
    assert [card.toolTip() for card in window.start_page.cards()] == [str(project)]
    with Project.open(project) as again:
        add_run(again)
    assert _open(window, project, qtbot).current_page == EXPLORE


@pytest.mark.parametrize("stored", ["abc", "\u00e9\ud800", "AAAA", "=" * 5000])
def test_a_broken_window_geometry_does_not_keep_the_window_from_opening(
    studio: QApplication, qtbot: QtBot, stored: str
) -> None:
    settings.set_value(settings.GEOMETRY, stored)
    window = MainWindow(runner=Scan())
    qtbot.addWidget(window)
    window.show()
    assert window.isVisible() and window.width() > 0


def test_the_pages_are_reached_by_click_and_by_key(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    workspace = _open(window, project, qtbot)
    qtbot.mouseClick(workspace.rail.button(DATA), Qt.MouseButton.LeftButton)
    assert workspace.page(DATA).isVisible()
    qtbot.keyClick(window, Qt.Key.Key_4, CONTROL)
    assert workspace.page(EXPLORE).isVisible() and workspace.rail.button(EXPLORE).isChecked()
    qtbot.keyClick(window, Qt.Key.Key_1, CONTROL)
    qtbot.mouseClick(workspace.page(DATA).train_button, Qt.MouseButton.LeftButton)
    assert workspace.page(TRAIN).isVisible()


def test_the_data_page_shows_what_there_is(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    workspace = _open(window, project, qtbot)
    workspace.show_page(DATA)
    page = workspace.page(DATA)
    assert [row.words for row in page.bars.rows()] == [f"{name}: 10 pictures" for name in ("apple", "pear", "plum")]
    assert [part.count for part in page.split.parts()] == [18, 6, 6]
    assert any("30 pictures in 3 classes" in label.text() for label in workspace.findChildren(QLabel))
    workspace.session.set_labels([1, 2], [2])
    assert [row.count for row in page.bars.rows()] == [8, 10, 12]
    qtbot.waitUntil(lambda: all(len(row.images) == 3 for row in page.bars.rows()))


def test_originals_that_moved_are_found_from_the_data_page(
    window: MainWindow, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Project.open(project) as opened:
        add_run(opened)
    (project.parent / "fruit").rename(project.parent / "moved")
    workspace = _open(window, project, qtbot)
    data, train, explore = workspace.page(DATA), workspace.page(TRAIN), workspace.page(EXPLORE)
    qtbot.waitUntil(lambda: "on the page “Data”" in explore.view.problem.text())
    workspace.show_page(TRAIN)
    assert "is missing" in train.setup.headline.text() and not train.setup.train_button.isEnabled()
    workspace.show_page(DATA)
    assert not data.train_button.isEnabled()
    said = " ".join(label.text() for label in data.findChildren(QLabel) if label.isVisible())
    assert f"The folder with the originals, {project.parent / 'fruit'}, is missing" in said
    assert "handlens relink" not in said

    answers = iter([project.parent / "Fruit.handlens", project.parent / "moved"])
    monkeypatch.setattr(FolderChooser, "ask", classmethod(lambda *_args, **_words: next(answers)))
    qtbot.mouseClick(data.find_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "None of the project's files is in" in data.missing_label.text())
    with qtbot.waitSignal(workspace.session.originals_found):
        qtbot.mouseClick(data.find_button, Qt.MouseButton.LeftButton)
    assert data.train_button.isEnabled() and not data.find_button.isVisible()
    qtbot.waitUntil(lambda: all(len(row.images) == 3 for row in data.bars.rows()))
    workspace.show_page(TRAIN)
    assert "Ready for training" in train.setup.headline.text() and train.setup.train_button.isEnabled()
    workspace.show_page(EXPLORE)
    assert not explore.view.problem.isVisible()
    qtbot.waitUntil(lambda: all(explore.grid.picture(int(i)) is not None for i in explore.grid.ids()))
    assert not any(explore.grid.picture(int(i)).isNull() for i in explore.grid.ids())


def test_a_drive_that_is_plugged_in_again_is_noticed(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    (project.parent / "fruit").rename(project.parent / "moved")
    workspace = _open(window, project, qtbot)
    assert not workspace.page(TRAIN).setup.train_button.isEnabled()
    (project.parent / "moved").rename(project.parent / "fruit")
    workspace.show_page(DATA)
    assert workspace.page(DATA).train_button.isEnabled()
    assert workspace.page(TRAIN).setup.train_button.isEnabled()


@pytest.mark.parametrize(("path", "said"), [("nothing", "no project"), ("fruit", "not a Handlens project")])
def test_what_cannot_be_opened_is_said(window: MainWindow, project: Path, qtbot: QtBot, path: str, said: str) -> None:
    window.open_project(project.parent / path)
    assert said in _notice(window, qtbot)
    assert window.workspace is None and window.start_page.isEnabled()


def test_a_project_that_is_open_elsewhere_is_left_alone(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    with Project.open(project) as other:
        lock = other.lock("studio")
        window.open_project(project)
        assert "open in another window" in _notice(window, qtbot)
        lock.release()
    _open(window, project, qtbot)


def test_closing_the_window_lets_the_project_go(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    _open(window, project, qtbot)
    window.close()
    with Project.open(project) as again:
        again.lock("studio").release()


def test_the_collector_leaves_an_open_project_alone(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    before = gc.get_freeze_count()
    _open(window, project, qtbot)
    assert gc.get_freeze_count() > before
    window.close_project()
    assert gc.get_freeze_count() == 0


def test_leaving_during_training_asks_first(
    window: MainWindow, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = _open(window, project, qtbot)
    answers = iter([None, None, "Pause and leave"])
    monkeypatch.setattr(Question, "choose", classmethod(lambda *_args, **_words: next(answers)))
    monkeypatch.setattr(workspace.page(TRAIN), "training", lambda: True)
    qtbot.keyClick(window, Qt.Key.Key_W, CONTROL)
    assert window.workspace is workspace
    assert not window.close() and window.isVisible()
    assert window.close_project() and window.workspace is None


def test_another_project_opens_in_a_new_window_while_one_trains(
    window: MainWindow, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(QProcess, "startDetached", lambda *command: started.append(command) or (True, 1))
    workspace = _open(window, project, qtbot)
    monkeypatch.setattr(workspace.page(TRAIN), "training", lambda: True)
    for press in (partial(window.open_project, project.parent / "other.handlens"), window.close_project):
        QTimer.singleShot(0, lambda: _answer("Open a new window"))
        press()
        assert window.workspace is workspace, "the training goes on here"
    words = ["-m", "desktop", "studio"]
    other = str(project.parent / "other.handlens")
    assert started == [(sys.executable, [*words, other, "--beside"]), (sys.executable, [*words, "--beside"])]
    monkeypatch.undo()


def _answer(verb: str) -> None:
    box = QApplication.activeModalWidget()
    assert isinstance(box, Question)
    next(button for button in box.buttons() if button.text() == verb).click()


def test_a_training_is_seen_from_the_other_pages(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    workspace = _open(window, project, qtbot)
    workspace.page(TRAIN).job_progress.emit("Training run 1", 0.4)
    assert not window.strip.isVisible()
    workspace.show_page(DATA)
    assert window.strip.isVisible() and window.strip.words() == "Training run 1"
    workspace.page(TRAIN).job_progress.emit("", -1.0)
    assert not window.strip.isVisible()


def test_how_a_training_ended_is_said_until_somebody_looks(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    workspace = _open(window, project, qtbot)
    for said in ("Run 1 is ready", "The training could not go on"):
        workspace.show_page(DATA)
        workspace.page(TRAIN).job_progress.emit("Training run 1", 0.9)
        workspace.page(TRAIN).job_progress.emit(said, -1.0)
        assert window.strip.isVisible() and window.strip.words() == said
        workspace.show_page(EXPLORE)
        assert window.strip.words() == said
        window.strip.chosen.emit()
        assert workspace.current_page == TRAIN and not window.strip.isVisible()
        workspace.show_page(DATA)
        assert not window.strip.isVisible()


def test_explore_waits_for_the_first_run_and_shows_it(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    workspace = _open(window, project, qtbot)
    page = workspace.page(EXPLORE)
    workspace.show_page(EXPLORE)
    assert page.empty.button.text() == "Train first"
    workspace.session.set_training(True)
    assert page.empty.sentence.text().startswith("Training is running.")
    qtbot.mouseClick(page.empty.button, Qt.MouseButton.LeftButton)
    assert workspace.current_page == TRAIN
    workspace.show_page(EXPLORE)
    run = add_run(workspace.session.project)
    workspace.session.refresh_runs(show=run.number)
    workspace.session.set_training(False)
    assert page.runs.box.isVisible() and page.runs.box.currentText().startswith("run 1")
    assert page.grid.hasFocus()


def test_a_page_that_is_not_looked_at_takes_no_keys(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    workspace = _open(window, project, qtbot)
    workspace.show_page(TRAIN)
    workspace.page(TRAIN).setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    workspace.page(TRAIN).setFocus()
    run = add_run(workspace.session.project)
    workspace.session.refresh_runs(show=run.number)
    assert window.focusWidget() is workspace.page(TRAIN)
    workspace.show_page(EXPLORE)
    assert workspace.page(EXPLORE).grid.hasFocus()


def test_a_training_that_left_no_run_is_not_waited_for(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    workspace = _open(window, project, qtbot)
    workspace.show_page(EXPLORE)
    workspace.session.set_training(True)
    workspace.session.set_training(False)
    assert "No predictions yet" in workspace.page(EXPLORE).empty.sentence.text()


def test_the_search_for_suspicious_labels_is_seen_from_the_other_pages(
    window: MainWindow, project: Path, qtbot: QtBot
) -> None:
    workspace = _open(window, project, qtbot)
    workspace.show_page(DATA)
    workspace.page(EXPLORE).job_progress.emit("Looking for suspicious labels", 0.4)
    assert window.strip.isVisible() and window.strip.words() == "Looking for suspicious labels"
    workspace.page(TRAIN).job_progress.emit("Training run 1", 0.1)
    assert window.strip.words() == "Training run 1"
    workspace.page(TRAIN).job_progress.emit("", -1.0)
    window.strip.chosen.emit()
    assert workspace.current_page == EXPLORE and not window.strip.isVisible()
    assert workspace.page(EXPLORE).view.current() == "suspicious"


COPY, MOVE, LINK = Qt.DropAction.CopyAction, Qt.DropAction.MoveAction, Qt.DropAction.LinkAction


def _drop(target: QWidget, path: Path, *, offered: Qt.DropAction = COPY) -> QDropEvent:
    """Drop a folder; Shift asks for a move, which file managers also propose within one drive."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
    event = QDropEvent(QPointF(5, 5), offered, data, buttons, keys)
    event.ignore()
    target.dropEvent(event)  # the system only sends it after a drag over the screen, which a test cannot make
    return event


def test_a_dropped_folder_is_never_moved(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    event = _drop(window, project.parent / "fruit", offered=COPY | MOVE | LINK)
    assert event.proposedAction() == MOVE
    assert event.isAccepted() and event.dropAction() == COPY
    assert window.wizard is not None
    window.wizard.done(0)


def test_a_source_that_only_moves_is_refused(window: MainWindow, project: Path) -> None:
    assert not _drop(window, project.parent / "fruit", offered=MOVE).isAccepted()
    assert window.wizard is None


def test_no_text_field_takes_a_dropped_folder(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    """Qt's own would take it as a move."""
    workspace = _open(window, project, qtbot)
    for page_id in (DATA, TRAIN, EXPLORE):
        workspace.show_page(page_id)
    window.start_wizard("images", project.parent / "fruit")
    assert window.wizard is not None
    fields = window.findChildren(QLineEdit)
    assert len(fields) > 5
    assert [field.objectName() or repr(field) for field in fields if field.acceptDrops()] == []
    assert [field for field in window.findChildren(QPlainTextEdit) if not field.isReadOnly()] == []
    assert window.findChildren(QTextEdit) == []
    window.wizard.done(0)


@pytest.mark.parametrize(("offered", "accepted"), [(COPY | MOVE | LINK, True), (MOVE, False), (LINK, False)])
def test_the_drop_area_only_copies(
    studio: QApplication, qtbot: QtBot, tmp_path: Path, offered: Qt.DropAction, accepted: bool
) -> None:
    area = DropTarget("Drop it here")
    qtbot.addWidget(area)
    dropped: list[Path] = []
    area.folder_dropped.connect(dropped.append)
    event = _drop(area, tmp_path, offered=offered)
    assert event.isAccepted() == accepted and dropped == [tmp_path] * accepted
    assert not accepted or event.dropAction() == COPY


def test_a_dropped_folder_opens_the_wizard_filled_in(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    _drop(window, project.parent / "fruit")
    wizard = window.wizard
    assert wizard is not None and wizard.currentPage() is wizard.found_page
    qtbot.waitUntil(wizard.found_page.isComplete)
    wizard.done(0)
    assert window.wizard is None


def test_a_dropped_project_opens(window: MainWindow, project: Path, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.project_opened):
        _drop(window, project)


def test_every_key_is_on_the_sheet_which_fits_a_small_screen(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QScreen, "availableSize", lambda _screen: QSize(1366, 768))
    qtbot.keyClicks(window, "?")
    sheet = window.findChild(KeysDialog)
    assert sheet is not None and sheet.isVisible()
    assert sheet.height() <= 768 - 24, "the frame has a title"
    close = sheet.findChild(QDialogButtonBox)
    assert close is not None and sheet.rect().contains(close.geometry())
    shown = {label.text() for label in sheet.findChildren(QLabel)}
    assert {actions.keys_of(action) for action in actions.ACTIONS if action.shortcut} <= shown
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)


def test_the_settings_offer_only_what_something_reads(window: MainWindow, qtbot: QtBot) -> None:
    window.show_settings()
    dialog = window.findChild(PreferencesDialog)
    assert dialog is not None
    assert [box.objectName() for box in dialog.findChildren(QComboBox)] == ["language", "theme", "cache_limit"]
    assert not dialog.findChildren(QCheckBox)
    dialog.close()


def test_another_language_offers_a_restart(window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(QProcess, "startDetached", lambda program, words: started.append((program, words)))
    window.show_settings()
    dialog = window.findChild(PreferencesDialog)
    assert dialog is not None and not dialog.restart_row.isVisible()
    (editor,) = [box for box in dialog.findChildren(QComboBox) if box.objectName() == "language"]
    assert [editor.itemText(place) for place in range(2)] == ["As the system", "English"]
    assert editor.currentText() == "English", "it begins with what is set"
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_Home)
    assert settings.value(settings.LANGUAGE) == "system" and dialog.restart_row.isVisible()
    assert not started
    qtbot.mouseClick(dialog.restart_button, Qt.MouseButton.LeftButton)
    assert started == [(sys.executable, sys.orig_argv[1:])]
    assert not window.isVisible() and not dialog.isVisible()


def test_who_stays_with_a_training_is_not_restarted(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(QProcess, "startDetached", lambda program, _words: started.append(program))
    monkeypatch.setattr(window, "_may_leave", lambda: False)
    window.restart()
    assert window.isVisible() and not started
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("chosen", "asked", "spoken"),
    [("system", "en_XA", "en_XA"), ("en", "en_XA", "en"), ("system", "xx:en_GB", "en"), ("en_XA", "en", "en_XA")],
)
def test_the_language_is_the_one_of_the_settings_or_of_the_system(
    studio: QApplication, monkeypatch: pytest.MonkeyPatch, chosen: str, asked: str, spoken: str
) -> None:
    monkeypatch.setenv("LANGUAGE", asked)
    settings.set_value(settings.LANGUAGE, chosen)
    make_app([])
    assert current_language().tag == spoken
    assert QLocale().language() == QLocale.Language.English


def test_qt_speaks_the_language_too(studio: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "use_language", lambda _tag: None)
    monkeypatch.setattr(i18n, "current_language", lambda: language("de"))
    i18n.speak(studio, "de")
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
    assert buttons.buttons()[0].text() == "Abbrechen"
    assert i18n.own_name("de") == "Deutsch"
    monkeypatch.undo()
    i18n.speak(studio, "en")
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
    assert buttons.buttons()[0].text().replace("&", "") == "Cancel"


def test_settings_keys_and_the_version_are_found_on_the_start_page(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[QMenu] = []
    monkeypatch.setattr(QMenu, "popup", lambda menu, _place: offered.append(menu))
    qtbot.mouseClick(window.start_page.more_button, Qt.MouseButton.LeftButton)
    (menu,) = offered
    by_text = {action.text(): action for action in menu.actions()}
    assert {"Settings…", "Keys…", "Switch between light and dark"} <= set(by_text)
    by_text["About Handlens…"].trigger()
    assert _notice(window, qtbot).startswith(f"Handlens {__version__}")


def test_a_first_window_fits_a_small_screen(studio: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QScreen, "availableSize", lambda _screen: QSize(1366, 768))
    window = MainWindow(runner=Scan())
    assert window.height() <= 768 - 24, "the frame has a title"
    assert window.width() <= 1366
    window.close()
    window.deleteLater()


@pytest.mark.parametrize("place", [place for place, _name in actions.PLACES])
def test_keys_are_bound_once_in_each_place(place: str) -> None:
    """A page may use the keys of another page, but none that the window itself needs."""
    near = {place, "everywhere", "project"}
    bound = [action.shortcut for action in actions.ACTIONS if action.where in near and action.shortcut]
    assert len(set(bound)) == len(bound)


def test_the_theme_is_switched_and_remembered(window: MainWindow, studio: QApplication, qtbot: QtBot) -> None:
    ThemeKeeper(studio, window)
    assert style.current().theme == "light"
    qtbot.keyClick(window, Qt.Key.Key_L, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert style.current().theme == "dark" and settings.value(settings.THEME) == "dark"
    qtbot.keyClick(window, Qt.Key.Key_L, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert style.current().theme == "light"


def test_a_sample_is_made_and_opened(window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planted, "FILES_PER_WRONG", 8)
    with qtbot.waitSignal(window.project_opened, timeout=60_000):
        window.make_sample("images", count=16)
    assert window.workspace is not None and window.workspace.current_page == DATA
    assert window.workspace.session.project.name == DEMO_NAMES["images"]
    assert window.start_page.bricks_button.isEnabled()
    assert "2 labels are wrong on purpose" in window.workspace.page(DATA).sample_label.text()
    assert window.workspace.page(TRAIN).setup.preset() == "quick"


def test_making_a_sample_can_be_cancelled(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(window.start_page.bricks_button, Qt.MouseButton.LeftButton)
    assert window.strip.isVisible() and not window.start_page.bricks_button.isEnabled()
    qtbot.mouseClick(window.strip.cancel_button, Qt.MouseButton.LeftButton)
    assert not window.strip.isVisible() and window.start_page.bricks_button.isEnabled()
    assert window.workspace is None


def test_settings_that_make_no_sense_are_ignored() -> None:
    settings.set_value(settings.OVERLAY_OPACITY, 0.5)
    with pytest.raises(ValueError):
        settings.set_value(settings.OVERLAY_OPACITY, 7.0)
    assert settings.value(settings.OVERLAY_OPACITY) == 0.5


@pytest.fixture
def reporter(window: MainWindow) -> Iterator[FaultReporter]:
    reporter = FaultReporter(window)
    reporter.install()
    yield reporter
    reporter.remove()


def _notices() -> list[FaultNotice]:
    return [item for item in QApplication.topLevelWidgets() if isinstance(item, FaultNotice) and item.isVisible()]


def _fail(name: str) -> None:
    raise ValueError(f"no such file: /home/secret/{name}")


def test_a_fault_is_one_message_with_details_to_copy_and_the_window_continues(
    window: MainWindow, reporter: FaultReporter, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        try:
            _fail(f"{number}.jpg")
        except ValueError as error:
            sys.excepthook(type(error), error, error.__traceback__)
    qtbot.waitUntil(lambda: len(_notices()) == 1)
    assert len([record for record in caplog.records if record.message == "uncaught"]) == 3
    notice = _notices()[0]
    qtbot.mouseClick(notice.copy_button, Qt.MouseButton.LeftButton)
    copied = QApplication.clipboard().text()
    assert "in _fail" in copied and "secret" not in copied
    assert notice.isVisible()
    with qtbot.waitSignal(notice.destroyed):
        qtbot.mouseClick(notice.continue_button, Qt.MouseButton.LeftButton)
    assert window.isVisible() and _notices() == []


def test_a_fault_in_a_thread_is_shown_by_the_window(
    window: MainWindow, reporter: FaultReporter, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    thread = threading.Thread(target=_fail, args=("x.jpg",))
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: len(_notices()) == 1)
    assert any(record.exc_info for record in caplog.records)
    _notices()[0].close()


def test_the_log_folder_opens_from_the_menu(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)
    window.actions_by_id["logs"].trigger()
    assert opened == [str(log_folder())]
