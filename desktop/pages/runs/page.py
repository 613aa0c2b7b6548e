"""The Runs page: every run in a table, two of them compared, and what can be done with one."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from desktop import icons, style
from desktop.dialogs.release import RunHandOver
from desktop.i18n import error_text, msg, tr
from desktop.models.run_scores import RunScores
from desktop.models.undo import DeleteRuns
from desktop.pages.ids import EXPLORE, RUNS, TRAIN
from desktop.pages.runs import messages
from desktop.pages.runs.comparison import RunComparisonPanel
from desktop.pages.runs.table import RunsModel, RunsTable
from desktop.session import Session
from desktop.shortcuts import bind
from desktop.widgets.flow_box import FlowBox
from desktop.workers.tasks import Tasks
from ml.api import HandlensError, RunDifference, Runner, data_versions, run_difference

COMPARE_MS = 60
"""Selecting several rows one after the other causes one comparison."""


class RunsPage(QWidget):
    """Wires the table, the comparison and the buttons to the session. `runner` is replaced in tests."""

    page_id = RUNS
    title = msg("Runs")
    icon = "ph.git-branch"
    sentence_changed = Signal(str)
    job_progress = Signal(str, float)
    page_requested = Signal(str, str)

    def __init__(self, parent: QWidget | None = None, *, runner: Runner | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self.undo_stack = QUndoStack(self)
        self.model = RunsModel(self)
        self.table = RunsTable(self.model)
        self.comparison = RunComparisonPanel()
        self._scores = RunScores(self)
        self._versions: dict[int, tuple[int, int]] = {}
        self._stale, self._scores_begun = True, False
        self._tasks = Tasks(self, threads=1)
        self._version_request = self._difference_request = 0
        self._runs: tuple[int, int] = (0, 0)
        self._found: RunDifference | None = None
        self._pause = QTimer(self, interval=COMPARE_MS, singleShot=True)
        self._pause.timeout.connect(self._compare)
        self.problem = QLabel()
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.hand_over = RunHandOver(self, runner=runner)
        self._make_buttons()
        self.empty = _EmptyRuns()
        self.stack = QStackedWidget()
        self.stack.addWidget(self._content())
        self.stack.addWidget(self.empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.stack)
        self._connect()

    def _make_buttons(self) -> None:
        self.explore_button, self.release_button = QPushButton(tr("Look at it")), QPushButton(tr("Release…"))
        self.export_button, self.delete_button = QPushButton(tr("Export…")), QPushButton(tr("Delete"))
        self.undo_button, self.redo_button = QPushButton(tr("Undo")), QPushButton(tr("Redo"))
        for button, name in (
            (self.explore_button, "ph.magnifying-glass"),
            (self.delete_button, "ph.trash"),
            (self.undo_button, "ph.arrow-u-up-left"),
            (self.redo_button, "ph.arrow-u-up-right"),
        ):
            icons.set_icon(button, name)
        self.buttons = (
            self.explore_button,
            self.release_button,
            self.export_button,
            self.delete_button,
            self.undo_button,
            self.redo_button,
        )
        self.undo_button.setEnabled(False)
        self.redo_button.setEnabled(False)

    def _content(self) -> QWidget:
        look = style.current()
        row = FlowBox(gap=look.s)
        row.set_items(self.buttons)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(look.xl, look.s, look.xl, look.l)
        column.setSpacing(look.m)
        column.addWidget(row)
        column.addWidget(self.problem)
        column.addWidget(self.table, 4)
        column.addWidget(self.comparison, 5)
        return whole

    def _connect(self) -> None:
        self.table.runs_selected.connect(self._on_selected)
        self.model.note_written.connect(self._write_note)
        self._scores.changed.connect(self._show_lines)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self.comparison.list_chosen.connect(self._show_list)
        self.comparison.class_chosen.connect(self._show_class)
        self.hand_over.notice.connect(self._say)
        self.explore_button.clicked.connect(self._explore)
        self.release_button.clicked.connect(self._release)
        self.export_button.clicked.connect(self._export)
        self.delete_button.clicked.connect(self.delete)
        self.undo_button.clicked.connect(self.undo_stack.undo)
        self.redo_button.clicked.connect(self.undo_stack.redo)
        self.undo_stack.canUndoChanged.connect(self.undo_button.setEnabled)
        self.undo_stack.canRedoChanged.connect(self.redo_button.setEnabled)
        self.empty.train_pressed.connect(self._request_train)
        for name, act in (
            ("delete", self.delete),
            ("undo", self.undo_stack.undo),
            ("redo", self.undo_stack.redo),
            ("look", self._explore),
            ("note", self.table.edit_note),
        ):
            bind(self.table, f"runs_{name}", act, within=Qt.ShortcutContext.WidgetShortcut)

    # -- what the window calls -----------------------------------------------------------------------------------

    def widget(self) -> QWidget:
        return self

    def title_widget(self) -> None:
        return None

    def set_session(self, session: Session) -> None:
        self._disconnect_session()
        self._session = session
        self.undo_stack.clear()
        session.runs_changed.connect(self._on_runs_changed)
        session.released_changed.connect(self._show_lines)
        session.labels_changed.connect(self._on_labels_changed)
        self._scores_begun = False
        self._stale = True
        self._show_lines()

    def opened(self) -> None:
        """Count scores again, and take the keys."""
        if not self._scores_begun and self._session is not None:
            # Not sooner: while a project opens, others need the processor.
            self._scores_begun = True
            self._scores.set_session(self._session)
        self._scores.refresh()
        if self._stale:
            self._count_versions()
        if not self.table.selected_runs() and self.model.rowCount():
            self.table.selectRow(0)
        else:
            self._pause.start()
        self.table.setFocus()

    def show_view(self, view: str) -> None:
        """Choose a run by its number."""
        if view.isdecimal():
            self.table.choose(int(view))

    def show_job(self) -> None:
        """Do nothing: this page runs no job."""

    def can_close(self) -> bool:
        return True

    def shutdown(self) -> None:
        """End what runs in the background."""
        self._pause.stop()
        self._disconnect_session()
        self._scores.close()
        self.hand_over.close()
        self._tasks.close()

    def _disconnect_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.runs_changed.disconnect(self._on_runs_changed)
            session.released_changed.disconnect(self._show_lines)
            session.labels_changed.disconnect(self._on_labels_changed)

    # -- the table -----------------------------------------------------------------------------------------------

    @Slot()
    def _on_runs_changed(self) -> None:
        self._stale = True
        self._show_lines()
        if self.isVisible():
            self._count_versions()
            if not self.table.selected_runs() and self.model.rowCount():
                self.table.selectRow(0)

    @Slot()
    def _on_labels_changed(self) -> None:
        self._found = None

    @Slot()
    def _show_lines(self) -> None:
        session = self._session
        if session is None:
            return
        project, released = session.project, session.project.released()
        notes = project.runs.notes()
        lines = [
            messages.run_line(
                session,
                run,
                self._scores.of(run.number),
                self._versions.get(run.number),
                note=notes.get(run.number, ""),
                in_use=released is not None and released.run == run.number,
            )
            for run in project.runs.all()
        ]
        self.model.set_lines(lines)
        self.stack.setCurrentIndex(0 if lines else 1)
        self.sentence_changed.emit(messages.page_sentence(len(lines)))
        self._enable()

    def _count_versions(self) -> None:
        session = self._session
        if session is None:
            return
        self._stale = False
        self._tasks.forget(self._version_request)
        finished = [run.number for run in session.project.runs.all() if run.state == "finished"]
        self._version_request = self._tasks.submit(data_versions, session.project, finished)

    def _lines_selected(self) -> list[messages.RunLine]:
        return [self.model.line(self.model.row_of(run)) for run in self.table.selected_runs()]

    def _enable(self) -> None:
        chosen = self._lines_selected()
        one = chosen[0] if len(chosen) == 1 else None
        for button in (self.explore_button, self.release_button, self.export_button):
            button.setEnabled(one is not None and one.finished)
        self.delete_button.setEnabled(bool(chosen))

    @Slot()
    def _on_selected(self) -> None:
        self._enable()
        self._pause.start()

    @Slot(int, str)
    def _write_note(self, run: int, note: str) -> None:
        if self._session is None:
            return
        try:
            self._session.project.runs.set_note(run, note)
        except HandlensError as error:
            self._complain(error_text(error))
        else:
            self._show_lines()

    # -- two runs ------------------------------------------------------------------------------------------------

    @Slot()
    def _compare(self) -> None:
        """Compare the two selected runs, or the selected one with the finished run before it."""
        session = self._session
        if session is None:
            return
        self._tasks.forget(self._difference_request)
        chosen = [line.number for line in self._lines_selected() if line.finished]
        finished = [run.number for run in session.project.runs.all() if run.state == "finished"]
        if len(chosen) == 1:
            chosen = [*[run for run in finished if run < chosen[0]][-1:], *chosen]
        if len(chosen) != 2:
            self.comparison.show_words(messages.how_to_compare(len(finished)))
            return
        self._runs, self._found = (chosen[0], chosen[1]), None
        self._difference_request = self._tasks.submit(_differ, session, *self._runs)

    @Slot(int, object)
    def _on_done(self, request: int, result: object) -> None:
        session = self._session
        if session is None:
            return
        if request == self._version_request:
            assert isinstance(result, dict)
            self._versions = result
            self._show_lines()
        elif isinstance(result, RunDifference):
            self._found = result
            self.comparison.show_difference(session.project.kind, self._runs, result, session.class_names)
            self.comparison.show_curves([(run, session.project.runs.history(run)) for run in self._runs])

    @Slot(int, object)
    def _on_failed(self, request: int, error: Exception) -> None:
        if request == self._difference_request:
            self.comparison.show_words(error_text(error))

    @Slot(str)
    def _show_list(self, name: str) -> None:
        """Open the samples that flipped on Explore, as the later run predicts them."""
        before, after = self._runs
        if self._found is None:
            self._pause.start()  # labels have changed: count again first
            return
        words = {
            "fixed": tr("right only in run {n}", n=str(after)),
            "broken": tr("right only in run {n}", n=str(before)),
            "both_wrong": tr("wrong in both runs"),
        }[name]
        self._look_at(getattr(self._found, name), words)

    @Slot(int)
    def _show_class(self, index: int) -> None:
        """Open the samples of a class that flipped on Explore; all of them where none did."""
        session, found = self._session, self._found
        if session is None or found is None:
            return
        name = session.class_names[index]
        flipped = [each for each in (*found.fixed, *found.broken) if index in session.sample(each).labels]
        if flipped:
            self._look_at(flipped, tr("{name}, flipped", name=name))
        else:
            wrong = [each for each in found.both_wrong if index in session.sample(each).labels]
            self._look_at(wrong, tr("{name}, wrong in both runs", name=name))

    def _look_at(self, ids: tuple[int, ...] | list[int], words: str) -> None:
        session = self._session
        if session is None or not ids:
            return
        try:
            session.set_run(self._runs[1])
        except HandlensError as error:
            self._complain(error_text(error))
            return
        session.request_samples(ids, words)
        self.page_requested.emit(EXPLORE, "samples")

    # -- verbs ---------------------------------------------------------------------------------------------------

    def _one(self) -> int | None:
        chosen = self._lines_selected()
        return chosen[0].number if len(chosen) == 1 and chosen[0].finished else None

    @Slot()
    def _explore(self) -> None:
        run = self._one()
        if self._session is None or run is None:
            return
        self._session.set_run(run)
        self.page_requested.emit(EXPLORE, "wrong")

    @Slot()
    def _release(self) -> None:
        run = self._one()
        if self._session is not None and run is not None:
            self.hand_over.release(self._session, run)

    @Slot()
    def _export(self) -> None:
        run = self._one()
        if self._session is not None and run is not None:
            self.hand_over.export(self._session, run)

    @Slot()
    def delete(self) -> None:
        """Delete the selected runs. Undo brings them back until the project is closed."""
        chosen = self.table.selected_runs()
        if self._session is None or not chosen:
            return
        self._complain("")
        self.undo_stack.push(DeleteRuns(self._session, chosen, on_problem=self._complain))
        if not self.problem.text():
            self.sentence_changed.emit(messages.deleted(len(chosen)))

    @Slot()
    def _request_train(self) -> None:
        self.page_requested.emit(TRAIN, "")

    @Slot(str, bool)
    def _say(self, sentence: str, good: bool) -> None:
        if good:
            self._complain("")
            self.sentence_changed.emit(sentence)
        else:
            self._complain(sentence)

    def _complain(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))


def _differ(session: Session, before: int, after: int) -> RunDifference:
    """Runs in a background thread."""
    return run_difference(session.project, before=before, after=after, samples=session.samples)


class _EmptyRuns(QWidget):
    """Says that there is no run yet, and has a button for the next step."""

    train_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        look = style.current()
        sentence = QLabel(tr("There is no run yet. Each training adds one here, so that you can compare them."))
        sentence.setProperty("role", "emphasis")
        sentence.setWordWrap(True)
        self.button = QPushButton(tr("Train first"))
        self.button.setProperty("role", "primary")
        self.button.clicked.connect(self.train_pressed)
        row = QHBoxLayout()
        row.addWidget(self.button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.xl)
        column.setSpacing(look.l)
        column.addWidget(sentence)
        column.addLayout(row)
        column.addStretch(1)
