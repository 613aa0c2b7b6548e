"""The Use page: give the model files, see its answers at once, and save them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QLabel, QMenu, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from desktop import style
from desktop.dialogs.counts import CountsDialog
from desktop.dialogs.folder import FilesChooser, FolderChooser
from desktop.dialogs.release import RunHandOver
from desktop.dialogs.text import TextDialog
from desktop.i18n import msg, printable, tr
from desktop.models.answers import AnswersModel
from desktop.pages.adding import Adding
from desktop.pages.ids import TRAIN, USE
from desktop.pages.use import messages
from desktop.pages.use.folder_testing import FolderTesting
from desktop.pages.use.large import LargeController
from desktop.pages.use.live import LiveController, can_be_live
from desktop.pages.use.live_panel import LivePanel
from desktop.pages.use.model_choice import ModelChoice
from desktop.pages.use.saving import Saving
from desktop.pages.use.scene import SceneController
from desktop.pages.use.scene_panel import ScenePanel
from desktop.pages.use.timeline import FEW_WINDOWS, TimelineController, is_long
from desktop.pages.use.timeline_panel import TimelinePanel
from desktop.pages.use.view import UseView
from desktop.pages.use.watch_panel import WatchPanel
from desktop.pages.use.watching import WatchController
from desktop.session import Session
from desktop.shortcuts import NEWS, bind
from desktop.workers.answering import Answered, AnswerThread
from desktop.workers.player import Player
from ml.api import (
    FilePrediction,
    ReleasedModel,
    Runner,
    is_of_video,
    kind_named,
    open_model,
    scene_size,
    tally_files,
    task_named,
)

_TICK_MS = 250


class UsePage(QWidget):
    """Asks a model about files: the model of a run of the open project, or a model file without a project."""

    page_id = USE
    title = msg("Use")
    icon = "ph.lightning"
    sentence_changed = Signal(str)
    job_progress = Signal(str, float)
    page_requested = Signal(str, str)

    def __init__(
        self, parent: QWidget | None = None, *, player: Player | None = None, runner: Runner | None = None
    ) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._load: Callable[[], ReleasedModel] | None = None
        self._thread: AnswerThread | None = None
        self.model: ReleasedModel | None = None
        self._given: list[Path] = []
        """Everything that was added since the table was cleared: another model answers it, too."""
        self._group, self._group_shown = 0, True
        self._paused = False
        self._pasted: tempfile.TemporaryDirectory[str] | None = None
        self._numbers = count(1)
        self.answers = AnswersModel(self)
        self.view = UseView(self.answers)
        self.list = self.view.answers
        self.choice = ModelChoice(self)
        self.hand_over = RunHandOver(self, runner=runner)
        self.large = LargeController(self.view.panel, player or Player(self), self)
        self.saving = Saving(self)
        self.timeline_panel = TimelinePanel()
        self.timeline = TimelineController(self.timeline_panel, Player(self), self)
        self.scene_panel = ScenePanel()
        self.scenes = SceneController(self.scene_panel, self)
        self.live_panel, self.watch_panel = LivePanel(), WatchPanel()
        self.live = LiveController(self.live_panel, self)
        self.watching = WatchController(self.watch_panel, self)
        self._undecided: Path | None = None
        """A file that was dropped before the model could tell whether it has a page of its own."""
        self.testing = FolderTesting(self.view, self.answers, self)
        self.adding = Adding(self)
        self.empty = _NoModel()
        self.pages = QStackedWidget()
        for part in (
            self.view,
            self.empty,
            self.timeline_panel,
            self.scene_panel,
            self.live_panel,
            self.watch_panel,
        ):
            self.pages.addWidget(part)
        self._clock = QTimer(self, interval=_TICK_MS)
        self._clock.timeout.connect(self._show_progress)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)
        self._connect()
        self._make_keys()

    def _connect(self) -> None:
        view, answers = self.view, self.list
        view.drop.paths_dropped.connect(self.add)
        view.drop.image_dropped.connect(self.add_image)
        view.files_button.clicked.connect(self._choose_files)
        view.folder_button.clicked.connect(self._choose_folder)
        view.pause_button.clicked.connect(self._toggle_pause)
        view.stop_button.clicked.connect(self._stop)
        view.card_button.clicked.connect(self._show_card)
        view.release_button.clicked.connect(self._release)
        view.export_button.clicked.connect(self._export)
        self.hand_over.notice.connect(self._say)
        answers.filter_changed.connect(self._filter)
        answers.table.selectionModel().currentRowChanged.connect(self._on_row)
        answers.clear_button.clicked.connect(self.clear)
        answers.save_button.clicked.connect(self._save_table)
        answers.pictures_button.clicked.connect(self._save_pictures)
        answers.sort_button.clicked.connect(self._sort_copies)
        answers.counts_button.clicked.connect(self._show_counts)
        view.panel.timeline_button.clicked.connect(self._open_timeline)
        view.panel.scene_button.clicked.connect(self._open_scene)
        view.live_button.clicked.connect(self._open_live)
        view.watch_button.clicked.connect(self._open_watch)
        for part in (self.timeline, self.scenes, self.live, self.watching):
            part.closed.connect(self._show_answers)
        for job in (self.timeline, self.scenes, self.watching):
            job.progressed.connect(self.job_progress)
        self.saving.progressed.connect(self.job_progress)
        answers.wrong_menu.aboutToShow.connect(self._fill_wrong_menu)
        self.live_panel.add_menu.aboutToShow.connect(self._fill_live_menu)
        self.adding.busy_changed.connect(self.live_panel.add_button.setDisabled)
        self.adding.notice.connect(self.live_panel.show_saved)
        self.adding.progressed.connect(self.job_progress)
        self.adding.notice.connect(self._on_saved)
        self.adding.busy_changed.connect(answers.wrong_button.setDisabled)
        self.saving.ended.connect(self._on_saved)
        self.choice.chosen.connect(self._on_model_chosen)
        self.choice.score_changed.connect(self._describe_model)
        self.empty.train_pressed.connect(partial(self.page_requested.emit, TRAIN, ""))

    def _make_keys(self) -> None:
        for action_id, slot in (("paste", self.paste), ("find", self._find)):
            bind(self, action_id, slot, within=Qt.ShortcutContext.WindowShortcut)
        # In the table only: elsewhere these keys write text or press buttons.
        for action_id, slot in (("use_map", self.view.panel.toggle_map), ("use_play", self.large.toggle_playing)):
            bind(self.list.table, action_id, slot)
        NEWS.changed.connect(self._say_what_to_drop)

    @Slot()
    def _say_what_to_drop(self) -> None:
        if self.model is not None:
            self.view.set_drop_words(messages.drop_words(self.model.info.kind))

    # -- what the window calls -----------------------------------------------------------------------------------

    def widget(self) -> QWidget:
        return self

    def title_widget(self) -> QWidget:
        return self.choice

    def set_session(self, session: Session) -> None:
        """Offer the runs of a project."""
        self._session = session
        self.choice.set_session(session)
        self.adding.set_session(session)
        self.list.wrong_button.setVisible(not session.project.read_only)
        self.live_panel.can_add = not session.project.read_only

    def set_model_file(self, path: Path) -> None:
        """Use a model file without a project."""
        self._set_model(partial(open_model, path, many=True))
        self.choice.box.hide()
        self.view.release_button.hide()
        self.view.export_button.hide()

    def ready(self) -> bool:
        """Return whether there is a model, so that files can be added."""
        return self._load is not None

    def opened(self) -> None:
        """Load the model, as it is needed soon, and take the focus."""
        self.choice.refresh()
        if self._load is not None:
            self._start()
        if self.pages.currentWidget() is self.empty:
            self.empty.button.setFocus()
        elif self.answers.answers:
            self.list.table.setFocus()
        else:
            self.view.files_button.setFocus()

    def show_view(self, view: str) -> None:
        """Use the run of this number."""
        if view.isdecimal():
            self.choice.choose(int(view))

    def show_job(self) -> None:
        """Do nothing: there is one view."""

    def can_close(self) -> bool:
        """Answering can be left at any time; a half-written table is never left behind."""
        return True

    def shutdown(self) -> None:
        """End all background work; nothing reports back afterwards."""
        self._session = None
        self._clock.stop()
        self._end_thread()
        self.saving.close()
        self.adding.close()
        self.hand_over.close()
        self.large.close()
        self.timeline.close()
        self.scenes.close()
        self.live.close()
        self.watching.close()
        self.choice.close_scores()
        if self._pasted is not None:
            self._pasted.cleanup()
            self._pasted = None

    # -- the model -----------------------------------------------------------------------------------------------

    @Slot()
    def _on_model_chosen(self) -> None:
        """Another run was chosen, or there is none any more."""
        load = self.choice.loader()
        if load is None:
            self._load = None
            self._end_thread()
            session = self._session
            if session is not None:
                self.empty.say(session.project.kind)
            self.pages.setCurrentWidget(self.empty)
            return
        self._set_model(load)

    def _set_model(self, load: Callable[[], ReleasedModel]) -> None:
        """Use another model, also for the files that were added before."""
        self._load = load
        self._end_thread()
        self._undecided = self.timeline.path or self.scenes.path()
        self.timeline.clear()
        self.scenes.clear()
        self.live.close()
        self.model = None
        self.answers.reset(None)
        self.pages.setCurrentWidget(self.view)
        self.view.show_problem("")
        if self._given or self._undecided is not None or self.isVisible():
            self._start()
        if self._given:
            given, self._given = self._given, []
            self.add(given)
        else:
            self.view.show_answers(False)

    def _start(self) -> None:
        """Load the model in the background, unless that has happened."""
        if self._thread is not None or self._load is None:
            return
        thread = self._thread = AnswerThread(self._load, self)
        thread.opened.connect(self._on_opened)
        thread.failed.connect(self._on_failed)
        thread.problem_found.connect(self._on_problem)
        thread.arrived.connect(self._on_arrived)
        thread.ran_dry.connect(self._on_dry)
        thread.start()
        self.view.model_line.setText(tr("Loading the model…"))

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()
            self._show_progress()
            self.job_progress.emit("", -1.0)

    @Slot(object)
    def _on_opened(self, model: ReleasedModel) -> None:
        if self.sender() is not self._thread:
            return
        self.model, info = model, model.info
        names = tuple(map(printable, info.classes))
        self.answers.reset(info)
        self.large.set_model(model)
        self.list.set_classes(names, several=not task_named(info.task).exclusive)
        self._say_what_to_drop()
        self.view.set_live(kind_named(info.kind).audible, can_be_live(info))
        self.view.drop.takes_images = info.input_name == "pixels"
        self._describe_model()
        self._filter()
        self.view.show_answers(bool(self._given))
        self.testing.set_model(model.info)
        self._on_arrived()
        undecided, self._undecided = self._undecided, None
        if undecided is not None:
            self.add((undecided,))

    @Slot()
    def _describe_model(self) -> None:
        if self.model is not None:
            info = self.model.info
            score = self.choice.score() or messages.card_score(info.card)
            self.view.model_line.setText(messages.model_line(info, score=score))

    @Slot(str)
    def _on_failed(self, sentence: str) -> None:
        if self.sender() is self._thread:
            self.view.model_line.setText("")
            self.view.show_problem(sentence)
            self._given.clear()
            self._show_progress()

    @Slot(str)
    def _on_problem(self, sentence: str) -> None:
        if self.sender() is self._thread:
            self.view.show_problem(sentence)

    # -- files ---------------------------------------------------------------------------------------------------

    @Slot(object)
    def add(self, paths: Sequence[Path]) -> None:
        """Answer these files, and those in these folders, before what was added earlier."""
        if not paths or self._load is None:
            return
        self.view.show_problem("")
        self.list.show_saved("")
        self._start()
        assert self._thread is not None
        if len(paths) == 1 and self._has_own_page(paths[0]):
            return
        self._given += paths
        self.choice.keeps_run = True
        self._group, self._group_shown = self._thread.add(paths), False
        if self._paused:
            self._toggle_pause()
        self.testing.offer(paths, None if self.model is None else self.model.info)
        self.view.show_answers(self.model is not None)
        self._clock.start()
        self._show_progress()

    def _has_own_page(self, path: Path) -> bool:
        """Return whether this is a long recording or a scene, shown on its own page now or once the model is loaded."""
        if self.model is None:
            recording = path.suffix.lower() in kind_named("recordings").suffixes and path.is_file()
            if recording or scene_size(path) == "scene":
                self._undecided = path
            return self._undecided == path
        if self.model.info.input_name == "pixels" and scene_size(path) == "scene":
            self._show_scene(path)
        elif is_long(path, self.model.info):
            self._show_timeline(path)
        else:
            return False
        return True

    def _show_scene(self, path: Path) -> None:
        assert self.model is not None
        self.pages.setCurrentWidget(self.scene_panel)
        self.scenes.open(self.model, path, None if self._session is None else self._session.project)

    @Slot()
    def _open_scene(self) -> None:
        shown = self.large.shown()
        if shown is not None and self.model is not None:
            self._show_scene(shown)

    def _show_timeline(self, path: Path) -> None:
        assert self.model is not None
        self.pages.setCurrentWidget(self.timeline_panel)
        self.timeline.open(self.model, path)

    @Slot()
    def _open_timeline(self) -> None:
        shown = self.large.shown()
        if shown is not None and self.model is not None:
            self._show_timeline(shown)

    @Slot()
    def _open_live(self) -> None:
        if self.model is not None:
            self.pages.setCurrentWidget(self.live_panel)
            self.live.open(self.model)
            self.live_panel.freeze_button.setFocus()

    @Slot()
    def _open_watch(self) -> None:
        if self.model is not None:
            self.watching.open(self.model)
            self.pages.setCurrentWidget(self.watch_panel)
            self.watch_panel.folder_button.setFocus()

    @Slot()
    def _show_answers(self) -> None:
        self.pages.setCurrentWidget(self.view)
        if self.answers.answers:
            self.list.table.setFocus()
        else:
            self.view.files_button.setFocus()

    @Slot(object)
    def add_image(self, image: QImage) -> None:
        """Answer a picture that comes without a file."""
        path = self._pasted_folder() / tr("Pasted picture {n}.png", n=str(next(self._numbers)))
        if image.save(str(path)):
            self.add((path,))
        else:
            self.view.show_problem(tr("The picture could not be kept. Save it to a file and drop that."))

    def _pasted_folder(self) -> Path:
        if self._pasted is None:
            self._pasted = tempfile.TemporaryDirectory(prefix="handlens-", ignore_cleanup_errors=True)
        return Path(self._pasted.name)

    @Slot()
    def paste(self) -> None:
        """Answer what was copied: files, or a picture."""
        data = QGuiApplication.clipboard().mimeData()
        if self._load is not None and not self.view.drop.take(data):
            self.view.show_problem(tr("Nothing here can be pasted. Copy a picture or files first."))

    @Slot()
    def _choose_files(self) -> None:
        if self.model is None:
            return
        endings = " ".join(f"*{suffix}" for suffix in sorted(kind_named(self.model.info.kind).suffixes))
        names = tr("Files it can read ({endings})", endings=endings) + ";;" + tr("All files (*)")
        self.add(FilesChooser.ask(self, tr("Choose files"), names))

    @Slot()
    def _choose_folder(self) -> None:
        folder = FolderChooser.ask(self, tr("Choose a folder"))
        if folder is not None:
            self.add((folder,))

    @Slot()
    def clear(self) -> None:
        """Forget all answers."""
        self._stop()
        self._given.clear()
        self.choice.keeps_run = False
        self.answers.reset(None if self.model is None else self.model.info)
        self.testing.clear()
        self.large.clear()
        self.list.show_saved("")
        self.view.show_problem("")
        self.view.show_answers(False)
        self.sentence_changed.emit("")
        self.view.files_button.setFocus()

    @Slot()
    def _toggle_pause(self) -> None:
        self._paused = not self._paused
        if self._thread is not None:
            self._thread.set_paused(self._paused)
        self._show_progress()

    @Slot()
    def _stop(self) -> None:
        self._paused = False
        if self._thread is not None:
            self._thread.drop_rest()

    # -- answers -------------------------------------------------------------------------------------------------

    @Slot()
    def _on_arrived(self) -> None:
        thread, model = self._thread, self.model
        if thread is None or model is None:
            return
        found = thread.take()
        if not found:
            return
        first = len(self.answers.answers)
        self.answers.add([answered for _group, answered in found])
        self.list.summary.setText(messages.summary(self.answers, model.info.kind))
        if not self._group_shown:
            place = next((at for at, (group, _answered) in enumerate(found) if group == self._group), None)
            if place is not None:
                self._group_shown = True
                self._show_newest(first + place)

    def _show_newest(self, place: int) -> None:
        """Show the answer that the person waits for, and select its row where that is visible."""
        row = self.answers.row_of(place)
        if row is None:
            self._show_large(self.answers.answers[place])
            return
        if self.focusWidget() in (None, self.view.files_button, self.view.folder_button):
            self.list.table.setFocus()
        self.list.table.selectRow(row)
        self.list.table.scrollTo(self.answers.index(row, 0))

    @Slot(QModelIndex, QModelIndex)
    def _on_row(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self._show_large(self.answers.answer(current.row()))

    def _show_large(self, answered: Answered) -> None:
        self.large.show(answered)
        windows = len(answered.windows) if isinstance(answered, FilePrediction) else 0
        self.view.panel.timeline_button.setVisible(windows > FEW_WINDOWS)
        pictures = self.model is not None and self.model.info.input_name == "pixels"
        self.view.panel.scene_button.setVisible(pictures and scene_size(answered.path) != "ordinary")

    @Slot()
    def _on_dry(self) -> None:
        if self.sender() is not self._thread:
            return
        self._on_arrived()
        self._show_progress()
        self.testing.end()
        if self.answers.answers:
            self.job_progress.emit(messages.ended(len(self.answers.answers)), -1.0)

    @Slot()
    def _filter(self) -> None:
        self.answers.set_filter(self.list.filter())

    @Slot()
    def _find(self) -> None:
        self.list.search.setFocus()
        self.list.search.selectAll()

    @Slot()
    def _show_progress(self) -> None:
        thread = self._thread
        if thread is None or not thread.busy():
            self._clock.stop()
            self.view.show_progress("", -1.0, paused=False)
            return
        now = thread.progress()
        words = messages.progress(now.done, now.total, now.seconds, paused=self._paused)
        fraction = now.done / now.total if now.total else 0.0
        self.view.show_progress(words, fraction, paused=self._paused)
        self.job_progress.emit(words, fraction)

    # -- saving, the card, handing on ----------------------------------------------------------------------------

    @Slot()
    def _save_table(self) -> None:
        if self.model is not None:
            self.saving.save_table(tuple(self.answers.answers), self.model.info)

    @Slot()
    def _save_pictures(self) -> None:
        if self.model is not None:
            self.saving.save_pictures(tuple(self.answers.answers), self.model)

    @Slot()
    def _sort_copies(self) -> None:
        if self.model is not None:
            self.saving.sort_copies(tuple(self.answers.answers), self.model.info, tuple(self._given))

    @Slot()
    def _show_counts(self) -> None:
        """Show how many files of each class were made when."""
        if self.model is None:
            return
        info = self.model.info
        colours = [style.class_colour(place) for place in range(len(info.classes))]
        count = partial(tally_files, tuple(self.answers.answers), info)
        self.counts = CountsDialog(count, info.classes, colours, self)
        self.counts.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.counts.show()

    # -- teaching ------------------------------------------------------------------------------------------------

    @Slot()
    def _fill_wrong_menu(self) -> None:
        """Offer the classes that the project has now."""
        self._fill(self.list.wrong_menu, self.label_selected)

    @Slot()
    def _fill_live_menu(self) -> None:
        # The picture that the person saw when the menu opened, not one that came while choosing.
        picture = self.live_panel.picture.picture()
        self._fill(self.live_panel.add_menu, partial(self.add_live_picture, picture))

    def _fill(self, menu: QMenu, chosen: Callable[[str], None]) -> None:
        menu.clear()
        session = self._session
        if session is None:
            return
        menu.addSection(tr("The right class"))
        for item in session.active_classes():
            menu.addAction(printable(item.name).replace("&", "&&"), partial(chosen, item.name))

    def add_live_picture(self, picture: QImage | None, label: str) -> None:
        """Take a picture of the camera into the project as a sample of this class."""
        if picture is None:
            self.live_panel.show_problem(tr("There is no picture yet. Wait for the camera."))
            return
        path = self._pasted_folder() / tr("Camera picture {n}.png", n=str(next(self._numbers)))
        if picture.save(str(path)):
            self.adding.add((), label=label, copies=(path,))
        else:
            self.live_panel.show_problem(tr("The picture could not be kept. Save it to a file and drop that."))

    def label_selected(self, label: str) -> None:
        """Take the selected files into the project as samples of this class; what is pasted, as copies."""
        answers = [self.answers.answer(row) for row in self.list.selected_rows()]
        if self.model is not None and any(is_of_video(each, self.model.info) for each in answers):
            told = tr("The frames of a video cannot be taken one by one. Add the whole video on the page Data.")
            self.list.show_saved(told, good=False)
            return
        chosen = [each.path for each in answers]
        if not chosen:
            self.list.show_saved(tr("Select the wrong answers in the table first."), good=False)
            return
        pasted = None if self._pasted is None else Path(self._pasted.name)
        copies = [path for path in chosen if pasted is not None and path.is_relative_to(pasted)]
        self.adding.add([path for path in chosen if path not in copies], label=label, copies=copies)

    @Slot(str, bool)
    def _on_saved(self, sentence: str, good: bool) -> None:
        self.list.show_saved(sentence, good=good)
        self.job_progress.emit(sentence, -1.0)

    @Slot(str, bool)
    def _say(self, sentence: str, good: bool) -> None:
        self.view.show_problem("" if good else sentence)
        if good:
            self.sentence_changed.emit(sentence)

    @Slot()
    def _show_card(self) -> None:
        if self.model is not None:
            TextDialog.show_text(self, title=tr("Model card"), text=self.model.info.card)

    @Slot()
    def _release(self) -> None:
        number = self.choice.run_number()
        if self._session is not None and number is not None:
            self.hand_over.release(self._session, number)

    @Slot()
    def _export(self) -> None:
        number = self.choice.run_number()
        if self._session is not None and number is not None:
            self.hand_over.export(self._session, number)


class _NoModel(QWidget):
    """Says that there is no model yet, and has a button for the next step."""

    train_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        look = style.current()
        self.sentence = QLabel()
        self.sentence.setProperty("role", "emphasis")
        self.sentence.setWordWrap(True)
        self.button = QPushButton(tr("Continue to training"))
        self.button.setProperty("role", "primary")
        self.button.clicked.connect(self.train_pressed)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.l, look.xl, look.xl)
        column.setSpacing(look.l)
        column.addWidget(self.sentence)
        column.addWidget(self.button, 0)
        column.addStretch(1)

    def say(self, kind: str) -> None:
        self.sentence.setText(messages.no_model(kind))
