"""Three stacked live curves of a training: loss, score, learning rate."""

from __future__ import annotations

import html

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QTimer
from PySide6.QtGui import QFont, QShowEvent
from PySide6.QtWidgets import QGraphicsItem, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import tr

REPAINT_MS = 100
MOST_POINTS = 1500
SMOOTHING = 0.9
_ANY_HEIGHT = 1e6


class LivePlot(QWidget):
    """Repaints at most ten times a second. The x axis counts epochs (on screen: passes)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Curves of the training"))
        self._batches = _Curve()
        self._rates = _Curve()
        self._valid = _Curve()
        self._scores = _Curve()
        self._smooth: float | None = None
        self._passes = 1.0
        self._timer = QTimer(self, singleShot=True, interval=REPAINT_MS)
        self._timer.timeout.connect(self._repaint)
        self._details = False
        self._plots: list[pg.PlotItem] = []
        """Made when they are shown first: they take longer to make than the rest of the page."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    def _make(self) -> None:
        if self._plots:
            return
        self._view = pg.GraphicsLayoutWidget(self)
        self._view.setFocusPolicy(self.focusPolicy())
        layout = self.layout()
        assert layout is not None
        layout.addWidget(self._view)
        self._plots = [self._add_plot(row) for row in range(3)]
        self._lines = {
            "train": self._plots[0].plot(),
            "valid": self._plots[0].plot(),
            "score": self._plots[1].plot(),
            "rate": self._plots[2].plot(),
        }
        for plot in self._plots[1:]:
            plot.setXLink(self._plots[0])
        self._plots[1].setYRange(0, 100)
        self._plots[2].getAxis("left").setStyle(showValues=False)
        self._view.ci.layout.setRowStretchFactor(1, 4)
        self._apply_colours()
        self._arrange()
        self._show_passes()
        self._repaint()

    def show_details(self, on: bool) -> None:
        """Show the loss and the learning rate as well; without them only the score is left."""
        if on == self._details:
            return
        self._details = on
        if self._plots:
            self._arrange()

    def _arrange(self) -> None:
        on = self._details
        for row, stretch in ((0, 5), (2, 2)):
            # Hidden, not removed: an item outside its scene is deleted by Python, in whichever thread collects it.
            self._plots[row].setVisible(on)
            self._plots[row].setMaximumHeight(_ANY_HEIGHT if on else 0)
            self._view.ci.layout.setRowStretchFactor(row, stretch if on else 0)
        self._plots[1].getAxis("bottom").setStyle(showValues=not on)
        self._label_axis()

    def plots_shown(self) -> list[pg.PlotItem]:
        """Return the plots that are shown, from top to bottom."""
        self._make()
        return [plot for plot in self._plots if plot.isVisible()]

    def clear(self, *, passes: float = 1.0) -> None:
        """Clear the curves and set the axis from 0 to `passes`."""
        for curve in (self._batches, self._rates, self._valid, self._scores):
            curve.clear()
        self._smooth = None
        self._passes = 0.0
        self.set_passes(passes)
        self._repaint()

    def set_passes(self, passes: float) -> None:
        """The end of the axis."""
        if passes != self._passes:
            self._passes = passes
            self._show_passes()

    def _show_passes(self) -> None:
        if self._plots:
            self._plots[0].setXRange(0, max(self._passes, 1.0), padding=0.02)

    def add_batch(self, x: float, *, loss: float, rate: float) -> None:
        """Add a step at epoch `x`: its training loss (smoothed here) and learning rate."""
        self._smooth = loss if self._smooth is None else SMOOTHING * self._smooth + (1 - SMOOTHING) * loss
        self._batches.append(x, self._smooth)
        self._rates.append(x, rate)
        self._soon()

    def add_score(self, x: float, *, valid_loss: float | None, accuracy: float | None) -> None:
        """Add a validation score at epoch `x`; `accuracy` is a fraction."""
        if valid_loss is not None:
            self._valid.append(x, valid_loss)
        if accuracy is not None:
            self._scores.append(x, accuracy * 100)
        self._soon()

    def add_pass(self, x: float, *, loss: float | None, rate: float | None) -> None:
        """Add a whole epoch that ended at `x`, by its mean training loss and its last learning rate."""
        if loss is not None:
            self._smooth = loss
            self._batches.append(x, loss)
        if rate is not None:
            self._rates.append(x, rate)
        self._soon()

    def points(self) -> dict[str, int]:
        """Count the points of each curve, for tests and summaries."""
        return {
            "train": len(self._batches.x),
            "valid": len(self._valid.x),
            "score": len(self._scores.x),
            "rate": len(self._rates.x),
        }

    def showEvent(self, event: QShowEvent) -> None:
        self._make()
        super().showEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and self._made():
            self._apply_colours()

    def _made(self) -> bool:
        # Qt sends events before `__init__` is through.
        return bool(getattr(self, "_plots", None)) and hasattr(self, "_lines")

    def _soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _repaint(self) -> None:
        if not self._plots:
            return
        self._lines["train"].setData(self._batches.x, self._batches.y)
        self._lines["rate"].setData(self._rates.x, self._rates.y)
        self._lines["valid"].setData(self._valid.x, self._valid.y)
        self._lines["score"].setData(self._scores.x, self._scores.y)
        if self._scores.y:
            low = max(0.0, min(self._scores.y) - 5)
            self._plots[1].setYRange(low - low % 10, 100, padding=0.03)

    def _add_plot(self, row: int) -> pg.PlotItem:
        plot = self._view.addPlot(row=row, col=0, enableMenu=False)
        plot.setMouseEnabled(x=False, y=False)
        plot.hideButtons()
        plot.getAxis("left").setWidth(46)
        plot.getAxis("left").enableAutoSIPrefix(False)
        plot.getAxis("bottom").setStyle(showValues=row == 2)
        plot.showGrid(y=True, alpha=0.12)
        for side in ("left", "bottom"):
            # Most of the painting time goes into the numbers on the axes, which hardly ever change.
            plot.getAxis(side).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        return plot

    def _apply_colours(self) -> None:
        colours = style.current()
        self._view.setBackground(colours.surface)
        axis_font = QFont(self.font())
        axis_font.setPixelSize(11)
        for plot in self._plots:
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(pg.mkPen(colours.line))
                axis.setTextPen(pg.mkPen(colours.muted))
                axis.setTickFont(axis_font)
        self._lines["train"].setPen(pg.mkPen(colours.muted, width=1.5))
        for name, colour in (("valid", colours.warn), ("score", colours.accent)):
            self._lines[name].setPen(pg.mkPen(colour, width=2))
            self._lines[name].setSymbol("o")
            self._lines[name].setSymbolSize(6)
            self._lines[name].setSymbolBrush(colour)
            self._lines[name].setSymbolPen(None)
        self._lines["rate"].setPen(pg.mkPen(colours.muted, width=1))
        training, validation = html.escape(tr("training")), html.escape(tr("validation"))
        training, validation = f"━ {training}", f'<span style="color:{colours.warn.name()}">● {validation}</span>'
        titles = (
            tr("Loss, lower is better: {training} {validation}", training=training, validation=validation),
            tr("Correct, of 100 validation samples"),
            tr("Learning rate"),
        )
        for plot, title in zip(self._plots, titles, strict=True):
            plot.setTitle(title, color=colours.muted.name(), size="9pt", justify="left")
            plot.titleLabel.item.setTextWidth(-1)
        self._label_axis()

    def _label_axis(self) -> None:
        """Name the x axis below the lowest plot."""
        small = {"color": style.current().muted.name(), "font-size": "9pt"}
        self._plots[2].setLabel("bottom", tr("passes over the data"), **small)
        self._plots[1].setLabel("bottom", tr("passes over the data"), **small)
        self._plots[1].getAxis("bottom").showLabel(not self._details)


class _Curve:
    """A curve of at most `MOST_POINTS` points: it drops every second one when it is full."""

    def __init__(self) -> None:
        self.x: list[float] = []
        self.y: list[float] = []
        self._stride = 1
        self._skipped = 0

    def append(self, x: float, y: float) -> None:
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        self.x.append(x)
        self.y.append(y)
        if len(self.x) >= MOST_POINTS:
            self.x, self.y = self.x[::2], self.y[::2]
            self._stride *= 2

    def clear(self) -> None:
        self.x, self.y = [], []
        self._stride, self._skipped = 1, 0
