"""The settings of the studio for one user: one table, kept in an INI file in the user's config folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from PySide6.QtCore import QSettings, QStandardPaths

from desktop.i18n import PSEUDO, Message, available, msg, own_name, text

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting(Generic[T]):
    """One setting. With `words` it appears in the settings dialog."""

    key: str
    default: T
    valid: Callable[[object], bool]
    words: Message | None = None
    choices: Callable[[], Sequence[tuple[T, Message | str]]] = tuple


def _is_recent(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, list) and len(item) == 2 and all(isinstance(part, str) for part in item) for item in value
    )


THEME: Setting[str] = Setting(
    key="theme",
    default="system",
    valid=lambda value: value in ("system", "light", "dark"),
    words=msg("Appearance"),
    choices=lambda: (
        ("system", msg("As the system")),
        ("light", msg("Light")),
        ("dark", msg("Dark")),
    ),
)


def _languages() -> list[tuple[str, Message | str]]:
    return [("system", msg("As the system")), *((tag, own_name(tag)) for tag in available())]


LANGUAGE: Setting[str] = Setting(
    key="language",
    default="system",
    valid=lambda value: value in ("system", PSEUDO, *available()),
    words=msg("Language"),
    choices=_languages,
)
"""Holds from the next start on."""
OVERLAY_OPACITY: Setting[float] = Setting(
    key="overlay_opacity",
    default=0.7,
    valid=lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
)
"""How strongly the maps cover the large view."""
RECENT: Setting[list[list[str]]] = Setting(key="recent_projects", default=[], valid=_is_recent)
"""Pairs of path and name, the newest first."""
PROJECTS_FOLDER: Setting[str] = Setting(key="projects_folder", default="", valid=lambda value: isinstance(value, str))
"""Where new projects are put; empty: `Handlens` in the user's documents."""
LAST_FOLDER: Setting[str] = Setting(key="last_folder", default="", valid=lambda value: isinstance(value, str))
"""Where the folder chooser opens."""


MOST_SECONDS = 1e9
"""A speed above it is no measurement: sums and dates could not hold it."""


def _is_speeds(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(speeds, dict)
        and all(
            isinstance(each, int | float) and not isinstance(each, bool) and 0 < each <= MOST_SECONDS
            for each in speeds.values()
        )
        for speeds in value.values()
    )


SPEEDS: Setting[dict[str, dict[str, float]]] = Setting(key="speeds", default={}, valid=_is_speeds)
"""How long the stages of a training took on this machine, by kind and network, see `remember_speeds`."""
GIGABYTE = 1_000_000_000
CACHE_LIMIT: Setting[int] = Setting(
    key="cache_limit",
    default=0,
    valid=lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1_000_000,
    words=msg("Cache of a project"),
    choices=lambda: (
        (0, msg("No limit")),
        *((size, msg("At most {n} GB", n=size)) for size in (1, 5, 20, 100)),
    ),
)
"""Gigabytes; what is beyond is removed when a project is opened and after a training."""
KEYS: Setting[dict[str, str]] = Setting(
    key="keys",
    default={},
    valid=lambda value: isinstance(value, dict) and all(isinstance(each, str) for each in value.values()),
)
"""The keys that are not as delivered by the ids of their actions, see `desktop.shortcuts`; empty for none."""
FFMPEG: Setting[str] = Setting(key="ffmpeg", default="", valid=lambda value: isinstance(value, str))
"""The program that decodes what no library can; empty: it is found. `ml.media.ffmpeg` reads it from the file."""
GEOMETRY: Setting[str] = Setting(key="window_geometry", default="", valid=lambda value: isinstance(value, str))

SETTINGS: tuple[Setting[Any], ...] = (
    LANGUAGE,
    THEME,
    OVERLAY_OPACITY,
    RECENT,
    PROJECTS_FOLDER,
    LAST_FOLDER,
    SPEEDS,
    CACHE_LIMIT,
    KEYS,
    FFMPEG,
    GEOMETRY,
)

MOST_RECENT = 12
MOST_SPEEDS = 20
NEWEST_WEIGHT = 0.5
"""Weight of the newest measurement of a speed: one slow run must not spoil what is remembered."""


def _store() -> QSettings:
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "Handlens", "studio")


def value(setting: Setting[T]) -> T:
    """Return the stored value, or the default where it is missing or invalid."""
    stored = _store().value(setting.key)
    if not isinstance(stored, str):
        return setting.default
    try:
        read = json.loads(stored)
    except (ValueError, RecursionError):
        return setting.default
    return cast(T, read) if setting.valid(read) else setting.default


def set_value(setting: Setting[T], new: T) -> None:
    """Store `new`. Raises ValueError if it is invalid for this setting."""
    if not setting.valid(new):
        raise ValueError(f"{new!r} is no value for {setting.key}.")
    store = _store()
    store.setValue(setting.key, json.dumps(new))
    store.sync()


def words(setting: Setting[T]) -> str:
    return text(setting.words) if setting.words is not None else ""


def projects_folder() -> Path:
    """Return the folder for new projects."""
    chosen = value(PROJECTS_FOLDER)
    if chosen:
        return Path(chosen)
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / "Handlens"


def remember_project(path: Path, name: str) -> None:
    """Put the project first in the list of recent projects."""
    others = [item for item in value(RECENT) if Path(item[0]) != path]
    set_value(RECENT, [[str(path), name], *others][:MOST_RECENT])


def forget_project(path: Path) -> None:
    """Remove the project from the list of recent projects; its folder is not touched."""
    set_value(RECENT, [item for item in value(RECENT) if Path(item[0]) != path])


def speeds(kind: str, network: str) -> dict[str, float]:
    """Return the remembered speeds of this machine, see `ml.api.SPEEDS`."""
    return value(SPEEDS).get(f"{kind} {network}", {})


def remember_speeds(kind: str, network: str, measured: Mapping[str, float]) -> None:
    """Remember how long the stages of a training took, averaged with what was remembered before."""
    key, before = f"{kind} {network}", speeds(kind, network)
    # The clocks of some systems advance in steps, so a short stage can take no time.
    usable = {name: each for name, each in measured.items() if 0 < each <= MOST_SECONDS}
    new = {name: before.get(name, each) ** (1 - NEWEST_WEIGHT) * each**NEWEST_WEIGHT for name, each in usable.items()}
    others = [(name, each) for name, each in value(SPEEDS).items() if name != key]
    set_value(SPEEDS, dict([*others, (key, before | new)][-MOST_SPEEDS:]))
