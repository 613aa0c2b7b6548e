"""Watching a folder from the Use page: asks what to watch, runs it in a thread, and shows what happens."""

from __future__ import annotations

import shlex
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from desktop.dialogs.folder import FileChooser, FileSaver, FolderChooser
from desktop.i18n import class_caption, error_text, number, printable, text, tr, trn
from desktop.pages.use.watch_panel import COMMAND, FILE_RULES, NO_RULE, WatchPanel
from desktop.workers.notifier import Notifier
from desktop.workers.tasks import Tasks
from desktop.workers.watch_thread import WatchState, WatchThread, send_test
from ml.api import (
    HandlensError,
    Message,
    ReleasedModel,
    Rule,
    RuleSet,
    UnreadableInput,
    listed,
    make_rules,
    msg,
    percent,
    read_rules,
    watch_plan,
)


class WatchController(QObject):
    """Drives a `WatchPanel`. It goes on watching while another page is open."""

    closed = Signal()
    """The person goes back to the answers."""
    progressed = Signal(str, float)

    def __init__(self, panel: WatchPanel, parent: QWidget) -> None:
        super().__init__(parent)
        self._panel, self._page = panel, parent
        self._model: ReleasedModel | None = None
        self._folder: Path | None = None
        self._table: Path | None = None
        self._rules_file: Path | None = None
        self._thread: WatchThread | None = None
        self.notifier = Notifier(self)
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_tested)
        self._tasks.failed.connect(self._on_test_failed)
        panel.back_pressed.connect(self.closed)
        panel.folder_pressed.connect(self._choose_folder)
        panel.table_pressed.connect(self._choose_table)
        panel.rules_pressed.connect(self._choose_rules)
        panel.start_pressed.connect(self._start_or_stop)
        panel.test_pressed.connect(self._test)

    def open(self, model: ReleasedModel) -> None:
        """Show the panel for this model; what is watched already goes on with its own."""
        if self.running():
            return
        self._model = model
        panel = self._panel
        panel.set_classes(model.info.classes, tuple(map(printable, model.info.classes)))
        panel.set_folder("" if self._folder is None else str(self._folder))
        panel.set_table("" if self._table is None else str(self._table))
        panel.set_rules_file("" if self._rules_file is None else str(self._rules_file))
        panel.show_problem("")
        panel.set_running(False)

    def watch(self, folder: Path) -> None:
        """Set which folder is watched."""
        self._folder = folder
        self._panel.set_folder(str(folder))
        self._panel.show_problem("")

    def save_to(self, table: Path) -> None:
        """Set the table that answers are appended to."""
        self._table = table
        self._panel.set_table(str(table))

    def running(self) -> bool:
        """Return whether a folder is being watched."""
        return self._thread is not None

    def close(self) -> None:
        """End, and wait for it."""
        self._tasks.close()
        self.notifier.close()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()

    # -- what the person presses ---------------------------------------------------------------------------------

    @Slot()
    def _choose_folder(self) -> None:
        folder = FolderChooser.ask(self._page, tr("The folder that files arrive in"))
        if folder is not None:
            self.watch(folder)

    @Slot()
    def _choose_table(self) -> None:
        names = tr("Text (*{suffix})", suffix=".csv")
        table = FileSaver.ask(self._page, tr("A table that grows"), tr("answers.csv"), names, suffix=".csv")
        if table is not None:
            self.save_to(table)

    @Slot()
    def _choose_rules(self) -> None:
        path = FileChooser.ask(self._page, tr("The rules"), tr("Rules (*.toml)"))
        if path is not None:
            self._rules_file = path
            self._panel.set_rules_file(str(path))
            rules = self._rules()
            if rules is not None:
                self._panel.set_rules_file(text(_summary(path, rules)))

    @Slot()
    def _start_or_stop(self) -> None:
        panel = self._panel
        if self._thread is not None:
            self._thread.stop()
            panel.set_running(True, ending=True)
            return
        if self._model is None:
            return
        if self._folder is None:
            panel.show_problem(tr("Choose the folder that files arrive in."))
            return
        rules = self._rules()
        if rules is None:
            return
        panel.show_problem("")
        thread = self._thread = WatchThread(
            self._model, self._folder, csv=self._table, rules=rules, notify=self.notifier.action(), parent=self
        )
        thread.changed.connect(self._on_changed)
        thread.ended.connect(self._on_ended)
        panel.set_running(True)
        panel.log_line.setText(tr("What fires is logged in {path}.", path=str(thread.plan.log)) if rules.rules else "")
        panel.show_state(tr("Watching {folder}.", folder=str(self._folder)))
        thread.start()

    @Slot()
    def _test(self) -> None:
        rules = self._rules()
        if rules is not None and self._model is not None:
            self._panel.show_problem("")
            self._panel.test_button.setEnabled(False)
            plan = watch_plan(self._model.info, self._folder or Path.home(), rules=rules)
            self._tasks.submit_stoppable(send_test, plan, self.notifier.action())

    @Slot(int, object)
    def _on_tested(self, _task: int, lines: object) -> None:
        self._panel.test_button.setEnabled(True)
        if isinstance(lines, list):
            self._panel.add_lines(lines)

    @Slot(int, object)
    def _on_test_failed(self, _task: int, error: object) -> None:
        self._panel.test_button.setEnabled(True)
        fault = type(error).__name__
        self._panel.show_problem(tr("A fault in Handlens ended this ({fault}). Try again.", fault=fault))

    def _rules(self) -> RuleSet | None:
        """Return the rules, or say what is wrong with them."""
        panel, model = self._panel, self._model
        assert model is not None
        source = panel.rules_from()
        try:
            if source == NO_RULE:
                return RuleSet()
            if source == FILE_RULES:
                if self._rules_file is None:
                    panel.show_problem(tr("Choose the file with the rules."))
                    return None
                return read_rules(self._rules_file, model.info.classes)
            return make_rules({"rule": [self._written_rule()]}, model.info.classes)
        except HandlensError as error:
            panel.show_problem(error_text(error))
        return None

    def _written_rule(self) -> dict[str, object]:
        rule: dict[str, object] = self._panel.rule()
        if COMMAND in rule:
            try:
                rule[COMMAND] = shlex.split(str(rule[COMMAND]))
            except ValueError as error:
                raise HandlensError(msg("A quotation mark in the program and its arguments has no end.")) from error
        return rule

    # -- what happens --------------------------------------------------------------------------------------------

    @Slot()
    def _on_changed(self) -> None:
        if self._thread is None or self.sender() is not self._thread:
            return
        state, lines = self._thread.take()
        self._panel.add_lines(lines)
        self._panel.show_state(self._words(state))
        if lines:
            self.progressed.emit(lines[-1], -1.0)

    @Slot(str)
    def _on_ended(self, problem: str) -> None:
        thread = self._thread
        if thread is None or self.sender() is not thread:
            return
        state, lines = thread.take()
        self._thread = None
        thread.wait()
        thread.deleteLater()
        panel = self._panel
        panel.add_lines(lines)
        panel.set_running(False)
        panel.show_problem(problem)
        panel.show_state(
            trn("Ended: {count} file was answered.", "Ended: {count} files were answered.", state.answered)
        )

    def _words(self, state: WatchState) -> str:
        counts = tr(
            "Answered: {answered} · unreadable: {unreadable} · alarms: {fired}",
            answered=number(state.answered),
            unreadable=number(state.unreadable),
            fired=number(state.fired),
        )
        if state.last is None or self._model is None:
            return counts
        name = printable(state.last.path.name)
        if isinstance(state.last, UnreadableInput):
            return tr("{counts} · last: {name}, {answer}", counts=counts, name=name, answer=text(state.last.reason))
        names = tuple(map(printable, self._model.info.classes))
        answer = class_caption(self._model.info.predicted(state.last.probabilities), names)
        return tr("{counts} · last: {name}, {answer}", counts=counts, name=name, answer=answer)


def _summary(path: Path, rules: RuleSet) -> Message:
    """Say what the rules of a file do, before they are used: they may start programs."""
    return msg("{path}: {rules}", path=str(path), rules=listed([_rule_words(rule) for rule in rules.rules], most=3))


def _rule_words(rule: Rule) -> Message:
    return msg(
        "“{name}”, {class_name} from {percent}, does: {actions}",
        name=rule.name,
        class_name=rule.class_name,
        percent=percent(rule.at_least),
        actions=", ".join(rule.actions),
    )
