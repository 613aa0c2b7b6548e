"""The Explore page without its content: tabs, the rows above, what a tab shows, and the panel beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent, QUndoStack
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
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
from desktop.pages.explore.detail.panel import NARROWEST, WIDEST
from desktop.shortcuts import set_key_tip
from desktop.widgets.confusion_view import ConfusionView

View = Literal["wrong", "unsure", "right", "suspicious", "confusion", "enough", "map", "unlike", "duplicates"]
VIEWS: tuple[View, ...] = (
    "wrong",
    "unsure",
    "right",
    "suspicious",
    "confusion",
    "enough",
    "map",
    "unlike",
    "duplicates",
)
"""The tabs, in their order."""
ORDERS: dict[View, Order] = {"wrong": "wrong", "unsure": "unsure", "right": "right", "unlike": "unlike"}
"""The tabs that show predictions in a grid, and its order."""
SELDOM: tuple[View, ...] = ("unlike", "duplicates")
"""Views behind "More": their tab is there only while it is chosen, so that all tabs fit into a narrow window."""

_LEFT, _RIGHT = 7, 3
_GAP = 8


class ConfusionPage(QWidget):
    """The confusion matrix, and a sentence about the cell under the pointer."""

    cell_chosen = Signal(int, int)
    """Row and column."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.matrix = ConfusionView()
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.matrix)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.sentence)
        column.addWidget(scroll, 1)
        self.matrix.cell_pointed.connect(self.sentence.setText)
        self.matrix.cell_chosen.connect(self.cell_chosen)

    def set_counts(
        self, counts: NDArray[np.int64], names: Sequence[str], totals: NDArray[np.int64] | None = None
    ) -> None:
        """`totals`: how many samples have each class, in multi-label runs."""
        self.matrix.set_counts(counts, names, totals)
        if totals is None:
            sentence = tr("Rows are your labels, columns are predictions. Choose a cell to see its samples.")
        else:
            sentence = tr(
                "Rows are the classes that are present, columns are predictions. Off the diagonal only wrong "
                "predictions count. Choose a cell to see its samples."
            )
        self.sentence.setText(sentence)


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewParts:
    """The widgets that the page arranges."""

    filters: QWidget
    issues_bar: QWidget
    duplicates_bar: QWidget
    changes_bar: QWidget
    grid: QWidget
    confusion: QWidget
    thresholds: QWidget
    map: QWidget
    panel: QWidget


class ExploreView(QWidget):
    """Arranges the parts of the page, which it is given. Emits `view_chosen` for a tab."""

    view_chosen = Signal()
    undo_pressed = Signal()
    redo_pressed = Signal()

    def __init__(self, undo_stack: QUndoStack, parts: ViewParts) -> None:
        super().__init__()
        self._parts, self._no_filters = parts, QWidget()
        self._above = (parts.filters, parts.issues_bar, parts.duplicates_bar, self._no_filters)
        self.tabs = self._make_tabs()
        self.more_button = self._make_more()
        self._tab_row = QWidget()
        tab_row = QHBoxLayout(self._tab_row)
        tab_row.setContentsMargins(0, 0, 0, 0)
        tab_row.setSpacing(0)
        tab_row.addWidget(self.tabs)
        tab_row.addWidget(self.more_button)
        tab_row.addStretch(1)
        self.explanation = QLabel()
        self.explanation.setProperty("role", "muted")
        self.explanation.setWordWrap(True)
        self.explanation.setMargin(24)
        self.problem = QLabel()
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.undo_button, self.redo_button = self._make_undo(redo=False), self._make_undo(redo=True)
        undo_stack.canUndoChanged.connect(self.undo_button.setEnabled)
        undo_stack.canRedoChanged.connect(self.redo_button.setEnabled)
        self.stack = QStackedWidget()
        for page in (parts.grid, parts.confusion, parts.thresholds, parts.map, self.explanation):
            self.stack.addWidget(page)
        self.left = self._make_left()
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(24, 8, 24, 16)
        self._layout.setSpacing(_GAP)
        self._layout.setColumnStretch(0, _LEFT)
        self._layout.setColumnStretch(1, _RIGHT)
        self._layout.setRowStretch(1, 1)
        for part in (self._tab_row, self.left, parts.panel):  # the order in which Tab goes through them
            part.setParent(self)
        self._layout.addWidget(self.left, 1, 0)
        self._across: bool | None = None
        self._place_tabs(across=False)
        self.tabs.currentChanged.connect(self._hide_seldom)
        self.tabs.currentChanged.connect(self.view_chosen)
        self.tabs.currentChanged.connect(self.take_focus)

    # -- what it shows -------------------------------------------------------------------------------------------

    def current(self) -> View:
        return VIEWS[self.tabs.currentIndex()]

    def choose(self, view: View) -> None:
        if view in SELDOM:
            self.tabs.setTabVisible(VIEWS.index(view), True)
        self.tabs.setCurrentIndex(VIEWS.index(view))

    def choose_silently(self, view: View) -> None:
        """Choose a tab without `view_chosen`: another signal follows."""
        with QSignalBlocker(self.tabs):
            self.choose(view)
        self._hide_seldom()

    @Slot()
    def _hide_seldom(self) -> None:
        """Hide the tabs behind "More" again, once another one is chosen."""
        with QSignalBlocker(self.tabs):
            for view in SELDOM:
                self.tabs.setTabVisible(VIEWS.index(view), view == self.current())
        if self._across is not None:
            self._place_for(self.width())

    def show_grid(self, *, explanation: str = "") -> None:
        """Show the grid, or in its place a sentence that says why it is empty."""
        bars = {"suspicious": self._parts.issues_bar, "duplicates": self._parts.duplicates_bar}
        self._show_above(bars.get(self.current(), self._parts.filters))
        self.explanation.setText(explanation)
        self.stack.setCurrentWidget(self.explanation if explanation else self._parts.grid)

    def show_confusion(self) -> None:
        self._show_above(self._parts.filters)
        self.stack.setCurrentWidget(self._parts.confusion)

    def show_map(self) -> None:
        self._show_above(self._parts.filters)
        self.stack.setCurrentWidget(self._parts.map)

    def show_thresholds(self) -> None:
        self._show_above(self._no_filters)
        self.stack.setCurrentWidget(self._parts.thresholds)

    @Slot()
    def take_focus(self) -> None:
        """Give the keys to what is shown, so that arrows, digits and Ctrl+A work there.

        Not while the user walks through the tabs with the keys, and not while another page is shown.
        """
        shown = self.stack.currentWidget()
        if shown is not None and self.isVisible() and not self.tabs.hasFocus():
            shown.setFocus()

    @Slot(str)
    def show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    # -- parts ---------------------------------------------------------------------------------------------------

    def _show_above(self, shown: QWidget) -> None:
        """Hide the other rows, because the filters may need two rows of room."""
        for row in self._above:
            row.setVisible(row is shown)

    def _make_tabs(self) -> QTabBar:
        tabs = QTabBar()
        tabs.setDrawBase(False)
        tabs.setExpanding(False)
        tabs.setAccessibleName(tr("Order"))
        for words in (
            tr("Most wrong"),
            tr("Least sure"),
            tr("Most right"),
            tr("Suspicious labels"),
            tr("Confusion"),
            tr("Sure enough?"),
            tr("Map"),
            tr("Unlike"),
            tr("Near-duplicates"),
        ):
            tabs.addTab(words)
        for view in SELDOM:
            tabs.setTabVisible(VIEWS.index(view), False)
        return tabs

    def _make_more(self) -> QPushButton:
        button = QPushButton(tr("More"))
        button.setProperty("role", "quiet")
        button.setAccessibleName(tr("More views"))
        menu = QMenu(button)
        for view, words in (
            ("unlike", tr("Unlike everything it was trained on")),
            ("duplicates", tr("Near-duplicates")),
        ):
            menu.addAction(words).triggered.connect(lambda _checked=False, view=view: self.choose(view))
        button.setMenu(menu)
        return button

    def _make_undo(self, *, redo: bool) -> QToolButton:
        button = QToolButton()
        words = tr("Redo") if redo else tr("Undo")
        button.setText(words)
        set_key_tip(button, words, "redo" if redo else "undo")
        icons.set_icon(button, "ph.arrow-u-up-right" if redo else "ph.arrow-u-up-left")
        button.setEnabled(False)
        button.clicked.connect(self.redo_pressed if redo else self.undo_pressed)
        return button

    def _make_left(self) -> QWidget:
        left, above = QWidget(), QHBoxLayout()
        for row in self._above:
            above.addWidget(row, 1)
        for button in (self.undo_button, self.redo_button):
            above.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(above)
        column.addWidget(self._parts.changes_bar)
        column.addWidget(self.problem)
        column.addWidget(self.stack, 1)
        self._show_above(self._parts.filters)
        return left

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a narrow window the tabs span the whole width instead of being cut."""
        super().resizeEvent(event)
        self._place_for(event.size().width())

    def _place_for(self, whole: int) -> None:
        margins = self._layout.contentsMargins()
        width = whole - margins.left() - margins.right() - _GAP
        beside = min(max(width * _RIGHT // (_LEFT + _RIGHT), NARROWEST), WIDEST)
        # Not the size hint: it does not grow while the bar scrolls.
        tabs = sum(self.tabs.tabRect(place).width() for place in range(self.tabs.count()))
        wanted = tabs + self.more_button.sizeHint().width()
        self._place_tabs(across=wanted > width - beside)

    def _place_tabs(self, *, across: bool) -> None:
        if across == self._across:
            return
        self._across = across
        self._layout.addWidget(self._tab_row, 0, 0, 1, 2 if across else 1)
        self._layout.addWidget(self._parts.panel, 1 if across else 0, 1, 1 if across else 2, 1)


class NoRunPage(QWidget):
    """Says why there is nothing to explore, and has a button for the next step."""

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

    def set_words(self, sentence: str, *, verb: str) -> None:
        """`verb`: the words on the button."""
        self.sentence.setText(sentence)
        self.button.setText(verb)
