"""Standard and Thorough: a first model within seconds, then torch is loaded and adjusts the network behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.events import Event, FirstModel
from ml.core.jobs import Stop, TrainJob
from ml.pipeline.advice import Advice, advise
from ml.pipeline.first_model import first_model_stages
from ml.pipeline.first_model_stays import first_model_stays
from ml.pipeline.session import (
    accuracies_of,
    labelled_and_split,
    open_or_resume_run,
    record_end,
    run_started,
    stage,
)
from ml.project.predictions import read_predictions
from ml.project.project import Project
from ml.project.runs import FIRST
from ml.release.assess import Scores
from ml.training.run_context import RunContext
from ml.training.run_files import read_settings


def trains_progressively(job: TrainJob) -> bool:
    """Return whether a first model of the bundled network comes before the job's own.

    A run that is resumed is looked up: only one that had not come that far begins with a first model.
    """
    if job.device not in ("auto", "cpu") or job.weights is not None:
        return False
    if not job.resume:
        return job.preset != "quick" and job.epochs != 0 and job.backbone in ("", DEFAULT_BACKBONE)
    with Project.open(job.project) as project:
        run = project.runs.unfinished()
        if run is None or project.runs.has_checkpoint(run.number) or project.runs.adjusting(run.number):
            return False
        settings = read_settings(project.runs.folder(run.number))
        bundled = settings.get("backbone", {}).get("name", DEFAULT_BACKBONE) == DEFAULT_BACKBONE
        return run.preset != "quick" and settings.get("job", {}).get("epochs") != 0 and bundled


def train_progressively(job: TrainJob, stop: Stop) -> Iterator[Event]:
    """Train a run. Raises HandlensError if that is impossible; `ml.pipeline.dispatch` makes an event of it."""
    project = Project.open(job.project)
    try:
        lock = project.lock("train")
        try:
            started = time.monotonic()
            yield stage("preflight")
            _ = project.source_folder  # report a missing folder before a run begins
            samples, class_names = labelled_and_split(project)
            run, job = open_or_resume_run(project, job, class_names)
            folder = project.runs.folder(run.number)
            context = RunContext(
                project=project, job=job, run=run, folder=folder, samples=samples, stop=stop, started=started
            )
            yield from record_end(project, run, _run_stages(context))
        finally:
            lock.release()
    finally:
        project.close()


def _run_stages(context: RunContext) -> Iterator[Event]:
    yield run_started(context)
    scores = yield from first_model_stages(context, context.folder / FIRST)
    first = _show_first_model(context, scores)
    yield first
    if context.stop.requested():
        yield first_model_stays(context.project, context.run.number)
        return
    yield stage("preflight")
    from ml.pipeline.train import adjust  # loads torch, which takes seconds

    yield from adjust(context)


def _show_first_model(context: RunContext, scores: Scores) -> FirstModel:
    """Let the first model be the model of the run for now, and return its event."""
    seconds, accuracies, advice = time.monotonic() - context.started, accuracies_of(context, scores), _advice(context)
    context.project.runs.show_first(context.run.number, seconds=seconds, **accuracies)
    return FirstModel(
        run=context.run.number,
        seconds=seconds,
        **accuracies,
        valid_interval=scores.valid_interval,
        test_interval=scores.test_interval,
        gain=advice.gain,
        advice=advice.sentence,
    )


def _advice(context: RunContext) -> Advice:
    predictions = read_predictions(context.folder / FIRST / "predictions", task=context.project.task)
    return advise(
        predictions,
        score=context.probe.valid_accuracy,
        names=context.run.class_names,
        kind=context.project.kind,
        other_ear=context.ear not in (None, "picture"),
    )
