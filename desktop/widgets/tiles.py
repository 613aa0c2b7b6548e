"""What a tile of a grid is, and how one is painted."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QImage, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop import style
from desktop.i18n import tr
from desktop.widgets.pixels import fitted

TILE_ROLE = Qt.ItemDataRole.UserRole + 1
PICTURE_ROLE = Qt.ItemDataRole.UserRole + 2
"""The picture, already as large as it is painted; None until it is there."""
OVERLAY_ROLE = Qt.ItemDataRole.UserRole + 3

MARGIN = 7
CAPTION = 36
LINE = 18
RADIUS = 6
ARROW = " → "
"""Between what it is labelled and what it was called."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """One sample in a grid. `wrong` is None where nobody has labelled it."""

    caption: str
    number: str = ""
    """Stands at the right of the caption, e.g. "97 %"."""
    wrong: bool | None = None
    changed: bool = False
    """The label is another than when the run was made."""
    spoken: str = ""
    """The whole tile in one sentence, for a screen reader and as the tool tip."""


class TilePainter(QStyledItemDelegate):
    """Picture, overlay, and a caption below; a red edge and a cross where it is wrong."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.cell = QSize(160, 160 + CAPTION)

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return self.cell

    def frame_size(self) -> QSize:
        """What a picture is fitted into."""
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
        inside = _paint_picture(painter, frame, index, colours)
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


def _paint_wrong(painter: QPainter, rect: QRectF, colours: style.Tokens) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(colours.bad, 3)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    painter.setPen(pen)
    painter.drawRect(rect.adjusted(1.5, 1.5, -1.5, -1.5))
    # The cross says the same to those who do not see red.
    badge = QRectF(rect.right() - 20, rect.top(), 20, 20)
    painter.fillRect(badge, colours.bad)
    painter.setPen(QPen(colours.surface, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    cross = badge.adjusted(6, 6, -6, -6)
    painter.drawLine(cross.topLeft(), cross.bottomRight())
    painter.drawLine(cross.topRight(), cross.bottomLeft())


def _paint_caption(painter: QPainter, rect: QRect, tile: Tile, colours: style.Tokens) -> None:
    """One line or two, the number at the right of the last."""
    line = QRect(rect.x() + MARGIN, rect.bottom() - CAPTION - 4, rect.width() - 2 * MARGIN, LINE)
    font = painter.font()
    font.setPixelSize(colours.caption)
    painter.setFont(font)
    metrics = QFontMetrics(font)
    number_width = metrics.horizontalAdvance(tile.number) + 6 if tile.number else 0
    middle = Qt.AlignmentFlag.AlignVCenter
    lines = caption_lines(tile.caption, metrics, width=line.width(), last=line.width() - number_width)
    painter.setPen(colours.accent if tile.changed else colours.text)
    for place, text in enumerate(lines):
        painter.drawText(line.translated(0, place * LINE), Qt.AlignmentFlag.AlignLeft | middle, text)
    painter.setPen(colours.muted)
    line.translate(0, (len(lines) - 1) * LINE)
    painter.drawText(line, Qt.AlignmentFlag.AlignRight | middle, tile.number)


def caption_lines(
    caption: str, metrics: QFontMetrics, *, width: int, last: int, single: int | None = None
) -> list[str]:
    """ "rose" or "rose → tulip" on one line, or on two where that is too long: "rose", "→ tulip".

    `width` is the room of a line, `last` that of the second one, `single` that of the only one where that is
    another. A long name goes on in the second line; where that is
    not enough both ends are left: names often differ in their last letter.
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
    """What fits into `width`, and the rest: where words part, if they do in the second half."""
    # What Qt measures as just fitting it may still cut, as it counts in fractions of pixels.
    fits = next((n for n in range(len(name), 1, -1) if metrics.horizontalAdvance(name[:n]) < width), 1)
    if fits < len(name):
        fits = next((n for n in range(fits, fits // 2, -1) if _parts(name[n - 1], name[n])), fits)
    return name[:fits].rstrip(), name[fits:]


def _parts(before: str, after: str) -> bool:
    """Whether a new word begins between the two letters: behind a sign, or as in “SeaLake”."""
    return before in " _-./" or (before.islower() and after.isupper())
