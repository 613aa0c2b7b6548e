"""The tiles of the grid: their content, and how they are painted."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop import style
from desktop.i18n import tr
from desktop.widgets.pixels import fitted

TILE_ROLE = Qt.ItemDataRole.UserRole + 1
PICTURE_ROLE = Qt.ItemDataRole.UserRole + 2
"""The picture at its painted size; None until it is loaded."""
OVERLAY_ROLE = Qt.ItemDataRole.UserRole + 3

MARGIN = 7
CAPTION = 36
LINE = 18
RADIUS = 6
STRIPE = 4
MARK = 20
FADED = 0.3
ARROW = " → "
"""Between label and prediction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """The content of a tile. `wrong` is None without a label."""

    caption: str
    number: str = ""
    """Right of the caption, e.g. "97 %"."""
    wrong: bool | None = None
    changed: bool = False
    """The label has changed since the run."""
    colour: QColor | None = None
    """Of the class, as a line below the picture."""
    guessed: bool = False
    """The caption is a guess: painted muted, with a broken line."""
    flagged: bool = False
    """Somebody flagged the sample: a small flag in its corner."""
    noted: bool = False
    """The sample has a note: three lines in its corner."""
    faded: bool = False
    """The sample is not used: painted pale."""
    spoken: str = ""
    """The whole tile in one sentence, for a screen reader and as the tool tip."""


class TilePainter(QStyledItemDelegate):
    """Paints picture, overlay and caption; a red edge and a cross mark a wrong prediction."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.cell = QSize(160, 160 + CAPTION)

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return self.cell

    def frame_size(self) -> QSize:
        """Return the size into which pictures are fitted."""
        return QSize(self.cell.width() - 2 * MARGIN, self.cell.height() - CAPTION - 2 * MARGIN)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        tile: Tile | None = index.data(TILE_ROLE)
        if tile is None:
            return
        colours = style.current()
        rect: QRect = option.rect
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if selected:
            painter.setPen(QPen(colours.accent, 2))
            painter.setBrush(colours.accent_soft)
            painter.drawRoundedRect(QRectF(rect).adjusted(2, 2, -2, -2), RADIUS, RADIUS)
        size = self.frame_size()
        frame = QRectF(rect.x() + MARGIN, rect.y() + MARGIN, size.width(), size.height())
        painter.setOpacity(FADED if tile.faded else 1.0)
        inside = _paint_picture(painter, frame, index, colours)
        painter.setOpacity(1.0)
        if tile.colour is not None:
            _paint_class(painter, frame, tile)
        if tile.flagged or tile.noted:
            _paint_marks(painter, inside, tile, colours)
        if tile.wrong:
            _paint_wrong(painter, inside, colours)
        _paint_caption(painter, rect, tile, colours)
        painter.restore()


def _paint_picture(
    painter: QPainter, frame: QRectF, index: QModelIndex | QPersistentModelIndex, colours: style.Tokens
) -> QRectF:
    picture: QImage | None = index.data(PICTURE_ROLE)
    if picture is None or picture.isNull():
        painter.fillRect(frame, colours.sunken)
        if picture is not None:
            painter.setPen(colours.muted)
            text = tr("cannot be read")
            painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, text)
        return frame
    inside = fitted(picture.deviceIndependentSize(), frame)
    painter.drawImage(inside.topLeft(), picture)
    overlay: QImage | None = index.data(OVERLAY_ROLE)
    if overlay is not None and not overlay.isNull():
        painter.setOpacity(0.75)
        painter.drawImage(inside, overlay)
        painter.setOpacity(1.0)
    return inside


def _paint_class(painter: QPainter, frame: QRectF, tile: Tile) -> None:
    """Paint a line in the colour of the class below the picture, a broken one where the class is a guess."""
    assert tile.colour is not None
    pen = QPen(tile.colour, STRIPE)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    if tile.guessed:
        pen.setDashPattern([1.5, 1.0])
    painter.setPen(pen)
    y = frame.bottom() + STRIPE / 2 + 1
    painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))


def _paint_wrong(painter: QPainter, rect: QRectF, colours: style.Tokens) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(colours.bad, 3)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    painter.setPen(pen)
    painter.drawRect(rect.adjusted(1.5, 1.5, -1.5, -1.5))
    # The cross is for users who do not see red.
    badge = QRectF(rect.right() - 20, rect.top(), 20, 20)
    painter.fillRect(badge, colours.bad)
    painter.setPen(QPen(colours.surface, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    cross = badge.adjusted(6, 6, -6, -6)
    painter.drawLine(cross.topLeft(), cross.bottomRight())
    painter.drawLine(cross.topRight(), cross.bottomLeft())


def _paint_marks(painter: QPainter, rect: QRectF, tile: Tile, colours: style.Tokens) -> None:
    """Paint a flag and a sheet of paper in the upper left corner."""
    badge = QRectF(rect.left(), rect.top(), MARK, MARK)
    for wanted, colour in ((tile.flagged, colours.warn), (tile.noted, colours.accent)):
        if not wanted:
            continue
        painter.fillRect(badge, colour)
        painter.setPen(QPen(colours.surface, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        inner = badge.adjusted(5, 4, -5, -4)
        if colour == colours.warn:
            painter.drawLine(inner.topLeft(), inner.bottomLeft())
            painter.setBrush(colours.surface)
            middle = inner.center().y()
            painter.drawPolygon(
                [inner.topLeft(), QPointF(inner.right(), (inner.top() + middle) / 2), QPointF(inner.left(), middle)]
            )
        else:
            for place in range(3):
                y = inner.top() + place * inner.height() / 2
                painter.drawLine(QPointF(inner.left(), y), QPointF(inner.right(), y))
        badge.translate(MARK, 0)


def _paint_caption(painter: QPainter, rect: QRect, tile: Tile, colours: style.Tokens) -> None:
    """Paint the caption on one or two lines, the number right of the last."""
    line = QRect(rect.x() + MARGIN, rect.bottom() - CAPTION - 4, rect.width() - 2 * MARGIN, LINE)
    font = painter.font()
    font.setPixelSize(colours.caption)
    painter.setFont(font)
    metrics = QFontMetrics(font)
    number_width = metrics.horizontalAdvance(tile.number) + 6 if tile.number else 0
    middle = Qt.AlignmentFlag.AlignVCenter
    lines = caption_lines(tile.caption, metrics, width=line.width(), last=line.width() - number_width)
    painter.setPen(colours.accent if tile.changed else colours.muted if tile.guessed or tile.faded else colours.text)
    for place, text in enumerate(lines):
        painter.drawText(line.translated(0, place * LINE), Qt.AlignmentFlag.AlignLeft | middle, text)
    painter.setPen(colours.muted)
    line.translate(0, (len(lines) - 1) * LINE)
    painter.drawText(line, Qt.AlignmentFlag.AlignRight | middle, tile.number)


def caption_lines(
    caption: str, metrics: QFontMetrics, *, width: int, last: int, single: int | None = None
) -> list[str]:
    """Break "rose → tulip" into one line, or into two if it is too long: "rose", "→ tulip".

    `width` is the room of the first line, `last` that of the second, `single` that of an only line if it differs. A
    longer name is elided in the middle, because names often differ in their last letter.
    """
    if metrics.horizontalAdvance(caption) <= (last if single is None else single):
        return [caption]
    label, arrow, predicted = caption.partition(ARROW)
    middle = Qt.TextElideMode.ElideMiddle
    if arrow:
        return [metrics.elidedText(label, middle, width), metrics.elidedText(arrow.lstrip() + predicted, middle, last)]
    first, rest = _broken(caption, metrics, width)
    return [first, metrics.elidedText(rest, middle, last)]


def _broken(name: str, metrics: QFontMetrics, width: int) -> tuple[str, str]:
    """Split a text at `width`, between words if possible in the second half."""
    # Qt may cut a text that just fits by its own measure, because it counts fractions of pixels.
    fits = next((n for n in range(len(name), 1, -1) if metrics.horizontalAdvance(name[:n]) < width), 1)
    if fits < len(name):
        fits = next((n for n in range(fits, fits // 2, -1) if _parts(name[n - 1], name[n])), fits)
    return name[:fits].rstrip(), name[fits:]


def _parts(before: str, after: str) -> bool:
    """Whether a word begins between two letters: after a sign, or as in “SeaLake”."""
    return before in " _-./" or (before.islower() and after.isupper())
