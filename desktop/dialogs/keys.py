"""The "?" sheet: all keys, made from the table of actions."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from desktop import style
from desktop.actions import ACTIONS, PLACES, keys_of, text_of
from desktop.i18n import text, tr
from desktop.widgets.scrolling import scrolling

ROOM_FOR_TITLE = 48


class KeysDialog(QDialog):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setWindowTitle(tr("Keys"))
        self.setMinimumWidth(520)
        sheet = QWidget()
        grid = QGridLayout(sheet)
        grid.setContentsMargins(0, 0, look.m, 0)
        grid.setHorizontalSpacing(look.xxl)
        grid.setVerticalSpacing(look.xs)
        grid.setColumnStretch(0, 1)
        row = 0
        for where, name in PLACES:
            head = QLabel(text(name))
            head.setProperty("role", "emphasis")
            head.setContentsMargins(0, look.m if row else 0, 0, look.xs)
            grid.addWidget(head, row, 0, 1, 2)
            for action in (item for item in ACTIONS if item.where == where and keys_of(item)):
                row += 1
                keys = QLabel(keys_of(action))
                keys.setProperty("role", "muted")
                keys.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                grid.addWidget(QLabel(text_of(action).removesuffix("…")), row, 0)
                grid.addWidget(keys, row, 1)
            row += 1
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.l)
        column.addWidget(scrolling(sheet), 1)
        column.addWidget(buttons)
        # There are more keys than a small screen has lines.
        margins = column.contentsMargins()
        high = sheet.sizeHint().height() + buttons.sizeHint().height() + margins.top() + margins.bottom() + look.xl
        wide = sheet.sizeHint().width() + margins.left() + margins.right() + look.xl
        self.resize(wide, min(high, self.screen().availableSize().height() - ROOM_FOR_TITLE))

    @classmethod
    def show_keys(cls, parent: QWidget) -> KeysDialog:
        dialog = cls(parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog
