"""The log for support: one rotating file that the window, the terminal and child processes write."""

from __future__ import annotations

import logging
import os
import platform
import sys
import warnings
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal, TextIO

from filelock import FileLock, Timeout

from ml import __version__
from ml.core.folders import log_folder
from ml.core.private_text import describe, place_of_code, private

Program = Literal["terminal", "window", "worker"]

FILE = "handlens.log"
_MAX_BYTES = 1_000_000
_OLD_FILES = 2
_log = logging.getLogger(__name__)


def log_file() -> Path:
    """Return the newest file of the log; it may not exist yet."""
    return log_folder() / FILE


def start_logging(program: Program) -> None:
    """Write what all loggers report to the log, also warnings of libraries. Without a folder for it, write nothing."""
    handler: logging.Handler
    try:
        log_folder().mkdir(parents=True, exist_ok=True)
        handler = SharedLogHandler(log_file())
        handler.setFormatter(PrivateFormatter(program))
    except OSError:
        handler = logging.NullHandler()
    root = logging.getLogger()
    for old in [item for item in root.handlers if isinstance(item, SharedLogHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in ("ml", "desktop", "__main__"):
        logging.getLogger(name).setLevel(logging.INFO)
    if not sys.warnoptions and not os.environ.get("HANDLENS_DEBUG"):  # then a developer wants to see them
        warnings.simplefilter("default")
        warnings.showwarning = _log_warning
    _log.info("Handlens %s, Python %s, %s", __version__, platform.python_version(), platform.platform())


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    place = f"{place_of_code(filename)[0]}:{lineno}: "
    _log.warning("%s: %s", category.__name__, message, extra={"place": place})


class PrivateFormatter(logging.Formatter):
    """One line for each message, tracebacks below it, no names of the user's files."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.formatTime(record)} {self._program}[{record.process}] {record.levelname} {record.name}: "
        text = head + getattr(record, "place", "") + private(record.getMessage())
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + describe(record.exc_info[1])
        return text


class SharedLogHandler(RotatingFileHandler):
    """A RotatingFileHandler for several processes: one of them renames the files, the others notice."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=_MAX_BYTES, backupCount=_OLD_FILES, encoding="utf-8", errors="replace")

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            if self.stream is not None and not os.path.samestat(
                os.fstat(self.stream.fileno()), Path(self.baseFilename).stat()
            ):
                self._reopen()
        super().emit(record)

    def doRollover(self) -> None:
        try:
            with FileLock(f"{self.baseFilename}.lock", timeout=0):
                if Path(self.baseFilename).stat().st_size > _MAX_BYTES // 2:  # nobody else has just done it
                    super().doRollover()
        except (Timeout, OSError):
            # Another process does it, or Windows refuses while another has the file open: write on meanwhile.
            self._reopen()

    def _reopen(self) -> None:
        if self.stream is not None:
            self.stream.close()
        self.stream = self._open()

    def handleError(self, record: logging.LogRecord) -> None:
        """Do nothing: a full disk must not fill the terminal."""
