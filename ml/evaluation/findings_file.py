"""What a run said about itself when it ended, kept as `findings.json` beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from ml.core.disk import write_text
from ml.core.messages import english, from_json, to_json, verbatim
from ml.core.untrusted import LONGEST_PATH, list_in, read_json, table_in, text_in
from ml.evaluation.run_finding import About, Level, RunFinding

NAME = "findings.json"
_MOST = 1_000


def write_findings(folder: Path, remarks: Sequence[RunFinding]) -> None:
    """Keep the remarks in a run's folder."""
    kept = [_as_json(remark) for remark in remarks]
    write_text(folder / NAME, json.dumps(kept, ensure_ascii=False, indent=1))


def read_findings(folder: Path) -> tuple[RunFinding, ...]:
    """The remarks of a run; none where it was made before there were any, or the file is damaged."""
    try:
        entries = list_in(read_json(folder / NAME), "findings", most=_MOST)
        return tuple(_from_json(table_in(entry, "finding")) for entry in entries)
    except (OSError, ValueError):
        return ()


def _as_json(remark: RunFinding) -> dict[str, Any]:
    """The sentence as template and values, and in English for whoever opens the file."""
    plain = {"about": remark.about, "level": remark.level, "sentence": english(remark.sentence)}
    return {**plain, **to_json(remark.sentence)}


def _from_json(entry: Mapping[str, Any]) -> RunFinding:
    """Return a finding. An earlier Handlens kept the finished sentence alone. Raises ValueError."""
    about, level = entry.get("about"), entry.get("level")
    if about not in get_args(About) or level not in get_args(Level):
        raise ValueError("not a finding")
    words = entry.get("sentence")
    sentence = from_json(entry) if "template" in entry else verbatim(text_in(words, "sentence", longest=LONGEST_PATH))
    return RunFinding(about=cast(About, about), level=cast(Level, level), sentence=sentence)
