"""Notifications of the desktop by the tray of the system, for rules that fire in any thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from desktop.i18n import printable, text
from ml.api import alarm_sentence

SHOWN_MS = 15_000


class Notifier(QObject):
    """Make it in the window's thread. Its icon is in the tray while it may notify."""

    _asked = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tray: QSystemTrayIcon | None = None
        self._asked.connect(self._show, Qt.ConnectionType.QueuedConnection)

    def available(self) -> bool:
        """Return whether the system has a tray that shows messages."""
        return QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages()

    def action(self) -> NotifyByTray | None:
        """Return what a rule uses, None without a tray."""
        return NotifyByTray(self) if self.available() else None

    def ask(self, title: str, words: str) -> None:
        """Notify. May be called in any thread."""
        self._asked.emit(title, words)

    def close(self) -> None:
        """Take the icon out of the tray."""
        tray, self._tray = self._tray, None
        if tray is not None:
            tray.hide()
            tray.deleteLater()

    @Slot(str, str)
    def _show(self, title: str, words: str) -> None:
        if self._tray is None:
            self._tray = QSystemTrayIcon(QApplication.windowIcon(), self)
            self._tray.setToolTip(QCoreApplication.applicationName())
            self._tray.show()
        self._tray.showMessage(title, words, QSystemTrayIcon.MessageIcon.Information, SHOWN_MS)


class NotifyByTray:
    """In place of `ml.inference.actions.Notify`, which needs another program."""

    repeatable = False

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def deliver(self, event: Mapping[str, Any], target: Any) -> None:  # noqa: ARG002
        self._notifier.ask(printable(str(event["rule"])), printable(text(alarm_sentence(event))))

    def close(self) -> None:
        """Nothing is open."""
