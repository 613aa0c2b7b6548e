"""What the end of a run does otherwise in a multi-label project: calibrate, choose thresholds, describe."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ml.core.messages import Message, english, msg
from ml.core.phrases import counted, things
from ml.core.types import Kind, RunInfo
from ml.export.rule import TABLE
from ml.networks.heads import Classifier
from ml.project.project import Project
from ml.release.card import IN_BRACKETS, NOT_CHECKED, compared_told, heading, made_told, split_told, title
from ml.scoring.multilabel import (
    average_precisions,
    calibration_error,
    found_and_named,
    mean_average_precision,
    present,
)

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
    rule: Message,
    parity: tuple[int, float],
    files: int,
    again: Message | None = None,
) -> str:
    """The model card, Markdown, in English. `files`: how many the samples that are judged by are from; `again`: what is
    to be said of the validation split."""
    names = tuple(run.class_names)
    told: list[Message] = [
        msg(
            "Predicts which of {n} classes are present in {things}, any number of them: {classes}.",
            n=len(names),
            things=things(project.kind),
            classes=names,
        ),
        made_told(created_at, run),
    ]
    scores = [
        _test_score(test, project.kind),
        _valid_score(valid, project.kind),
        *([again] if again is not None else []),
        msg(
            "Mean average precision: how well samples that show a class rank before those that do not; 100 % is "
            "perfect."
        ),
        _calibration(valid),
        compared_told(*parity),
    ]
    lines = [title(project, run.number), "", *map(english, told), "", heading(), "", *map(english, scores), ""]
    part = test if len(test[1]) else valid
    if len(part[1]):
        lines += [english(rule), "", *_table(part, thresholds, names, files=files), "", english(IN_BRACKETS)]
    return "\n".join([*lines, "", english(split_told(project)), ""])


def _table(part: Part, thresholds: NDArray[np.float32], names: tuple[str, ...], *, files: int) -> Iterator[str]:
    yield f"{TABLE} found | wrongly predicted | average precision | present from |"
    yield "|---|---|---|---|---|"
    scores = found_and_named(present(part[0], thresholds), part[1], names, sources=files)
    precisions = average_precisions(*part)
    for place, (name, score) in enumerate(scores.items()):
        found = f"{score['found']:.0f} of {score['n']:.0f} ({score['recall_low']:.0%}–{score['recall_high']:.0%})"
        average = "–" if np.isnan(precisions[place]) else f"{precisions[place]:.0%}"
        wrongly = f"{score['wrongly']:.0f} of {score['named']:.0f}"
        yield f"| {name} | {found} | {wrongly} | {average} | {thresholds[place]:.0%} |"


def _calibration(valid: Part) -> Message:
    if not len(valid[1]):
        return NOT_CHECKED
    return msg(
        "Calibration error on the validation set: {error:.3f} (0 is perfect: “90 % sure” is right 90 times in 100).",
        error=calibration_error(*valid),
    )


def _test_score(part: Part, kind: Kind) -> Message:
    score = mean_average_precision(*part)
    if score is None:
        return msg("There were no labelled test {things}.", things=things(kind))
    return msg(
        "Mean average precision on {samples} in the test set: {score:.1%}.",
        samples=counted(len(part[1]), kind),
        score=score,
    )


def _valid_score(part: Part, kind: Kind) -> Message:
    score = mean_average_precision(*part)
    if score is None:
        return msg("There were no labelled validation {things}.", things=things(kind))
    return msg(
        "Mean average precision on {samples} in the validation set: {score:.1%}.",
        samples=counted(len(part[1]), kind),
        score=score,
    )
