"""What the end of a run does otherwise in a multi-label project: calibrate, choose thresholds, describe."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.insight.several import (
    average_precisions,
    calibration_error,
    found_and_named,
    mean_average_precision,
    present,
)
from ml.networks.heads import Classifier
from ml.project.project import Project
from ml.project.samples import RunInfo
from ml.wording import NOUNS

Part = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Probabilities (n, classes) and targets (n, classes) of 0 and 1."""


def logits_from(network: Classifier, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, classes). Probabilities near 1 say too little to be divided by a temperature afterwards; logits do not."""
    weight, bias = network.head.weight.detach().cpu().numpy(), network.head.bias.detach().cpu().numpy()
    return np.asarray(embeddings @ weight.T + bias, dtype=np.float32)


def card_of_several(
    project: Project,
    run: RunInfo,
    *,
    created_at: str,
    valid: Part,
    test: Part,
    thresholds: NDArray[np.float32],
    rule: str,
    parity: tuple[int, float],
    files: int,
    again: str = "",
) -> str:
    """The model card, Markdown. `files`: how many the samples that are judged by are from; `again`: what is to be said
    of the validation split."""
    what = NOUNS[project.kind][1]
    lines = [
        f"# {project.name}, run {run.number}",
        "",
        f"Says which of {len(run.class_names)} classes are present in {what}, any number of them: "
        f"{', '.join(run.class_names)}.",
        f"Made {created_at} with the preset “{run.preset}”, seed {run.seed}.",
        "",
        "## How good it is",
        "",
        _sentence("test", what, test),
        _sentence("validation", what, valid),
        *([again] if again else []),
        "Mean average precision: how well it puts those that show a class before those that do not; 100 % is perfect.",
        _calibration(valid),
        f"The exported file was compared with the trained network on {parity[0]} samples; the largest difference in "
        f"probability was {parity[1]:.1e}.",
        "",
    ]
    part = test if len(test[1]) else valid
    if len(part[1]):
        lines += [rule, ""]
        lines += ["| class | found | said wrongly | average precision | present from |", "|---|---|---|---|---|"]
        scores = found_and_named(present(part[0], thresholds), part[1], run.class_names, sources=files)
        precisions = average_precisions(*part)
        for place, (name, score) in enumerate(scores.items()):
            found = f"{score['found']:.0f} of {score['n']:.0f} ({score['recall_low']:.0%}–{score['recall_high']:.0%})"
            average = "–" if np.isnan(precisions[place]) else f"{precisions[place]:.0%}"
            lines.append(
                f"| {name} | {found} | {score['wrongly']:.0f} of {score['named']:.0f} | {average} "
                f"| {thresholds[place]:.0%} |"
            )
        lines += ["", "In brackets: what chance leaves open, with 95 % confidence."]
    return "\n".join([*lines, "", f"How the data was split: {project.split_why or 'at random, class by class.'}", ""])


def _calibration(valid: Part) -> str:
    if not len(valid[1]):
        return "Its probabilities were not checked."
    return (
        f"Calibration error on the validation split: {calibration_error(*valid):.3f} "
        "(0 is perfect: “90 % sure” is right 90 times in 100)."
    )


def _sentence(split: str, what: str, part: Part) -> str:
    score = mean_average_precision(*part)
    if score is None:
        return f"There were no labelled {what} in the {split} split."
    return f"Mean average precision on {len(part[1])} {what} of the {split} split: {score:.1%}."
