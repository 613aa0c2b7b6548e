"""The model card: what a model is, what it learned from, how good it is, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.core.messages import Message, english, msg, nmsg
from ml.core.phrases import counted, things
from ml.core.types import Kind, RunInfo
from ml.evaluation.rule import TABLE
from ml.evaluation.sanity_checks import RunFinding
from ml.project.project import Project
from ml.runtime.contract import ModelInfo
from ml.scoring.metrics import confusion, per_class
from ml.scoring.multilabel import (
    average_precisions,
    calibration_error,
    mean_average_precision,
    precision_recall,
    present,
)

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


LEARNED_AGAIN = msg(
    "The final training also used the validation samples. The validation scores were measured before it."
)


def model_card(project: Project, info: ModelInfo, known: Known, remarks: Sequence[RunFinding]) -> str:
    """Markdown, in English."""
    run = next(item for item in project.runs.all() if item.number == info.run)
    names = tuple(info.classes)
    told: list[Message] = [
        msg("Tells {n} classes of {things} apart: {classes}.", n=len(names), things=things(info.kind), classes=names),
        made_told(info.created_at, run),
    ]
    lines = [title(project, info.run), "", *map(english, told), "", heading(), ""]
    scores = [
        _test_score(known.test, known.test_interval, info.kind),
        _valid_score(known.valid, known.valid_interval, info.kind),
        *([LEARNED_AGAIN] if known.again else []),
        _calibration(info),
        compared_told(info.parity_samples, info.parity_difference),
    ]
    lines += [*map(english, scores), ""]
    part = known.test if len(known.test[1]) else known.valid
    if len(part[1]):
        matrix = confusion(part[1], part[0].argmax(axis=1), classes=len(names))
        lines += [f"{TABLE} samples | found | correct when predicted |", "|---|---|---|---|"]
        for name, score in per_class(matrix, names, sources=known.files).items():
            found = f"{score['recall']:.0%} ({score['recall_low']:.0%}–{score['recall_high']:.0%})"
            named = f"{score['precision']:.0%} ({score['precision_low']:.0%}–{score['precision_high']:.0%})"
            lines.append(f"| {name} | {score['n']:.0f} | {found} | {named} |")
        lines += ["", english(IN_BRACKETS), ""]
    lines.append(findings_section(remarks))
    return "\n".join([*lines, english(split_told(project)), ""])


IN_BRACKETS = msg("In brackets: the 95 % confidence interval.")
NOT_CHECKED = msg("The probabilities were not checked.")


def title(project: Project, run: int) -> str:
    """The first line of a card."""
    return f"# {english(msg('{project}, run {run}', project=project.name, run=str(run)))}"


def heading() -> str:
    """Above the scores."""
    return f"## {english(msg('How good it is'))}"


def made_told(created_at: str, run: RunInfo) -> Message:
    """When and how a run was made."""
    return msg(
        "Made {created_at} with the preset “{preset}”, seed {seed}.",
        created_at=created_at,
        preset=run.preset,
        seed=str(run.seed),
    )


def compared_told(samples: int, difference: float) -> Message:
    """How near the exported file is to the trained network."""
    shown = f"{difference:.1e}"
    return nmsg(
        "The exported file was compared with the trained network on {count} sample. The largest difference in "
        "probability was {difference}.",
        "The exported file was compared with the trained network on {count} samples. The largest difference in "
        "probability was {difference}.",
        samples,
        difference=shown,
    )


def split_told(project: Project) -> Message:
    """How the data was divided."""
    why = english(project.split_why)
    if why:
        return msg("How the data was split: {why}", why=why)
    return msg("How the data was split: at random, class by class.")


def findings_section(remarks: Sequence[RunFinding]) -> str:
    """What the self-test found, Markdown, in English."""
    head = english(msg("Findings at the end of the run"))
    return "\n".join([f"## {head}", "", *(f"- {english(remark.sentence)}" for remark in remarks), ""])


def _calibration(info: ModelInfo) -> Message:
    if info.ece is None or info.ece_before is None:
        return NOT_CHECKED
    return msg(
        "Its probabilities are off by {error:.3f} on average (0 is perfect: “90 % sure” is right 90 times in 100). "
        "Before calibration they were off by {before:.3f}. Temperature {temperature:.2f}.",
        error=info.ece,
        before=info.ece_before,
        temperature=info.temperature,
    )


def _test_score(part: Part, interval: Interval | None, kind: Kind) -> Message:
    values = _score_values(part, interval)
    if values is None:
        return msg("There were no labelled test {things}.", things=things(kind))
    return msg(
        "Right on {right} of {n} test {things}, {share:.1%} (95 % confidence: {low:.1%} to {high:.1%}).",
        things=things(kind),
        **values,
    )


def _valid_score(part: Part, interval: Interval | None, kind: Kind) -> Message:
    values = _score_values(part, interval)
    if values is None:
        return msg("There were no labelled validation {things}.", things=things(kind))
    return msg(
        "Right on {right} of {n} validation {things}, {share:.1%} (95 % confidence: {low:.1%} to {high:.1%}).",
        things=things(kind),
        **values,
    )


def _score_values(part: Part, interval: Interval | None) -> dict[str, int | float] | None:
    n = len(part[1])
    if n == 0 or interval is None:
        return None
    right = int((part[0].argmax(axis=1) == part[1]).sum())
    return {"right": right, "n": n, "share": right / n, "low": interval[0], "high": interval[1]}


Part_of_several = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Probabilities (n, classes) and targets (n, classes) of 0 and 1."""


def card_of_several(
    project: Project,
    run: RunInfo,
    *,
    created_at: str,
    valid: Part_of_several,
    test: Part_of_several,
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
        _test_score_of_several(test, project.kind),
        _valid_score_of_several(valid, project.kind),
        *([again] if again is not None else []),
        msg(
            "Mean average precision: how well samples that show a class rank before those that do not; 100 % is "
            "perfect."
        ),
        _calibration_of_several(valid),
        compared_told(*parity),
    ]
    lines = [title(project, run.number), "", *map(english, told), "", heading(), "", *map(english, scores), ""]
    part = test if len(test[1]) else valid
    if len(part[1]):
        lines += [english(rule), "", *_table(part, thresholds, names, files=files), "", english(IN_BRACKETS)]
    return "\n".join([*lines, "", english(split_told(project)), ""])


def _table(
    part: Part_of_several, thresholds: NDArray[np.float32], names: tuple[str, ...], *, files: int
) -> Iterator[str]:
    yield f"{TABLE} found | wrongly predicted | average precision | present from |"
    yield "|---|---|---|---|---|"
    scores = precision_recall(present(part[0], thresholds), part[1], names, sources=files)
    precisions = average_precisions(*part)
    for place, (name, score) in enumerate(scores.items()):
        found = f"{score['found']:.0f} of {score['n']:.0f} ({score['recall_low']:.0%}–{score['recall_high']:.0%})"
        average = "–" if np.isnan(precisions[place]) else f"{precisions[place]:.0%}"
        wrongly = f"{score['wrongly']:.0f} of {score['named']:.0f}"
        yield f"| {name} | {found} | {wrongly} | {average} | {thresholds[place]:.0%} |"


def _calibration_of_several(valid: Part_of_several) -> Message:
    if not len(valid[1]):
        return NOT_CHECKED
    return msg(
        "Calibration error on the validation set: {error:.3f} (0 is perfect: “90 % sure” is right 90 times in 100).",
        error=calibration_error(*valid),
    )


def _test_score_of_several(part: Part_of_several, kind: Kind) -> Message:
    score = mean_average_precision(*part)
    if score is None:
        return msg("There were no labelled test {things}.", things=things(kind))
    return msg(
        "Mean average precision on {samples} in the test set: {score:.1%}.",
        samples=counted(len(part[1]), kind),
        score=score,
    )


def _valid_score_of_several(part: Part_of_several, kind: Kind) -> Message:
    score = mean_average_precision(*part)
    if score is None:
        return msg("There were no labelled validation {things}.", things=things(kind))
    return msg(
        "Mean average precision on {samples} in the validation set: {score:.1%}.",
        samples=counted(len(part[1]), kind),
        score=score,
    )
