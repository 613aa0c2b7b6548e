"""Find probable label errors by out-of-fold predictions for the present labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import Event, Progress, StageStarted, Stopped, Suspected
from ml.core.jobs import Stop, SuspectJob
from ml.core.messages import msg
from ml.core.types import Sample, TaskName
from ml.features.features import cached_embeddings
from ml.probe.label_quality import LabelIssues, find_label_issues, make_fold, out_of_fold_probabilities
from ml.probe.objective import targets_of
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.scoring.group_effect import folds_of
from ml.scoring.tasks import task_named
from ml.training.run_files import read_backbone

MIN_SAMPLES = 10
Labels = tuple[int, ...]


def rank_label_issues(job: SuspectJob, stop: Stop) -> Iterator[Event]:
    """Rank the labels by the probability that they are wrong. Ends with `events.Suspected`, or `events.Stopped`.

    Raises HandlensError if there are too few labels.
    """
    with Project.open(job.project, to_read=True) as project:
        run = project.runs.finished(job.run).number
        stored = project.predictions(run)
        rows = {int(sample_id): row for row, sample_id in enumerate(stored.sample_ids)}
        samples = [sample for sample in project.samples() if sample.labelled and sample.id in rows]
        labels: list[Labels] = [sample.labels for sample in samples]
        questions = _questions(labels, task=project.task)
        if len(samples) < MIN_SAMPLES or not questions:
            raise HandlensError(
                msg("There are too few labels to find wrong ones. Label at least ten samples of two classes.")
            )
        yield StageStarted(stage="label_issues")
        embeddings = _pretrained_embeddings(project, run, samples)
        if embeddings is None:
            embeddings = _finetuned_embeddings(stored, [rows[sample.id] for sample in samples])
        # A file and its copies are in the same fold.
        folds = folds_of([sample.digest or sample.path for sample in samples])
        each = np.unique(folds)
        targets = targets_of(samples, task=project.task, classes=len(project.classes()))
        probabilities = [np.zeros((len(samples), len(question.classes))) for question in questions]
        for number, each_fold in enumerate(each):
            fold = make_fold(embeddings, targets, folds == each_fold)
            for done, question in enumerate(questions):
                total = len(each) * len(questions)
                yield Progress(stage="label_issues", done=number * len(questions) + done, total=total)
                if stop.requested():
                    yield Stopped()
                    return
                probabilities[done][fold.held_out] = out_of_fold_probabilities(
                    fold, question.truth, classes=len(question.classes)
                )
        answers = [
            find_label_issues(question.truth, probabilities[number]) for number, question in enumerate(questions)
        ]
        yield _ranked(run, samples, questions, answers)


@dataclass(frozen=True, slots=True)
class _Question:
    """A classification of all samples: `truth` (n,) by the labels, an index into `classes`. For the presence of one
    class both indices stand for that class."""

    truth: NDArray[np.int64]
    classes: tuple[int, ...]


def _questions(labels: Sequence[Labels], *, task: TaskName) -> list[_Question]:
    """Return one question for all classes, or for each class its presence. Every answer has samples."""
    used = sorted({index for each in labels for index in each})
    if task_named(task).exclusive:
        truth = np.array([used.index(each[0]) for each in labels], dtype=np.int64)
        return [_Question(truth, tuple(used))] if len(used) > 1 else []
    presence = {index: np.array([index in each for each in labels], dtype=np.int64) for index in used}
    return [_Question(truth, (index, index)) for index, truth in presence.items() if not truth.all()]


def _ranked(
    run: int, samples: Sequence[Sample], questions: Sequence[_Question], answers: Sequence[LabelIssues]
) -> Suspected:
    """Return the samples by their highest score over all questions, the most suspicious first."""
    scores = np.stack([answer.score for answer in answers])
    worst, score = scores.argmax(axis=0), scores.max(axis=0)
    flagged = np.any([answer.flagged for answer in answers], axis=0)
    order = np.argsort(-score, kind="stable")
    # Leave out labels that the user has confirmed.
    confirmed = np.array([sample.set_by == "confirmed" for sample in samples])
    order = order[~confirmed[order]]
    return Suspected(
        run=run,
        sample_ids=tuple(samples[place].id for place in order),
        labels=tuple(samples[place].labels for place in order),
        suggested=tuple(
            questions[worst[place]].classes[answers[worst[place]].suggested[place]] for place in order.tolist()
        ),
        scores=tuple(float(score[place]) for place in order),
        flagged=int(flagged[order].sum()),
        confirmed=int(confirmed.sum()),
    )


def _pretrained_embeddings(project: Project, run: int, samples: Sequence[Sample]) -> NDArray[np.float32] | None:
    """Return the cached embeddings of the run's pretrained network; None if some are missing.

    They are preferred because a fine-tuned network has learned wrong labels, too.
    """
    return cached_embeddings(project.path / "cache", read_backbone(project.runs.folder(run)), samples)


def _finetuned_embeddings(stored: Predictions, rows: Sequence[int]) -> NDArray[np.float32]:
    return np.asarray(stored.embeddings[rows], dtype=np.float32)
