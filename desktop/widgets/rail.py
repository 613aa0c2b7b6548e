"""The rail at the left of the window: the project's name, its pages, and what belongs to all of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QFrame,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop import icons, style
from desktop.i18n import tr
from desktop.widgets.elided_label import ElidedLabel

WIDTH = 152


class Rail(QFrame):
    """Emits `page_chosen(page_id)` when an entry is clicked. Entries are `(page_id, words, icon)`."""

    page_chosen = Signal(str)

    def __init__(
        self, entries: Sequence[tuple[str, str, str]], more: Sequence[QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        look = style.current()
        self.setProperty("role", "rail")
        self.setFixedWidth(WIDTH)
        self._name = ElidedLabel()
        self._name.setProperty("role", "emphasis")
        self._name.setContentsMargins(look.l, look.l, look.s, look.m)
        self._group = QButtonGroup(self)
        self._group.buttonClicked.connect(self._on_clicked)
        self._buttons: dict[str, QToolButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, look.s)
        column.setSpacing(look.xs // 2)
        column.addWidget(self._name)
        for page_id, words, icon in entries:
            button = self._entry(words, icon)
            button.setCheckable(True)
            self._group.addButton(button)
            self._buttons[page_id] = button
            column.addWidget(button)
        column.addStretch(1)
        self._menu = QMenu(self)
        self._menu.addActions(list(more))
        self._more = self._entry(tr("More"), "ph.list")
        self._more.clicked.connect(self._open_menu)
        column.addWidget(self._more)

    def set_name(self, name: str) -> None:
        self._name.setText(name)

    def set_page(self, page_id: str) -> None:
        self._buttons[page_id].setChecked(True)

    def button(self, page_id: str) -> QToolButton:
        return self._buttons[page_id]

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

    @Slot(QAbstractButton)
    def _on_clicked(self, button: QAbstractButton) -> None:
        self.page_chosen.emit(next(page_id for page_id, each in self._buttons.items() if each is button))

    @Slot()
    def _open_menu(self) -> None:
        self._menu.popup(self._more.mapToGlobal(self._more.rect().topRight()))
