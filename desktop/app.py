"""Create, theme, translate and run the QApplication of the studio."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from desktop import icons, settings, style
from desktop.i18n import speak, system_language
from desktop.window.faults import FaultReporter
from desktop.window.main_window import MainWindow


def run_studio(project: Path | None = None, *, beside: bool = False) -> int:
    """Show the window, open `project` in it, which may be a model file, and return the exit code when it is
    closed.

    `beside`: there is a window already, which it must not cover.
    """
    app = make_app(sys.argv[:1])
    window = MainWindow()
    theme = ThemeKeeper(app, window)
    faults = FaultReporter(window)
    faults.install()
    if beside:
        window.move_aside()
    window.show()
    if project is not None:
        # After the first paint: the window shows before the project loads.
        QTimer.singleShot(0, window, lambda: window.open_path(project.absolute()))
    try:
        return app.exec()
    finally:
        faults.remove()
        theme.deleteLater()


def make_app(arguments: list[str]) -> QApplication:
    """Return the QApplication of this process, with the language and the theme of the settings."""
    running = QApplication.instance()
    app = running if isinstance(running, QApplication) else QApplication(arguments)
    app.setApplicationName("Handlens")
    app.setOrganizationName("Handlens")
    app.setDesktopFileName("handlens")
    speak(app, configured_language())
    style.apply(app, configured_theme())
    app.setWindowIcon(icons.icon("ph.magnifying-glass", colour="accent"))
    return app


def configured_language() -> str:
    """Return the language of the settings, or of the system."""
    chosen = settings.value(settings.LANGUAGE)
    return system_language() if chosen == "system" else chosen


def configured_theme() -> style.Theme:
    """Return the theme of the settings, or of the system."""
    chosen = settings.value(settings.THEME)
    if chosen != "system":
        return "dark" if chosen == "dark" else "light"
    dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    return "dark" if dark else "light"


class ThemeKeeper(QObject):
    """Applies the theme again when the settings or the system change."""

    def __init__(self, app: QApplication, window: MainWindow) -> None:
        super().__init__(window)
        self._app = app
        window.theme_switched.connect(self.follow)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self.follow)

    @Slot()
    def follow(self) -> None:
        theme = configured_theme()
        if theme != style.current().theme:
            style.apply(self._app, theme)
            icons.follow_theme()
