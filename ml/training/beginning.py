"""What a run begins with: samples that are labelled and split, and a new run or the one that was interrupted."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Sequence

from ml.core.errors import HandlensError
from ml.core.jobs import DEFAULT_FRONT, WRONG_AT_MOST, TrainJob
from ml.core.messages import msg
from ml.core.types import Preset, RunInfo, Sample
from ml.project.project import Project
from ml.project.split.plan import plan_split

NO_TRAINING_SAMPLES = msg(
    "There are no training samples: every labelled sample is in the validation or test set. "
    "Label more samples, or create the project again with a different split."
)
ONE_CLASS = msg("Only one class has training samples. Label samples of at least two classes.")


def labelled_and_split(project: Project) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """All samples, and the class names. Labelled samples that have no split yet are given one, for good.

    Raises HandlensError where nothing can be learned from them.
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


def require_two_classes(train: Sequence[Sample]) -> None:
    """Raises HandlensError where the samples to learn from do not tell anything apart."""
    if not train:
        raise HandlensError(NO_TRAINING_SAMPLES)
    if len({sample.labels for sample in train}) < 2:
        raise HandlensError(ONE_CLASS)


def resumed_or_new(project: Project, job: TrainJob, class_names: tuple[str, ...]) -> tuple[RunInfo, TrainJob]:
    """A new run, or with `job.resume` the unfinished one and the job as that began, with its rate.

    Where more than one class may be present there is a rate only if one was asked for.
    """
    project.runs.mark_interrupted_now()
    usual = WRONG_AT_MOST if project.task == "single" else None
    job = dataclasses.replace(job, wrong_at_most=job.wrong_at_most or project.wrong_at_most or usual)
    if not job.resume:
        return project.runs.begin(preset=job.preset, seed=job.seed, class_names=class_names), job
    run = project.runs.unfinished()
    if run is None:
        raise HandlensError(msg("There is no interrupted run to resume. Train without --resume."))
    if run.class_names != class_names:
        raise HandlensError(
            msg(
                "Classes were added after run {run} was interrupted, so it cannot continue. Train without --resume.",
                run=str(run.number),
            )
        )
    settings_path = project.runs.folder(run.number) / "settings.toml"
    epochs, wrong_at_most, front = job.epochs, job.wrong_at_most, job.front
    if settings_path.is_file():
        wanted = tomllib.loads(settings_path.read_text(encoding="utf-8")).get("job", {})
        epochs = None if wanted.get("epochs", -1) < 0 else wanted["epochs"]
        wrong_at_most = wanted.get("wrong_at_most", wrong_at_most) or None
        front = wanted.get("front", DEFAULT_FRONT)
    project.runs.update(run.number, state="running", message="")
    preset: Preset = run.preset
    return run, dataclasses.replace(
        job, preset=preset, seed=run.seed, epochs=epochs, wrong_at_most=wrong_at_most, front=front
    )
