"""Uncaught exceptions and messages of Qt: into the log, and for exceptions one message box at a time."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType

from PySide6.QtCore import (
    QCoreApplication,
    QMessageLogContext,
    QObject,
    Qt,
    QtMsgType,
    Signal,
    Slot,
    qInstallMessageHandler,
)
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox, QWidget

from desktop.i18n import text, tr

_log = logging.getLogger(__name__)
_qt_log = logging.getLogger("desktop.qt")

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class FaultReporter(QObject):
    """Reports uncaught exceptions of any thread between `install` and `remove`. The application continues."""

    _happened = Signal(str, str)
    """The sentence, "" for the usual one, and the details."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._notice: FaultNotice | None = None
        # Exceptions of worker threads arrive in their thread, where no widget may be touched.
        self._happened.connect(self._show, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        sys.excepthook = self.report
        threading.excepthook = self._report_thread
        qInstallMessageHandler(_log_qt)

    def remove(self) -> None:
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__
        qInstallMessageHandler(None)

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Log an exception and tell the person that nothing is lost."""
        if issubclass(kind, KeyboardInterrupt):
            QCoreApplication.exit(130)
            return
        _log.error("uncaught", exc_info=(kind, error, trace))
        # They come from the core, which is not loaded with the window.
        from ml.api import MEMORY_RAN_OUT, describe_error, is_memory_shortage

        sentence = text(MEMORY_RAN_OUT) if is_memory_shortage(error) else ""
        self._happened.emit(sentence, describe_error(error))

    def _report_thread(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self.report(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    @Slot(str, str)
    def _show(self, sentence: str, details: str) -> None:
        if self._notice is not None:
            return  # one fault often causes more; the log has them all
        self._notice = FaultNotice(details, self._window, sentence=sentence)
        self._notice.finished.connect(self._forget)
        self._notice.open()

    @Slot()
    def _forget(self) -> None:
        self._notice = None


def _log_qt(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
    _qt_log.log(_LEVELS.get(kind, logging.WARNING), "%s", message)


class FaultNotice(QMessageBox):
    """One sentence, with the details to copy. Does not block the window."""

    def __init__(self, details: str, parent: QWidget | None = None, *, sentence: str = "") -> None:
        super().__init__(parent)
        self._details = details
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(QCoreApplication.applicationName())
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(
            sentence
            or tr(
                "A fault in Handlens stopped this. Your labels and runs are safe on disk. "
                "Try again, or close the window and open the project again."
            )
        )
        self.copy_button = self.addButton(tr("Copy details"), QMessageBox.ButtonRole.ActionRole)
        self.continue_button = self.addButton(tr("Continue"), QMessageBox.ButtonRole.AcceptRole)
        self.setDefaultButton(self.continue_button)
        self.setEscapeButton(self.continue_button)
        self.copy_button.clicked.disconnect()  # every button of a QMessageBox closes it
        self.copy_button.clicked.connect(self._copy)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)
