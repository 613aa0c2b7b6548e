"""How a run begins and ends, whatever trains it: labels and splits, resuming, stop requests, its record."""

from __future__ import annotations

import ctypes
import dataclasses
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TypedDict

from ml.core.errors import HandlensError
from ml.core.events import Event, Finished, RunStarted, StageStarted, Stopped
from ml.core.jobs import DEFAULT_EAR, DEFAULT_FRONT, Stop, TrainJob
from ml.core.messages import msg
from ml.core.stages import Stage
from ml.core.types import Preset, RunInfo, Sample
from ml.graphs.frozen_network import FrozenNetwork
from ml.media.kinds import kind_named
from ml.pipeline.first_model_stays import first_model_stays
from ml.probe.training_data import pick_showcase, require_two_classes, split_targets
from ml.project.project import Project
from ml.project.runs import NOTHING_TO_RESUME
from ml.project.split.plan import plan_split
from ml.release.assess import Scores
from ml.scoring.tasks import task_named
from ml.training.run_context import RunContext
from ml.training.run_files import read_settings

_INTERNAL_ERROR = msg("An internal error in Handlens ended this training.")


class CancelledError(Exception):
    """The user cancelled the run; unwinds to `train`."""


class FirstModelKeptError(Exception):
    """The user ended the adjusting and keeps the first model; unwinds to `train`."""


class NoModelYetError(Exception):
    """The user stopped the run before there was a model; unwinds to `train`."""


def record_end(project: Project, run: RunInfo, stages: Iterator[Event]) -> Iterator[Event]:
    """Yield the events of a run's stages; record how it ended if it did not finish."""
    try:
        yield from stages
    except CancelledError:
        project.runs.discard(run.number)
        yield Stopped()
    except FirstModelKeptError:
        yield first_model_stays(project, run.number)
    except NoModelYetError:
        if project.runs.adjusting(run.number):
            yield first_model_stays(project, run.number)
            return
        project.runs.update(run.number, state="interrupted")
        yield Stopped(resumable=True)
    except Exception as error:
        message = error.message if isinstance(error, HandlensError) else _INTERNAL_ERROR
        if not project.runs.adjusting(run.number):  # else the run has a model, and can be continued
            project.runs.update(run.number, state="failed", message=message)
        raise
    except BaseException:
        # Ctrl+C, or a caller that closes the generator: the run can be resumed, unless it has just finished.
        if any(item.number == run.number and item.state == "running" for item in project.runs.all()):
            project.runs.update(run.number, state="interrupted")
        raise


def run_started(context: RunContext) -> RunStarted:
    """Return the first event of a run."""
    samples, task = context.samples, context.project.task
    (train, _), (valid, _) = split_targets(samples, task=task, classes=context.classes)
    return RunStarted(
        run=context.run.number,
        resumed=context.job.resume,
        train=len(train),
        valid=len(valid),
        test=sum(sample.split == "test" for sample in samples),
        class_names=context.run.class_names,
        task=task,
        showcase=tuple(sample.id for sample in pick_showcase(valid or train)),
    )


def frozen_network(context: RunContext) -> FrozenNetwork:
    """Return the bundled network for the samples of the run."""
    project = context.project
    return FrozenNetwork(
        input_name=kind_named(project.kind).input_name, windowing=project.windowing, log_front=context.job.front
    )


def finished(context: RunContext, scores: Scores, *, early: bool, changes: tuple[int, int] | None = None) -> Finished:
    """Record that the run is finished, and return the last event.

    `changes`: how many predictions the adjusted network corrected, and how many it spoilt.
    """
    seconds, accuracies = time.monotonic() - context.started, accuracies_of(context, scores)
    context.project.runs.finish(context.run.number, seconds=seconds, **accuracies)
    more_right, more_wrong = changes or (None, None)
    return Finished(
        run=context.run.number,
        seconds=seconds,
        early=early,
        **accuracies,
        valid_interval=scores.valid_interval,
        test_interval=scores.test_interval,
        more_right=more_right,
        more_wrong=more_wrong,
    )


class Accuracies(TypedDict):
    """The accuracies that are recorded of a run."""

    valid_accuracy: float | None
    test_accuracy: float | None
    probe_accuracy: float | None


def accuracies_of(context: RunContext, scores: Scores) -> Accuracies:
    """Return the accuracies that are recorded of a run."""
    """Return the accuracies to record."""
    probe = context.probe.valid_accuracy
    return {"valid_accuracy": scores.valid, "test_accuracy": scores.test, "probe_accuracy": probe}


def labelled_and_split(project: Project) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """Return all samples and the class names. Assign labelled samples without a split to one, permanently.

    Raises HandlensError if fewer than two classes have training samples.
    """
    samples = project.samples()
    if not samples:
        raise HandlensError(msg("The project is empty. Add a folder with samples."))
    if not any(sample.labels for sample in samples):
        raise HandlensError(msg("No sample has a label yet. Label some samples of each class."))
    if any(sample.labelled and sample.split is None for sample in samples):
        report = project.as_report()
        project.assign(plan_split(report, split_by=project.split_by, existing=project.splits()))
        samples = project.samples()
    require_two_classes([sample for sample in samples if sample.split == "train" and sample.labelled])
    return samples, tuple(item.name for item in project.classes())


def open_or_resume_run(project: Project, job: TrainJob, class_names: tuple[str, ...]) -> tuple[RunInfo, TrainJob]:
    """Return a new run, or with `job.resume` the unfinished one; and the job with the settings of that run.

    Multi-label projects have a target error rate only if one was requested.
    """
    project.runs.mark_interrupted_now()
    default = task_named(project.task).default_error_rate
    job = dataclasses.replace(job, wrong_at_most=job.wrong_at_most or project.wrong_at_most or default)
    if not job.resume:
        return project.runs.begin(preset=job.preset, seed=job.seed, class_names=class_names), job
    run = project.runs.unfinished()
    if run is None:
        raise HandlensError(NOTHING_TO_RESUME)
    if run.class_names != class_names:
        raise HandlensError(
            msg(
                "Classes were added after run {run} was interrupted, so it cannot continue. Train without --resume.",
                run=str(run.number),
            )
        )
    epochs, wrong_at_most, front, ear = job.epochs, job.wrong_at_most, job.front, job.ear
    if settings := read_settings(project.runs.folder(run.number)):
        recorded = settings.get("job", {})
        epochs = None if recorded.get("epochs", -1) < 0 else recorded["epochs"]
        wrong_at_most = recorded.get("wrong_at_most", wrong_at_most) or None
        front = recorded.get("front", DEFAULT_FRONT)
        ear = recorded.get("ear", DEFAULT_EAR)
    if not project.runs.adjusting(run.number):  # else it stays a finished run, with its first model
        project.runs.update(run.number, state="running", message="")
    preset: Preset = run.preset
    return run, dataclasses.replace(
        job, preset=preset, seed=run.seed, epochs=epochs, wrong_at_most=wrong_at_most, front=front, ear=ear
    )


def stage(stage: Stage) -> StageStarted:
    """Return the event that a stage started."""
    return StageStarted(stage=stage)


def raise_if_cancelled(stop: Stop) -> None:
    """Raise CancelledError if the user cancelled."""
    if stop.requested() == "cancel":
        raise CancelledError


def raise_if_ended(stop: Stop) -> None:
    """Raise CancelledError or, on a stop request, NoModelYetError: there is no model to keep yet."""
    raise_if_cancelled(stop)
    if stop.requested():
        raise NoModelYetError


def release_memory() -> None:
    """Call `malloc_trim`: glibc keeps hundreds of megabytes of freed memory for later.

    Call it between stages that allocate large arrays of different shapes.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)
