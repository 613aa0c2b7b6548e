"""The train/validation/test split as one bar in three parts, with words and counts below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPainterPath, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop import style
from desktop.i18n import tr, trn

_BAR = 40
_BELOW = _BAR + 12
_KEY = 16
_WRAPPED = int(Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitPart:
    """One part of the split: its count and its purpose."""

    title: str
    words: str
    count: int


def split_parts(splits: Iterable[str | None]) -> tuple[SplitPart, SplitPart, SplitPart]:
    """Describe the three parts, from the split of every sample."""
    counts = Counter(splits)
    train, valid, test = counts["train"], counts["valid"], counts["test"]
    return (
        SplitPart(
            title=trn("{count} for training", "{count} for training", train),
            words=tr("The model learns from these."),
            count=train,
        ),
        SplitPart(
            title=trn("{count} for validation", "{count} for validation", valid),
            words=tr("For checking while it learns: they tell when to stop."),
            count=valid,
        ),
        SplitPart(
            title=trn("{count} for the test", "{count} for the test", test),
            words=tr("Not used until the end: they show how good the model really is."),
            count=test,
        ),
    )


class SplitPicture(QWidget):
    """Paints the parts in proportion, but a small part keeps room for its words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts: tuple[SplitPart, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_parts(self, parts: Sequence[SplitPart]) -> None:
        self._parts = tuple(parts)
        descriptions = [f"{part.title}. {part.words}" for part in parts]
        self.setAccessibleName(" ".join(descriptions))
        self._fit()
        self.update()

    def parts(self) -> tuple[SplitPart, ...]:
        return self._parts

    def sizeHint(self) -> QSize:
        return QSize(480, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(320, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Return the height of the longest words at this width."""
        width = round(self.width() / max(1, len(self._parts))) - style.current().m
        needs = [self._title_height(part, width) + self._words_height(part, width) for part in self._parts]
        self.setFixedHeight(_BELOW + style.current().s + max(needs, default=0))

    def _title_height(self, part: SplitPart, width: int) -> int:
        room = QRect(0, 0, width - _KEY, 1000)
        return QFontMetrics(self._bold()).boundingRect(room, _WRAPPED, part.title).height()

    def _words_height(self, part: SplitPart, width: int) -> int:
        return self.fontMetrics().boundingRect(QRect(0, 0, width, 1000), _WRAPPED, part.words).height()

    def _bold(self) -> QFont:
        font = QFont(self.font())
        font.setBold(True)
        return font

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        total = sum(part.count for part in self._parts)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if total == 0:
            path = QPainterPath()
            path.addRoundedRect(QRectF(0, 0, self.width(), _BAR), look.radius, look.radius)
            painter.fillPath(path, look.line)
            painter.end()
            return
        left = 0.0
        column = self.width() / len(self._parts)
        gaps = 2.0 * (len(self._parts) - 1)
        for place, (part, colour) in enumerate(zip(self._parts, self._colours(), strict=False)):
            width = (self.width() - gaps) * part.count / total
            if part.count:
                path = QPainterPath()
                path.addRoundedRect(QRectF(left, 0, max(width, 2.0), _BAR), 4, 4)
                painter.fillPath(path, colour)
                left += width + 2.0
            words = QRect(round(place * column), _BELOW, round(column) - look.m, self.height() - _BELOW)
            self._write(painter, part, words, colour)
        painter.end()

    def _write(self, painter: QPainter, part: SplitPart, area: QRect, colour: QColor) -> None:
        look, line = style.current(), self.fontMetrics().lineSpacing()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(area.x(), area.y() + line / 2 - 5, 10, 10), 3, 3)
        painter.setFont(self._bold())
        painter.setPen(look.text)
        painter.drawText(area.adjusted(_KEY, 0, 0, 0), _WRAPPED, part.title)
        painter.setFont(self.font())
        painter.setPen(look.muted)
        top = self._title_height(part, area.width()) + look.xs
        painter.drawText(area.adjusted(0, top, 0, 0), _WRAPPED, part.words)

    def _colours(self) -> tuple[QColor, QColor, QColor]:
        look = style.current()
        middle, last = QColor(look.accent), QColor(look.outline)
        middle.setAlphaF(0.55)
        return look.accent, middle, last
