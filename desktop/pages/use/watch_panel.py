"""Watch a folder: which one, what is done about which answers, and the log of it. Plain values in, presses out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from desktop import icons, style
from desktop.i18n import tr
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.text_field import TextField

NO_RULE, ONE_RULE, FILE_RULES = "none", "one", "file"
NOTIFY, WEBHOOK, COMMAND = "notify", "webhook", "command"
MOST_LINES = 1000
_TARGET, _ROW = 240, 32


class WatchPanel(QWidget):
    """Emits what the person presses. `rule` is what the form says."""

    back_pressed = Signal()
    folder_pressed = Signal()
    table_pressed = Signal()
    rules_pressed = Signal()
    start_pressed = Signal()
    test_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.back_button = QPushButton(tr("Back to the answers"))
        icons.set_icon(self.back_button, "ph.arrow-left")
        self.title = QLabel(tr("Answer files as they arrive in a folder"))
        self.title.setProperty("role", "emphasis")
        self.folder_button, self.table_button = QPushButton(tr("Choose a folder…")), QPushButton(tr("Choose a table…"))
        self.folder_line, self.table_line = _path_line(), _path_line()
        self.rules_box = QComboBox()
        self.rules_box.setAccessibleName(tr("Alarm"))
        for words, value in (
            (tr("No alarm"), NO_RULE),
            (tr("One rule"), ONE_RULE),
            (tr("Rules of a file"), FILE_RULES),
        ):
            self.rules_box.addItem(words, value)
        self.file_button, self.file_line = QPushButton(tr("Choose the rules…")), _path_line()
        self.class_box = QComboBox()
        self.class_box.setAccessibleName(tr("Class"))
        self.at_least, self.times, self.within = QSpinBox(), QSpinBox(), QDoubleSpinBox()
        self.action_box, self.target = QComboBox(), TextField()
        self.start_button, self.test_button = QPushButton(tr("Start watching")), QPushButton(tr("Test the alarm"))
        self.start_button.setProperty("role", "primary")
        self.problem, self.state = _label("error"), _label("muted")
        self.log = QListWidget()
        self.log.setAccessibleName(tr("What happened"))
        self.log_line = _path_line()
        self._running = False
        self._prepare()
        self._lay_out()
        self._follow()

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_classes(self, names: Sequence[str], shown: Sequence[str]) -> None:
        with QSignalBlocker(self.class_box):
            self.class_box.clear()
            for name, words in zip(names, shown, strict=True):
                self.class_box.addItem(words, name)

    def rules_from(self) -> str:
        """Return where the rules come from: `NO_RULE`, `ONE_RULE` or `FILE_RULES`."""
        return str(self.rules_box.currentData())

    def rule(self) -> dict[str, Any]:
        """Return what the form says, with the keys of a rules file."""
        values: dict[str, Any] = {
            "class": self.class_box.currentData(),
            "at_least": self.at_least.value() / 100,
            "times": self.times.value(),
            "within": self.within.value(),
        }
        action, target = str(self.action_box.currentData()), self.target.text().strip()
        return values | {action: {NOTIFY: True, WEBHOOK: target, COMMAND: target}[action]}

    def set_running(self, running: bool, *, ending: bool = False) -> None:
        """Show that it is watching; `ending`: not any more, once what is being sent is sent."""
        self._running = running
        self.start_button.setText(tr("Stop watching") if running else tr("Start watching"))
        self.start_button.setEnabled(not ending)
        for part in (self.folder_button, self.table_button, self.rules_box, self._form, self.file_button):
            part.setEnabled(not running)

    def set_folder(self, folder: str) -> None:
        self.folder_line.setText(folder or tr("Which folder?"))

    def set_table(self, table: str) -> None:
        self.table_line.setText(table or tr("Answers are not saved."))

    def set_rules_file(self, words: str) -> None:
        self.file_line.setText(words or tr("Which file?"))

    def show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def show_state(self, sentence: str) -> None:
        self.state.setText(sentence)

    def add_lines(self, lines: Sequence[str]) -> None:
        """Put lines at the end of the log."""
        self.log.addItems(list(lines))
        while self.log.count() > MOST_LINES:
            self.log.takeItem(0)
        self.log.scrollToBottom()

    # -- parts ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        icons.set_icon(self.folder_button, "ph.folder-open")
        self.at_least.setRange(1, 100)
        self.at_least.setValue(90)
        self.at_least.setSuffix(tr(" %"))
        self.at_least.setAccessibleName(tr("At least so sure"))
        self.times.setRange(1, 1000)
        self.times.setAccessibleName(tr("How many times"))
        self.within.setRange(0, 86_400)
        self.within.setDecimals(0)
        self.within.setValue(10)
        self.within.setSuffix(tr(" s"))
        self.within.setAccessibleName(tr("Within so many seconds"))
        self.action_box.setAccessibleName(tr("What is done"))
        for words, value in (
            (tr("Show a notification"), NOTIFY),
            (tr("Call a web address"), WEBHOOK),
            (tr("Run a program"), COMMAND),
        ):
            self.action_box.addItem(words, value)
        self.problem.hide()
        self.rules_box.currentIndexChanged.connect(self._follow)
        self.action_box.currentIndexChanged.connect(self._follow)
        self.times.valueChanged.connect(self._follow)
        for button, signal in (
            (self.back_button, self.back_pressed),
            (self.folder_button, self.folder_pressed),
            (self.table_button, self.table_pressed),
            (self.file_button, self.rules_pressed),
            (self.start_button, self.start_pressed),
            (self.test_button, self.test_pressed),
        ):
            button.clicked.connect(signal)

    def _lay_out(self) -> None:
        look = style.current()
        head = _row(self.back_button, self.title)
        head.addStretch(1)
        grid = QGridLayout()
        grid.setHorizontalSpacing(look.m)
        grid.setVerticalSpacing(look.s)
        grid.setColumnStretch(2, 1)
        for row, (words, widget, line) in enumerate(
            (
                (tr("Folder"), self.folder_button, self.folder_line),
                (tr("Table"), self.table_button, self.table_line),
                (tr("Alarm"), self.rules_box, None),
            )
        ):
            grid.addWidget(QLabel(words), row, 0)
            grid.addWidget(widget, row, 1)
            if line is not None:
                grid.addWidget(line, row, 2)
        self._form, self._file = self._rule_form(), QWidget()
        file_row = _row(self.file_button, self.file_line)
        file_row.setContentsMargins(0, 0, 0, 0)
        file_row.setStretch(1, 1)
        self._file.setLayout(file_row)
        buttons = _row(self.start_button, self.test_button)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, 0, look.xl, look.l)
        column.setSpacing(look.m)
        column.addLayout(head)
        column.addLayout(grid)
        column.addWidget(self._form)
        column.addWidget(self._file)
        column.addLayout(buttons)
        for part in (self.problem, self.state):
            column.addWidget(part)
        column.addWidget(self.log, 1)
        column.addWidget(self.log_line)

    def _rule_form(self) -> QWidget:
        form = FlowBox(gap=style.current().s)
        self.target.setMinimumWidth(_TARGET)
        self._within_words = QLabel(tr("Within"))
        fields: list[tuple[QLabel, QWidget]] = [
            (QLabel(tr("Class")), self.class_box),
            (QLabel(tr("At least so sure")), self.at_least),
            (QLabel(tr("How many times")), self.times),
            (self._within_words, self.within),
            (QLabel(tr("What is done")), self.action_box),
        ]
        items: list[QWidget] = []
        for label, field in fields:
            label.setMinimumHeight(_ROW)
            items += [label, field]
        form.set_items((*items, self.target))
        return form

    def _follow(self) -> None:
        """Show what the choices need."""
        source, action = self.rules_from(), self.action_box.currentData()
        self._form.setVisible(source == ONE_RULE)
        self._file.setVisible(source == FILE_RULES)
        self.test_button.setVisible(source != NO_RULE)
        self.target.setVisible(action != NOTIFY)
        words = tr("https://…") if action == WEBHOOK else tr("The program and its arguments")
        self.target.setPlaceholderText(words)
        self.target.setAccessibleName(words)
        several = self.times.value() > 1
        self._within_words.setVisible(several)
        self.within.setVisible(several)


def _path_line() -> ElidedLabel:
    line = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
    line.setProperty("role", "muted")
    return line


def _label(role: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setProperty("role", role)
    return label


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(style.current().s)
    for widget in widgets:
        row.addWidget(widget)
    return row
