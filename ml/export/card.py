"""The model card: what a model is, what it learned from, how good it is, in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.insight.metrics import confusion, per_class, wilson_interval
from ml.project.project import Project
from ml.project.samples import Kind, RunInfo

_WORDS: dict[Kind, str] = {"images": "pictures", "recordings": "sounds", "sensors": "stretches of logs"}
Part = tuple[NDArray[np.float32], NDArray[np.int64]]


def model_card(
    project: Project,
    run: RunInfo,
    *,
    created_at: str,
    valid: Part,
    test: Part,
    ece: float,
    parity: tuple[int, float],
) -> str:
    """Markdown. `valid` and `test` are (probabilities (n, classes), labels (n,)) of the finished model."""
    what = _WORDS[project.kind]
    lines = [
        f"# {project.name}, run {run.number}",
        "",
        f"Tells {len(run.class_names)} classes of {what} apart: {', '.join(run.class_names)}.",
        f"Made {created_at} with the preset “{run.preset}”, seed {run.seed}.",
        "",
        "## How good it is",
        "",
        _sentence("test", what, test),
        _sentence("validation", what, valid),
        f"Calibration error on the validation split: {ece:.3f} (0 is perfect: “90 % sure” is right 90 times in 100).",
        f"The exported file was compared with the trained network on {parity[0]} samples; the largest difference in "
        f"probability was {parity[1]:.1e}.",
        "",
    ]
    part = test if len(test[1]) else valid
    if len(part[1]):
        matrix = confusion(part[1], part[0].argmax(axis=1), classes=len(run.class_names))
        lines += ["| class | samples | found | right when named |", "|---|---|---|---|"]
        for name, score in per_class(matrix, run.class_names).items():
            lines.append(f"| {name} | {score['n']:.0f} | {score['recall']:.0%} | {score['precision']:.0%} |")
    return "\n".join([*lines, "", f"How the data was split: {project.split_why or 'at random, class by class.'}", ""])


def _sentence(split: str, what: str, part: Part) -> str:
    n = len(part[1])
    if n == 0:
        return f"There were no labelled {what} in the {split} split."
    right = int((part[0].argmax(axis=1) == part[1]).sum())
    low, high = wilson_interval(right, n)
    return (
        f"Right on {right} of {n} {what} of the {split} split, {right / n:.1%} "
        f"(95 % confidence: {low:.1%} to {high:.1%})."
    )
