"""Qt's library for sound and cameras, which needs libraries of the system that may be missing."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from PySide6.QtCore import QLoggingCategory

_log = logging.getLogger(__name__)


def load_multimedia() -> tuple[Any, str]:
    """Return the module and an empty text; or None, and the name of the library that is missing."""
    # Qt lists every missing codec library on stderr; our sentence says what matters.
    QLoggingCategory.setFilterRules("qt.multimedia*=false")
    try:
        return importlib.import_module("PySide6.QtMultimedia"), ""
    except ImportError as error:
        _log.info("no multimedia: %s", error)
        # "libpulse.so.0: cannot open shared object file"
        return None, str(error).split(":", maxsplit=1)[0]
