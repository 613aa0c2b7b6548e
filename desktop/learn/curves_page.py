"""Overfitting, on the curves of the newest run that has some."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.i18n import tr
from desktop.learn.lesson import Lesson, Sketch
from desktop.session import Session
from ml.api import EpochRecord

Losses = tuple[int, float, float]
"""The number of a pass, and the losses of training and validation after it."""
GAP = 0.6
"""Of the validation loss: a training loss below it is far lower."""
RISE = 1.05
"""How much higher than at its lowest the validation loss must end to be called rising."""


class CurvesPage(Lesson):
    def __init__(self, session: Session | None, parent: QWidget | None = None) -> None:
        super().__init__(
            tr("Learned, or learned by heart?"),
            tr(
                "The loss says how wrong the network is. On the samples it learns from, it falls as long as one goes "
                "on. What counts are the validation samples, which it does not learn from: where their loss rises "
                "again, the network has begun to learn by heart."
            ),
            parent,
        )
        run, losses = _newest_curves(session)
        self.view = CurvesView(losses)
        self.column.addWidget(self.view, 1)
        self.verdict.setText(verdict(run, losses))
        self.column.addWidget(self.verdict)


def _newest_curves(session: Session | None) -> tuple[int, tuple[Losses, ...]]:
    if session is None:
        return 0, ()
    for run in reversed(session.project.runs.all()):
        losses = usable(session.project.runs.history(run.number))
        if len(losses) >= 2:
            return run.number, losses
    return 0, ()


def usable(history: Sequence[EpochRecord]) -> tuple[Losses, ...]:
    """Return the passes of which both losses are known."""
    return tuple(
        (item.number, item.train_loss, item.valid_loss)
        for item in history
        if item.train_loss is not None and item.valid_loss is not None
    )


def verdict(run: int, losses: Sequence[Losses]) -> str:
    """Say in a sentence what the curves of run `run` show."""
    if not losses:
        return tr("No run of this project has curves yet: only a training that adjusts the network makes passes.")
    best = min(losses, key=lambda item: item[2])
    last = losses[-1]
    if last[2] > RISE * best[2] and last[1] < best[1]:
        return tr(
            "Run {n}: after pass {best} the validation loss rose from {low:.2f} to {end:.2f}, while the training loss "
            "fell on. From there the network learned by heart. More and more varied samples help.",
            n=str(run),
            best=str(best[0]),
            low=best[2],
            end=last[2],
        )
    if best[1] < GAP * best[2]:
        return tr(
            "Run {n}: the validation loss was lowest after pass {best} of {passes} ({low:.2f}), where the training "
            "loss was {train:.2f}. Such a gap means that it knows a part of its samples by heart. More and more varied "
            "samples help.",
            n=str(run),
            best=str(best[0]),
            passes=str(last[0]),
            low=best[2],
            train=best[1],
        )
    return tr(
        "Run {n}: the validation loss was lowest after pass {best} of {passes} ({low:.2f}) and hardly rose after it. "
        "The network did not learn by heart.",
        n=str(run),
        best=str(best[0]),
        passes=str(last[0]),
        low=best[2],
    )


class CurvesView(Sketch):
    """Two curves over the passes, each with its name at its end, and a mark at the lowest validation loss."""

    def __init__(self, losses: Sequence[Losses], parent: QWidget | None = None) -> None:
        super().__init__(tr("Loss on training and validation samples, by pass"), parent)
        self._losses = tuple(losses)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = self.begin()
        if not self._losses:
            painter.setPen(look.muted)
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), tr("no curves yet"))
            return
        metrics = painter.fontMetrics()
        names = (tr("training"), tr("validation"))
        beside = max(metrics.horizontalAdvance(name) for name in names) + look.m
        room = QRectF(self.rect()).adjusted(look.l, look.l, -look.l - beside, -look.xl - metrics.height())
        highest = max(max(train, valid) for _, train, valid in self._losses)
        first, last = self._losses[0][0], self._losses[-1][0]

        def at(number: int, loss: float) -> QPointF:
            across = (number - first) / max(1, last - first)
            return QPointF(room.left() + across * room.width(), room.bottom() - loss / highest * room.height())

        painter.setPen(QPen(look.line, 1))
        painter.drawLine(room.bottomLeft(), room.bottomRight())
        ends = []
        for column, (name, colour) in enumerate(zip(names, (look.muted, look.accent), strict=True), 1):
            points = [at(item[0], float(item[column])) for item in self._losses]
            painter.setPen(QPen(colour, 2))
            painter.drawPolyline(QPolygonF(points))
            ends.append((points[-1], name, colour))
        _name_ends(painter, ends, room.right() + look.s)
        best = min(self._losses, key=lambda item: item[2])
        painter.setPen(QPen(look.accent, 2))
        painter.setBrush(look.sunken)
        painter.drawEllipse(at(best[0], best[2]), 6, 6)
        painter.setPen(look.muted)
        below = QRectF(room.left(), room.bottom() + look.xs, room.width(), metrics.height())
        painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft), tr("pass {n}", n=str(first)))
        painter.drawText(below, int(Qt.AlignmentFlag.AlignRight), tr("pass {n}", n=str(last)))


def _name_ends(painter: QPainter, ends: Sequence[tuple[QPointF, str, QColor]], left: float) -> None:
    """Write the name of each curve beside its end, one below the other where they meet."""
    height = float(painter.fontMetrics().height())
    free = float("-inf")
    for point, name, colour in sorted(ends, key=lambda item: item[0].y()):
        baseline = max(point.y() + height / 3, free)
        painter.setPen(colour)
        painter.drawText(QPointF(left, baseline), name)
        free = baseline + height
