"""Assess a finished model before it is released: scores, calibration, thresholds, sanity checks, model card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Sample, Split
from ml.evaluation.ood_probes import predict_ood_inputs
from ml.evaluation.run_finding import RunFinding
from ml.evaluation.sanity_checks import error_rate_finding, new_groups_finding, run_sanity_checks
from ml.project.data_findings import DataFindings
from ml.project.predictions import SPLIT_CODES, Predictions
from ml.project.project import Project
from ml.release.card import MeasuredFacts, model_card
from ml.runtime.contract import ModelInfo
from ml.runtime.model import Outputs
from ml.scoring.calibration import apply_temperature
from ml.scoring.group_effect import MOST_SAMPLES, score_on_seen_and_new_groups
from ml.scoring.metrics import expected_calibration_error
from ml.scoring.task import Interval, Part
from ml.scoring.tasks import task_named
from ml.scoring.thresholds import Thresholds, choose_thresholds, selective_risk


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Scores of the finished model with their 95 % confidence intervals, None where a split has no sample."""

    valid: float | None = None
    test: float | None = None
    valid_interval: Interval | None = None
    test_interval: Interval | None = None


def assess(
    project: Project,
    info: ModelInfo,
    predictions: Predictions,
    samples: Sequence[Sample],
    *,
    ask: Callable[[NDArray[np.generic]], Outputs],
    learned: tuple[Split, ...] = ("train",),
) -> tuple[Scores, ModelInfo, tuple[RunFinding, ...]]:
    """Return the scores of a finished model, `info` with thresholds and card, and the findings, the gravest first.

    `predictions` are calibrated, row by row those of `samples`. `ask` is the exported model; `learned`, the splits that
    it was trained on.
    """
    task = task_named(info.task)
    files = np.array([sample.source_id for sample in samples])
    valid, test = _part(predictions, "valid"), _part(predictions, "test")
    on_valid, on_test = files[predictions.labelled("valid")], files[predictions.labelled("test")]
    held_out = test if len(test[1]) else valid
    chosen: Thresholds | None = None
    if task.exclusive:
        chosen = choose_thresholds(*valid, wanted=info.wanted_error, sources=on_valid)
        info = _with_thresholds(info, chosen, held_out)
    on = {"valid": task.score_and_loss(*valid)[0], "test": task.score_and_loss(*test)[0]}
    scores = Scores(
        valid=on["valid"],
        test=on["test"],
        valid_interval=task.score_interval(on["valid"], len(np.unique(on_valid))),
        test_interval=task.score_interval(on["test"], len(np.unique(on_test))),
    )
    remarks = [*run_sanity_checks(predictions, info, predict_ood_inputs(ask, info), sources=files)]
    if chosen is not None:
        remarks.append(error_rate_finding(chosen, selective_risk(*test, chosen.per_class, sources=on_test), info.kind))
        remarks += _new_sources(project, predictions, samples, scores, learned=learned)
    score = scores.valid if scores.test is None else scores.test
    remarks = with_data_findings(remarks, project.data_findings(), score=score, classes=len(info.classes))
    known = MeasuredFacts(
        valid=valid,
        test=test,
        valid_interval=scores.valid_interval,
        test_interval=scores.test_interval,
        files=len(np.unique(on_test if len(test[1]) else on_valid)),
        again="valid" in learned,
    )
    return scores, replace(info, card=model_card(project, info, known, remarks)), tuple(remarks)


def _with_thresholds(info: ModelInfo, chosen: Thresholds, held_out: Part) -> ModelInfo:
    """Return `info` with thresholds, and with the calibration errors on held-out samples."""
    uncalibrated = (apply_temperature(held_out[0], 1.0 / info.temperature), held_out[1])
    return replace(
        info,
        reject_below=chosen.overall,
        class_reject_below=chosen.per_class,
        promised=chosen.promised,
        ece_before=expected_calibration_error(*uncalibrated) if len(held_out[1]) else None,
        ece=expected_calibration_error(*held_out) if len(held_out[1]) else None,
    )


def _part(predictions: Predictions, name: Split) -> Part:
    rows = predictions.labelled(name)
    truth = predictions.labels if predictions.targets is None else predictions.targets
    return np.asarray(predictions.probabilities[rows]), np.asarray(truth[rows], dtype=np.int64)


def _new_sources(
    project: Project,
    predictions: Predictions,
    samples: Sequence[Sample],
    scores: Scores,
    *,
    learned: tuple[Split, ...],
) -> list[RunFinding]:
    """Whether knowing the source matters, where the split kept whole groups apart."""
    score, interval = (
        (scores.test, scores.test_interval) if scores.test is not None else (scores.valid, scores.valid_interval)
    )
    if project.split_by in ("auto", "recording") or score is None or interval is None:
        return []
    groups = project.groups()
    labelled = np.asarray(predictions.labels) >= 0
    familiar = np.isin(predictions.splits, [SPLIT_CODES.index(split) for split in learned])
    rng = np.random.default_rng(0)
    sides = []
    for wanted in (familiar, ~familiar):
        rows = np.flatnonzero(labelled & wanted)
        sides.append(np.sort(rng.permutation(rows)[:MOST_SAMPLES]))
    train, held_out = sides
    labels = np.asarray(predictions.labels)
    held_groups = {groups.get(samples[row].path, samples[row].path) for row in held_out}
    if not len(held_out) or len(np.unique(labels[train])) < 2 or len(held_groups) > len(held_out) / 2:
        return []  # hardly a group of more than one: nothing to compare
    embeddings = predictions.embeddings
    known, new = score_on_seen_and_new_groups(
        (np.asarray(embeddings[train], dtype=np.float32), labels[train]),
        (np.asarray(embeddings[held_out], dtype=np.float32), labels[held_out]),
        samples=[samples[row].digest for row in held_out],
    )
    return [new_groups_finding(score, interval, worth=known - new, groups=len(held_groups), kind=project.kind)]


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
