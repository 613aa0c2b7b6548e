"""Twelve validation samples with their predictions, updated while the network trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QRect, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop import style
from desktop.i18n import tr, trn
from desktop.widgets.pixels import fitted
from desktop.widgets.probability_bars import percent
from desktop.widgets.tiles import ARROW, caption_lines

CAPTION = 50
LINE = 18
GAP = 12
NARROWEST = 96
WIDEST = 280
READABLE = 128
"""The least width of a picture with names below it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """The present prediction for one sample: `predicted` is empty before it, `right` is None without a label."""

    sample_id: int
    predicted: str = ""
    fraction: float = 0.0
    colour: QColor = field(default_factory=QColor)
    right: bool | None = None
    label: str = ""
    """The label, shown beside a wrong prediction: "rose → tulip"."""
    overlay: QImage | None = None

    def caption(self) -> str:
        return f"{self.label}{ARROW}{self.predicted}" if self.label and self.right is False else self.predicted

    def words(self) -> str:
        """Return the whole prediction as a sentence; empty while there is none."""
        if not self.predicted:
            return ""
        number = percent(self.fraction)
        if self.label and self.right is False:
            return tr(
                "Labelled {label}, predicted {predicted}, confidence {number}",
                label=self.label,
                predicted=self.predicted,
                number=number,
            )
        return tr("{caption}, confidence {number}", caption=self.predicted, number=number)


class ShowcaseView(QWidget):
    """Takes pictures by `set_picture` and predictions by `show_all`, in any order."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("A few validation samples"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self._shown: tuple[Shown, ...] = ()
        self._pictures: dict[int, QImage] = {}
        self._places = 12

    def clear(self) -> None:
        self._shown, self._pictures = (), {}
        self.update()

    def show_all(self, shown: Sequence[Shown]) -> None:
        """Replace all predictions; the order of the samples stays."""
        self._shown = tuple(shown)
        self._places = len(self._shown) or 12
        self.setAccessibleDescription(_summary(self._shown))
        self.update()

    def set_picture(self, sample_id: int, picture: QImage) -> None:
        self._pictures[sample_id] = picture
        self.updateGeometry()
        self.update()

    def shown(self) -> tuple[Shown, ...]:
        return self._shown

    def missing_pictures(self) -> tuple[int, ...]:
        return tuple(item.sample_id for item in self._shown if item.sample_id not in self._pictures)

    def sizeHint(self) -> QSize:
        return QSize(480, 420)

    def heightForWidth(self, width: int) -> int:
        """Ask for the size at which no name is cut."""
        columns = max(1, min(self._places, (width + GAP) // (READABLE + GAP)))
        rows = -(-self._places // columns)
        wide = min((width - (columns - 1) * GAP) // columns, WIDEST)
        return rows * (round(wide * self._aspect()) + CAPTION) + (rows - 1) * GAP

    def minimumSizeHint(self) -> QSize:
        return QSize(3 * NARROWEST, 3 * NARROWEST)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show the whole names in the tool tip."""
        point = event.position().toPoint()
        words = ""
        for item, cell in zip(self._shown, self._cells(), strict=False):
            if cell.contains(point):
                words = item.words()
        self.setToolTip(words)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for place, cell in enumerate(self._cells()):
            picture_room = QRectF(cell.x(), cell.y(), cell.width(), cell.height() - CAPTION)
            if place >= len(self._shown):
                painter.fillRect(picture_room, look.sunken)
                continue
            item = self._shown[place]
            self._paint_picture(painter, picture_room, item, look)
            if item.predicted:
                _paint_saying(painter, QRect(cell.x(), cell.bottom() - CAPTION + 1, cell.width(), CAPTION), item, look)

    def _cells(self) -> list[QRect]:
        """Find the arrangement with the largest pictures."""
        aspect = self._aspect()
        best: tuple[int, int] = (0, 1)
        for columns in range(1, self._places + 1):
            rows = -(-self._places // columns)
            width = (self.width() - (columns - 1) * GAP) // columns
            height = (self.height() - (rows - 1) * GAP) // rows - CAPTION
            best = max(best, (min(width, int(height / aspect), WIDEST), columns))
        width, columns = best
        width = max(width, 24)
        height = round(width * aspect) + CAPTION
        return [
            QRect(place % columns * (width + GAP), place // columns * (height + GAP), width, height)
            for place in range(self._places)
        ]

    def _aspect(self) -> float:
        """Return the usual height over width of the pictures."""
        shapes = sorted(picture.height() / picture.width() for picture in self._pictures.values() if picture.width())
        return min(1.0, max(0.6, shapes[len(shapes) // 2])) if shapes else 1.0

    def _paint_picture(self, painter: QPainter, room: QRectF, item: Shown, look: style.Tokens) -> None:
        painter.fillRect(room, look.sunken)
        picture = self._pictures.get(item.sample_id)
        if picture is None:
            return
        inside = fitted(QSizeF(picture.size()), room)
        painter.drawImage(inside, picture)
        if item.overlay is not None:
            painter.setOpacity(0.7)
            painter.drawImage(inside, item.overlay)
            painter.setOpacity(1.0)


def _summary(shown: Sequence[Shown]) -> str:
    """Return how many predictions are correct; empty while there are none."""
    if not any(item.predicted for item in shown):
        return ""
    return trn(
        "{right} of {count} is predicted correctly",
        "{right} of {count} are predicted correctly",
        len(shown),
        right=sum(item.right is True for item in shown),
    )


def _paint_saying(painter: QPainter, rect: QRect, item: Shown, look: style.Tokens) -> None:
    """Paint a bar, a mark for right or wrong, the predicted class and its probability."""
    font = painter.font()
    font.setPixelSize(look.caption)
    painter.setFont(font)
    middle = Qt.AlignmentFlag.AlignVCenter
    line = QRect(rect.x(), rect.y() + 10, rect.width(), LINE)
    number, metrics = percent(item.fraction), painter.fontMetrics()
    number_width = metrics.horizontalAdvance(number) + 4
    mark_width = 0
    if item.right is not None:
        mark_width = 16
        _paint_mark(painter, QRectF(line.x() + 1, line.y() + 4, 10, 10), right=item.right, look=look)
    room = line.adjusted(mark_width, 0, 0, 0)
    only, below = room.width() - number_width, line.width() - number_width  # below the mark there is room as well
    lines = caption_lines(item.caption(), metrics, width=room.width(), last=below, single=only)
    painter.setPen(look.text)
    for place, text in enumerate(lines):
        at = line.translated(0, place * LINE) if place else room
        painter.drawText(at, Qt.AlignmentFlag.AlignLeft | middle, text)
    painter.setPen(look.muted)
    line.translate(0, (len(lines) - 1) * LINE)
    painter.drawText(line, Qt.AlignmentFlag.AlignRight | middle, number)
    track = QRectF(rect.x(), rect.y() + 4, rect.width(), 4)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.line)
    painter.drawRoundedRect(track, 2, 2)
    painter.setBrush(item.colour)
    painter.drawRoundedRect(QRectF(track.x(), track.y(), max(2.0, track.width() * item.fraction), 4), 2, 2)


def _paint_mark(painter: QPainter, box: QRectF, *, right: bool, look: style.Tokens) -> None:
    painter.setPen(QPen(look.good if right else look.bad, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    if right:
        knee = box.bottomLeft() + (box.bottomRight() - box.bottomLeft()) * 0.4
        painter.drawLine(box.center() - (box.center() - box.bottomLeft()) * 0.9, knee)
        painter.drawLine(knee, box.topRight())
    else:
        painter.drawLine(box.topLeft(), box.bottomRight())
        painter.drawLine(box.topRight(), box.bottomLeft())
