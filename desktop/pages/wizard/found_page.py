"""Page 2 of the wizard: what is in the folder. Every file is decoded once, in the background."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
    QWizard,
    QWizardPage,
)

from desktop import style
from desktop.dialogs.items import ItemsDialog
from desktop.i18n import counted, counted_classes, current_language, msg, text, tr, trn
from desktop.pages.wizard.draft import Draft
from desktop.pages.wizard.label_files import use_words
from desktop.widgets.bar_list import BarList, BarRow
from desktop.workers.job_thread import JobThread
from desktop.workers.sample_renderer import examples, spread
from desktop.workers.tasks import Tasks
from ml.api import (
    Event,
    Failed,
    Finding,
    Kind,
    Progress,
    Runner,
    ScanJob,
    Scanned,
    ScanReport,
    Stopped,
    Task,
    findings,
    problem,
    suggest_labels,
    task_named,
)

STOPPED = msg("You stopped this before every file was read. Look again, or go back and choose another folder.")

_EXAMPLE_SIZE = 96
_MOST_EXAMPLES = 200
_ROLES = {"bad": "error", "warn": "warn", "info": "muted"}


class FoundPage(QWizardPage):
    """A progress bar first, then the classes and the findings."""

    labels_chosen = Signal(object)
    """The folder holds no labels, but a table in it does, and that was taken."""

    def __init__(self, draft: Draft, *, runner: Runner) -> None:
        super().__init__()
        look = style.current()
        self._draft = draft
        self._runner = runner
        self._thread: JobThread | None = None
        self._asked: dict[int, int] = {}
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._on_answer)
        self._suggested = 0
        self.use_button: QPushButton | None = None
        self._head = QLabel()
        self._head.setProperty("role", "title")
        self._head.setWordWrap(True)
        self._stack = QStackedWidget()
        self._looking, self._result, self._refused = self._build_looking(), self._build_result(), self._build_refused()
        for part in (self._looking, self._result, self._refused):
            self._stack.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.l)
        column.addWidget(self._head)
        column.addWidget(self._stack, 1)

    def _build_looking(self) -> QWidget:
        look = style.current()
        part = QWidget()
        self._now = QLabel()
        self._now.setProperty("role", "muted")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self.stop_button = QPushButton(tr("Stop looking"))
        self.stop_button.clicked.connect(self._stop_looking)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.m)
        column.addWidget(self._now)
        column.addWidget(self._bar)
        column.addWidget(self.stop_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        return part

    def _build_result(self) -> QWidget:
        look = style.current()
        part = QWidget()
        self.bars = BarList()
        self.bars.setAccessibleName(tr("Classes"))
        self.task = TaskPart()
        self.task.chosen.connect(self._on_task)
        self._findings = QVBoxLayout()
        self._findings.setSpacing(look.xs)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.m)
        column.addWidget(self.task)
        column.addWidget(self.bars, 1)
        column.addLayout(self._findings)
        column.addStretch(0)
        return part

    def _build_refused(self) -> QWidget:
        look = style.current()
        part = QWidget()
        self._error = QLabel()
        self._error.setProperty("role", "error")
        self._error.setWordWrap(True)
        self.again_button = QPushButton(tr("Look again"))
        self.again_button.clicked.connect(self._look)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.m)
        column.addWidget(self._error)
        column.addWidget(self.again_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        return part

    # -- the wizard's side -------------------------------------------------------------------------------------

    def initializePage(self) -> None:
        if not self._draft.fits(self._draft.report):
            self._look()

    def cleanupPage(self) -> None:
        self._end_thread()

    def isComplete(self) -> bool:
        report = self._draft.report
        return self._thread is None and report is not None and self._draft.fits(report) and problem(report) is None

    def shutdown(self) -> None:
        """End what runs in the background."""
        self._end_thread()
        self._tasks.close()

    # -- looking -----------------------------------------------------------------------------------------------

    @Slot()
    def _look(self) -> None:
        self._end_thread()
        self._draft.report = None
        if self._draft.folder is None or self._draft.kind is None:
            return
        self._head.setText(tr("Looking at every file once"))
        self._now.setText(str(self._draft.folder))
        self._bar.setRange(0, 0)
        self._stack.setCurrentWidget(self._looking)
        job = ScanJob(
            folder=self._draft.folder, kind=self._draft.kind, labels=self._draft.labels, rate=self._draft.rate
        )
        self._thread = JobThread(job, self._runner, self)
        self._thread.happened.connect(self._on_event)
        self._thread.ended.connect(self._on_ended)
        self._thread.start()
        self.completeChanged.emit()

    @Slot()
    def _stop_looking(self) -> None:
        self._end_thread()
        self._refuse(text(STOPPED))

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._bar.setRange(0, max(event.total, 1))
            self._bar.setValue(event.done)
            told = trn("{done} of {count} file", "{done} of {count} files", event.total, done=event.done)
            self._now.setText(told)

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        self._end_thread()
        match event:
            case Scanned(report=report):
                self._draft.take_report(report)
                assert self._draft.report is not None
                self._show_report(self._draft.report)
            case Failed(message=message):
                self._refuse(text(message))
            case Stopped():
                self._refuse(text(STOPPED))
            case _:
                raise AssertionError(f"A scan does not end with {type(event).__name__}.")
        self.completeChanged.emit()
        self.wizard().button(QWizard.WizardButton.NextButton).setFocus()

    @Slot(str)
    def _on_task(self, task: Task) -> None:
        self._draft.take_task(task)
        assert self._draft.report is not None
        self._show_report(self._draft.report)
        self.completeChanged.emit()

    def _refuse(self, sentence: str) -> None:
        self._head.setText(tr("Nothing to learn from yet"))
        self._error.setText(sentence)
        self._stack.setCurrentWidget(self._refused)
        self.completeChanged.emit()

    # -- showing -----------------------------------------------------------------------------------------------

    def _show_report(self, report: ScanReport) -> None:
        counts = report.class_counts
        found = counted(len(report.files), report.kind)
        if counts:
            told = tr("Here is what I found: {classes}, {things}", classes=counted_classes(len(counts)), things=found)
        else:
            told = tr("Here is what I found: {things}, none with a label", things=found)
        self._head.setText(told)
        rows = []
        for place, (name, count) in enumerate(counts.items()):
            said = tr("{name}: {things}", name=name, things=counted(count, report.kind))
            rows.append(BarRow(name=name, count=count, colour=style.class_colour(place), words=said))
        self.bars.set_rows(rows)
        self.bars.setVisible(bool(rows))
        self.task.show_report(report)
        self.task.setVisible(bool(rows))
        self._stack.setCurrentWidget(self._result)
        self._show_findings(report)
        self._ask_for_examples(report)
        if not report.class_counts and report.labels is None:
            self._suggested = self._tasks.submit(suggest_labels, self._draft.folder, report.kind)

    def _show_findings(self, report: ScanReport) -> None:
        while (item := self._findings.takeAt(0)) is not None:
            row = item.widget()
            if row is not None:
                row.hide()
                row.deleteLater()
        for finding in findings(report, self._draft.plan):
            row = self._finding_row(finding, report)
            self._findings.addWidget(row)
            row.show()  # a layout shows what it is given only when it comes to it

    def _finding_row(self, finding: Finding, report: ScanReport) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(style.current().s)
        sentence = text(finding.sentence)
        said = QLabel(sentence)
        said.setProperty("role", _ROLES[finding.severity])
        said.setWordWrap(True)
        line.addWidget(said, 1)
        if finding.paths:
            show = QPushButton(tr("Show"))
            show.setProperty("role", "link")
            show.setAccessibleName(tr("Show: {sentence}", sentence=sentence))
            show.clicked.connect(partial(self._show_paths, finding, report))
            line.addWidget(show, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _show_paths(self, finding: Finding, report: ScanReport) -> None:
        reasons = {item.path: text(item.reason) for item in report.unreadable}
        names = {file.path: current_language().join(file.class_names) or tr("no label") for file in report.files}
        second = tr("Why") if all(path in reasons for path in finding.paths) else tr("Class")
        rows = [(path, reasons.get(path) or names.get(path, "")) for path in finding.paths]
        title, heads = tr("Files to look at"), (tr("File"), second)
        ItemsDialog.show_items(self, title=title, sentence=text(finding.sentence), heads=heads, rows=rows)

    def _ask_for_examples(self, report: ScanReport) -> None:
        self._tasks.forget_all()
        self._asked.clear()
        by_class: dict[str, list[str]] = defaultdict(list)
        for file in report.files:
            for name in file.class_names:
                by_class[name].append(file.path)
        for place, name in enumerate(list(report.class_counts)[:_MOST_EXAMPLES]):
            paths = spread(by_class[name], 3)
            make = partial(examples, starts=first_heard(report, name))
            number = self._tasks.submit(make, self._draft.folder, paths, report.kind, report.windowing, _EXAMPLE_SIZE)
            self._asked[number] = place

    @Slot(int, object)
    def _on_answer(self, number: int, answer: object) -> None:
        """Examples of a class, or the table that was found where the sub-folders name no class."""
        if number == self._suggested:
            if isinstance(answer, Path):
                self._offer(answer)
            return
        assert isinstance(answer, tuple)
        self.bars.set_images(self._asked.pop(number), answer)

    def _offer(self, table: Path) -> None:
        self.use_button = QPushButton(use_words(table))
        self.use_button.clicked.connect(partial(self._use, table))
        self._findings.addWidget(self.use_button, 0, Qt.AlignmentFlag.AlignLeft)

    def _use(self, table: Path) -> None:
        self.labels_chosen.emit(table)
        self._look()


def first_heard(report: ScanReport, name: str) -> dict[str, float]:
    """Where in each recording a label of a part first says `name`, in seconds; nothing for labels of whole files."""
    return {
        file.path: span.start for file in report.files for span in reversed(file.spans or ()) if span.class_name == name
    }


class TaskPart(QWidget):
    """Two choices in a row; `chosen(task)` when the person takes the other one."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.single, self.multi = QRadioButton(), QRadioButton(tr("More than one may be present"))
        self._group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(look.l)
        for button in (self.single, self.multi):
            self._group.addButton(button)
            button.clicked.connect(self._on_clicked)
            row.addWidget(button)
        row.addStretch(1)
        self.hint = QLabel()
        self.hint.setProperty("role", "muted")
        self.hint.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.xs)
        column.addLayout(row)
        column.addWidget(self.hint)
        self._task: Task = "single"

    def task(self) -> Task:
        return self._task

    def show_report(self, report: ScanReport) -> None:
        """What is chosen now, in the words of what was found."""
        self._task = report.task
        self.single.setText(self._one_thing(report.kind))
        with QSignalBlocker(self._group):
            (self.multi if not task_named(report.task).exclusive else self.single).setChecked(True)
        self.hint.setText(self._hint(report))
        self.hint.setVisible(bool(self.hint.text()))

    def _one_thing(self, kind: Kind) -> str:
        return {
            "images": tr("Each picture shows one thing"),
            "recordings": tr("In each sound there is one thing"),
            "sensors": tr("Each log shows one thing"),
        }.get(kind, tr("Each sample shows one thing"))

    def _hint(self, report: ScanReport) -> str:
        if not task_named(report.task).exclusive:
            return tr("It learns for each class whether it is present. A sample may also have none of them.")
        if any(item.conflicting for item in report.duplicates):
            return tr("Some files lie in several class folders. Perhaps more than one class may be present.")
        return ""

    @Slot()
    def _on_clicked(self) -> None:
        task: Task = "multi" if self.multi.isChecked() else "single"
        if task != self._task:
            self._task = task
            self.chosen.emit(task)
