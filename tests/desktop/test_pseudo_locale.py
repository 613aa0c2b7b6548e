"""In the pseudo-locale nothing that a window shows is left in English: whatever is, nobody could translate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fabricate import CLASSES, add_run, image_folder, log_folder, project_of, sound_folder
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox, QWidget
from pytestqt.qtbot import QtBot
from scripted import Scan
from tiny_model import LOUDNESS, write_colour_model, write_loudness_model

from desktop import settings
from desktop.actions import ACTIONS, keys_of
from desktop.app import make_app
from desktop.dialogs.cancel_training import CancelTraining
from desktop.dialogs.items import ItemsDialog
from desktop.dialogs.keys import KeysDialog
from desktop.dialogs.notice import Notice, Question
from desktop.dialogs.preferences import PreferencesDialog
from desktop.dialogs.release import ReleaseDialog
from desktop.i18n import PSEUDO, msg, tr
from desktop.learn.dialog import LearnDialog
from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.view import VIEWS, View
from desktop.pages.ids import DATA, EXPLORE, TRAIN, USE
from desktop.pages.train.page import TrainPage
from desktop.pages.use.page import UsePage
from desktop.session import Session, open_session
from desktop.widgets.class_keys import ClassKeys
from desktop.widgets.confusion_view import ConfusionView
from desktop.widgets.drop_target import DropTarget
from desktop.widgets.finding_list import FindingList, FindingRow
from desktop.widgets.live_plot import LivePlot
from desktop.widgets.overlay_view import OverlayLegend, OverlayView
from desktop.widgets.probability_bars import Bar, ProbabilityBars
from desktop.widgets.showcase import ShowcaseView, Shown
from desktop.widgets.spectrogram_view import SpectrogramView
from desktop.widgets.split_picture import SplitPicture, split_parts
from desktop.widgets.thumbnail_grid import ThumbnailGrid
from desktop.widgets.trace_view import TraceView
from desktop.widgets.trade_off_plot import TradeOffPlot
from desktop.window.main_window import MainWindow
from desktop.workers.sample_thread import SampleThread
from ml.api import (
    DEMO_NAMES,
    OFFERED,
    Event,
    Failed,
    Job,
    KindName,
    ScanJob,
    Stop,
    Unreadable,
    __version__,
    default_annotator,
)
from tests.desktop.scripted_training import Script, press_train, shown
from tests.desktop.test_suspicious import Judge
from tests.desktop.untranslated import painted, shown_by, untranslated
from tests.desktop.wizards import BACK, NEXT, Look, Maker, click

NAMES = ("Deutsch", *CLASSES, "Fruit", "fruit", "Handlens", *Look.WORDS, default_annotator())
NETWORKS = tuple(part for offered in OFFERED for part in (offered.name, offered.licence))
FILES = (".png", ".jpg", ".wav", ".csv")
AND = " and "
"""Joins lists. It comes from Babel, which has it in every language, and no catalogue of ours."""
KEYS = tuple(keys_of(action) for action in ACTIONS)

Check = Callable[..., None]


@pytest.fixture
def pseudo(studio: QApplication) -> QApplication:
    settings.set_value(settings.LANGUAGE, PSEUDO)
    return make_app([])


@pytest.fixture
def check(pseudo: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Fails, with what it found, unless everything that the widget says and paints is translated."""

    def look(widget: QWidget, *more: str) -> None:
        with painted(monkeypatch) as drawn:
            widget.grab()
        everything = [*shown_by(widget), *(("painted", words) for words in drawn)]
        left = untranslated(
            everything, (*NAMES, *NETWORKS, *FILES, AND, *more, *map(str, (tmp_path / "fruit", tmp_path, Path.home())))
        )
        assert not left, "in English:\n" + "\n".join(left)

    return look


@pytest.fixture
def window(pseudo: QApplication, qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(runner=Scan())
    window.show()
    qtbot.waitExposed(window)
    yield window
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def trained(tmp_path: Path, kind: KindName = "images", *, run: bool = True) -> Path:
    make = {"images": image_folder, "recordings": sound_folder, "sensors": log_folder}[kind]
    project = project_of(make(tmp_path / "fruit"), tmp_path / "Fruit.handlens", kind=kind)
    if run:
        test = [sample.id for sample in project.samples() if sample.split == "test"]
        add_run(project, wrong=tuple(test[:3]), accuracy=1 - min(3, len(test)) / len(test))
    project.close()
    return project.path


class Opened:
    """Pages on projects. All are shut down however a test ends: a thread that is left would end the whole process."""

    def __init__(self, qtbot: QtBot, tmp_path: Path) -> None:
        self._qtbot, self._place = qtbot, tmp_path
        self._made: list[tuple[TrainPage | ExplorePage, Session]] = []

    def training(self, **script: Any) -> tuple[TrainPage, Script]:
        session = open_session(trained(self._place))
        runner = Script(session, **script)
        page = shown(self._qtbot, session, runner)
        self._made.append((page, session))
        return page, runner

    def exploring(self, kind: KindName = "images", *, run: bool = True) -> ExplorePage:
        session = open_session(trained(self._place, kind, run=run))
        page = ExplorePage(runner=Judge(session.project.path))
        self._made.append((page, session))
        self._qtbot.addWidget(page)
        page.resize(1100, 640)
        page.set_session(session)
        page.show()
        with self._qtbot.waitExposed(page):
            return page

    def close(self) -> None:
        for page, session in self._made:
            page.shutdown()
            session.close()


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Iterator[Opened]:
    with closing(Opened(qtbot, tmp_path)) as made:
        yield made


# -- the window and the start page -----------------------------------------------------------------------------------


def test_the_start_page(window: MainWindow, check: Check, tmp_path: Path, qtbot: QtBot) -> None:
    check(window)
    settings.remember_project(tmp_path / "gone.handlens", "fruit")
    settings.remember_project(trained(tmp_path), "Fruit")
    window.start_page.refresh()
    qtbot.waitUntil(lambda: not window.start_page.waiting)
    window.strip.show_job(msg("Looking through the folder."), 0.3, can_cancel=True, can_show=True)
    check(window, "gone.handlens")


@pytest.mark.parametrize("place", [DATA, TRAIN, EXPLORE])
def test_an_open_project(window: MainWindow, check: Check, tmp_path: Path, qtbot: QtBot, place: str) -> None:
    with qtbot.waitSignal(window.project_opened):
        window.open_project(trained(tmp_path))
    assert window.workspace is not None
    window.workspace.show_page(place)
    rows = window.workspace.page(DATA).bars
    qtbot.waitUntil(lambda: place != DATA or all(len(row.images) == 3 for row in rows.rows()))
    check(window)


@pytest.mark.parametrize("kind", ["images", "recordings"])
def test_the_use_page(
    window: MainWindow, check: Check, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, kind: KindName
) -> None:
    monkeypatch.chdir(tmp_path)  # a long path is painted shortened
    model = tmp_path / "model.onnx"
    if kind == "images":
        files = image_folder(tmp_path / "fruit", each=2)
        write_colour_model(model, classes=CLASSES, reject_below=0.6, unlike_above=0.45)
    else:
        files = sound_folder(tmp_path / "fruit", each=2)
        write_loudness_model(model)
    (files / f"plum{next(files.rglob('*.*')).suffix}").write_text("nothing")
    with qtbot.waitSignal(window.project_opened, timeout=30_000):
        window.open_path(model)
    assert window.workspace is not None
    page = window.workspace.page(USE)
    assert isinstance(page, UsePage)
    qtbot.waitUntil(lambda: page.model is not None, timeout=30_000)
    # Names, and the card of a model, which is in English.
    known = ("model.onnx", "Tiny", "model", *LOUDNESS)
    check(window, *known)
    page.add((Path(files.name),))
    qtbot.waitUntil(lambda: len(page.answers.answers) == 7, timeout=30_000)
    qtbot.waitUntil(page.view.panel.view().has_overlay, timeout=30_000)
    check(window, *known)


def test_a_project_without_a_model(window: MainWindow, check: Check, tmp_path: Path, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.project_opened, timeout=30_000):
        window.open_project(trained(tmp_path))
    assert window.workspace is not None
    window.workspace.show_page(USE)
    check(window)


def test_releasing_a_run(check: Check, qtbot: QtBot) -> None:
    dialog = ReleaseDialog(2)
    qtbot.addWidget(dialog)
    check(dialog)


def test_originals_that_are_gone(window: MainWindow, check: Check, tmp_path: Path, qtbot: QtBot) -> None:
    path = trained(tmp_path)
    (tmp_path / "fruit").rename(tmp_path / "moved")
    with qtbot.waitSignal(window.project_opened):
        window.open_project(path)
    assert window.workspace is not None
    for place in (DATA, TRAIN, EXPLORE):
        window.workspace.show_page(place)
        check(window)


@pytest.mark.parametrize("what", ["about", "settings", "shortcuts", "learn"])
def test_dialogs_of_the_window(window: MainWindow, check: Check, what: str) -> None:
    window.actions_by_id[what].trigger()
    kinds = {"about": Notice, "settings": PreferencesDialog, "shortcuts": KeysDialog, "learn": LearnDialog}
    dialog = window.findChild(kinds[what])
    assert isinstance(dialog, QDialog)
    check(dialog, "English", __version__, *KEYS)
    dialog.close()


# -- dialogs ---------------------------------------------------------------------------------------------------------


def test_a_question(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QMessageBox, "exec", check)
    Question.ask(None, msg("Leave without creating the project?"), yes=tr("Leave"), no=tr("Stay"))


def test_the_question_before_a_training_is_discarded(check: Check, qtbot: QtBot) -> None:
    dialog = CancelTraining.ask(None, alternative=msg("Looking through the folder."), keep=tr("Stay"))
    qtbot.addWidget(dialog)
    check(dialog)


def test_a_list_of_files(check: Check, qtbot: QtBot) -> None:
    rows = [("apple/apple 1.png", tr("no label"))]
    dialog = ItemsDialog(title=tr("Files to look at"), sentence=tr("Files to look at"), heads=(tr("File"),), rows=rows)
    qtbot.addWidget(dialog)
    check(dialog)


# -- the wizard ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["images", "recordings", "sensors"])
def test_the_wizard(make_wizard: Maker, check: Check, tmp_path: Path, qtbot: QtBot, kind: KindName) -> None:
    make = {"images": image_folder, "recordings": sound_folder, "sensors": log_folder}[kind]
    broken = Unreadable(path="apple/half.jpg", reason=msg("Looking through the folder."))
    wizard = make_wizard(_Both(Scan(unreadable=(broken,)), Look()), kind=kind, folder=make(tmp_path / "fruit"))
    qtbot.waitUntil(wizard.found_page.isComplete)
    qtbot.waitUntil(lambda: all(len(row.images) == 3 for row in wizard.found_page.result.bars.rows()))
    check(wizard)
    wizard.found_page.result.task.multi.click()
    check(wizard)
    wizard.found_page.result.task.single.click()
    click(qtbot, wizard, NEXT)
    for way in wizard.split_page.ways.values():
        way.click()
        check(wizard)
    wizard.split_page.ways["auto"].click()
    click(qtbot, wizard, NEXT)
    if kind == "images":
        qtbot.waitUntil(lambda: wizard.target_page.preview.words() != ())
    check(wizard)
    for name in ("", ".", "fruit"):
        wizard.target_page.name_edit.setText(name)
        check(wizard, "<>:")
    for _ in range(3):
        click(qtbot, wizard, BACK)
    check(wizard)


def test_labels_from_a_table(make_wizard: Maker, check: Check, tmp_path: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(kind="images")
    wizard.source_page.folder_edit.setText("/fruit")
    wizard.source_page.folder_edit.editingFinished.emit()
    check(wizard)
    folder = image_folder(tmp_path / "fruit")
    table = tmp_path / "fruit.csv"
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    lines = [f"{name},{name.split('/')[0]}" for name in files[:-2]]
    table.write_text("\n".join(["file,label", *lines, f"{files[0]},plum", "none.png,plum"]), encoding="utf-8")
    wizard.source_page.take_folder(folder)
    wizard.source_page.labels.take(table)
    qtbot.waitUntil(wizard.source_page.isComplete)
    check(wizard, "none.png", "fruit.csv", "file", "label")
    wizard.source_page.labels.take(tmp_path / "gone.csv")
    qtbot.waitUntil(lambda: wizard.source_page.labels.message_label.property("role") == "error")
    check(wizard, "gone.csv", "none.png", "fruit.csv")


@pytest.mark.parametrize("stopped", [True, False])
def test_a_scan_that_found_nothing(make_wizard: Maker, check: Check, folder: Path, qtbot: QtBot, stopped: bool) -> None:
    scan = Scan(hold=True, ending=Failed(message=msg("Looking through the folder.")))
    wizard = make_wizard(scan, kind="images", folder=folder)
    check(wizard)
    if stopped:
        wizard.found_page.progress.stop_button.click()
    else:
        scan.go_on()
    qtbot.waitUntil(wizard.found_page.failure.again_button.isVisible)
    check(wizard)


# -- training --------------------------------------------------------------------------------------------------------


def test_before_a_training(check: Check, opened: Opened) -> None:
    page, _script = opened.training()
    for card in page.setup.cards.values():
        card.button.click()
        check(page)
    page.setup.fold.click()
    check(page)


def test_during_a_training(check: Check, opened: Opened, qtbot: QtBot) -> None:
    page, script = opened.training(hold=True)
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: len(page.progress.showcase.shown()) > 0)
    check(page)
    script.go_on()
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    check(page)


def test_a_training_that_failed(check: Check, opened: Opened, qtbot: QtBot) -> None:
    page, _script = opened.training(ending=Failed(message=msg("Looking through the folder.")))
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    check(page)


# -- exploring --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_exploring(check: Check, opened: Opened, qtbot: QtBot, view: View) -> None:
    page = opened.exploring()
    page.show_view(view)
    if view == "suspicious":
        qtbot.waitUntil(lambda: page.issues.state == "found")
    grid = page.grid
    if len(grid.ids()):
        grid.choose(int(grid.ids()[0]))
    check(page)


def test_exploring_without_a_run(check: Check, opened: Opened) -> None:
    check(opened.exploring(run=False))


@pytest.mark.parametrize("kind", ["recordings", "sensors"])
def test_exploring_sounds_and_measurements(check: Check, opened: Opened, qtbot: QtBot, kind: KindName) -> None:
    page = opened.exploring(kind)
    qtbot.waitUntil(lambda: page.grid.current_id() is not None)
    check(page)


# -- widgets ---------------------------------------------------------------------------------------------------------


def _confusion() -> QWidget:
    view = ConfusionView()
    view.set_counts(np.array([[4, 1], [0, 3]]), CLASSES[:2])
    view.point_at((0, 1))
    return view


def _several() -> QWidget:
    view = ConfusionView()
    view.set_counts(np.array([[4, 1], [0, 3]]), CLASSES[:2], np.array([4, 5]))
    view.point_at((0, 1))
    return view


def _bars() -> QWidget:
    bars = ProbabilityBars()
    shares = (0.97, 0.001, 0.999)
    bars.set_bars(
        [
            Bar(name=name, fraction=share, colour=QColor("red"), threshold=0.5)
            for name, share in zip(CLASSES, shares, strict=True)
        ]
    )
    return bars


def _showcase() -> QWidget:
    view = ShowcaseView()
    view.show_all([Shown(sample_id=1, predicted="pear", fraction=0.8, colour=QColor("red"), right=False, label="plum")])
    return view


def _remarks() -> QWidget:
    remarks, words = FindingList(), msg("Looking through the folder.")
    remarks.set_findings(
        [FindingRow(level=level, sentence=words, verb=tr("Show")) for level in ("warning", "note", "good")]
    )
    return remarks


def _sound() -> QWidget:
    view = SpectrogramView()
    view.set_picture(_grey())
    view.set_axes(start=0.0, seconds=0.5, f_min=0.0, f_max=8000.0)
    return view


def _traces(*, timed: bool) -> QWidget:
    view = TraceView()
    view.set_picture(_grey())
    view.set_lanes(CLASSES, start=0.0, length=5.0, timed=timed)
    return view


def _split() -> QWidget:
    picture = SplitPicture()
    picture.set_parts(split_parts(["train", "train", "valid", "test"]))
    return picture


def _keys() -> QWidget:
    keys = ClassKeys()
    keys.set_classes(CLASSES, several=True)
    return keys


def _trade_off() -> QWidget:
    plot = TradeOffPlot()
    plot.set_curve([0.0, 0.5], [0.3, 0.1], [0.4, 0.2])
    return plot


def _grey() -> QImage:
    image = QImage(40, 30, QImage.Format.Format_RGB888)
    image.fill(QColor("grey"))
    return image


@pytest.mark.parametrize(
    "make",
    [
        _confusion,
        _several,
        _bars,
        _showcase,
        _remarks,
        _sound,
        lambda: _traces(timed=True),
        lambda: _traces(timed=False),
        _split,
        _keys,
        _trade_off,
        LivePlot,
        OverlayView,
        OverlayLegend,
        ThumbnailGrid,
        lambda: DropTarget(tr("Or drop the folder here")),
    ],
)
def test_widgets(check: Check, qtbot: QtBot, make: Callable[[], QWidget]) -> None:
    widget = make()
    qtbot.addWidget(widget)
    widget.resize(600, 400)
    widget.show()
    check(widget)


# -- what threads say ------------------------------------------------------------------------------------------------


def test_making_a_sample(pseudo: QApplication, tmp_path: Path, qtbot: QtBot) -> None:
    said: list[str] = []
    thread = SampleThread("images", place=tmp_path, runner=Scan(), count=8)
    thread.progressed.connect(lambda words, _fraction: said.append(words))
    with qtbot.waitSignal(thread.made, timeout=30_000):
        thread.start()
    thread.wait()
    assert said and not untranslated((("progress", words) for words in said), DEMO_NAMES.values())


class _Both:
    """Scans with one runner, and looks at pictures with the other."""

    def __init__(self, scan: Scan, look: Look) -> None:
        self._scan, self._look = scan, look

    def __call__(self, job: Job, stop: Stop) -> Iterator[Event]:
        return (self._scan if isinstance(job, ScanJob) else self._look)(job, stop)
