"""A large button with an icon, a title and a sentence."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from desktop import icons, style

_ICON = 28


class ChoiceButton(QPushButton):
    """Make it checkable where it is one of several choices."""

    def __init__(self, *, title: str, words: str, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setProperty("role", "choice")
        self.setAccessibleName(title)
        self.setAccessibleDescription(words)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._icon_name = icon
        self._icon = QLabel()
        self._icon.setFixedSize(_ICON, _ICON)
        head, self._words = QLabel(title), _Words(words)
        head.setProperty("role", "emphasis")
        self._words.setProperty("role", "muted")
        for label in (self._icon, head, self._words):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        text = QVBoxLayout()
        text.setSpacing(look.xs)
        text.addWidget(head)
        text.addWidget(self._words)
        text.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(look.l, look.m, look.l, look.m)
        row.setSpacing(look.l)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(text, 1)
        self._paint_icon()

    def sizeHint(self) -> QSize:
        layout = self.layout()
        assert layout is not None
        return layout.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Ask for the width of the title; the words below it can be cut."""
        layout = self.layout()
        assert layout is not None
        return QSize(max(160, layout.minimumSize().width()), 64)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        layout = self.layout()
        assert layout is not None
        return layout.totalHeightForWidth(width)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        layout = self.layout()
        assert layout is not None
        layout.activate()
        self.setToolTip(self._words.text() if self._words.is_cut() else "")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._paint_icon()

    def _paint_icon(self) -> None:
        # The palette may change before __init__ has finished.
        if hasattr(self, "_icon"):
            self._icon.setPixmap(icons.icon(self._icon_name, colour="accent").pixmap(_ICON, _ICON))


class _Words(QLabel):
    """Lay the words out in lines; the last one ends in "…" if there is no room for all."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.setWordWrap(True)

    def is_cut(self) -> bool:
        return self.height() < self.heightForWidth(self.width())

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.is_cut():
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        cut = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, cut)
        painter.end()
