"""Labels that are probably wrong, as they are now: every sample judged by a model that never saw it."""

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
from ml.probe.label_quality import LabelIssues, fold_of, label_issues, out_of_fold_probabilities
from ml.probe.objective import targets_of
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.scoring.group_effect import folds_of
from ml.scoring.tasks import task_named
from ml.training.data.decode import key_of
from ml.training.data.features import embedding_folders
from ml.training.run_files import read_backbone

FEWEST = 10
Labels = tuple[int, ...]


def suspicious(job: SuspectJob, stop: Stop) -> Iterator[Event]:
    """Rank the labels by how probably they are wrong. Ends with `events.Suspected`, or `events.Stopped`.

    Raises HandlensError where nothing can be said.
    """
    with Project.open(job.project, to_read=True) as project:
        run = project.runs.finished(job.run).number
        stored = project.predictions(run)
        rows = {int(sample_id): row for row, sample_id in enumerate(stored.sample_ids)}
        samples = [sample for sample in project.samples() if sample.labelled and sample.id in rows]
        labels: list[Labels] = [sample.labels for sample in samples]
        asked_of_each = _questions(labels, task=project.task)
        if len(samples) < FEWEST or not asked_of_each:
            raise HandlensError(
                msg("There are too few labels to find wrong ones. Label at least ten samples of two classes.")
            )
        yield StageStarted(stage="label_issues")
        embeddings = _pretrained(project, run, samples)
        if embeddings is None:
            embeddings = _of_run(stored, [rows[sample.id] for sample in samples])
        # A file and its copies are judged by what was learned without any of them.
        folds = folds_of([sample.digest or sample.path for sample in samples])
        each = np.unique(folds)
        targets = targets_of(samples, task=project.task, classes=len(project.classes()))
        told = [np.zeros((len(samples), len(question.classes))) for question in asked_of_each]
        for number, each_fold in enumerate(each):
            fold = fold_of(embeddings, targets, folds == each_fold)
            for done, question in enumerate(asked_of_each):
                total = len(each) * len(asked_of_each)
                yield Progress(stage="predict", done=number * len(asked_of_each) + done, total=total)
                if stop.requested():
                    yield Stopped()
                    return
                told[done][fold.held] = out_of_fold_probabilities(fold, question.truth, classes=len(question.classes))
        answers = [label_issues(question.truth, told[number]) for number, question in enumerate(asked_of_each)]
        yield _ranked(run, samples, asked_of_each, answers)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked about every sample: `truth` (n,) by the labels, an index into `classes`. Of one class, whether it
    is there: not and yes both stand for that class."""

    truth: NDArray[np.int64]
    classes: tuple[int, ...]


def _questions(labels: Sequence[Labels], *, task: TaskName) -> list[_Question]:
    """Which class it is; or of each class whether it is there. Cleanlab needs samples of every answer."""
    seen = sorted({index for each in labels for index in each})
    if task_named(task).exclusive:
        truth = np.array([seen.index(each[0]) for each in labels], dtype=np.int64)
        return [_Question(truth, tuple(seen))] if len(seen) > 1 else []
    there = {index: np.array([index in each for each in labels], dtype=np.int64) for index in seen}
    return [_Question(truth, (index, index)) for index, truth in there.items() if not truth.all()]


def _ranked(
    run: int, samples: Sequence[Sample], questions: Sequence[_Question], answers: Sequence[LabelIssues]
) -> Suspected:
    """Every sample with its worst answer, the most suspicious first."""
    scores = np.stack([answer.score for answer in answers])
    worst, score = scores.argmax(axis=0), scores.max(axis=0)
    flagged = np.any([answer.flagged for answer in answers], axis=0)
    order = np.argsort(-score, kind="stable")
    # Who was asked and said that a label is right need not be asked again.
    asked = np.array([sample.set_by == "confirmed" for sample in samples])
    order = order[~asked[order]]
    return Suspected(
        run=run,
        sample_ids=tuple(samples[place].id for place in order),
        labels=tuple(samples[place].labels for place in order),
        suggested=tuple(
            questions[worst[place]].classes[answers[worst[place]].suggested[place]] for place in order.tolist()
        ),
        scores=tuple(float(score[place]) for place in order),
        flagged=int(flagged[order].sum()),
        confirmed=int(asked.sum()),
    )


def _pretrained(project: Project, run: int, samples: Sequence[Sample]) -> NDArray[np.float32] | None:
    """What the pretrained network of the run sees in each sample, if it is still in the cache.

    A fine-tuned network has learned wrong labels along with the right ones; the pretrained one never saw any.
    """
    wanted = {key_of(sample): None for sample in samples}
    folders = embedding_folders(project.path / "cache", read_backbone(project.runs.folder(run)))
    for folder in folders:
        known: dict[str, NDArray[np.float32]] = {}
        for keys_path in sorted(folder.glob("*.keys.npy")):
            values = keys_path.with_name(keys_path.name.replace(".keys.npy", ".embedding.npy"))
            try:
                keys = np.load(keys_path, allow_pickle=False)
                rows = np.load(values, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError):
                continue  # a damaged part of a cache: what it held is missing, which is seen below
            for key, row in zip(keys, rows, strict=False):
                name = key.decode()
                if name in wanted:
                    known[name] = row
        if len(known) == len(wanted):
            return np.stack([known[key_of(sample)] for sample in samples]).astype(np.float32)
    return None


def _of_run(stored: Predictions, rows: Sequence[int]) -> NDArray[np.float32]:
    return np.asarray(stored.embeddings[rows], dtype=np.float32)
