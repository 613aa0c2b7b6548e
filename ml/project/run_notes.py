"""What a person wrote about runs, and which runs wait for their deletion, as two values of the table `meta`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ml.core.types import RunState
from ml.core.untrusted import LONGEST_PATH, parse_json, text_in, whole_in

NOTES, DELETED = "run_notes", "deleted_runs"
"""Keys of the table `meta`. Versions that do not know them leave them as they are."""
_MOST = 10_000
_MOST_RUNS = 1_000_000
_STATES: tuple[RunState, ...] = ("finished", "failed", "interrupted")


def notes_in(stored: str) -> dict[int, str]:
    """Return the note of each run that has one. Raises ValueError for what `notes_text` cannot have written."""
    return {run: text_in(note, NOTES, longest=LONGEST_PATH) for run, note in _entries(stored, NOTES).items()}


def notes_text(notes: Mapping[int, str]) -> str:
    """Return how notes are stored. Empty ones are left out."""
    return json.dumps({str(run): note for run, note in sorted(notes.items()) if note}, ensure_ascii=False)


def deleted_in(stored: str) -> dict[int, RunState]:
    """Return the runs that were deleted and can still be brought back, with the state that each had."""
    found: dict[int, RunState] = {}
    for run, state in _entries(stored, DELETED).items():
        known = next((each for each in _STATES if each == state), None)
        if known is None:
            raise ValueError(DELETED)
        found[run] = known
    return found


def deleted_text(deleted: Mapping[int, RunState]) -> str:
    """Return how they are stored; the inverse of `deleted_in`."""
    return json.dumps({str(run): state for run, state in sorted(deleted.items())})


def _entries(stored: str, key: str) -> dict[int, object]:
    entries = parse_json(stored)
    if not isinstance(entries, dict) or len(entries) > _MOST:
        raise ValueError(key)
    if not all(run.isdecimal() for run in entries):
        raise ValueError(key)
    return {whole_in(int(run), key, 1, _MOST_RUNS): value for run, value in entries.items()}
