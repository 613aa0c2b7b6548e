"""What a run said about itself when it ended, kept as `findings.json` beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ml.insight.selftest import Remark

NAME = "findings.json"


def write_remarks(folder: Path, remarks: Sequence[Remark]) -> None:
    """Keep the remarks in a run's folder."""
    draft = folder / f"{NAME}.part"
    draft.write_text(json.dumps([asdict(remark) for remark in remarks], ensure_ascii=False, indent=1), encoding="utf-8")
    draft.replace(folder / NAME)


def read_remarks(folder: Path) -> tuple[Remark, ...]:
    """The remarks of a run; none where it was made before there were any, or the file is damaged."""
    try:
        return tuple(Remark(**entry) for entry in json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return ()
