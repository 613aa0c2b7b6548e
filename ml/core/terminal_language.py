"""The language of the terminal: the one chosen in the window's preferences, else the one of the environment.

The window keeps its preferences in an INI file of Qt's; it is read here without Qt.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from ml.core.errors import UnreadableError
from ml.core.messages import PSEUDO, available, best_match, environment_languages
from ml.core.regular_files import check_regular

SYSTEM = "system"
"""The choice in the preferences that leaves the language to the environment."""

_LINE = re.compile(r"^language=(.*)$", re.MULTILINE)
_ESCAPED = re.compile(r"\\(.)")


def terminal_language() -> str:
    """The tag of the language to speak. The pseudo-locale can only be asked for by the environment, and then wins."""
    wanted = environment_languages()
    if wanted[:1] == (PSEUDO,):
        return PSEUDO
    preferred = preferred_language()
    return preferred if preferred in available() else best_match(wanted)


def preferred_language() -> str:
    """What the preferences say; "" where they say nothing, or leave it to the system."""
    try:
        check_regular(preferences_file())
        written = preferences_file().read_text(encoding="utf-8", errors="replace")
    except (OSError, UnreadableError):
        return ""
    found = _LINE.search(written)
    if found is None:
        return ""
    # Qt writes \"de\" where the value is "de", and sometimes puts the whole into quotation marks.
    line = found.group(1).strip()
    quoted = len(line) > 1 and line.startswith('"') and line.endswith('"') and not line.startswith('""')
    value = _ESCAPED.sub(r"\1", line[1:-1] if quoted and "\\" in line else line)
    try:
        language = json.loads(value)
    except ValueError:
        return ""
    return language if isinstance(language, str) and language != SYSTEM else ""


def preferences_file() -> Path:
    """Where `desktop.settings` keeps them, as `QSettings` chooses it for an INI file of one user."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:  # the same on macOS
        folder = Path.home() / (os.environ.get("XDG_CONFIG_HOME") or ".config")
    return folder / "Handlens" / "studio.ini"
