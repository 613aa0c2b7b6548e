"""The studio's application: made once, themed, translated, and ended with an exit code."""

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
from desktop.i18n import speak, system_language, tr
from desktop.window.main_window import MainWindow

_log = logging.getLogger(__name__)


def run_studio(project: Path | None = None) -> int:
    """Show the window, open `project` in it if one is given, and return the exit code when it is closed."""
    app = make_app(sys.argv[:1])
    window = MainWindow()
    theme = ThemeKeeper(app, window)
    sys.excepthook = _Fault(window).tell
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
    """The one QApplication of this process, with the name, the language and the theme of the person."""
    running = QApplication.instance()
    app = running if isinstance(running, QApplication) else QApplication(arguments)
    app.setApplicationName("Handlens")
    app.setOrganizationName("Handlens")
    app.setDesktopFileName("handlens")
    speak(app, wanted_language())
    style.apply(app, wanted_theme())
    app.setWindowIcon(icons.icon("ph.magnifying-glass", colour="accent"))
    return app


def wanted_language() -> str:
    """The language of the settings; the system's where they name none."""
    chosen = settings.value(settings.LANGUAGE)
    return system_language() if chosen == "system" else chosen


def wanted_theme() -> style.Theme:
    """The theme of the settings; the system's where they say so."""
    chosen = settings.value(settings.THEME)
    if chosen != "system":
        return "dark" if chosen == "dark" else "light"
    dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    return "dark" if dark else "light"


class ThemeKeeper(QObject):
    """Follows the settings and the system."""

    def __init__(self, app: QApplication, window: MainWindow) -> None:
        super().__init__(window)
        self._app = app
        window.theme_switched.connect(self.follow)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self.follow)

    @Slot()
    def follow(self) -> None:
        theme = wanted_theme()
        if theme != style.current().theme:
            style.apply(self._app, theme)
            icons.follow_theme()


class _Fault:
    """What happens to an exception that nobody caught: it is logged, and the person is told that nothing is lost."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def tell(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QCoreApplication.exit(130)
            return
        _log.error("uncaught", exc_info=(kind, error, trace))
        Notice.tell(
            self._window,
            tr(
                "A fault in Handlens stopped this. Your labels and runs are safe on disk. "
                "Try again, or close the window and open the project again."
            ),
            details="".join(traceback.format_exception(kind, error, trace)),
        )
