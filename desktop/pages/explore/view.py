"""The left of the Explore page: tabs, filters, the grid or the confusion matrix, and what stands there instead."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeySequence, QResizeEvent, QUndoStack
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop import icons
from desktop.i18n import tr
from desktop.models.prediction_table import Order
from desktop.pages.explore.detail.panel import NARROWEST, WIDEST, DetailPanel
from desktop.pages.explore.grid.filters import ExploreFilters
from desktop.pages.explore.label_issues.bar import SuspectsBar
from desktop.pages.explore.thresholds.page import ThresholdPage
from desktop.widgets.confusion_view import ConfusionView
from desktop.widgets.thumbnail_grid import ThumbnailGrid

View = Literal["wrong", "unsure", "right", "suspicious", "confusion", "enough"]
VIEWS: tuple[View, ...] = ("wrong", "unsure", "right", "suspicious", "confusion", "enough")
"""What the tabs show, in their order; the first three are orders of the same grid."""
ORDERS: dict[View, Order] = {"wrong": "wrong", "unsure": "unsure", "right": "right"}


class ExploreView(QWidget):
    """Widgets and their places; `arrangement_changed` when a tab or a filter was chosen. Where there is room for the
    tabs only the page knows, see `ExploreFrame`."""

    arrangement_changed = Signal()

    def __init__(self, undo_stack: QUndoStack, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tabs = QTabBar()
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.setAccessibleName(tr("Order"))
        for text in (
            tr("Most wrong"),
            tr("Least sure"),
            tr("Most right"),
            tr("Suspicious labels"),
            tr("Confusion"),
            tr("Sure enough?"),
        ):
            self.tabs.addTab(text)
        # Its place is beside the page's name, which is not on this page.
        self.run_box = QComboBox()
        self.run_box.setAccessibleName(tr("Run"))
        self.run_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.filters = ExploreFilters()
        self.suspects = SuspectsBar()
        self.no_filters = QWidget()
        self._above = (self.filters, self.suspects, self.no_filters)
        self.grid = ThumbnailGrid()
        self.confusion = ConfusionView()
        self.cell_sentence = QLabel()
        self.cell_sentence.setWordWrap(True)
        self.nothing = QLabel()
        self.nothing.setProperty("role", "muted")
        self.nothing.setWordWrap(True)
        self.nothing.setMargin(24)
        self.problem = QLabel()
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.undo_button = self._make_undo(undo_stack, redo=False)
        self.redo_button = self._make_undo(undo_stack, redo=True)
        self.stack = QStackedWidget()
        self.confusion_page = self._make_confusion_page()
        self.enough = ThresholdPage()
        for page in (self.grid, self.confusion_page, self.enough, self.nothing):
            self.stack.addWidget(page)
        self._lay_out()
        self.tabs.currentChanged.connect(self.arrangement_changed)
        self.tabs.currentChanged.connect(self.take_focus)
        self.filters.filter_changed.connect(self.arrangement_changed)
        self.confusion.cell_pointed.connect(self.cell_sentence.setText)

    def view(self) -> View:
        return VIEWS[self.tabs.currentIndex()]

    def order(self) -> Order | None:
        """Of the grid; None where it is not the predictions that are shown in it."""
        return ORDERS.get(self.view())

    def show_grid(self, *, empty: str = "") -> None:
        """The grid, or a sentence that says why it is empty."""
        self._show_above(self.suspects if self.view() == "suspicious" else self.filters)
        self.nothing.setText(empty)
        self.stack.setCurrentWidget(self.nothing if empty else self.grid)

    def show_confusion(self, *, several: bool = False) -> None:
        if several:
            sentence = tr(
                "Rows are the classes that are present, columns are predictions. Off the diagonal only wrong "
                "predictions count. Choose a cell to see its samples."
            )
        else:
            sentence = tr("Rows are your labels, columns are predictions. Choose a cell to see its samples.")
        self._show_above(self.filters)
        self.cell_sentence.setText(sentence)
        self.stack.setCurrentWidget(self.confusion_page)

    def show_enough(self) -> None:
        self._show_above(self.no_filters)
        self.stack.setCurrentWidget(self.enough)

    @Slot()
    def take_focus(self) -> None:
        """To what is shown, so that arrows, digits and Ctrl+A are for it; but whoever goes from tab to tab with the
        keys stays there, and so does who looks at another page."""
        shown = self.stack.currentWidget()
        if shown is not None and self.isVisible() and not self.tabs.hasFocus():
            shown.setFocus()

    def say_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def _show_above(self, shown: QWidget) -> None:
        """Only what is shown takes room: the filters may need two rows."""
        for row in self._above:
            row.setVisible(row is shown)

    def _make_undo(self, stack: QUndoStack, *, redo: bool) -> QToolButton:
        button = QToolButton()
        text = tr("Redo") if redo else tr("Undo")
        key = QKeySequence(QKeySequence.StandardKey.Redo if redo else QKeySequence.StandardKey.Undo)
        button.setText(text)
        button.setToolTip(f"{text} ({key.toString(QKeySequence.SequenceFormat.NativeText)})")
        icons.set_icon(button, "ph.arrow-u-up-right" if redo else "ph.arrow-u-up-left")
        button.setEnabled(False)
        button.clicked.connect(stack.redo if redo else stack.undo)
        (stack.canRedoChanged if redo else stack.canUndoChanged).connect(button.setEnabled)
        return button

    def _make_confusion_page(self) -> QWidget:
        page, scroll = QWidget(), QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.confusion)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.cell_sentence)
        column.addWidget(scroll, 1)
        return page

    def _lay_out(self) -> None:
        second = QHBoxLayout()
        for row in self._above:
            second.addWidget(row, 1)
        for button in (self.undo_button, self.redo_button):
            second.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(second)
        column.addWidget(self.problem)
        column.addWidget(self.stack, 1)
        self._show_above(self.filters)


class NothingYet(QWidget):
    """Says why there is nothing to look at, and what to do."""

    train_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sentence = QLabel()
        self.sentence.setProperty("role", "emphasis")
        self.sentence.setWordWrap(True)
        self.button = QPushButton()
        self.button.setProperty("role", "primary")
        self.button.clicked.connect(self.train_pressed)
        row = QHBoxLayout()
        row.addWidget(self.button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(16)
        column.addWidget(self.sentence)
        column.addLayout(row)
        column.addStretch(1)

    def say(self, sentence: str, *, verb: str) -> None:
        """`verb` is what the button does about it."""
        self.sentence.setText(sentence)
        self.button.setText(verb)


_LEFT, _RIGHT = 7, 3
_GAP = 8


class ExploreFrame(QWidget):
    """In a narrow window the tabs go over the whole width instead of being cut."""

    def __init__(self, board: ExploreView, side: DetailPanel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._board, self._side = board, side
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(24, 8, 24, 16)
        self._grid.setSpacing(_GAP)
        self._grid.setColumnStretch(0, _LEFT)
        self._grid.setColumnStretch(1, _RIGHT)
        self._grid.setRowStretch(1, 1)
        for part in (board.tabs, board, side):  # the order in which Tab goes through them
            part.setParent(self)
        self._grid.addWidget(board, 1, 0)
        self._across: bool | None = None
        self._place_tabs(across=False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        margins = self._grid.contentsMargins()
        width = event.size().width() - margins.left() - margins.right() - _GAP
        beside = min(max(width * _RIGHT // (_LEFT + _RIGHT), NARROWEST), WIDEST)
        self._place_tabs(across=self._board.tabs.sizeHint().width() > width - beside)

    def _place_tabs(self, *, across: bool) -> None:
        if across == self._across:
            return
        self._across = across
        self._grid.addWidget(self._board.tabs, 0, 0, 1, 2 if across else 1)
        self._grid.addWidget(self._side, 1 if across else 0, 1, 1 if across else 2, 1)
