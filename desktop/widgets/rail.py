"""The rail at the left of the window: the project's name, its pages, and what belongs to all of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QButtonGroup, QFrame, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from desktop import icons, style
from desktop.i18n import tr
from desktop.widgets.elided_label import ElidedLabel

WIDTH = 152


class Rail(QFrame):
    """`page_chosen(place)` when an entry is clicked. Entries are `(words, icon)`."""

    page_chosen = Signal(int)

    def __init__(
        self, entries: Sequence[tuple[str, str]], more: Sequence[QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        look = style.current()
        self.setProperty("role", "rail")
        self.setFixedWidth(WIDTH)
        self._name = ElidedLabel()
        self._name.setProperty("role", "emphasis")
        self._name.setContentsMargins(look.l, look.l, look.s, look.m)
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self.page_chosen)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, look.s)
        column.setSpacing(look.xs // 2)
        column.addWidget(self._name)
        for place, (words, icon) in enumerate(entries):
            button = self._entry(words, icon)
            button.setCheckable(True)
            self._group.addButton(button, place)
            column.addWidget(button)
        column.addStretch(1)
        self._menu = QMenu(self)
        self._menu.addActions(list(more))
        self._more = self._entry(tr("More"), "ph.list")
        self._more.clicked.connect(self._open_menu)
        column.addWidget(self._more)

    def set_name(self, name: str) -> None:
        self._name.setText(name)

    def set_page(self, place: int) -> None:
        self._group.button(place).setChecked(True)

    def button(self, place: int) -> QToolButton:
        found = self._group.button(place)
        assert isinstance(found, QToolButton)
        return found

    def _entry(self, words: str, icon: str) -> QToolButton:
        button = QToolButton()
        button.setProperty("role", "rail")
        button.setText(words)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(QSize(style.current().icon_large + 2 * style.current().xs, style.current().icon_large))
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        icons.set_icon(button, icon)
        return button

    @Slot()
    def _open_menu(self) -> None:
        self._menu.popup(self._more.mapToGlobal(self._more.rect().topRight()))
