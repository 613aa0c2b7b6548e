"""A label on one line, for names, that is shortened with "…"; its tool tip has the whole text."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QStyle, QStyleOption, QWidget

from desktop.i18n import printable
from desktop.widgets.elide_distinct import cut_apart


class ElidedLabel(QLabel):
    """`mode` says where the "…" goes: for paths, in the middle."""

    def __init__(
        self,
        text: str = "",
        *,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(printable(text), parent)
        self._mode = mode
        self.among: tuple[str, ...] = ()
        """The other names in the same list, so that shortened names still differ."""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        text = printable(text)
        super().setText(text)
        self.setToolTip(text if self._is_cut() else "")

    def minimumSizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance("…"), super().sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        option = QStyleOption()
        option.initFrom(self)
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_Widget, option, painter, self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        width = self.contentsRect().width()
        cut = cut_apart(self.among, self.font(), width).get(self.text()) if self.among and self._is_cut() else None
        cut = cut or self.fontMetrics().elidedText(self.text(), self._mode, width)
        painter.drawText(self.contentsRect(), int(self.alignment()), cut)
        painter.end()
        if self.toolTip() != (self.text() if self._is_cut() else ""):
            self.setToolTip(self.text() if self._is_cut() else "")

    def _is_cut(self) -> bool:
        return self.fontMetrics().horizontalAdvance(self.text()) > self.contentsRect().width()
