"""The language of the terminal: the one chosen in the window's preferences, else the one of the environment."""

from __future__ import annotations

from ml.core.messages import PSEUDO, available, best_match, environment_languages
from ml.core.preferences import preference

SYSTEM = "system"
"""The choice in the preferences that leaves the language to the environment."""


def terminal_language() -> str:
    """The tag of the language to speak. The pseudo-locale can only be asked for by the environment, and then wins."""
    wanted = environment_languages()
    if wanted[:1] == (PSEUDO,):
        return PSEUDO
    preferred = preferred_language()
    return preferred if preferred in available() else best_match(wanted)


def preferred_language() -> str:
    """What the preferences say; "" where they say nothing, or leave it to the system."""
    language = preference("language")
    return language if isinstance(language, str) and language != SYSTEM else ""
