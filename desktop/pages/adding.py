"""Add files to the open project, and notice what has changed in its source folder, in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop import icons, style
from desktop.dialogs.folder import FilesChooser, FolderChooser
from desktop.dialogs.items import ItemsDialog
from desktop.i18n import error_text, number, printable, text, tr
from desktop.session import Session
from desktop.widgets.drop_target import FilesDrop
from desktop.workers.tasks import Tasks
from ml.api import (
    Added,
    HandlensError,
    Project,
    SourceChanges,
    StopRequest,
    StopRequestedError,
    Unreadable,
    add_files,
    kind_named,
    source_changes,
    update_from_source,
)

_CHECK_MS = 1500
"""Milliseconds after a project is opened; its first page comes first."""


class _Flag:
    """Stops the work of a controller that is closed."""

    def __init__(self) -> None:
        self._set = threading.Event()

    def set(self) -> None:
        self._set.set()

    def requested(self) -> StopRequest:
        return "cancel" if self._set.is_set() else ""


class Adding(QObject):
    """Adds files to the project of a session, one order after the other. `close` ends what is running."""

    notice = Signal(str, bool)
    """What became of an order, in words, and whether it went well."""
    left_out = Signal(object)
    """The files that could not be read, with the reasons."""
    changes_found = Signal(object)
    """`SourceChanges`; they are false where there is nothing to take in."""
    progressed = Signal(str, float)
    busy_changed = Signal(bool)
    _counted = Signal(int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._flag = _Flag()
        self._orders: set[int] = set()
        self._check = 0
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self._counted.connect(self._on_counted, Qt.ConnectionType.QueuedConnection)
        self._later = QTimer(self, interval=_CHECK_MS, singleShot=True)
        self._later.timeout.connect(self.check)

    def set_session(self, session: Session) -> None:
        self._session = session

    def busy(self) -> bool:
        return bool(self._orders)

    def check_soon(self) -> None:
        """Look for changes of the source folder once the project is shown."""
        self._later.start()

    @Slot()
    def check(self) -> None:
        """Look for changes of the source folder now."""
        session = self._session
        if session is not None and not session.project.read_only and not self.busy():
            self._check = self._tasks.submit(source_changes, session.project, self._flag)

    def add(self, paths: Sequence[Path], *, label: str | None = None, copies: Sequence[Path] = ()) -> None:
        """Add files where they lie, and `copies` of those that do not last."""
        if self._session is not None and (paths or copies):
            project = self._session.project
            self._order(partial(_add, project, tuple(paths), tuple(copies), label, self._flag, self._show))

    def update(self) -> None:
        """Take in what has changed in the source folder."""
        if self._session is not None:
            self._order(partial(update_from_source, self._session.project, stop=self._flag, show=self._show))

    def close(self) -> None:
        self._later.stop()
        self._flag.set()
        self._tasks.close()
        self._session = None

    def _order(self, work: Callable[[], object]) -> None:
        self._orders.add(self._tasks.submit(work))
        self.busy_changed.emit(True)
        self.progressed.emit(tr("Adding files…"), 0.0)

    def _show(self, done: int, total: int) -> None:
        self._counted.emit(done, total)

    @Slot(int, int)
    def _on_counted(self, done: int, total: int) -> None:
        if self.busy():
            words = tr("Adding files: {done} of {total}", done=number(done), total=number(total))
            self.progressed.emit(words, done / max(1, total))

    @Slot(int, object)
    def _on_done(self, order: int, result: object) -> None:
        session = self._session
        if session is None:
            return
        if order == self._check:
            self.changes_found.emit(result)
            return
        self._end(order)
        session.reload()
        if isinstance(result, Added):
            self.notice.emit(text(result.message()), bool(result.new or result.known))
            self.left_out.emit(result.unreadable)
        else:
            self.notice.emit(tr("The project has everything that is in the folder."), True)
        self.check()

    @Slot(int, object)
    def _on_failed(self, order: int, error: Exception) -> None:
        if order == self._check or isinstance(error, StopRequestedError):
            return  # a missing folder is announced elsewhere
        self._end(order)
        known = isinstance(error, HandlensError)
        self.notice.emit(error_text(error) if known else tr("The files could not be added. Try again."), False)

    def _end(self, order: int) -> None:
        self._orders.discard(order)
        self.progressed.emit("", -1.0)
        self.busy_changed.emit(self.busy())


def _add(
    project: Project,
    paths: Sequence[Path],
    copies: Sequence[Path],
    label: str | None,
    flag: _Flag,
    show: Callable[[int, int], None],
) -> Added:
    found = [
        add_files(project, some, label=label, copy=copy, stop=flag, show=show)
        for some, copy in ((paths, False), (copies, True))
        if some
    ]
    first, last = found[0], found[-1]
    if first is last:
        return first
    return Added(
        kind=first.kind,
        new=first.new + last.new,
        known=first.known + last.known,
        relabelled=first.relabelled + last.relabelled,
        unlabelled=first.unlabelled + last.unlabelled,
        classes=first.classes + last.classes,
        unreadable=first.unreadable + last.unreadable,
    )


class AddingBox(QWidget):
    """On the Data page: a place to drop files on, and a line about the source folder where it has changed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._unreadable: tuple[Unreadable, ...] = ()
        self.adding = Adding(self)
        self.drop = FilesDrop()
        self.drop.takes_images = False
        self.files_button, self.folder_button = QPushButton(tr("Add files…")), QPushButton(tr("Add a folder…"))
        icons.set_icon(self.files_button, "ph.file")
        icons.set_icon(self.folder_button, "ph.folder-open")
        self.changes_label, self.notice_label = _line("muted"), _line("muted")
        self.update_button, self.why_button = QPushButton(tr("Add them")), QPushButton(tr("Show"))
        self.why_button.setProperty("role", "link")
        self.why_button.setAccessibleName(tr("Show the files that could not be read"))
        self._connect()
        self._lay_out()
        self._show_changes(None)
        self._show_notice("", True)

    def set_session(self, session: Session) -> None:
        self._session = session
        self.adding.set_session(session)
        session.training_changed.connect(self._on_busy)
        self.setVisible(not session.project.read_only)
        self.adding.check_soon()

    def close_adding(self) -> None:
        """End what runs in the background."""
        self.adding.close()
        self._session = None

    def _connect(self) -> None:
        self.drop.paths_dropped.connect(self._add)
        self.files_button.clicked.connect(self._choose_files)
        self.folder_button.clicked.connect(self._choose_folder)
        self.update_button.clicked.connect(self.adding.update)
        self.why_button.clicked.connect(self._show_unreadable)
        self.adding.changes_found.connect(self._show_changes)
        self.adding.notice.connect(self._show_notice)
        self.adding.left_out.connect(self._keep_unreadable)
        self.adding.busy_changed.connect(self._on_busy)

    def _lay_out(self) -> None:
        look = style.current()
        words = QLabel(tr("Drop files here to add them. They are used for training, not for the test."))
        words.setProperty("role", "muted")
        words.setWordWrap(True)
        row = QHBoxLayout(self.drop)
        row.setSpacing(look.s)
        row.addWidget(words, 1)
        row.addWidget(self.files_button)
        row.addWidget(self.folder_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.s)
        for label, button in ((self.changes_label, self.update_button), (self.notice_label, self.why_button)):
            line = QHBoxLayout()
            line.setSpacing(look.s)
            line.addWidget(label, 1)
            line.addWidget(button)
            column.addLayout(line)
        column.addWidget(self.drop)

    @Slot(object)
    def _add(self, paths: Sequence[Path]) -> None:
        if self._session is not None and self.files_button.isEnabled():
            self.adding.add(paths)

    @Slot()
    def _choose_files(self) -> None:
        if self._session is not None:
            endings = " ".join(f"*{suffix}" for suffix in sorted(kind_named(self._session.project.kind).suffixes))
            names = tr("Files it can read ({endings})", endings=endings) + ";;" + tr("All files (*)")
            self._add(FilesChooser.ask(self, tr("Add files"), names))

    @Slot()
    def _choose_folder(self) -> None:
        folder = FolderChooser.ask(self, tr("Add a folder"))
        if folder is not None:
            self._add((folder,))

    @Slot()
    def _on_busy(self) -> None:
        """A training reads the files where they are, so nothing moves while it runs."""
        free = not self.adding.busy() and self._session is not None and not self._session.training
        for button in (self.files_button, self.folder_button, self.update_button):
            button.setEnabled(free)

    @Slot(object)
    def _show_changes(self, changes: SourceChanges | None) -> None:
        self.changes_label.setText(text(changes.message()) if changes else "")
        self.update_button.setText(tr("Add them") if changes and changes.new else tr("Update the project"))
        for part in (self.changes_label, self.update_button):
            part.setVisible(bool(changes))

    @Slot(str, bool)
    def _show_notice(self, sentence: str, good: bool) -> None:
        self.notice_label.setText(sentence)
        style.set_role(self.notice_label, "good" if good else "error")
        self.notice_label.setVisible(bool(sentence))
        self.why_button.hide()

    @Slot(object)
    def _keep_unreadable(self, unreadable: tuple[Unreadable, ...]) -> None:
        self._unreadable = unreadable
        self.why_button.setVisible(bool(unreadable))

    @Slot()
    def _show_unreadable(self) -> None:
        ItemsDialog.show_items(
            self,
            title=tr("Left out"),
            sentence=tr("These files could not be read and were left out."),
            heads=(tr("File"), tr("Why")),
            rows=[(printable(item.path), text(item.reason)) for item in self._unreadable],
        )


def _line(role: str) -> QLabel:
    label = QLabel()
    label.setProperty("role", role)
    label.setWordWrap(True)
    return label
