"""Read the preferences of the window without Qt, which keeps them in an INI file."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from ml.core.errors import UnreadableError
from ml.core.regular_files import check_regular

_ESCAPED = re.compile(r"\\(.)")


def preference(key: str) -> object:
    """Return the stored value of one of `desktop.settings`; None where there is none."""
    try:
        check_regular(preferences_file())
        written = preferences_file().read_text(encoding="utf-8", errors="replace")
    except (OSError, UnreadableError):
        return None
    found = re.search(rf"^{re.escape(key)}=(.*)$", written, re.MULTILINE)
    if found is None:
        return None
    # Qt writes \"de\" where the value is "de", and sometimes puts the whole into quotation marks.
    line = found.group(1).strip()
    quoted = len(line) > 1 and line.startswith('"') and line.endswith('"') and not line.startswith('""')
    value = _ESCAPED.sub(r"\1", line[1:-1] if quoted and "\\" in line else line)
    try:
        stored: object = json.loads(value)
    except ValueError:
        return None
    return stored


def preferences_file() -> Path:
    """Where `desktop.settings` keeps them, as `QSettings` chooses it for an INI file of one user."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:  # the same on macOS
        folder = Path.home() / (os.environ.get("XDG_CONFIG_HOME") or ".config")
    return folder / "Handlens" / "studio.ini"
