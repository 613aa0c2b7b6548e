"""`handlens studio --tour DIR`: drive the real windows through the samples and save screenshots."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
from PySide6.QtCore import QMimeData, QPoint, QSettings, Qt, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget, QWizard

from desktop import settings
from desktop.app import make_app
from desktop.dialogs.keys import KeysDialog
from desktop.learn.dialog import LearnDialog
from desktop.pages.data import DataPage
from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.view import VIEWS, View
from desktop.pages.ids import DATA, EXPLORE, LABEL, RUNS, TRAIN, USE
from desktop.pages.label.page import LabelPage
from desktop.pages.train.page import TrainPage
from desktop.pages.use.page import UsePage
from desktop.pages.use.watch_panel import ONE_RULE
from desktop.pages.wizard.wizard import NewProjectWizard
from desktop.tour.camera import BlankPictureError, Camera
from desktop.window.main_window import MainWindow
from desktop.window.workspace import Workspace
from ml.api import DemoKind, HandlensError, Preset, Project, can_finetune, write_samples

LONGEST_WAIT = 300.0
"""Timeout in seconds of every step but a training."""
LONGEST_TRAINING = 600.0
MOST_LABELS = 20
"""Labels that are given by key."""


class TourError(Exception):
    """A step of the tour failed."""


def run_tour(folder: Path, *, quick: bool = False) -> int:
    """Run the tour and save the screenshots in `folder`. Return 0, or 1 with one sentence on stderr."""
    if not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")) and (
        sys.platform.startswith("linux")
    ):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="handlens-tour-")))
        # The tour must not touch the settings and projects of the user.
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(scratch / "settings"))
        settings.set_value(settings.PROJECTS_FOLDER, str(scratch / "projects"))
        settings.set_value(settings.THEME, "light")
        app = make_app(sys.argv[:1])
        try:
            with closing(Tour(app, folder, scratch=scratch, quick=quick)) as tour:
                tour.run()
        except (TourError, HandlensError) as error:
            return _complain(str(error))
        except BlankPictureError as error:
            return _complain(f"The window painted nothing for {error}.")
        except OSError as error:
            return _complain(f"The tour cannot continue: {error.strerror or error}. Choose a folder you may write to.")
    return 0


def _complain(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 1


class Tour:
    """The steps, in the order of a first session."""

    def __init__(self, app: QApplication, folder: Path, *, scratch: Path, quick: bool) -> None:
        self._quick = quick
        self._scratch = scratch
        self._faults: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._hook, sys.excepthook = sys.excepthook, self._note_fault
        self.window = MainWindow()
        self.window.show()
        self.camera = Camera(app, self.window, folder)

    def run(self) -> None:
        self.camera.shoot("start")
        self._cancel_a_sample()
        bricks = self._samples("images", 96 if self._quick else 240)
        self._wizard("images", bricks, "Bricks")
        self._train("quick")
        if not self._quick and can_finetune():
            self._train("standard", epochs=2)
        self._explore()
        self._relabel()
        self._check_labels()
        self._choose_target_error()
        self._compare_and_explain()
        self._use(bricks)
        self._go_live(bricks)
        self._press_page(DATA)
        self._until(lambda: all(row.images for row in self.data_page.bars.rows()), "the pictures of the classes")
        self.camera.shoot("data")
        self._keys()
        forest = self._samples("recordings", 48 if self._quick else 96)
        self._leave()
        self._wizard("recordings", forest, "Forest")
        self._train("quick")
        self._listen()
        self._use(forest)
        self._review_recording(forest)
        self._go_live(next(iter(sorted(forest.rglob("*.wav")))))
        self._show_watching()
        self._leave()
        self._wizard("images", self._without_folders(bricks), "Loose bricks", labelled=False)
        self._label()
        self._leave()
        self.camera.shoot("start-recent")

    def close(self) -> None:
        """Close the window and end what runs in the background."""
        if self.window.workspace is not None:
            self.train_page.shutdown()
        self.window.close()
        self.window.deleteLater()
        QTest.qWait(0)
        sys.excepthook = self._hook

    # -- steps -------------------------------------------------------------------------------------------------

    def _cancel_a_sample(self) -> None:
        page, strip = self.window.start_page, self.window.strip
        self._click(page.bricks_button)
        self._until(lambda: strip.isVisible() and "1" in strip.words(), "making the sample bricks")
        self._click(strip.cancel_button)
        self._until(lambda: not strip.isVisible() and page.bricks_button.isEnabled(), "cancelling the sample")

    def _samples(self, kind: DemoKind, count: int) -> Path:
        """Write sample files, one unreadable file and one copy in a wrong class."""
        folder = self._scratch / kind
        for _done in write_samples(folder, kind, count=count):
            QApplication.processEvents()
        first, second = sorted(path for path in folder.iterdir() if path.is_dir())[:2]
        example = min(first.iterdir())
        (second / f"broken{example.suffix}").write_bytes(example.read_bytes()[:200])
        (second / f"copy{example.suffix}").write_bytes(example.read_bytes())
        return folder

    def _wizard(self, kind: DemoKind, folder: Path, name: str, *, labelled: bool = True) -> None:
        page = self.window.start_page
        self._click(page.pictures_button if kind == "images" else page.sounds_button)
        wizard = self.window.wizard
        if wizard is None:
            raise TourError("The wizard did not open.")
        self._type(wizard.source_page.folder_edit, str(folder))
        self._shoot_wizard(wizard, f"{kind}-wizard-source")
        self._click(wizard.button(QWizard.WizardButton.NextButton))
        self._until(wizard.found_page.isComplete, "looking at the sample files")
        if labelled:
            rows = wizard.found_page.result.bars.rows
            self._until(lambda: all(row.images for row in rows()), "the pictures of the classes")
        self._shoot_wizard(wizard, f"{kind}-wizard-found")
        self._click(wizard.button(QWizard.WizardButton.NextButton))
        self._shoot_wizard(wizard, f"{kind}-wizard-split")
        self._click(wizard.button(QWizard.WizardButton.NextButton))
        wizard.target_page.name_edit.clear()
        self._type(wizard.target_page.name_edit, name)
        if kind == "images":
            preview = wizard.target_page.preview
            self._until(lambda: preview.words() != (), "what the network sees in the pictures")
        self._shoot_wizard(wizard, f"{kind}-wizard-place")
        self._click(wizard.button(QWizard.WizardButton.FinishButton))
        self._until(lambda: self.window.workspace is not None, "opening the new project")
        self._until(lambda: self.window.wizard is None, "closing the wizard")
        self._to_front()

    def _to_front(self) -> None:
        """Activate the window: it receives the keys, and without a window manager nothing else activates it."""
        self.window.activateWindow()
        self._until(self.window.isActiveWindow, "the window to come to the front")

    def _train(self, preset: Preset, *, epochs: int = 0) -> None:
        page = self.train_page
        self._press_page(TRAIN)
        if page.result.isVisible():
            self._click(page.result.again_button)
        if not page.setup.fold.isChecked():
            self._click(page.setup.fold)
        self._click(page.setup.cards[preset].button)
        if epochs:
            page.setup.epochs.setValue(epochs)
        QTest.qWait(300)
        self.camera.shoot(f"train-choose-{preset}")
        reports: list[str] = []
        page.job_progress.connect(lambda words, _fraction: reports.append(words))
        self._click(page.setup.train_button)
        if epochs:
            # "Training run 4 · pass 2 of 2": the numbers are the same in every language.
            last = [str(epochs)] * 2
            self._until(
                lambda: any(re.findall(r"\d+", words)[1:3] == last for words in reports) or not page.training(),
                "the last pass",
                seconds=LONGEST_TRAINING,
            )
            if not page.training():
                raise TourError(f"The {preset} training ended before it could be seen in its last pass.")
            self.camera.shoot(f"train-running-{preset}")
        self._until(
            lambda: not page.training() and page.result.isVisible(), f"the {preset} training", seconds=LONGEST_TRAINING
        )
        if self.workspace.session.run is None:
            raise TourError(f"The {preset} training ended without a run: {page.result.lines.text()}")
        QTest.qWait(300)
        self.camera.shoot(f"train-result-{preset}")

    def _without_folders(self, folder: Path) -> Path:
        """Copy pictures of all classes into one folder, one of each class after the other."""
        loose = self._scratch / "loose"
        loose.mkdir()
        classes = [sorted(part.glob("*")) for part in sorted(folder.iterdir()) if part.is_dir()]
        for number, path in enumerate(chain.from_iterable(zip(*classes, strict=False))):
            if path.stem not in ("broken", "copy"):
                (loose / f"{number:03} {path.parent.name}{path.suffix}").write_bytes(path.read_bytes())
        return loose

    def _label(self) -> None:
        """Name classes and label with the keys until the rest is guessed, and check one label on disk."""
        page, session = self.label_page, self.workspace.session
        if self.workspace.current_page != LABEL:
            raise TourError("A project without labels does not open on the Label page.")
        self._settle()
        self.camera.shoot("label-begin")
        keys: dict[str, int] = {}
        page.grid.setFocus()
        while not page.model.suggester.enough() or page.grid.currentIndex().row() < MOST_LABELS:
            sample = session.sample(page.grid.current_id() or 0)
            name = Path(sample.path).stem[4:]
            if name in keys:
                QTest.keyClicks(page.grid, str(keys[name]))
            else:
                QTest.keyClick(page.grid, Qt.Key.Key_Slash)
                QTest.keyClicks(page.view.field, name)
                QTest.keyClick(page.view.field, Qt.Key.Key_Return)
                keys[name] = len(keys) + 1
            if self._on_disk(sample.id) != (keys[name] - 1,):
                raise TourError("A key on the Label page did not write the label.")
        suggester = page.model.suggester
        self._until(lambda: suggester.guesses is not None, "the suggestions")
        self._settle()
        self.camera.shoot("label-suggestions")
        QTest.keyClick(page.grid, Qt.Key.Key_N)
        self._settle()
        self.camera.shoot("label-useful")

    def _explore(self) -> None:
        page = self.explore_page
        self._click(self.train_page.result.explore_button)
        self._until(lambda: self.workspace.current_page == EXPLORE and len(page.grid.ids()) > 0, "the predictions")
        self._settle()
        self.camera.shoot("explore-most-wrong")
        page.grid.setFocus()
        QTest.keyClick(page.grid, Qt.Key.Key_H)
        self._settle()
        self.camera.shoot("explore-overlay")
        self._arrange_map()
        self._tab("confusion")
        self._settle()
        self.camera.shoot("explore-confusion")
        corner = page.confusion.matrix.cell_rect(0, 0).center()
        QTest.mouseClick(page.confusion.matrix, Qt.MouseButton.LeftButton, pos=corner)
        self._settle()
        self.camera.shoot("explore-cell")

    def _check_labels(self) -> None:
        """Search suspicious labels, confirm the first, check that on disk, and undo it."""
        page = self.explore_page
        suspects, grid = page.issues, page.grid
        self._tab("suspicious")
        self._until(lambda: suspects.state != "searching", "judging the labels", seconds=LONGEST_TRAINING)
        if suspects.state != "found":
            raise TourError(f"The labels were not judged: {suspects.problem}")
        if not len(grid.ids()):
            self._click(page.issues_bar.everything_button)
        self._settle()
        self.camera.shoot("explore-suspicious")
        grid.setFocus()
        sample_id, before = int(grid.ids()[0]), len(grid.ids())
        QTest.keyClick(grid, Qt.Key.Key_R)
        if len(grid.ids()) != before - 1 or self._label_origin(sample_id) != "confirmed":
            raise TourError("Calling a label right did not take it from the list, or is not on disk.")
        self._click(page.view.undo_button)
        if len(grid.ids()) != before or self._label_origin(sample_id) == "confirmed":
            raise TourError("Undo did not bring back the label that had been called right.")

    def _arrange_map(self) -> None:
        """Arrange the map by likeness, for which a child process loads a library of its own."""
        page = self.explore_page.map
        self._tab("map")
        self._until(page.likeness_button.isEnabled, "the map")
        self._click(page.likeness_button)
        self._until(page.likeness_button.isHidden, "arranging the map", seconds=LONGEST_TRAINING)
        self._settle()
        self.camera.shoot("explore-map")

    def _choose_target_error(self) -> None:
        """Move the slider of “Sure enough?”, use its value, and check that on disk."""
        enough = self.explore_page.thresholds
        self._tab("enough")
        before = enough.asked.text()
        enough.slider.setFocus()
        QTest.keyClick(enough.slider, Qt.Key.Key_Right)
        if enough.asked.text() == before:
            raise TourError("The slider of “Sure enough?” does not move.")
        self._settle()
        self.camera.shoot("explore-enough")
        self._click(enough.use_button)
        with Project.open(self.workspace.session.project.path) as project:
            if project.wrong_at_most != enough.rate():
                raise TourError("What was chosen in “Sure enough?” is not on disk.")

    def _relabel(self) -> None:
        """Relabel the first tile with a digit key, check that on disk, and undo it."""
        grid = self.explore_page.grid
        if not len(grid.ids()):
            raise TourError("No prediction is left to relabel after choosing a cell of the confusion matrix.")
        session = self.workspace.session
        sample_id = int(grid.ids()[0])
        before = session.sample(sample_id).labels
        grid.choose(sample_id)
        grid.setFocus()
        QTest.keyClick(grid, Qt.Key.Key_2 if before != (1,) else Qt.Key.Key_3)
        if self._on_disk(sample_id) == before:
            raise TourError("A digit key did not write the label.")
        self._settle()
        self.camera.shoot("explore-relabelled")
        QTest.keyClick(grid, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        if self._on_disk(sample_id) != before:
            raise TourError("Undo did not write the old label.")

    def _compare_and_explain(self) -> None:
        """Show the table of runs, and the lessons about the newest one."""
        self._press_page(RUNS)
        self._settle()
        self.camera.shoot("runs")
        self.window.actions_by_id["learn"].trigger()
        lessons = self.workspace.findChild(LearnDialog)
        if lessons is None:
            raise TourError("The lessons did not open.")
        for number, name in enumerate(("line", "stages", "curves", "map")):
            lessons.topics.setCurrentRow(number)
            if name == "line":
                for _ in range(60):
                    lessons.line.step()
            if name == "map":
                self._until(lessons.map.view.has_overlay, "the heat map")
            self.camera.shoot(f"lesson-{name}", front=lessons)
        lessons.reject()
        self._to_front()

    def _listen(self) -> None:
        page = self.explore_page
        self._press_page(EXPLORE)
        self._until(lambda: len(page.grid.ids()) > 0, "the predictions")
        page.grid.setFocus()
        QTest.keyClick(page.grid, Qt.Key.Key_H)
        self._settle()
        self.camera.shoot("explore-sound")

    def _use(self, folder: Path) -> None:
        """Drop a few files on the Use page and check that they are answered."""
        page = self.use_page
        self._press_page(USE)
        self._until(lambda: page.model is not None, "loading the model")
        self.camera.shoot("use-empty")
        files = sorted(path for path in folder.rglob("*.*") if "broken" not in path.name)[::6]
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in files])
        page.view.drop.take(data)
        self._until(lambda: len(page.answers.answers) == len(files), "the answers")
        if page.answers.count("unreadable") or not page.answers.count("accepted"):
            raise TourError("The model did not answer the files that it learned from.")
        self._settle()
        self.camera.shoot("use-answers")

    def _review_recording(self, folder: Path) -> None:
        """Drop a long recording, step through what was detected, and answer once."""
        page, panel = self.use_page, self.use_page.timeline_panel
        clips = sorted(path for path in folder.rglob("*.wav") if path.stem not in ("broken", "copy"))
        path, rate = self._scratch / "20240131_053000.wav", soundfile.info(clips[0]).samplerate
        soundfile.write(path, np.concatenate([soundfile.read(clip)[0] for clip in clips]), rate)
        page.add((path,))
        self._until(panel.exports["csv"].isEnabled, "searching the long recording")
        if not panel.view.marks():
            raise TourError("Nothing was detected in the long recording.")
        self._settle()
        self.camera.shoot("use-timeline")
        QTest.keyClick(panel.view, Qt.Key.Key_Right)
        QTest.keyClick(panel.view, Qt.Key.Key_Y)
        self._settle()
        self.camera.shoot("use-timeline-close")
        self._click(panel.back_button)

    def _go_live(self, path: Path) -> None:
        """Play files as if a camera saw or a microphone heard them."""
        page, panel = self.use_page, self.use_page.live_panel
        self._click(page.view.live_button)
        page.live.play(path)
        self._until(lambda: bool(panel.headline.text()), "the first live answer")
        self._click(panel.freeze_button)
        self._settle()
        self.camera.shoot("use-live")
        self._click(panel.back_button)

    def _show_watching(self) -> None:
        page, panel = self.use_page, self.use_page.watch_panel
        self._click(page.view.watch_button)
        panel.rules_box.setCurrentIndex(panel.rules_box.findData(ONE_RULE))
        panel.times.setValue(2)
        self._settle()
        self.camera.shoot("use-watch")
        self._click(panel.back_button)

    def _keys(self) -> None:
        QTest.keyClicks(self.window, "?")
        sheet = self.window.findChild(KeysDialog)
        if sheet is None:
            raise TourError("The sheet of keys did not open.")
        QTest.qWait(50)
        self.camera.shoot("keys", front=sheet)
        QTest.keyClick(sheet, Qt.Key.Key_Escape)
        self._to_front()

    def _leave(self) -> None:
        QTest.keyClick(self.window, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
        self._until(lambda: self.window.workspace is None, "going back to the start page")
        self._until(lambda: not self.window.start_page.waiting, "the cards of the recent projects")

    # -- verbs -------------------------------------------------------------------------------------------------

    @property
    def workspace(self) -> Workspace:
        if not isinstance(self.window.workspace, Workspace):
            raise TourError("No project is open.")
        return self.window.workspace

    @property
    def data_page(self) -> DataPage:
        page = self.workspace.page(DATA)
        assert isinstance(page, DataPage)
        return page

    @property
    def train_page(self) -> TrainPage:
        page = self.workspace.page(TRAIN)
        assert isinstance(page, TrainPage)
        return page

    @property
    def label_page(self) -> LabelPage:
        page = self.workspace.page(LABEL)
        assert isinstance(page, LabelPage)
        return page

    @property
    def explore_page(self) -> ExplorePage:
        page = self.workspace.page(EXPLORE).widget()
        assert isinstance(page, ExplorePage)
        return page

    @property
    def use_page(self) -> UsePage:
        page = self.workspace.page(USE)
        assert isinstance(page, UsePage)
        return page

    def _press_page(self, page_id: str) -> None:
        self._click(self.workspace.rail.button(page_id))

    def _tab(self, view: View) -> None:
        tabs, place = self.explore_page.view.tabs, VIEWS.index(view)
        QTest.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(place).center())

    def _click(self, widget: QWidget) -> None:
        if not widget.isVisible() or not widget.isEnabled():
            raise TourError(f"“{widget.accessibleName() or widget.property('text')}” cannot be clicked.")
        # Near the left edge: a radio button reacts only on its text.
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(12, widget.height() // 2))
        self._check()

    def _type(self, widget: QWidget, text: str) -> None:
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
        QTest.keyClicks(widget, text)
        self._check()

    def _settle(self) -> None:
        """Wait for thumbnails and overlays."""
        QTest.qWait(900)
        self._check()

    def _shoot_wizard(self, wizard: NewProjectWizard, name: str) -> None:
        self.camera.shoot(name, front=wizard)

    def _label_origin(self, sample_id: int) -> str | None:
        with Project.open(self.workspace.session.project.path) as project:
            return next(sample.set_by for sample in project.samples() if sample.id == sample_id)

    def _on_disk(self, sample_id: int) -> tuple[int, ...]:
        with Project.open(self.workspace.session.project.path) as project:
            return next(sample.labels for sample in project.samples() if sample.id == sample_id)

    def _until(self, happened: Callable[[], bool], what: str, *, seconds: float = LONGEST_WAIT) -> None:
        end = time.monotonic() + seconds
        while not happened():
            self._check()
            if time.monotonic() > end:
                raise TourError(f"Waited {seconds:.0f} s for {what}, which did not happen.")
            QTest.qWait(20)
        self._check()

    def _check(self) -> None:
        if self._faults:
            raise TourError(f"The window had a fault:\n{self._faults[0]}")

    def _note_fault(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self._faults.append("".join(traceback.format_exception(kind, error, trace)))
