"""Transfer learning: which parts of this network moved in this run, and how far a step moved them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.i18n import tr
from desktop.learn.lesson import Lesson, Sketch
from desktop.session import Session
from ml.api import HandlensError, RunInfo, read_run_settings, stage_rates

LEAST_HEIGHT = 0.12
"""Of the tallest bar: how tall a stage is that did not move."""
STAGE_OPACITY = 0.45


class StagesPage(Lesson):
    def __init__(self, session: Session | None, parent: QWidget | None = None) -> None:
        super().__init__(
            tr("Most of it was learned before"),
            tr(
                "Somebody taught this network to tell 1,000 things apart, with more than a million photographs. Its "
                "first stages see edges and colours, the middle ones textures and shapes, the last ones parts of "
                "things. All of that helps with your classes, too, so only the rest has to be learned."
            ),
            parent,
        )
        run = None if session is None else session.run
        rates = () if session is None or run is None else _rates(session, run)
        self.view = StagesView(rates)
        self.column.addWidget(self.view, 1)
        self.verdict.setText(_verdict(rates, run))
        self.column.addWidget(self.verdict)


def _rates(session: Session, run: RunInfo) -> tuple[float, ...]:
    try:
        return stage_rates(read_run_settings(session.project.runs.folder(run.number)))
    except HandlensError:  # damaged: the page then speaks of no run
        return ()


def _verdict(rates: Sequence[float], run: RunInfo | None) -> str:
    if run is None or not rates:
        return tr("There is no run to show yet. Train, and this page shows what moved.")
    moved = sum(rate > 0 for rate in rates)
    if not moved:
        return tr(
            "Run {n} left all {stages} stages as they were. Only the last part, which decides between your classes, "
            "was learned. This is why it took seconds.",
            n=str(run.number),
            stages=str(len(rates)),
        )
    return tr(
        "Run {n} adjusted {count} of {stages} stages, the later ones more than the earlier ones. The last part, which "
        "decides between your classes, was learned from the beginning.",
        n=str(run.number),
        count=str(moved),
        stages=str(len(rates)),
    )


class StagesView(Sketch):
    """A bar for each stage, as tall as its learning rate, and one for the part that decides."""

    def __init__(self, rates: Sequence[float], parent: QWidget | None = None) -> None:
        super().__init__(tr("The stages of the network, from the picture to your classes"), parent)
        self._rates = tuple(rates)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = self.begin()
        line = painter.fontMetrics().height()
        room = QRectF(self.rect()).adjusted(look.l, look.l + line, -look.l, -look.l - 2 * line)
        rates = self._rates or (0.0,) * 9
        most = max(rates)
        width = room.width() / (len(rates) + 1)
        middle = Qt.AlignmentFlag.AlignHCenter
        for place in range(len(rates) + 1):
            last = place == len(rates)
            share = 1.0 if last else rates[place] / most if most else 0.0
            height = room.height() * (LEAST_HEIGHT + (1 - LEAST_HEIGHT) * share)
            bar = QRectF(room.left() + place * width + 3, room.bottom() - height, width - 6, height)
            colour = QColor(look.accent)
            colour.setAlphaF(1.0 if last else STAGE_OPACITY)
            painter.setPen(Qt.PenStyle.NoPen if share else look.outline)
            painter.setBrush(colour if share else look.surface)
            painter.drawRoundedRect(bar, look.radius, look.radius)
            painter.setPen(look.muted)
            name = tr("decides") if last else str(place + 1)
            painter.drawText(QRectF(bar.left() - 8, bar.top() - line - 2, bar.width() + 16, line), int(middle), name)
        painter.setPen(look.text)
        legend = QRectF(room.left(), room.bottom() + look.s, room.width(), 2 * line)
        parts = (tr("edges, colours"), tr("textures, shapes"), tr("parts of things, your classes"))
        for number, words in enumerate(parts):
            third = QRectF(legend.left() + number * legend.width() / 3, legend.top(), legend.width() / 3, 2 * line)
            painter.drawText(third, int(middle | Qt.TextFlag.TextWordWrap), words)
