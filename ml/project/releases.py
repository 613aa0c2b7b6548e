"""Which run of a project is in use: a person released it, with a name and a reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from ml.core.untrusted import LONGEST_NAME, LONGEST_PATH, list_in, parse_json, table_in, text_in, whole_in

KEY = "releases"
"""Of the table `meta`. Versions that do not know it leave it as it is and use the newest run."""
_MOST = 10_000
_MOST_RUNS = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRelease:
    """Somebody decided that run `run` is used from then on. `at` is ISO 8601, UTC."""

    run: int
    name: str
    reason: str
    at: str
    by: str


def releases_in(text: str) -> tuple[RunRelease, ...]:
    """Return what `releases_text` wrote, the oldest first. Raises ValueError for other values."""
    return tuple(_release(entry) for entry in list_in(parse_json(text), KEY, most=_MOST))


def releases_text(releases: Sequence[RunRelease]) -> str:
    """Return the value of the table `meta`."""
    return json.dumps([asdict(release) for release in releases[-_MOST:]], ensure_ascii=False)


def _release(value: object) -> RunRelease:
    entry = table_in(value, KEY)
    at = text_in(entry.get("at"), f"{KEY}.at")
    datetime.fromisoformat(at)
    return RunRelease(
        run=whole_in(entry.get("run"), f"{KEY}.run", 1, _MOST_RUNS),
        name=text_in(entry.get("name"), f"{KEY}.name", empty=True),
        reason=text_in(entry.get("reason"), f"{KEY}.reason", longest=LONGEST_PATH, empty=True),
        at=at,
        by=text_in(entry.get("by"), f"{KEY}.by", longest=LONGEST_NAME, empty=True),
    )
