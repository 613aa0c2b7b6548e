"""A line that learns, with a slider for the learning rate: too small, about right, too large."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Slot
from PySide6.QtGui import QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QWidget

from desktop import style
from desktop.i18n import tr
from desktop.learn.lesson import Lesson, Sketch
from desktop.learn.line_fit import LineFit

STEP_MS = 40
MOST_STEPS = 600
SLOWEST, DECADES = 0.001, 3.5
"""The slider reaches from 0.001 to 0.001 · 10^3.5, about 3."""
NOTCHES = 70
START_NOTCH = 40


class LinePage(Lesson):
    """Runs only while it is visible."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            tr("Make a mistake, change a little, look again"),
            tr(
                "A line learns to follow the points. At each step it looks at one point, and moves a little towards "
                "it. A network learns in the same way. It has millions of numbers to move, a line has two."
            ),
            parent,
        )
        self.fit = LineFit()
        self.view = LineView(self.fit)
        self.rate = QSlider(Qt.Orientation.Horizontal)
        self.rate.setRange(0, NOTCHES)
        self.rate.setValue(START_NOTCH)
        self.rate.setAccessibleName(tr("Learning rate"))
        self.rate.valueChanged.connect(self._show_rate)
        self.rate_label = QLabel()
        self.rate_label.setProperty("role", "muted")
        self.start_button, self.step_button, self.again_button = QPushButton(), QPushButton(), QPushButton()
        self.start_button.setProperty("role", "primary")
        self.step_button.setText(tr("One step"))
        self.again_button.setText(tr("Start again"))
        self.start_button.clicked.connect(self._toggle)
        self.step_button.clicked.connect(self.step)
        self.again_button.clicked.connect(self._restart)
        self._timer = QTimer(self, interval=STEP_MS)
        self._timer.timeout.connect(self.step)
        self.column.addWidget(self.view, 1)
        slider = QHBoxLayout()
        slider.addWidget(QLabel(tr("Learning rate (how far one step moves)")))
        slider.addWidget(self.rate, 1)
        slider.addWidget(self.rate_label)
        self.column.addLayout(slider)
        buttons = QHBoxLayout()
        for button in (self.start_button, self.step_button, self.again_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.column.addLayout(buttons)
        self.column.addWidget(self.verdict)
        self._show_rate()
        self._show()

    def learning_rate(self) -> float:
        return float(SLOWEST * 10 ** (DECADES * self.rate.value() / NOTCHES))

    def leave(self) -> None:
        self._timer.stop()
        self._show()

    @Slot()
    def step(self) -> None:
        """Look at one more point."""
        self.fit.step(self.learning_rate())
        if self.fit.diverged() or self.fit.steps >= MOST_STEPS:
            self._timer.stop()
        self._show()

    @Slot()
    def _toggle(self) -> None:
        if self._timer.isActive():
            self._timer.stop()
        else:
            if self.fit.diverged() or self.fit.steps >= MOST_STEPS:
                self.fit.restart()
            self._timer.start()
        self._show()

    @Slot()
    def _restart(self) -> None:
        self._timer.stop()
        self.fit.restart()
        self._show()

    @Slot()
    def _show_rate(self) -> None:
        self.rate_label.setText(tr("{rate:.3f}", rate=self.learning_rate()))

    def _show(self) -> None:
        self.start_button.setText(tr("Pause") if self._timer.isActive() else tr("Start"))
        self.verdict.setText(self._verdict())
        self.view.update()

    def _verdict(self) -> str:
        fit = self.fit
        steps, off, best = str(fit.steps), fit.error(), fit.best_error()
        if not fit.steps:
            return tr("The line is off by {off:.2f} on average. Press Start, and try other learning rates.", off=off)
        if fit.diverged():
            return tr(
                "Too large: after {steps} steps the line has flown out of the picture. Each step overshoots by more "
                "than the line was off before.",
                steps=steps,
            )
        if fit.restless():
            return tr(
                "Rather large: the line found its place and jumps away again. It is off by {off:.2f}, the best line by "
                "{best:.2f}. This is why a training lowers its learning rate towards the end.",
                off=off,
                best=best,
            )
        if fit.converged():
            return tr(
                "Learned: after {steps} steps the line is off by {off:.2f} on average. No line is off by "
                "less than {best:.2f}.",
                steps=steps,
                off=off,
                best=best,
            )
        return tr(
            "After {steps} steps the line is still off by {off:.2f} on average, the best line by {best:.2f}. If it "
            "hardly moves, the learning rate is too small.",
            steps=steps,
            off=off,
            best=best,
        )


class LineView(Sketch):
    """The points, the line, and how far it is from the point that it looked at last."""

    def __init__(self, fit: LineFit, parent: QWidget | None = None) -> None:
        super().__init__(tr("Points and the line that learns to follow them"), parent)
        self._fit = fit

    def paintEvent(self, _event: QPaintEvent) -> None:
        look, fit = style.current(), self._fit
        painter = self.begin()
        room = QRectF(self.rect()).adjusted(look.l, look.l, -look.l, -look.l)

        def at(x: float, y: float) -> QPointF:
            height = max(-1e4, min(1e4, y))
            return QPointF(room.center().x() + x * room.width() / 2, room.center().y() - height * room.height() / 3)

        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.muted)
        for x, y in zip(fit.x, fit.y, strict=True):
            painter.drawEllipse(at(float(x), float(y)), 3.5, 3.5)
        if fit.diverged():
            return
        if fit.point is not None:
            x, y = float(fit.x[fit.point]), float(fit.y[fit.point])
            painter.setPen(QPen(look.warn, 2))
            painter.drawLine(at(x, y), at(x, fit.slope * x + fit.offset))
            painter.setBrush(look.warn)
            painter.drawEllipse(at(x, y), 5, 5)
        painter.setPen(QPen(look.accent, 3))
        painter.drawLine(at(-1, fit.offset - fit.slope), at(1, fit.offset + fit.slope))
