"""One training from beginning to end: decode, features, probe, fine-tune, interpolate, retrain, release."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import torch
from lightning_fabric import Fabric

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.errors import HandlensError
from ml.core.events import Event, Finished, RunStarted, Stopped
from ml.core.jobs import DEFAULT_FRONT, Stop, TrainJob
from ml.core.messages import msg
from ml.core.types import Preset, RunInfo, Sample
from ml.networks.weights.bundled import Weights
from ml.networks.weights.resolve import refuse_unknown_weights, resolve_weights
from ml.pipeline.finish import finish_run
from ml.pipeline.retrain import retrain_samples, retrain_stage
from ml.pipeline.stages import (
    CancelledError,
    NoModelYetError,
    decode_stage,
    feature_stage,
    finetune_stage,
    interpolation_stage,
    probe_stage,
    raise_if_cancelled,
    raise_if_ended,
    release_memory,
    stage,
)
from ml.project.project import Project
from ml.project.split.plan import plan_split
from ml.release.assess import Scores
from ml.scoring.tasks import task_named
from ml.training.context import RunContext
from ml.training.data.decode import Decoded
from ml.training.distributed import DistributedContext
from ml.training.finetune.loop import run_worker_rank
from ml.training.finetune.task import fit_normalisation, split_targets
from ml.training.objective import require_two_classes
from ml.training.preflight import preflight
from ml.training.recipe import recipe_for, relative_probe_loss
from ml.training.run_files import read_recipe, read_settings

_INTERNAL_ERROR = msg("An internal error in Handlens ended this training.")


def train(job: TrainJob, stop: Stop) -> Iterator[Event]:
    """Train a run. Raises HandlensError if that is impossible; `ml.pipeline.dispatch` makes an event of it.

    Of several processes under `torchrun` only rank 0 opens the project; the worker ranks compute with it.
    """
    distributed = DistributedContext()
    if not distributed.is_main_process:
        run_worker_rank(_make_fabric(job.device, distributed), distributed)
        yield Stopped()
        return
    project = Project.open(job.project)
    try:
        lock = project.lock("train")
        try:
            yield from _train_locked(project, job, stop, distributed)
        finally:
            lock.release()
            distributed.shutdown_workers()
    finally:
        project.close()


def _train_locked(project: Project, job: TrainJob, stop: Stop, distributed: DistributedContext) -> Iterator[Event]:
    """Begin or resume a run, train it, and record how it ended."""
    started = time.monotonic()
    yield stage("preflight")
    # Report a missing folder, device, network or file before a run begins.
    _ = project.source_folder
    refuse_unknown(job)
    fabric = _make_fabric(job.device, distributed)
    samples, class_names = labelled_and_split(project)
    run, job = open_or_resume_run(project, job, class_names)
    context = RunContext(
        project=project,
        job=job,
        run=run,
        folder=project.runs.folder(run.number),
        samples=samples,
        fabric=fabric,
        distributed=distributed,
        stop=stop,
        started=started,
    )
    try:
        yield _run_started(context)
        yield from _run_stages(context)
    except CancelledError:
        project.runs.discard(run.number)
        yield Stopped()
    except NoModelYetError:
        project.runs.update(run.number, state="interrupted")
        yield Stopped(resumable=True)
    except Exception as error:
        message = error.message if isinstance(error, HandlensError) else _INTERNAL_ERROR
        project.runs.update(run.number, state="failed", message=message)
        raise
    except BaseException:
        # Ctrl+C, or a caller that closes the generator: the run can be resumed, unless it has just finished.
        if any(item.number == run.number and item.state == "running" for item in project.runs.all()):
            project.runs.update(run.number, state="interrupted")
        raise


def _run_stages(context: RunContext) -> Iterator[Event]:
    """Run one stage after the other; each adds to the context what it finds."""
    yield from _weights_stage(context)
    yield from _preflight_stage(context)
    yield from decode_stage(context)
    yield from feature_stage(context)
    yield from probe_stage(context)
    yield from finetune_stage(context, retrain_samples=retrain_samples(context))
    yield from interpolation_stage(context)
    yield from retrain_stage(context)
    scores = yield from finish_run(context)
    raise_if_cancelled(context.stop)
    yield _finish(context, scores)


def _run_started(context: RunContext) -> RunStarted:
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
    )


def _weights_stage(context: RunContext) -> Iterator[Event]:
    """Choose the recipe and resolve the pretrained weights, which may have to be downloaded."""
    job, folder = context.job, context.folder
    # A resumed run keeps its recipe on a different machine or device, because its checkpoint fits no other.
    context.recipe = (
        read_recipe(folder)
        if context.resumes_finetuning
        else recipe_for(job, train=context.train_count, on_gpu=context.fabric.device.type != "cpu")
    )
    if not (job.resume and (folder / "settings.toml").is_file()):
        context.write_settings()  # enough to resume an interrupted download
    context.weights = yield from resolve_weights_of_run(job, folder, context.stop)
    if context.weights is not None and context.weights.source != "bundled":
        context.write_settings()
    raise_if_ended(context.stop)  # the part of the file that has arrived is kept


def _preflight_stage(context: RunContext) -> Iterator[Event]:
    """Build the network and check that the run can work."""
    context.network = context.new_network()
    context.decoded = Decoded(context.project, size=context.network.backbone.spec.size)
    if not context.decoded.bytes_to_write(context.samples):
        # Preflight looks for cached features, whose names depend on the normalisation.
        fit_normalisation(context.network, context.decoded, context.samples)
    yield from preflight(context)
    release_memory()


def _finish(context: RunContext, scores: Scores) -> Finished:
    """Record that the run is finished, and return the last event."""
    probe, result = context.probe, context.result
    speed = {
        "forward_seconds": context.forward_seconds,
        "train_seconds": result.train_seconds,
        "doubt": relative_probe_loss(probe.valid_loss, context.data.train_labels),
    }
    context.write_settings(speed=speed, alpha=context.alpha)
    early = result.stopped_early or context.stop.requested() == "stop"
    seconds = time.monotonic() - context.started
    accuracies = {
        "valid_accuracy": scores.valid,
        "test_accuracy": scores.test,
        "probe_accuracy": probe.valid_accuracy,
    }
    context.project.runs.update(context.run.number, state="finished", seconds=seconds, **accuracies)
    # Only an unfinished run needs its state; the best weights stay.
    (context.checkpoints / "latest.safetensors").unlink(missing_ok=True)
    shutil.rmtree(context.checkpoints / "refit", ignore_errors=True)
    return Finished(
        run=context.run.number,
        seconds=seconds,
        early=early,
        **accuracies,
        valid_interval=scores.valid_interval,
        test_interval=scores.test_interval,
    )


# -- before the run begins ----------------------------------------------------------------------------------------


def _make_fabric(device: str, distributed: DistributedContext) -> Fabric:
    """Return the Fabric of `device`. Raises HandlensError if there is no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise HandlensError(
            msg("This computer has no CUDA device that PyTorch can use. Leave out --device, or use --device cpu.")
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise HandlensError(
            msg("This computer has no Apple GPU that PyTorch can use. Leave out --device, or use --device cpu.")
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    # TF32 would make features, and with them cached predictions, differ from those of the exported model.
    torch.backends.cudnn.allow_tf32 = False
    half = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return distributed.fabric(device, precision="bf16-mixed" if half else "32-true")


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
        raise HandlensError(msg("There is no interrupted run to resume. Train without --resume."))
    if run.class_names != class_names:
        raise HandlensError(
            msg(
                "Classes were added after run {run} was interrupted, so it cannot continue. Train without --resume.",
                run=str(run.number),
            )
        )
    epochs, wrong_at_most, front = job.epochs, job.wrong_at_most, job.front
    if settings := read_settings(project.runs.folder(run.number)):
        recorded = settings.get("job", {})
        epochs = None if recorded.get("epochs", -1) < 0 else recorded["epochs"]
        wrong_at_most = recorded.get("wrong_at_most", wrong_at_most) or None
        front = recorded.get("front", DEFAULT_FRONT)
    project.runs.update(run.number, state="running", message="")
    preset: Preset = run.preset
    return run, dataclasses.replace(
        job, preset=preset, seed=run.seed, epochs=epochs, wrong_at_most=wrong_at_most, front=front
    )


def resolve_weights_of_run(job: TrainJob, folder: Path, stop: Stop) -> Generator[Event, None, Weights | None]:
    """Return the weights for the run in `folder`; None if the user stopped their download. Raises HandlensError."""
    recorded: dict[str, str] = read_settings(folder).get("backbone", {}) if job.resume else {}
    name = recorded.get("name") or job.backbone
    file = job.weights
    if file is None and recorded.get("source") == "file":
        file = Path(recorded.get("file", ""))
        if not file.is_file():
            raise HandlensError(
                msg(
                    "The run started with the weights in {file}, which no longer exists. "
                    "Put the file back, or name it with --resume --weights FILE.",
                    file=str(file),
                )
            )
    _refuse_unknown(name, file)
    weights = yield from resolve_weights(name, file, stop)
    if weights is not None and recorded.get("sha256", weights.sha256) != weights.sha256:
        raise HandlensError(
            msg(
                "{file} is not the weights file that the run started with. Use that file, or train without --resume.",
                file=weights.path.name,
            )
        )
    return weights


def refuse_unknown(job: TrainJob) -> None:
    """Raise HandlensError for a new run if there is no such network or file."""
    if not job.resume:
        _refuse_unknown(job.backbone, job.weights)


def _refuse_unknown(name: str, file: Path | None) -> None:
    if file is not None and not name:
        if not file.is_file():
            raise HandlensError(msg("There is no file {file}. Check the name.", file=str(file)))
        raise HandlensError(
            msg("{file} could belong to any network. Name the network with --backbone NAME.", file=file.name)
        )
    refuse_unknown_weights(name or DEFAULT_BACKBONE, file)
