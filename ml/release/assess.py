"""What is known of a finished model before it is released: scores, calibration, thresholds, the self-test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Sample, Split
from ml.evaluation.sanity_checks import RunFinding, ask_nonsense, promise_remark, self_test, source_remark
from ml.project.predictions import SPLIT_CODES, Predictions
from ml.project.project import Project
from ml.release.card import LEARNED_AGAIN, Known, card_of_several, findings_section, model_card
from ml.runtime.contract import ModelInfo
from ml.runtime.model import Outputs
from ml.scoring.calibration import apply_temperature
from ml.scoring.group_effect import MOST_SAMPLES, score_on_seen_and_new_groups
from ml.scoring.metrics import accuracy, accuracy_interval, expected_calibration_error
from ml.scoring.multilabel import quality, rule_of
from ml.scoring.thresholds import choose_thresholds, selective_risk

Interval = tuple[float, float]
Part = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Accuracies of the finished model with their 95 % confidence intervals, None where a split has no sample."""

    valid: float | None = None
    test: float | None = None
    valid_interval: Interval | None = None
    test_interval: Interval | None = None


def judge(
    project: Project,
    info: ModelInfo,
    predictions: Predictions,
    samples: Sequence[Sample],
    *,
    ask: Callable[[NDArray[np.generic]], Outputs],
    learned: tuple[Split, ...] = ("train",),
) -> tuple[Scores, ModelInfo, tuple[RunFinding, ...]]:
    """Look at a finished model: its scores, `info` with thresholds and card, and the remarks, the gravest first.

    `predictions` are calibrated, row by row those of `samples`. `ask` is the exported model; `learned`, the splits that
    it has learned from.
    """
    files = np.array([sample.source_id for sample in samples])
    if predictions.targets is not None and predictions.thresholds is not None:
        return _judge_several(project, info, predictions, files, ask=ask, again="valid" in learned)
    valid, test = _part(predictions, "valid"), _part(predictions, "test")
    held_out = test if len(test[1]) else valid
    on_valid, on_test = files[predictions.labelled("valid")], files[predictions.labelled("test")]
    chosen = choose_thresholds(*valid, wanted=info.wanted_error, sources=on_valid)
    uncalibrated = (apply_temperature(held_out[0], 1.0 / info.temperature), held_out[1])
    info = replace(
        info,
        reject_below=chosen.overall,
        class_reject_below=chosen.per_class,
        promised=chosen.promised,
        ece_before=expected_calibration_error(*uncalibrated) if len(held_out[1]) else None,
        ece=expected_calibration_error(*held_out) if len(held_out[1]) else None,
    )
    scores = _scores(predictions, samples, valid, test)
    remarks = [*self_test(predictions, info, ask_nonsense(ask, info), sources=files)]
    remarks.append(promise_remark(chosen, selective_risk(*test, chosen.per_class, sources=on_test), info.kind))
    remarks += _new_sources(project, predictions, samples, scores, learned=learned)
    known = Known(
        valid=valid,
        test=test,
        valid_interval=scores.valid_interval,
        test_interval=scores.test_interval,
        files=len(np.unique(on_test if len(test[1]) else on_valid)),
        again="valid" in learned,
    )
    return scores, replace(info, card=model_card(project, info, known, remarks)), tuple(remarks)


def _judge_several(
    project: Project,
    info: ModelInfo,
    predictions: Predictions,
    files: NDArray[np.integer],
    *,
    ask: Callable[[NDArray[np.generic]], Outputs],
    again: bool,
) -> tuple[Scores, ModelInfo, tuple[RunFinding, ...]]:
    """The same where more than one class may be present: thresholds are chosen already, one for each class."""
    assert predictions.targets is not None and predictions.thresholds is not None

    def of(name: Split) -> Part:
        rows = predictions.labelled(name)
        assert predictions.targets is not None
        return np.asarray(predictions.probabilities[rows]), predictions.targets[rows].astype(np.int64)

    valid, test = of("valid"), of("test")
    remarks = self_test(predictions, info, ask_nonsense(ask, info), sources=files)
    card = card_of_several(
        project,
        next(run for run in project.runs.all() if run.number == info.run),
        created_at=info.created_at,
        valid=valid,
        test=test,
        thresholds=predictions.thresholds,
        rule=rule_of(info.wanted_error, promised=info.promised),
        parity=(info.parity_samples, info.parity_difference),
        files=len(np.unique(files[predictions.labelled("test" if len(test[1]) else "valid")])),
        again=LEARNED_AGAIN if again else None,
    )
    scores = Scores(valid=quality(*valid)[0], test=quality(*test)[0])
    return scores, replace(info, card=f"{card}\n{findings_section(remarks)}"), remarks


def _part(predictions: Predictions, name: Split) -> Part:
    rows = predictions.labelled(name)
    return np.asarray(predictions.probabilities[rows]), np.asarray(predictions.labels[rows])


def _scores(predictions: Predictions, samples: Sequence[Sample], valid: Part, test: Part) -> Scores:
    def interval(name: str, share: float | None) -> Interval | None:
        sources = {
            sample.source_id
            for sample, label, split in zip(samples, predictions.labels, predictions.splits, strict=True)
            if label >= 0 and split == SPLIT_CODES.index(name)
        }
        return None if share is None else accuracy_interval(share, len(sources))

    on_valid, on_test = accuracy(*valid), accuracy(*test)
    return Scores(
        valid=on_valid,
        test=on_test,
        valid_interval=interval("valid", on_valid),
        test_interval=interval("test", on_test),
    )


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
    return [source_remark(score, interval, worth=known - new, groups=len(held_groups), kind=project.kind)]
