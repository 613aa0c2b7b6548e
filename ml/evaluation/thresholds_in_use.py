"""Which answers of a run are sure enough, for the share of wrong ones that is wanted now and by the labels as they are
now: a run keeps what it was made for, but it can be used for something else. Torch-free."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.jobs import WRONG_AT_MOST
from ml.core.messages import Message, english, msg
from ml.core.phrases import of_hundred
from ml.core.printable import markdown
from ml.core.types import Sample
from ml.evaluation.findings_file import read_findings
from ml.evaluation.sanity_checks import error_rate_finding
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.runtime.contract import ModelInfo
from ml.scoring.multilabel import rule_of
from ml.scoring.task import CARD_TABLE
from ml.scoring.tasks import task_named
from ml.scoring.thresholds import SelectiveRisk, Thresholds, choose_thresholds, selective_risk


def chosen_error_rate(project: Project, asked: float | None = None) -> float | None:
    """Return what is asked for, else what the user chose for the project; None where nobody chose."""
    return asked or project.wrong_at_most


def target_error_rate(project: Project, info: ModelInfo | None, asked: float | None = None) -> float:
    """Return the chosen rate, else the one that the run was made for."""
    return chosen_error_rate(project, asked) or (WRONG_AT_MOST if info is None else info.wanted_error)


def labelled_rows(
    stored: Predictions, samples: Mapping[int, Sample], split: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows whose sample is in `split`, and their labels as they are now, -1 for none of the classes."""
    wanted = [
        (row, -1 if sample.label is None else sample.label)
        for row, sample_id in enumerate(stored.sample_ids.tolist())
        if (sample := samples.get(sample_id)) is not None and sample.split == split
    ]
    table = np.array(wanted, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def thresholds_for(stored: Predictions, samples: Mapping[int, Sample], wanted: float) -> Thresholds:
    """From the validation split; `samples` are the labelled ones, by id."""
    rows, truth = labelled_rows(stored, samples, "valid")
    known = truth < stored.probabilities.shape[1]
    rows, truth = rows[known], truth[known]
    sources = sources_of(stored, samples, rows)
    return choose_thresholds(np.asarray(stored.probabilities[rows]), truth, wanted=wanted, sources=sources)


def _relabelled(stored: Predictions, samples: Mapping[int, Sample]) -> bool:
    """Whether what the run was chosen by is labelled otherwise now."""
    rows, truth = labelled_rows(stored, samples, "valid")
    before = np.flatnonzero(stored.labelled("valid"))
    return not (np.array_equal(rows, before) and np.array_equal(truth, stored.labels[before]))


def sources_of(stored: Predictions, samples: Mapping[int, Sample], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The file of each row."""
    return np.array([samples[int(sample_id)].source_id for sample_id in stored.sample_ids[rows]], dtype=np.int64)


def test_selective_risk(stored: Predictions, samples: Mapping[int, Sample], chosen: Thresholds) -> SelectiveRisk:
    """What the thresholds do to the test split."""
    rows, truth = labelled_rows(stored, samples, "test")
    sources = sources_of(stored, samples, rows)
    return selective_risk(np.asarray(stored.probabilities[rows]), truth, chosen.per_class, sources=sources)


def presence_thresholds_for(
    stored: Predictions, samples: Mapping[int, Sample], wanted: float
) -> tuple[NDArray[np.float32], bool]:
    """As `thresholds_for`, for tasks that are not exclusive: see `Task.presence_thresholds`."""
    rows, _first = labelled_rows(stored, samples, "valid")
    probabilities = np.asarray(stored.probabilities[rows])
    task = task_named(stored.task)
    labels = [samples[int(sample_id)].labels for sample_id in stored.sample_ids[rows]]
    targets = task.targets(labels, classes=probabilities.shape[1])
    sources = sources_of(stored, samples, rows)
    thresholds, promised = task.presence_thresholds((probabilities, targets), wanted=wanted, sources=sources)
    assert thresholds is not None
    return thresholds, promised


def with_thresholds_for(project: Project, run: int, info: ModelInfo, asked: float | None = None) -> ModelInfo:
    """`info` of run `run` with the thresholds for the wanted rate, by the labels as they are now; as it is where it was
    made for that rate by the same labels, or nothing is left to choose others by."""
    if not task_named(info.task).exclusive:
        rate = chosen_error_rate(project, asked)
        return info if rate is None else _with_presence_thresholds(project, run, info, rate)
    wanted = target_error_rate(project, info, asked)
    stored = _stored_predictions(project, run, info, wanted)
    if stored is None:
        return info
    samples = {sample.id: sample for sample in project.samples() if sample.labelled}
    # Without a mistake nothing was set aside in earlier versions.
    as_made = wanted == info.wanted_error and asked is None and info.reject_below > 0.0
    if as_made and not _relabelled(stored, samples):
        return info
    chosen = thresholds_for(stored, samples, wanted)
    card = info.card
    for remark in read_findings(project.runs.results(run)):
        if remark.about == "promise":
            now = error_rate_finding(chosen, test_selective_risk(stored, samples, chosen), info.kind)
            card = card.replace(english(remark.sentence), english(now.sentence))
    return dataclasses.replace(
        info,
        wanted_error=wanted,
        reject_below=chosen.overall,
        class_reject_below=chosen.per_class,
        promised=chosen.promised,
        card=card,
    )


def _stored_predictions(project: Project, run: int, info: ModelInfo, wanted: float) -> Predictions | None:
    """What the run said of the samples; None where that was deleted, as to save space, and the model is for the wanted
    rate anyway."""
    if (project.runs.results(run) / "predictions").is_dir():
        stored = project.predictions(run)
        if stored.task != info.task or stored.probabilities.shape[1] != len(info.classes):
            raise HandlensError(
                msg(
                    "{file} of run {run} has other classes than the run’s predictions. Train again.",
                    file="model.onnx",
                    run=str(run),
                )
            )
        return stored
    if wanted == info.wanted_error:
        return None
    if not info.wanted_error:
        raise HandlensError(
            msg(
                "Run {run} has no predictions any more, so Handlens cannot choose thresholds for another rate. Train "
                "again.",
                run=str(run),
            )
        )
    raise HandlensError(
        msg(
            "Run {run} has no predictions any more, so Handlens cannot choose thresholds for another rate than "
            "{rate}, which the run was made for. Choose that rate or train again.",
            run=str(run),
            rate=of_hundred(info.wanted_error),
        )
    )


def _with_presence_thresholds(project: Project, run: int, info: ModelInfo, asked: float) -> ModelInfo:
    stored = _stored_predictions(project, run, info, asked)
    if stored is None:
        return info
    thresholds, promised = presence_thresholds_for(stored, {s.id: s for s in project.samples() if s.labelled}, asked)
    return dataclasses.replace(
        info,
        wanted_error=asked,
        promised=promised,
        present_above=tuple(float(value) for value in thresholds),
        card=_with_rule(info.card, asked, promised=promised, instead=_instead(info, thresholds)),
    )


def _instead(info: ModelInfo, thresholds: NDArray[np.float32]) -> Message:
    """The thresholds that hold in place of those of the card's table."""
    each = tuple(
        msg("{name} from {threshold:.0%}", name=markdown(name), threshold=float(value))
        for name, value in zip(info.classes, thresholds, strict=True)
    )
    return msg("A class counts as present: {classes}. The table shows the thresholds of the run.", classes=each)


def _with_rule(card: str, wanted: float, *, promised: bool, instead: Message) -> str:
    """Return a model card, in English, that says above its table by which rule classes count as present now."""
    lines = card.split("\n")
    table = next((number for number, line in enumerate(lines) if line.startswith(CARD_TABLE)), 0)
    if table < 2:  # no sample was left to judge by, so the card has no table
        return card
    rule = msg("{first} {second}", first=rule_of(wanted, promised=promised), second=instead)
    return "\n".join([*lines[: table - 2], english(rule), *lines[table - 1 :]])
