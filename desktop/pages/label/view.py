"""The widgets of the Label page: classes along the top, filters, the grid, one sample large."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent, QUndoStack
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop import icons, style
from desktop.i18n import tr
from desktop.pages.changes import ChangesBar
from desktop.pages.label.filters import FilterRow
from desktop.pages.label.model import ANY_CLASS, SHOWN, Show
from desktop.pages.label.panel import LabelPanel
from desktop.shortcuts import set_key_tip
from desktop.widgets.class_keys import ClassKeys
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.text_field import TextField
from desktop.widgets.thumbnail_grid import ThumbnailGrid


class ClassField(TextField):
    """Types or finds the name of a class. Emits `named(text)` on Enter and `left` on Escape."""

    named = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText(tr("name of a class, then Enter"))
        self.setAccessibleName(tr("Name of a class"))
        self.setMaxLength(200)
        self.setMaximumWidth(280)
        self.returnPressed.connect(self._on_return)

    def offer(self, names: Sequence[str]) -> None:
        """Complete what is typed to one of these names."""
        completer = QCompleter(list(names), self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.InlineCompletion)
        self.setCompleter(completer)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)

    def _on_return(self) -> None:
        self.named.emit(self.text())


class LabelView(QWidget):
    """Holds the widgets; decides nothing."""

    def __init__(self, undo_stack: QUndoStack, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid, self.panel, self.keys, self.field = ThumbnailGrid(), LabelPanel(), ClassKeys(), ClassField()
        self.grid.setAccessibleName(tr("Samples"))
        self.new_button = _button("ph.plus", tr("New class…"), tr("Type the name of a class"), "label_new")
        self.edit_button = _button("ph.pencil-simple", tr("Edit classes…"), tr("Rename, merge, recolour or delete"))
        self.show_box, self.class_box = QComboBox(), QComboBox()
        self.show_box.setAccessibleName(tr("Which samples"))
        self.class_box.setAccessibleName(tr("Class"))
        self.class_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.class_box.setMinimumContentsLength(10)
        shown = {
            "all": tr("All"),
            "unlabelled": tr("Without a label"),
            "look": tr("Worth a look"),
            "labelled": tr("Labelled"),
            "ignored": tr("Not used"),
            "flagged": tr("Flagged"),
            "noted": tr("With a note"),
        }
        for show in SHOWN:
            self.show_box.addItem(shown[show], show)
        self.filter_button = _button("ph.funnel", tr("Filter"), tr("By folder, date, size or suggestion"))
        self.filter_button.setCheckable(True)
        self.filters = FilterRow()
        self.filters.hide()
        self.labels_button = _button("ph.export", tr("Labels"), tr("Save the labels, or merge a colleague's copy"))
        self.useful_button = _button(
            "ph.star", tr("Most useful"), tr("Those first that are most useful to label"), "label_useful"
        )
        self.similar_button = _button("ph.magnifying-glass", tr("Similar"), tr("Show similar samples"), "label_similar")
        self.alike_button = _button("ph.stack", tr("All like this"), tr("Select all samples like this"), "label_alike")
        self.undo_button = _button("ph.arrow-u-up-left", tr("Undo"), tr("Undo"), "label_back")
        self.redo_button = _button("ph.arrow-u-up-right", tr("Redo"), tr("Redo"), "label_redo")
        for button, changed, can in (
            (self.undo_button, undo_stack.canUndoChanged, undo_stack.canUndo()),
            (self.redo_button, undo_stack.canRedoChanged, undo_stack.canRedo()),
        ):
            button.setEnabled(can)
            changed.connect(button.setEnabled)
        self.hint = QLabel()
        self.hint.setProperty("role", "muted")
        self.hint.setWordWrap(True)
        self.changes_bar = ChangesBar()
        self.problem = QLabel()
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.empty = QLabel()
        self.empty.setProperty("role", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self._lay_out()

    def _lay_out(self) -> None:
        look = style.current()
        classes = QHBoxLayout()
        classes.setSpacing(look.s)
        left = QVBoxLayout()
        left.setSpacing(look.xs)
        left.addWidget(self.keys)
        left.addWidget(self.hint)
        classes.addLayout(left, 1)
        self.field.hide()
        for widget in (self.field, self.new_button, self.edit_button, self.labels_button):
            classes.addWidget(widget, 0, Qt.AlignmentFlag.AlignTop)
        tools = QHBoxLayout()
        tools.setSpacing(look.s)
        choices = FlowBox(gap=look.s)
        choices.set_items(
            (
                self.show_box,
                self.class_box,
                self.filter_button,
                self.useful_button,
                self.similar_button,
                self.alike_button,
            )
        )
        tools.addWidget(choices, 1)
        for part in (self.undo_button, self.redo_button):
            tools.addWidget(part, 0, Qt.AlignmentFlag.AlignTop)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.grid)
        self.stack.addWidget(self.empty)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.stack)
        self.splitter.addWidget(self.panel)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([680, 460])
        self.splitter.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.s, look.xl, look.l)
        column.setSpacing(look.s)
        column.addLayout(classes)
        column.addLayout(tools)
        column.addWidget(self.filters)
        column.addWidget(self.changes_bar)
        column.addWidget(self.problem)
        column.addWidget(self.splitter, 1)

    # -- what it shows -------------------------------------------------------------------------------------------

    def show_classes(self, classes: Sequence[tuple[int, str, str]], *, several: bool) -> None:
        """Show the classes by index, name and key, also in the filter and for the field."""
        self.keys.set_keys(classes, several=several)
        self.keys.setVisible(bool(classes))
        self.field.offer([name for _index, name, _key in classes])
        chosen = self.class_box.currentData()
        with QSignalBlocker(self.class_box):
            self.class_box.clear()
            self.class_box.addItem(tr("any class"), ANY_CLASS)
            for index, name, _key in classes:
                self.class_box.addItem(name, index)
            self.class_box.setCurrentIndex(max(0, self.class_box.findData(chosen)))
        self.edit_button.setEnabled(bool(classes))

    def shown(self) -> Show:
        chosen: Show = self.show_box.currentData()
        return chosen

    def choose_shown(self, show: Show) -> None:
        """Choose a filter without its signal."""
        with QSignalBlocker(self.show_box):
            self.show_box.setCurrentIndex(SHOWN.index(show))

    def class_filter(self) -> int:
        return int(self.class_box.currentData() if self.class_box.currentData() is not None else ANY_CLASS)

    def say_hint(self, sentence: str) -> None:
        self.hint.setText(sentence)
        self.hint.setVisible(bool(sentence))

    def show_grid(self, *, explanation: str = "") -> None:
        """Show the grid, or in its place a sentence that says why it is empty."""
        self.empty.setText(explanation)
        self.stack.setCurrentWidget(self.empty if explanation else self.grid)

    def set_large(self, large: bool) -> None:
        """Give one sample the whole width, or show the grid beside it."""
        # Hiding the grid would take the keys from it, so it keeps a strip of one tile.
        whole = self.splitter.width()
        self.splitter.setSizes([190, max(1, whole - 190)] if large else [3 * whole // 5, 2 * whole // 5])

    def is_large(self) -> bool:
        return self.stack.width() < self.splitter.width() // 3

    def say_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def open_field(self) -> None:
        self.field.clear()
        self.field.show()
        self.field.setFocus()

    def close_field(self) -> None:
        self.field.hide()
        self.grid.setFocus()


def _button(icon: str, words: str, tip: str, action_id: str = "") -> QPushButton:
    button = QPushButton(words)
    icons.set_icon(button, icon)
    if action_id:
        set_key_tip(button, tip, action_id)
    else:
        button.setToolTip(tip)
    return button
