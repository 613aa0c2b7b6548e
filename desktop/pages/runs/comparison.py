"""Two runs beside each other: what flipped, class by class, and their curves over each other."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.i18n import number, tr
from desktop.pages.runs import messages
from desktop.widgets.flow_box import FlowBox
from ml.api import EpochRecord, KindName, RunDifference

_ROW = 28
_CURVES_LEAST = 280

_LEAST_RANGE = 4.0
"""Of 100 samples: the vertical axis of the curves covers at least these."""
Curves = Sequence[tuple[int, Sequence[EpochRecord]]]
"""Of each run its number and its epochs."""


class RunComparisonPanel(QWidget):
    """Shows a `RunDifference`. Emits `list_chosen("fixed" | "broken" | "both_wrong")` and `class_chosen(index)`."""

    list_chosen = Signal(str)
    class_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.sentence = QLabel()
        self.sentence.setProperty("role", "emphasis")
        self.sentence.setWordWrap(True)
        self.fixed_button, self.broken_button, self.both_button = (QPushButton() for _ in range(3))
        self._buttons = FlowBox(gap=look.s)
        self._buttons.set_items((self.fixed_button, self.broken_button, self.both_button))
        for button, name in (
            (self.fixed_button, "fixed"),
            (self.broken_button, "broken"),
            (self.both_button, "both_wrong"),
        ):
            button.setToolTip(tr("Show these samples on the Explore page"))
            button.clicked.connect(lambda _checked=False, name=name: self.list_chosen.emit(name))
        self.classes = ClassDifferences()
        self.classes.class_chosen.connect(self.class_chosen)
        self.curves = RunCurves()
        beside = QHBoxLayout()
        beside.setSpacing(look.l)
        beside.addWidget(self.classes, 1)
        beside.addWidget(self.curves, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.s)
        column.addWidget(self.sentence)
        column.addWidget(self._buttons)
        column.addLayout(beside, 1)
        column.addStretch(0)
        self.show_words("")

    def show_words(self, sentence: str) -> None:
        """Show a sentence instead of a comparison."""
        self.sentence.setText(sentence)
        for part in (self._buttons, self.classes, self.curves):
            part.hide()

    def show_difference(
        self, kind: KindName, runs: tuple[int, int], found: RunDifference, names: Sequence[str]
    ) -> None:
        """Show how the second of `runs` differs from the first."""
        before, after = runs
        self.sentence.setText(messages.compared(kind, before, after, found))
        for button, words, ids in (
            (self.fixed_button, messages.right_only(len(found.fixed), after), found.fixed),
            (self.broken_button, messages.right_only(len(found.broken), before), found.broken),
            (self.both_button, messages.both_wrong(len(found.both_wrong)), found.both_wrong),
        ):
            button.setText(words)
            button.setEnabled(bool(ids))
        self.classes.set_differences(runs, found, names)
        self._buttons.show()
        self.classes.show()

    def show_curves(self, curves: Curves) -> None:
        """Draw the validation scores of these runs over each other, where there are any."""
        self.curves.setVisible(self.curves.set_curves(curves))


class ClassDifferences(QTableWidget):
    """A line for each class, the largest change first: how many samples each run finds. A line can be chosen."""

    class_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 5, parent)
        self.setAccessibleName(tr("Difference by class"))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setToolTip(tr("Double-click a class to see what flipped in it"))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.itemActivated.connect(self._on_activated)
        self._shown: tuple[tuple[int, int], RunDifference, tuple[str, ...]] | None = None

    def set_differences(self, runs: tuple[int, int], found: RunDifference, names: Sequence[str]) -> None:
        self._shown = (runs, found, tuple(names))
        look = style.current()
        self.setHorizontalHeaderLabels(
            [
                tr("Class"),
                tr("Run {n}", n=str(runs[0])),
                tr("Run {n}", n=str(runs[1])),
                tr("Change"),
                tr("Samples"),
            ]
        )
        classes = sorted(found.classes, key=lambda each: (-abs(each.after - each.before), each.index))
        self.setRowCount(len(classes))
        for row, each in enumerate(classes):
            change = each.after - each.before
            cells = (
                names[each.index],
                number(each.before),
                number(each.after),
                f"{change:+d}" if change else "0",
                number(each.count),
            )
            for column, words in enumerate(cells):
                item = QTableWidgetItem(words)
                item.setData(Qt.ItemDataRole.UserRole, each.index)
                if column == 3 and change:
                    item.setForeground(look.good if change > 0 else look.bad)
                self.setItem(row, column, item)

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of the new theme."""
        super().changeEvent(event)
        # Qt sends events before `__init__` is through.
        shown = getattr(self, "_shown", None)
        if event.type() == QEvent.Type.PaletteChange and shown is not None:
            self.set_differences(*shown)

    def _on_activated(self, item: QTableWidgetItem) -> None:
        self.class_chosen.emit(int(item.data(Qt.ItemDataRole.UserRole)))


class RunCurves(QWidget):
    """The validation score of each run after each epoch."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Curves of both runs"))
        self.setMinimumWidth(_CURVES_LEAST)
        self._curves: list[tuple[int, list[float], list[float]]] = []
        self._plot: pg.PlotWidget | None = None
        """Made when it is shown first: it takes longer to make than the rest of the page."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    def set_curves(self, curves: Curves) -> bool:
        """Take the runs, the later one last. Return whether any has a curve."""
        self._curves = []
        for run, epochs in curves:
            points = [(each.number, 100 * each.accuracy) for each in epochs if each.accuracy is not None]
            if points:
                self._curves.append((run, [float(x) for x, _y in points], [y for _x, y in points]))
        if self._curves:
            self._draw()
        return bool(self._curves)

    def points(self) -> dict[int, int]:
        """Count the points of each curve by its run."""
        return {run: len(x) for run, x, _y in self._curves}

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and getattr(self, "_plot", None):
            self._draw()

    def _draw(self) -> None:
        look = style.current()
        if self._plot is None:
            self._plot = pg.PlotWidget(self, enableMenu=False)
            layout = self.layout()
            assert layout is not None
            layout.addWidget(self._plot)
            self._plot.setMouseEnabled(x=False, y=False)
            self._plot.hideButtons()
            # Equal values would otherwise fill the axis with their decimals.
            self._plot.setLimits(minYRange=_LEAST_RANGE)
        plot = self._plot
        plot.clear()
        plot.setBackground(look.surface)
        small = {"color": look.muted.name(), "font-size": "9pt"}
        plot.setLabel("bottom", tr("passes over the data"), **small)
        font = QFont(self.font())
        font.setPixelSize(11)
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(pg.mkPen(look.line))
            axis.setTextPen(pg.mkPen(look.muted))
            axis.setTickFont(font)
        plot.setTitle(tr("Correct, of 100 validation samples"), color=look.muted.name(), size="9pt")
        styles = ((look.muted, Qt.PenStyle.DashLine), (look.accent, Qt.PenStyle.SolidLine))[-len(self._curves) :]
        for (run, x, y), (colour, dash) in zip(self._curves, styles, strict=False):
            pen = pg.mkPen(colour, width=2, style=dash)
            plot.plot(x, y, pen=pen, symbol="o", symbolSize=6, symbolBrush=colour, symbolPen=None)
            # Named beside its end, so that the colour is not all that tells them apart.
            words = pg.TextItem(tr("Run {n}", n=str(run)), color=colour, anchor=(1, 1))
            words.setPos(x[-1], y[-1])
            plot.addItem(words)
