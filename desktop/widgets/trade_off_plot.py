"""The risk-coverage curve: error rate against the share left to the user, with confidence band and operating point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QColor, QFont, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import tr
from desktop.widgets.scrolling import PassWheel

Shares = Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]
FEWEST = 10
"""Error rates of fewer accepted samples are too noisy to scale the plot by."""
MOST_POINTS = 600
"""A curve of more points looks the same, and takes long to paint."""


class TradeOffPlot(QWidget):
    """Takes fractions and shows them as percentages."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Wrong answers against how many are left to you"))
        self._look: style.Tokens | None = None
        self._highest = 0.0
        self._here: tuple[float, float] | None = None
        self._view: pg.PlotWidget | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    def prepare(self) -> None:
        """Make the plot if that has not been done. It takes longer than the rest of the page."""
        if self._view is not None:
            return
        self._view = pg.PlotWidget(self, enableMenu=False)
        self._plot: pg.PlotItem = self._view.getPlotItem()
        self._plot.setMouseEnabled(x=False, y=False)
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
        self._pass_wheel = PassWheel(self, self._view.viewport())
        layout = self.layout()
        assert layout is not None
        layout.addWidget(self._view)
        self._follow_theme()

    def sizeHint(self) -> QSize:
        """Return the least readable size. The hint of pyqtgraph never shrinks again, and the page would scroll."""
        return QSize(320, 240)

    def set_curve(self, rejected: Shares, error: Shares, limit: Shares) -> None:
        """Take (n,) fractions: rejected, wrong among the accepted, and its upper 95 % confidence limit."""
        self.prepare()
        x, wrong, most = (100.0 * np.asarray(values) for values in (rejected, error, limit))
        telling = wrong[FEWEST - 1 :] if len(wrong) > FEWEST else wrong
        if len(x) > MOST_POINTS:
            drawn = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(np.int64))
            x, wrong, most = x[drawn], wrong[drawn], most[drawn]
        self._line.setData(x, wrong)
        self._lower.setData(x, wrong)
        self._upper.setData(x, most)
        self._highest = float(telling.max()) if len(telling) else 0.0
        self._plot.setXRange(0, 100, padding=0.02)

    def set_here(self, *, wanted: float, rejected: float, error: float) -> None:
        """Mark the target error rate and the operating point."""
        self.prepare()
        self._wanted.setValue(100 * wanted)
        self._here = (100 * rejected, 100 * error)
        self._at.setData([self._here[0]], [self._here[1]])
        highest = max(1.3 * self._highest, 130 * wanted, 2.0)
        self._plot.setYRange(0, min(highest, 100.0), padding=0.02)

    def error_range(self) -> tuple[float, float]:
        """Return the range of the vertical axis in percent."""
        self.prepare()
        low, high = self._plot.getAxis("left").range
        return float(low), float(high)

    def canvas(self) -> QWidget:
        """Return the widget that receives the mouse."""
        self.prepare()
        assert self._view is not None
        viewport: QWidget = self._view.viewport()
        return viewport

    def curve(self) -> list[tuple[float, float]]:
        """Return the drawn points in percent: (rejected, wrong)."""
        self.prepare()
        x, y = self._line.getData()
        return [] if x is None or y is None else list(zip(x.tolist(), y.tolist(), strict=True))

    def here(self) -> tuple[float, float] | None:
        """Return the operating point in percent: (rejected, wrong)."""
        return self._here

    def showEvent(self, event: QShowEvent) -> None:
        self.prepare()
        self._follow_theme()
        super().showEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and self.isVisible():
            self._follow_theme()

    def _follow_theme(self) -> None:
        """Colour the plot, unless it has these colours: many widgets above it announce a new style, one by one."""
        if self._view is not None and self._look is not style.current():
            self._look = style.current()
            self._apply_colours(self._look)

    def _apply_colours(self, look: style.Tokens) -> None:
        assert self._view is not None
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
