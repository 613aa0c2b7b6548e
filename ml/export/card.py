"""The model card: what a model is, what it learned from, how good it is, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.insight.metrics import confusion, per_class
from ml.insight.selftest import Remark
from ml.project.project import Project
from ml.runtime.contract import ModelInfo
from ml.wording import NOUNS

Part = tuple[NDArray[np.float32], NDArray[np.int64]]
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """Of each split: what the finished model said, (probabilities (n, classes), labels (n,)), how sure that is.
    `files`: how many the samples of the test split are from, or of the validation split without one."""

    valid: Part
    test: Part
    valid_interval: Interval | None
    test_interval: Interval | None
    files: int
    again: bool
    """Whether it learned from the validation split, too, after that was judged."""


LEARNED_AGAIN = (
    "After that it went on to learn from the validation split, too; what is said of that split was said before."
)


def model_card(project: Project, info: ModelInfo, known: Known, remarks: Sequence[Remark]) -> str:
    """Markdown."""
    what = NOUNS[info.kind][1]
    run = next(item for item in project.runs.all() if item.number == info.run)
    lines = [
        f"# {project.name}, run {info.run}",
        "",
        f"Tells {len(info.classes)} classes of {what} apart: {', '.join(info.classes)}.",
        f"Made {info.created_at} with the preset “{run.preset}”, seed {run.seed}.",
        "",
        "## How good it is",
        "",
        _sentence("test", what, known.test, known.test_interval),
        _sentence("validation", what, known.valid, known.valid_interval),
        *([LEARNED_AGAIN] if known.again else []),
        _calibration(info),
        f"The exported file was compared with the trained network on {info.parity_samples} samples; the largest "
        f"difference in probability was {info.parity_difference:.1e}.",
        "",
    ]
    part = known.test if len(known.test[1]) else known.valid
    if len(part[1]):
        matrix = confusion(part[1], part[0].argmax(axis=1), classes=len(info.classes))
        lines += ["| class | samples | found | right when named |", "|---|---|---|---|"]
        for name, score in per_class(matrix, info.classes, sources=known.files).items():
            found = f"{score['recall']:.0%} ({score['recall_low']:.0%}–{score['recall_high']:.0%})"
            named = f"{score['precision']:.0%} ({score['precision_low']:.0%}–{score['precision_high']:.0%})"
            lines.append(f"| {name} | {score['n']:.0f} | {found} | {named} |")
        lines += ["", "In brackets: what chance leaves open, with 95 % confidence.", ""]
    lines.append(findings_section(remarks))
    return "\n".join([*lines, f"How the data was split: {project.split_why or 'at random, class by class.'}", ""])


def findings_section(remarks: Sequence[Remark]) -> str:
    """What the self-test found, Markdown."""
    return "\n".join(["## What was found when it ended", "", *(f"- {remark.sentence}" for remark in remarks), ""])


def _calibration(info: ModelInfo) -> str:
    if info.ece is None or info.ece_before is None:
        return "Its probabilities were not checked."
    return (
        f"When it names a probability, it is off by {info.ece:.3f} on average (0 is perfect: “90 % sure” is right 90 "
        f"times in 100); before it was calibrated, by {info.ece_before:.3f}. Temperature {info.temperature:.2f}."
    )


def _sentence(split: str, what: str, part: Part, interval: Interval | None) -> str:
    n = len(part[1])
    if n == 0 or interval is None:
        return f"There were no labelled {what} in the {split} split."
    right = int((part[0].argmax(axis=1) == part[1]).sum())
    return (
        f"Right on {right} of {n} {what} of the {split} split, {right / n:.1%} "
        f"(95 % confidence: {interval[0]:.1%} to {interval[1]:.1%})."
    )
