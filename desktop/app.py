"""Create, theme, translate and run the QApplication of the studio."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QCoreApplication, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from desktop import icons, settings, style
from desktop.dialogs.notice import Notice
from desktop.i18n import speak, system_language, text, tr
from desktop.window.main_window import MainWindow
from ml.api import MEMORY_RAN_OUT, is_memory_shortage

_log = logging.getLogger(__name__)


def run_studio(project: Path | None = None) -> int:
    """Show the window, open `project` in it if one is given, and return the exit code when it is closed."""
    app = make_app(sys.argv[:1])
    window = MainWindow()
    theme = ThemeKeeper(app, window)
    sys.excepthook = _FaultReporter(window).report
    window.show()
    if project is not None:
        # After the first paint: the window shows before the project loads.
        QTimer.singleShot(0, window, lambda: window.open_project(project.absolute()))
    try:
        return app.exec()
    finally:
        sys.excepthook = sys.__excepthook__
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


class _FaultReporter:
    """Log an uncaught exception and tell the person that nothing is lost."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QCoreApplication.exit(130)
            return
        _log.error("uncaught", exc_info=(kind, error, trace))
        fault = tr(
            "A fault in Handlens stopped this. Your labels and runs are safe on disk. "
            "Try again, or close the window and open the project again."
        )
        Notice.tell(
            self._window,
            text(MEMORY_RAN_OUT) if is_memory_shortage(error) else fault,
            details="".join(traceback.format_exception(kind, error, trace)),
        )
