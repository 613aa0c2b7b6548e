"""The window. It only frames: start page or open project, the strip of jobs below, and the verbs of both."""

from __future__ import annotations

import base64
import gc
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QMimeData, QPoint, QProcess, QSize, Qt, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDesktopServices, QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QDialog, QMainWindow, QPushButton, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from desktop import actions, settings, shortcuts, style
from desktop.dialogs.folder import FileChooser, FolderChooser
from desktop.dialogs.keys import KeysDialog
from desktop.dialogs.notice import Choice, Notice, Question
from desktop.dialogs.preferences import PreferencesDialog
from desktop.i18n import tr
from desktop.pages.ids import DATA, LABELS, USE
from desktop.pages.start import StartPage
from desktop.widgets.drop_target import accept_as_copy, folder_in, paths_in
from desktop.widgets.jobs_strip import JobsStrip
from desktop.window.jobs import PageJobs
from desktop.window.opener import ProjectOpener
from desktop.window.sample_maker import SampleMaker
from desktop.workers.opening_errors import why_not_opened

if TYPE_CHECKING:  # these load the core, which the first window does not wait for
    from desktop.pages.use.page import UsePage
    from desktop.pages.wizard.wizard import NewProjectWizard
    from desktop.session import Session
    from desktop.window.workspace import PageFrame
    from ml.api import Runner

_MORE = ("open", "open_model", "new_window", "theme", "settings", "shortcuts", "learn", "logs", "about", "quit")
"""The actions behind "More"; in the rail of a project also the way back."""
_DONE = object()
MODEL_SUFFIXES = (".onnx", ".handlensmodel")
_SIZE = QSize(1366, 768)
_SMALLEST = QSize(940, 520)
"""Half of 1920 pixels, and 1366 × 768 at 125 % without frame and task bar."""
_ASIDE = 48
_FRAME = QSize(16, 40)
"""A guess at the frame that the system puts around a window; its size is unknown until the window is shown."""


class MainWindow(QMainWindow):
    """`runner` replaces the child process of every job, as tests need it."""

    theme_switched = Signal()
    """The person asked for the other theme, or changed the theme in the settings."""
    project_opened = Signal(object)
    """The `PageFrame` of the project or model that is open now."""

    def __init__(self, *, runner: Runner | None = None) -> None:
        super().__init__()
        self._runner = runner
        self.workspace: PageFrame | None = None
        """The open project, or the model that is used without one."""
        self.wizard: NewProjectWizard | None = None
        self._first_page: str | None = None
        self._building: tuple[PageFrame, Iterator[None]] | None = None
        """The project that is being opened, and the steps that remain."""
        self._build_timer = QTimer(self, interval=0, singleShot=True)
        self._build_timer.timeout.connect(self._build)
        self._jobs = PageJobs((LABELS, *actions.page_ids()))
        self._opener = ProjectOpener(self)
        self._opener.opened.connect(self._show_project)
        self._opener.failed.connect(self._show_failed_opening)
        self._opener.damaged.connect(self._offer_backup)
        self._opener.model_ready.connect(self._show_model)
        self._samples = SampleMaker(runner=runner, parent=self)
        self._samples.progressed.connect(self._show_sample)
        self._samples.made.connect(self._open_sample)
        self._samples.failed.connect(self._show_failed_sample)
        self.setWindowTitle("Handlens")
        self.setMinimumSize(_SMALLEST)
        self.resize(_SIZE.boundedTo(self.screen().availableSize() - _FRAME))
        self.setAcceptDrops(True)
        self.start_page = StartPage()
        self.start_page.new_requested.connect(self.start_wizard)
        self.start_page.open_requested.connect(self.choose_project)
        self.start_page.project_chosen.connect(self.open_project)
        self.start_page.restore_requested.connect(self.restore_project)
        self.start_page.sample_requested.connect(self.make_sample)
        self.strip = JobsStrip()
        self.strip.cancelled.connect(self.cancel_sample)
        self.strip.chosen.connect(self._show_job)
        self._lay_out()
        self.actions_by_id = actions.build(self, self._handlers())
        shortcuts.NEWS.changed.connect(self._show_keys)
        self.start_page.offer_more([self.actions_by_id[name] for name in _MORE])
        self._enable_actions()
        geometry = settings.value(settings.GEOMETRY)
        if geometry:
            # Qt skips what is no base64; Python would raise, and no window would open.
            self.restoreGeometry(QByteArray.fromBase64(geometry.encode(errors="replace")))
        self.start_page.refresh()
        self._opener.warm_up()

    def move_aside(self) -> None:
        """Leave a part of another window visible that stands where this one stood last."""
        if not self.isMaximized() and not self.isFullScreen():
            room = self.screen().availableGeometry()
            place = self.pos() + QPoint(_ASIDE, _ASIDE)
            self.move(min(place.x(), room.right() - _ASIDE), min(place.y(), room.bottom() - _ASIDE))

    def _lay_out(self) -> None:
        self._stack = QStackedWidget()
        self._stack.addWidget(self.start_page)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._stack, 1)
        column.addWidget(self.strip)
        self.setCentralWidget(whole)

    def _handlers(self) -> dict[str, actions.Handler]:
        return {
            "new_images": partial(self.start_wizard, "images"),
            "new_recordings": partial(self.start_wizard, "recordings"),
            "new_sensors": partial(self.start_wizard, "sensors"),
            "open": self.choose_project,
            "new_window": self.open_new_window,
            "open_model": self.choose_model,
            "settings": self.show_settings,
            "theme": self.switch_theme,
            "shortcuts": partial(KeysDialog.show_keys, self),
            "learn": self.show_lessons,
            "logs": self.open_log_folder,
            "about": self.show_about,
            "quit": self.close,
            "close_project": self.close_project,
            **{f"go_{page_id}": partial(self._go, page_id) for page_id in actions.page_ids()},
        }

    # -- projects ----------------------------------------------------------------------------------------------

    @Slot(object)
    def open_project(self, path: Path, *, page: str | None = None) -> None:
        """Open the project at `path` instead of the one that is open; `page` is shown first if it is given.

        While a training runs, the person may prefer a new window for it.
        """
        if not self.close_project(path):
            return
        self.strip.show_job(tr("Opening {name}", name=path.stem), 0.0)
        self.start_page.setEnabled(False)
        self._first_page = page
        self._opener.open(path)

    @Slot(object)
    def restore_project(self, path: Path) -> None:
        """Restore the newest backup of a damaged project, then open it."""
        if not self.close_project():
            return
        self.strip.show_job(tr("Restoring {name}", name=path.stem), 0.0)
        self.start_page.setEnabled(False)
        self._first_page = None
        self._opener.restore(path)

    @Slot(object)
    def _show_project(self, session: Session) -> None:
        # The pages load the core and the plots; that is why they are not loaded with the window.
        from desktop.window.workspace import Workspace

        more = [self.actions_by_id[name] for name in ("close_project", *_MORE)]
        try:
            workspace = Workspace(session, more, runner=self._runner, parent=self._stack)
        except Exception as error:
            self._give_up_opening(session, error)
            return
        self._begin_building(workspace)

    def open_path(self, path: Path) -> None:
        """Open a project, or a model file."""
        if is_model_file(path):
            self.open_model(path)
        else:
            self.open_project(path)

    def open_model(self, path: Path) -> None:
        """Open a model file without a project, instead of what is open."""
        if not self.close_project():
            return
        self.strip.show_job(tr("Opening {name}", name=path.name), 0.0)
        self.start_page.setEnabled(False)
        self._first_page = None
        self._opener.open_model(path)

    @Slot(object)
    def _show_model(self, path: Path) -> None:
        from desktop.window.workspace import ModelFrame  # as above

        more = [self.actions_by_id[name] for name in ("close_project", *_MORE)]
        self._begin_building(ModelFrame(path, more, runner=self._runner, parent=self._stack))

    def _begin_building(self, frame: PageFrame) -> None:
        frame.hide()
        frame.job_progress.connect(self._show_progress)
        self._building = (frame, frame.steps())
        self._build_timer.start()

    def _give_up_opening(self, session: Session, error: Exception) -> None:
        """The project may be a stranger's: keep the window usable and the project unlocked."""
        path = session.project.path
        session.close()
        self._show_failed_opening(why_not_opened(error, path), repr(error))

    @Slot()
    def _build(self) -> None:
        """Take the next step to the open project, and show it after the last one."""
        if self._building is None:
            return
        workspace, steps = self._building
        try:
            done = next(steps, _DONE) is _DONE
        except Exception as error:
            self._building = None
            path = workspace.project_path or Path(workspace.name)
            workspace.shutdown()
            workspace.deleteLater()
            self._show_failed_opening(why_not_opened(error, path), repr(error))
            return
        if not done:
            self._build_timer.start()
            return
        self._building = None
        self._end_opening()
        if self._first_page is not None:
            workspace.show_page(self._first_page)
        workspace.page_shown.connect(self._place_strip)
        self.workspace = workspace
        self._jobs = PageJobs((LABELS, *actions.page_ids()))
        self._stack.addWidget(workspace)
        self._stack.setCurrentWidget(workspace)
        self.setWindowTitle(tr("{project} – Handlens", project=workspace.name))
        if workspace.project_path is not None:
            settings.remember_project(workspace.project_path, workspace.name)
        self._enable_actions()
        # A collection would look through all samples of the project again and again, 0.1 s and more each time.
        gc.freeze()
        self.project_opened.emit(workspace)

    @Slot(str, str)
    def _show_failed_opening(self, sentence: str, details: str) -> None:
        self._end_opening()
        Notice.tell(self, sentence, details=details)
        self.start_page.refresh()

    @Slot(object, str, str)
    def _offer_backup(self, path: Path, sentence: str, details: str) -> None:
        self._end_opening()
        if Question.ask(self, sentence, yes=tr("Restore the backup"), no=tr("Cancel"), details=details):
            self.restore_project(path)
        else:
            self.start_page.refresh()

    def _end_opening(self) -> None:
        self.strip.show_job("", -1)
        self.start_page.setEnabled(True)

    @Slot()
    def close_project(self, other: Path | None = None) -> bool:
        """Return to the start page. Return False if the person prefers to let a training continue.

        `other`: the project that is opened next. While a training runs, a new window can open it, or the start page.
        """
        self._stop_building()
        if self.workspace is None:
            return True
        if not self._may_leave(beside=True, other=other):
            return False
        workspace, self.workspace = self.workspace, None
        self._stack.setCurrentWidget(self.start_page)
        self._stack.removeWidget(workspace)
        workspace.shutdown()
        workspace.deleteLater()
        gc.unfreeze()
        self.strip.show_job("", -1)
        self.setWindowTitle("Handlens")
        self._enable_actions()
        self.start_page.refresh()
        return True

    def _stop_building(self) -> None:
        """Give up the project that is being opened, if it has got so far."""
        if self._building is not None:
            workspace, _steps = self._building
            self._building = None
            workspace.shutdown()
            workspace.deleteLater()
            self._end_opening()

    @Slot()
    def choose_project(self) -> None:
        """Ask for a project folder, or for a folder to make a project of."""
        folder = FolderChooser.ask(self, tr("Open a project"), start=settings.projects_folder())
        if folder is not None:
            self.take_folder(folder)

    @Slot()
    def choose_model(self) -> None:
        """Ask for a model file."""
        endings = " ".join(f"*{suffix}" for suffix in MODEL_SUFFIXES)
        path = FileChooser.ask(self, tr("Open a model"), tr("Models ({endings})", endings=endings))
        if path is not None:
            self.open_model(path)

    def take_drop(self, data: QMimeData) -> None:
        """Do what the person means by dropping this: open it, use the model on it, or begin a project with it."""
        paths, use = paths_in(data), self._use_page()
        folder = paths[0] if len(paths) == 1 and paths[0].is_dir() else None
        if len(paths) == 1 and is_model_file(paths[0]):
            self.open_model(paths[0])
        elif use is None or (folder is not None and (folder / "project.db").is_file()):
            found = folder_in(data)
            if found is not None:
                self.take_folder(found)
        elif folder is not None and self.workspace is not None and self.workspace.project_path is not None:
            # Later: whoever dragged it waits until the drop is over.
            QTimer.singleShot(0, self, partial(self._ask_about_folder, folder))
        else:
            self._go(USE)
            use.view.drop.take(data)

    def _ask_about_folder(self, folder: Path) -> None:
        question = tr("What do you want to do with the folder “{name}”?", name=folder.name)
        chosen = Choice.ask(self, question, (tr("Use the model on it"), tr("Make a new project")))
        use = self._use_page()
        if chosen == 0 and use is not None:
            self._go(USE)
            use.add((folder,))
        elif chosen == 1:
            self.start_wizard("", folder)

    def _use_page(self) -> UsePage | None:
        """Return the page that uses a model, if there is one to use."""
        if self.workspace is None or not self.workspace.has_page(USE):
            return None
        from desktop.pages.use.page import UsePage  # loaded with the workspace

        page = self.workspace.page(USE)
        return page if isinstance(page, UsePage) and page.ready() else None

    def take_folder(self, folder: Path) -> None:
        """Open a project, or begin one with the files in `folder`."""
        if (folder / "project.db").is_file():
            self.open_project(folder)
        else:
            self.start_wizard("", folder)

    @Slot(str)
    def start_wizard(self, kind: str = "", folder: Path | None = None) -> None:
        """The way to a new project, with what is known filled in."""
        # The wizard loads the core; that is why it is not loaded with the window.
        from desktop.pages.wizard.wizard import NewProjectWizard

        if self.wizard is not None:
            self.wizard.raise_()
            return
        self.wizard = NewProjectWizard(kind=kind or None, folder=folder, runner=self._runner, parent=self)
        self.wizard.created.connect(self._open_created)
        self.wizard.finished.connect(self._forget_wizard)
        self.wizard.open()

    @Slot(object)
    def _open_created(self, path: Path) -> None:
        self.open_project(path)

    @Slot()
    def _forget_wizard(self) -> None:
        if self.wizard is not None:
            self.wizard.deleteLater()
            self.wizard = None

    # -- samples -----------------------------------------------------------------------------------------------

    @Slot(str)
    def make_sample(self, kind: str, count: int | None = None) -> None:
        """Make one of the sample projects in the background and open it."""
        if self._samples.busy():
            return
        self.start_page.set_busy(True)
        self._show_sample(tr("Making the sample project"), 0.0)
        self._samples.make(kind, count)

    @Slot()
    def cancel_sample(self) -> None:
        self._samples.cancel()
        self._end_sample()

    @Slot(str, float)
    def _show_sample(self, words: str, fraction: float) -> None:
        self.strip.show_job(words, fraction, can_cancel=True)

    @Slot(object)
    def _open_sample(self, path: Path) -> None:
        self._end_sample()
        self.open_project(path, page=DATA)

    @Slot(str)
    def _show_failed_sample(self, sentence: str) -> None:
        self._end_sample()
        Notice.tell(self, sentence)

    def _end_sample(self) -> None:
        self.strip.show_job("", -1)
        self.start_page.set_busy(False)

    # -- the window itself -------------------------------------------------------------------------------------

    @Slot()
    def show_settings(self) -> None:
        dialog = PreferencesDialog.show_settings(self)
        dialog.setting_changed.connect(self._apply_setting)
        dialog.restart_requested.connect(self.restart)

    @Slot()
    def show_about(self) -> None:
        # It comes from the core, which is not loaded with the window.
        from ml.api import __version__

        about = tr(
            "Handlens {version}\n\nIt learns from your pictures, sounds and measurements on this computer. It sends "
            "nothing anywhere and never changes your own files.\n\nThe settings show every key. "
            "The licence is Apache 2.0.",
            version=__version__,
        )
        Notice.tell(self, about)

    @Slot()
    def show_lessons(self) -> None:
        """Explain learning, on the project that is open."""
        from desktop.learn.dialog import LearnDialog  # it loads the core

        session = getattr(self.workspace, "session", None)  # a frame around a model file has none
        LearnDialog.show_lessons(session, self.workspace or self)

    @Slot()
    def open_log_folder(self) -> None:
        """Show the folder of the log in the file manager of the system."""
        from ml.api import log_folder  # as above

        folder = log_folder()
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            Notice.tell(self, tr("The folder cannot be shown here. Open it yourself: {folder}", folder=str(folder)))

    @Slot()
    def _show_keys(self) -> None:
        actions.show_keys(self.actions_by_id)

    @Slot(str)
    def _apply_setting(self, key: str) -> None:
        if key == settings.THEME.key:
            self.theme_switched.emit()

    @Slot()
    def open_new_window(self, project: Path | None = None) -> None:
        """Start the program once more, with `project` or the start page: a training in this window goes on.

        A process of its own, so that a fault in one window leaves the other alone.
        """
        settings.set_value(settings.GEOMETRY, base64.b64encode(self.saveGeometry().data()).decode())
        words = ["studio", *([] if project is None else [str(project.absolute())]), "--beside"]
        module = [] if getattr(sys, "frozen", False) else ["-m", "desktop"]
        started, _process = QProcess.startDetached(sys.executable, [*module, *words])
        if not started:
            Notice.tell(self, tr("The new window could not be opened. Close other programs and try again."))

    @Slot()
    def restart(self) -> None:
        """Close the window as a person would, and start the same program again. No restart if they want to stay."""
        if self.close():
            QProcess.startDetached(sys.executable, sys.orig_argv[1:])

    @Slot()
    def switch_theme(self) -> None:
        """Light becomes dark, dark becomes light, and it is remembered."""
        settings.set_value(settings.THEME, "light" if style.current().theme == "dark" else "dark")
        self.theme_switched.emit()

    # -- the strip ---------------------------------------------------------------------------------------------

    @Slot(str, str, float)
    def _show_progress(self, page_id: str, words: str, fraction: float) -> None:
        """Update the job of a page. It continues while another page is open; the page itself shows it larger."""
        self._jobs.update(page_id, words, fraction)
        self._place_strip()

    @Slot()
    def _place_strip(self) -> None:
        if self.workspace is None:
            return
        # Never on the page of the job: showing and hiding the strip there would lay out the page and its curves twice.
        self._jobs.mark_seen(self.workspace.current_page)
        job = self._jobs.elsewhere(self.workspace.current_page)
        if job is None:
            self.strip.show_job("", -1)
        elif job.fraction is None:
            self.strip.show_ended(job.words)
        else:
            self.strip.show_job(job.words, job.fraction, can_show=job.page_id != LABELS)

    @Slot()
    def _show_job(self) -> None:
        job = None if self.workspace is None else self._jobs.elsewhere(self.workspace.current_page)
        if self.workspace is not None and job is not None:
            self.workspace.show_job(job.page_id)

    def _go(self, page_id: str) -> None:
        if self.workspace is not None and self.workspace.has_page(page_id):
            self.workspace.show_page(page_id)

    def _enable_actions(self) -> None:
        for action in actions.ACTIONS:
            if action.where == "project":
                page_id = action.id.removeprefix("go_")
                there = self.workspace is not None and (page_id == action.id or self.workspace.has_page(page_id))
                self.actions_by_id[action.id].setEnabled(there)

    def _may_leave(self, *, beside: bool = False, other: Path | None = None) -> bool:
        """Ask, while a training runs, whether to pause it. `beside`: offer a new window for `other` instead."""
        if self.workspace is None or self.workspace.can_close():
            return True
        pause, new_window, stay = tr("Pause and leave"), tr("Open a new window"), tr("Stay")
        question = tr(
            "The training is still running. If you leave now, it pauses. You can resume it on the Train page."
        )
        if not beside:
            return Question.ask(self, question, yes=pause, no=stay)
        question = tr("{question} In a new window you can do something else while it goes on.", question=question)
        chosen = Question.choose(self, question, (new_window, pause), no=stay)
        if chosen == new_window:
            self.open_new_window(other)
        return chosen == pause

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses the button that has the focus, as it does in every dialog; Qt itself only knows Space here."""
        button, enter = self.focusWidget(), event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and isinstance(button, QPushButton | QToolButton):
            if not event.isAutoRepeat():
                button.click()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        data = event.mimeData()
        if paths_in(data) or (data.hasImage() and self._use_page() is not None):
            accept_as_copy(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        # The proposed action is back with every move.
        accept_as_copy(event)

    def dropEvent(self, event: QDropEvent) -> None:
        if accept_as_copy(event):
            self.take_drop(event.mimeData())

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._may_leave():
            event.ignore()
            return
        settings.set_value(settings.GEOMETRY, base64.b64encode(self.saveGeometry().data()).decode())
        self._opener.close()
        self._stop_building()
        self._samples.cancel()
        if self.wizard is not None:
            self.wizard.done(QDialog.DialogCode.Rejected)  # the person has asked for the end already
        if self.workspace is not None:
            self.workspace.shutdown()
            self.workspace = None
            gc.unfreeze()
        self.start_page.shutdown()
        event.accept()


def is_model_file(path: Path) -> bool:
    """Return whether the path looks like a model that is used without a project."""
    return path.suffix.lower() in MODEL_SUFFIXES and path.is_file()
