"""What a run said about itself when it ended, kept as `findings.json` beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.core.disk import write_text
from ml.core.messages import english, from_json, to_json, verbatim
from ml.evaluation.sanity_checks import RunFinding

NAME = "findings.json"


def write_findings(folder: Path, remarks: Sequence[RunFinding]) -> None:
    """Keep the remarks in a run's folder."""
    kept = [_as_json(remark) for remark in remarks]
    write_text(folder / NAME, json.dumps(kept, ensure_ascii=False, indent=1))


def read_findings(folder: Path) -> tuple[RunFinding, ...]:
    """The remarks of a run; none where it was made before there were any, or the file is damaged."""
    try:
        return tuple(_from_json(entry) for entry in json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return ()


def _as_json(remark: RunFinding) -> dict[str, Any]:
    """The sentence as template and values, and in English for whoever opens the file."""
    plain = {"about": remark.about, "level": remark.level, "sentence": english(remark.sentence)}
    return {**plain, **to_json(remark.sentence)}


def _from_json(entry: dict[str, Any]) -> RunFinding:
    """An earlier Handlens kept the finished sentence alone."""
    sentence = from_json(entry) if "template" in entry else verbatim(str(entry["sentence"]))
    return RunFinding(about=entry["about"], level=entry["level"], sentence=sentence)
