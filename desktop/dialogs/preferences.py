"""The settings that have words in the table, each as one line. What is chosen holds at once."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QVBoxLayout, QWidget

from desktop import settings, style
from desktop.settings import SETTINGS, Setting


class PreferencesDialog(QDialog):
    """Emits the key of a setting when it has been changed."""

    setting_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setWindowTitle(self.tr("Settings"))
        self.setMinimumWidth(420)
        form = QFormLayout()
        form.setHorizontalSpacing(look.xl)
        form.setVerticalSpacing(look.m)
        self._editors: dict[QComboBox, Setting[Any]] = {}
        for setting in SETTINGS:
            if setting.words:
                form.addRow(settings.words(setting), self._list(setting))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.xl)
        column.addLayout(form)
        column.addWidget(buttons)

    @classmethod
    def show_settings(cls, parent: QWidget) -> PreferencesDialog:
        dialog = cls(parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def _list(self, setting: Setting[str]) -> QComboBox:
        editor = QComboBox()
        editor.setObjectName(setting.key)
        for choice, text in setting.choices:
            editor.addItem(QCoreApplication.translate("settings", text), choice)
        editor.setCurrentIndex(editor.findData(settings.value(setting)))
        editor.activated.connect(self._store)
        self._editors[editor] = setting
        return editor

    @Slot()
    def _store(self) -> None:
        for editor, setting in self._editors.items():
            if editor.currentData() != settings.value(setting):
                settings.set_value(setting, editor.currentData())
                self.setting_changed.emit(setting.key)
