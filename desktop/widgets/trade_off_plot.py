"""How many answers are wrong against how many are set aside: a curve, what chance leaves open, and where one stands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import tr

Shares = Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]
FEWEST = 10
"""Of fewer accepted samples a share says little: the height of the plot goes by the others."""


class TradeOffPlot(QWidget):
    """Shares in, shown as numbers of a hundred."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Wrong answers against how many are left to you"))
        self._view = pg.PlotWidget(self)
        self._plot: pg.PlotItem = self._view.getPlotItem()
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.showGrid(y=True, alpha=0.12)
        self._lower = self._plot.plot()
        self._upper = self._plot.plot()
        self._between = pg.FillBetweenItem(self._lower, self._upper)
        self._plot.addItem(self._between)
        self._line = self._plot.plot()
        self._wanted = pg.InfiniteLine(angle=0, movable=False)
        self._plot.addItem(self._wanted)
        self._at = self._plot.plot(symbol="o", symbolSize=12, pen=None)
        self._highest = 0.0
        self._here: tuple[float, float] | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)
        self._apply_colours()

    def sizeHint(self) -> QSize:
        """As low as it can be read: pyqtgraph's own grows to whatever size it once had, and the page would scroll."""
        return QSize(320, 240)

    def set_curve(self, rejected: Shares, error: Shares, limit: Shares) -> None:
        """(n,) shares 0…1: set aside, wrong among the accepted, and the upper end of that with 95 % confidence."""
        x, wrong, most = (100.0 * np.asarray(values) for values in (rejected, error, limit))
        telling = wrong[FEWEST - 1 :] if len(wrong) > FEWEST else wrong
        self._line.setData(x, wrong)
        self._lower.setData(x, wrong)
        self._upper.setData(x, most)
        self._highest = float(telling.max()) if len(telling) else 0.0
        self._plot.setXRange(0, 100, padding=0.02)

    def set_here(self, *, wanted: float, rejected: float, error: float) -> None:
        """The share that is asked for, and what it leads to."""
        self._wanted.setValue(100 * wanted)
        self._here = (100 * rejected, 100 * error)
        self._at.setData([self._here[0]], [self._here[1]])
        highest = max(1.3 * self._highest, 130 * wanted, 2.0)
        self._plot.setYRange(0, min(highest, 100.0), padding=0.02)

    def canvas(self) -> QWidget:
        """What is drawn on; the mouse is over it."""
        viewport: QWidget = self._view.viewport()
        return viewport

    def curve(self) -> list[tuple[float, float]]:
        """What is drawn, of a hundred: (handed over, wrong)."""
        x, y = self._line.getData()
        return [] if x is None or y is None else list(zip(x.tolist(), y.tolist(), strict=True))

    def here(self) -> tuple[float, float] | None:
        """Where the mark is: (handed over, wrong), of a hundred."""
        return self._here

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and hasattr(self, "_at"):
            self._apply_colours()

    def _apply_colours(self) -> None:
        look = style.current()
        self._view.setBackground(look.surface)
        font = QFont(self.font())
        font.setPixelSize(11)
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.setPen(pg.mkPen(look.line))
            axis.setTextPen(pg.mkPen(look.muted))
            axis.setTickFont(font)
            axis.enableAutoSIPrefix(False)
        small = {"color": look.muted.name(), "font-size": "9pt"}
        self._plot.setLabel("left", tr("wrong, of 100 accepted"), **small)
        self._plot.setLabel("bottom", tr("left to you, of 100"), **small)
        nothing = pg.mkPen(None)
        self._lower.setPen(nothing)
        self._upper.setPen(nothing)
        band = QColor(look.accent)
        band.setAlphaF(0.15)
        self._between.setBrush(band)
        self._line.setPen(pg.mkPen(look.accent, width=2))
        self._wanted.setPen(pg.mkPen(look.warn, width=1, style=Qt.PenStyle.DashLine))
        self._at.setSymbolBrush(look.accent)
        self._at.setSymbolPen(pg.mkPen(look.surface, width=2))
