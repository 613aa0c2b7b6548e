"""The result of a scan: the classes with examples, the findings, and the choice of the task."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.dialogs.items import ItemsDialog
from desktop.i18n import counted_files, current_language, printable, text, tr
from desktop.pages.wizard.frame_choice import FrameChoice
from desktop.pages.wizard.label_files import use_table_text
from desktop.pages.wizard.picture_reading import PictureReadingChoice
from desktop.plain_text import button_text
from desktop.widgets.bar_list import BarList, BarRow
from desktop.workers.sample_renderer import examples, spread
from desktop.workers.tasks import Tasks
from ml.api import (
    MOST_TIMES_SLOWER,
    Finding,
    KindName,
    ScanReport,
    SplitPlan,
    TaskName,
    findings,
    may_be_labelled,
    may_be_slowed,
    suggest_labels,
    task_named,
)

_EXAMPLE_SIZE = 96
_MOST_EXAMPLES = 200
_ROLES = {"bad": "error", "warn": "warn", "info": "muted"}


class ScanResult(QWidget):
    """Shows a report. Emits `task_chosen(task)`, and `table_chosen(path)` for a table with labels it found itself."""

    task_chosen = Signal(str)
    table_chosen = Signal(object)
    speed_chosen = Signal(int)
    """How many times slower recordings are heard."""
    unlabelled_chosen = Signal()
    """The folders are no classes: the user wants to label the files."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.bars = BarList()
        self.bars.setAccessibleName(tr("Classes"))
        self.task = TaskChoice()
        self.task.chosen.connect(self.task_chosen)
        self.speed = SpeedChoice()
        self.speed.chosen.connect(self.speed_chosen)
        self.unlabelled_button = QPushButton(tr("These folders are no classes"))
        self.unlabelled_button.setProperty("role", "link")
        self.unlabelled_button.setToolTip(tr("You label the files yourself and name the classes as you go"))
        self.unlabelled_button.clicked.connect(self.unlabelled_chosen)
        self.reading = PictureReadingChoice()
        self.frames = FrameChoice()
        self.findings = FindingRows()
        self.findings.table_chosen.connect(self.table_chosen)
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._on_done)
        self._example_requests: dict[int, int] = {}
        self._table_request = 0
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.m)
        column.addWidget(self.task)
        column.addWidget(self.bars, 1)
        column.addWidget(self.unlabelled_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.reading)
        column.addWidget(self.findings)
        column.addWidget(self.frames)
        column.addWidget(self.speed)
        column.addStretch(0)

    def show_report(self, report: ScanReport, folder: Path, plan: SplitPlan | None) -> None:
        """Show the classes and the findings; examples follow from the background."""
        rows = []
        for place, (name, count) in enumerate(report.class_counts.items()):
            words = tr("{name}: {things}", name=name, things=counted_files(count, report.kind))
            rows.append(BarRow(name=printable(name), count=count, colour=style.class_colour(place), words=words))
        self.unlabelled_button.setVisible(bool(rows) and report.labels is None)
        if may_be_labelled(report):
            count = len(report.files)
            spoken = text(counted_files(count, report.kind))
            rows = [BarRow(name=tr("no label yet"), count=count, colour=style.current().muted, words=spoken)]
        self.bars.set_rows(rows)
        self.bars.setVisible(bool(rows))
        self.task.show_report(report)
        self.task.setVisible(bool(rows))
        self.reading.show_report(report)
        self.findings.show_report(report, plan)
        self.frames.show_report(report)
        self.speed.show_report(report)
        self._request_examples(report, folder)
        if not report.class_counts and report.labels is None:
            self._table_request = self._tasks.submit_stoppable(suggest_labels, folder, report.kind)

    def shutdown(self) -> None:
        """End what runs in the background."""
        self.reading.shutdown()
        self._tasks.close()

    def _request_examples(self, report: ScanReport, folder: Path) -> None:
        self._tasks.forget_all()
        self._example_requests.clear()
        by_class: dict[str, list[str]] = defaultdict(list)
        for file in report.files:
            for name in file.class_names:
                by_class[name].append(file.path)
        for place, name in enumerate(list(report.class_counts)[:_MOST_EXAMPLES]):
            paths = spread(by_class[name], 3)
            make = partial(examples, starts=first_starts(report, name))
            number = self._tasks.submit(make, folder.joinpath, paths, report.kind, report.reading, _EXAMPLE_SIZE)
            self._example_requests[number] = place
        if may_be_labelled(report):
            paths = spread([file.path for file in report.files], 6)
            number = self._tasks.submit(examples, folder, paths, report.kind, report.reading, _EXAMPLE_SIZE)
            self._example_requests[number] = 0

    @Slot(int, object)
    def _on_done(self, number: int, answer: object) -> None:
        if number == self._table_request:
            if isinstance(answer, Path):
                self.findings.offer_table(answer)
            return
        assert isinstance(answer, tuple)
        self.bars.set_images(self._example_requests.pop(number), answer)


class FindingRows(QWidget):
    """One row for each finding, with a link to its files; below them the offer of a table with labels."""

    table_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table_button: QPushButton | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(style.current().xs)

    def show_report(self, report: ScanReport, plan: SplitPlan | None) -> None:
        while (item := self._column.takeAt(0)) is not None:
            row = item.widget()
            if row is not None:
                row.hide()
                row.deleteLater()
        self.table_button = None
        for finding in findings(report, plan):
            row = self._row(finding, report)
            self._column.addWidget(row)
            row.show()  # the layout would show it only later

    def offer_table(self, table: Path) -> None:
        """Offer to use the labels of a table."""
        self.table_button = QPushButton(button_text(use_table_text(table)))
        self.table_button.clicked.connect(partial(self._choose_table, table))
        self._column.addWidget(self.table_button, 0, Qt.AlignmentFlag.AlignLeft)

    def _choose_table(self, table: Path) -> None:
        self.table_chosen.emit(table)

    def _row(self, finding: Finding, report: ScanReport) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(style.current().s)
        sentence = text(finding.sentence)
        label = QLabel(sentence)
        label.setProperty("role", _ROLES[finding.severity])
        label.setWordWrap(True)
        line.addWidget(label, 1)
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


class TaskChoice(QWidget):
    """Single label or multi-label, in plain words; emits `chosen(task)` when the person changes it."""

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
        self._task: TaskName = "single"

    def task(self) -> TaskName:
        return self._task

    def show_report(self, report: ScanReport) -> None:
        """Show the task of the report in words that fit its kind."""
        self._task = report.task
        self.single.setText(self._one_thing(report.kind))
        with QSignalBlocker(self._group):
            (self.multi if not task_named(report.task).exclusive else self.single).setChecked(True)
        self.hint.setText(self._hint(report))
        self.hint.setVisible(bool(self.hint.text()))

    def _one_thing(self, kind: KindName) -> str:
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
        task: TaskName = "multi" if self.multi.isChecked() else "single"
        if task != self._task:
            self._task = task
            self.chosen.emit(task)


class SpeedChoice(QWidget):
    """How many times slower recordings of ultrasound are heard; emits `chosen(times)` when the person changes it."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.box = QSpinBox()
        self.box.setRange(1, MOST_TIMES_SLOWER)
        self.box.setKeyboardTracking(False)
        self.box.setToolTip(tr("1: as they were recorded"))
        self.box.valueChanged.connect(self.chosen)
        label = QLabel(tr("&How many times slower the recordings are heard"))
        label.setBuddy(self.box)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look.m)
        row.addWidget(label)
        row.addWidget(self.box)
        row.addStretch(1)

    def show_report(self, report: ScanReport) -> None:
        """Show the choice where recordings hold sounds that it brings into the range of the network."""
        self.setVisible(may_be_slowed(report))
        with QSignalBlocker(self.box):
            self.box.setValue(1 if report.windowing is None else report.windowing.time_expansion)


def first_starts(report: ScanReport, name: str) -> dict[str, float]:
    """Return the start of the first label `name` in each recording, in seconds; labels of whole files have none."""
    return {
        file.path: span.start for file in report.files for span in reversed(file.spans or ()) if span.class_name == name
    }
