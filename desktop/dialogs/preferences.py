"""The settings dialog: one line for each setting that has words, and the keys. Changes apply at once."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop import settings, style
from desktop.dialogs.ffmpeg_choice import FFmpegChoice
from desktop.dialogs.key_table import KeyTable
from desktop.i18n import text, tr
from desktop.settings import SETTINGS, Setting

_HEIGHT = 560


class PreferencesDialog(QDialog):
    """Emits `setting_changed(key)` after each change."""

    setting_changed = Signal(str)
    restart_requested = Signal()
    """Restart for the new language. The dialog is closed already."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setWindowTitle(tr("Settings"))
        self.setMinimumWidth(420)
        general = QWidget()
        form = QFormLayout(general)
        form.setContentsMargins(0, look.l, 0, 0)
        form.setHorizontalSpacing(look.xl)
        form.setVerticalSpacing(look.m)
        self._editors: dict[QComboBox, Setting[Any]] = {}
        for setting in SETTINGS:
            if setting.words:
                form.addRow(settings.words(setting), self._list(setting))
        self.ffmpeg = FFmpegChoice()
        form.addRow(tr("FFmpeg"), self.ffmpeg)
        self._language = settings.value(settings.LANGUAGE)
        self.restart_button, self.restart_row = self._build_restart()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.xl)
        self.keys = KeyTable()
        tabs = QTabWidget()
        tabs.addTab(general, tr("General"))
        tabs.addTab(self.keys, tr("Keys"))
        column.addWidget(tabs, 1)
        column.addWidget(self.restart_row)
        column.addWidget(buttons)
        room = self.screen().availableSize()
        self.resize(min(self.keys.sizeHint().width() + 2 * look.xl, room.width()), min(_HEIGHT, room.height() - 48))

    @classmethod
    def show_settings(cls, parent: QWidget) -> PreferencesDialog:
        dialog = cls(parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def _build_restart(self) -> tuple[QPushButton, QWidget]:
        """A sentence and a button, hidden until another language is chosen."""
        row, button = QWidget(), QPushButton(tr("Restart now"))
        button.clicked.connect(self._restart)
        note = QLabel(tr("Handlens will use this language after a restart."))
        note.setProperty("role", "muted")
        note.setWordWrap(True)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(style.current().m)
        line.addWidget(note, 1)
        line.addWidget(button)
        row.hide()
        return button, row

    def _list(self, setting: Setting[str]) -> QComboBox:
        editor = QComboBox()
        editor.setObjectName(setting.key)
        for choice, words in setting.choices():
            editor.addItem(text(words), choice)
        editor.setCurrentIndex(max(0, editor.findData(settings.value(setting))))
        editor.activated.connect(self._store)
        self._editors[editor] = setting
        return editor

    @Slot()
    def _store(self) -> None:
        for editor, setting in self._editors.items():
            if editor.currentData() != settings.value(setting):
                settings.set_value(setting, editor.currentData())
                self.setting_changed.emit(setting.key)
        self.restart_row.setVisible(settings.value(settings.LANGUAGE) != self._language)

    def done(self, result: int) -> None:
        self.ffmpeg.shutdown()
        super().done(result)

    @Slot()
    def _restart(self) -> None:
        self.accept()
        self.restart_requested.emit()
