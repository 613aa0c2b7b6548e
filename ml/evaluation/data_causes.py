"""Explain a poor score by what was found in the files before training."""

from __future__ import annotations

from collections.abc import Sequence

from ml.evaluation.run_finding import RunFinding
from ml.project.data_findings import DataFindings

_SOME_BLANK = 0.1
"""From this share of blank files, what is said of memory and copies would be about these."""


def is_poor(score: float | None, *, classes: int) -> bool:
    """Return whether a score lies in the lower half between guessing and perfect."""
    return score is not None and score < 0.5 * (1.0 + 1.0 / max(1, classes))


def with_data_findings(
    remarks: Sequence[RunFinding], found: DataFindings, *, score: float | None, classes: int
) -> list[RunFinding]:
    """Return the findings of a run, those about the files first where its score is poor.

    Blank files look like copies of each other, and no model can do better than learn them by heart.
    """
    left = [remark for remark in remarks if found.blank < _SOME_BLANK or remark.about not in ("by heart", "copies")]
    if not is_poor(score, classes=classes):
        return left
    causes = [RunFinding(about="data", level="warning", sentence=warning.sentence) for warning in found.warnings]
    return [*causes, *left]
