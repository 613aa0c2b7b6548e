"""One training from beginning to end: decode, features, probe, fine-tune, interpolate, retrain, release."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import torch
from lightning_fabric import Fabric

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.errors import HandlensError
from ml.core.events import TERMINAL, Event, Finished, FirstModel, StageStarted, Stopped
from ml.core.jobs import Stop, TrainJob
from ml.core.messages import msg
from ml.core.stages import Stage
from ml.evaluation.run_comparison import count_changes, evaluation_set
from ml.features.decode import Decoded
from ml.graphs.pretrained import Weights
from ml.networks.weights.resolve import refuse_unknown_weights, resolve_weights
from ml.pipeline.better_ear import better_first_model
from ml.pipeline.finish import finish_run
from ml.pipeline.first_model import GraphRelease
from ml.pipeline.first_model_stays import first_model_stays
from ml.pipeline.retrain import retrain_samples, retrain_stage
from ml.pipeline.session import (
    FirstModelKeptError,
    finished,
    frozen_network,
    labelled_and_split,
    open_or_resume_run,
    raise_if_cancelled,
    raise_if_ended,
    record_end,
    release_memory,
    run_started,
    stage,
)
from ml.pipeline.stages import (
    finetune_stage,
    first_model_stage,
    frozen_feature_stage,
    interpolation_stage,
    normalise_stage,
)
from ml.pipeline.torch_release import TorchRelease
from ml.project.predictions import read_predictions
from ml.project.project import Project
from ml.project.runs import FIRST
from ml.release.assess import Scores
from ml.training.context import FinetuneContext
from ml.training.distributed import DistributedContext
from ml.training.finetune.loop import run_worker_rank
from ml.training.finetune.task import fit_normalisation
from ml.training.preflight import preflight
from ml.training.recipe import recipe_for, relative_probe_loss
from ml.training.run_context import RunContext
from ml.training.run_files import read_recipe, read_settings


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
    context = FinetuneContext(
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
    yield from record_end(project, run, _run_stages(context))


def adjust(first: RunContext) -> Generator[Event, None, None]:
    """Adjust the network behind the first model that `first` has trained and released."""
    distributed = DistributedContext()
    context = FinetuneContext(
        project=first.project,
        job=first.job,
        run=first.run,
        folder=first.folder,
        samples=first.samples,
        fabric=_make_fabric(first.job.device, distributed),
        distributed=distributed,
        stop=first.stop,
        started=first.started,
        first_probe=first.probe if first.ear in (None, "picture") else None,
        first_ear=first.ear,
    )
    context.ear, context.ear_scores, context.forward_seconds = first.ear, first.ear_scores, first.forward_seconds
    yield from behind_first_model(_train_stages(context), context.stop)


def _run_stages(context: FinetuneContext) -> Iterator[Event]:
    """Train a run that begins, or that is resumed."""
    yield run_started(context)
    if not context.has_first_model:
        yield from _train_stages(context)
        return
    context.first_ear = read_settings(context.folder).get("ear", {}).get("name")
    yield _first_model_again(context)
    yield from behind_first_model(_train_stages(context), context.stop)


def _first_model_again(context: FinetuneContext) -> FirstModel:
    """Return the event of a first model that an interrupted run has released."""
    info = context.project.runs.finished(context.run.number)
    return FirstModel(
        run=info.number,
        seconds=info.seconds,
        valid_accuracy=info.valid_accuracy,
        test_accuracy=info.test_accuracy,
        probe_accuracy=info.probe_accuracy,
    )


def _train_stages(context: FinetuneContext) -> Generator[Event, None, None]:
    """Run one stage after the other; each adds to the context what it finds."""
    yield from _weights_stage(context)
    yield from _preflight_stage(context)
    yield from normalise_stage(context)
    yield from frozen_feature_stage(context)
    yield from first_model_stage(context)
    yield from finetune_stage(context, retrain_samples=retrain_samples(context))
    yield from interpolation_stage(context)
    first_model = yield from better_first_model(context)
    unchanged = first_model is not None or (context.alpha == 0.0 and context.first_ear in (None, "picture"))
    if context.has_first_model and unchanged:
        yield _keep_first_model(context)
        return
    if first_model is not None:
        yield from _release_first_model(context, first_model)
        return
    yield from retrain_stage(context)
    holdout = context.holdout_network
    scores = yield from finish_run(
        context,
        TorchRelease(context, context.final_network),
        None if holdout is None else TorchRelease(context, holdout),
    )
    raise_if_cancelled(context.stop)
    yield _finish(context, scores)


def _release_first_model(context: FinetuneContext, release: GraphRelease) -> Iterator[Event]:
    """Release a first model of another pretrained network in place of the fine-tuned one."""
    scores = yield from finish_run(context, release)
    raise_if_cancelled(context.stop)
    yield _finish(context, scores)


def _keep_first_model(context: FinetuneContext) -> Finished:
    """End the run with the first model that was released already."""
    context.write_settings(speed=_speed(context), alpha=0.0)
    early = context.result.stopped_early or context.stop.requested() == "stop"
    seconds = time.monotonic() - context.started
    event = first_model_stays(context.project, context.run.number, early=early, seconds=seconds)
    _remove_checkpoint(context)
    return event


def _weights_stage(context: FinetuneContext) -> Iterator[Event]:
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


def _preflight_stage(context: FinetuneContext) -> Iterator[Event]:
    """Build the network and check that the run can work."""
    context.network = context.new_network()
    if context.weights is not None and context.weights.source == "bundled":
        context.frozen = frozen_network(context)
    context.decoded = Decoded(context.project, size=context.network.backbone.spec.size)
    if not context.decoded.bytes_to_write(context.samples):
        # Preflight looks for cached features, whose names depend on the normalisation.
        fit_normalisation(context.network, context.decoded, context.samples, frozen=context.frozen)
    yield from preflight(context)
    release_memory()


def _finish(context: FinetuneContext, scores: Scores) -> Finished:
    """Record that the run is finished, and return the last event."""
    context.write_settings(speed=_speed(context), alpha=context.alpha)
    early = context.result.stopped_early or context.stop.requested() == "stop"
    event = finished(context, scores, early=early, changes=_changes(context))
    _remove_checkpoint(context)
    return event


def _speed(context: FinetuneContext) -> dict[str, float]:
    return {
        "forward_seconds": context.forward_seconds,
        "train_seconds": context.result.train_seconds,
        "doubt": relative_probe_loss(context.probe.valid_loss, context.data.train_labels),
    }


def _changes(context: FinetuneContext) -> tuple[int, int] | None:
    """Return how many predictions of the first model the adjusted network corrected, and how many it spoilt."""
    if not context.has_first_model:
        return None
    task = context.project.task
    before = read_predictions(context.folder / FIRST / "predictions", task=task)
    after = read_predictions(context.folder / "predictions", task=task)
    return count_changes(before, after, evaluation_set(context.samples).labels)


def _remove_checkpoint(context: FinetuneContext) -> None:
    """Remove what only an unfinished run needs; the best weights stay."""
    (context.checkpoints / "latest.safetensors").unlink(missing_ok=True)
    shutil.rmtree(context.checkpoints / "refit", ignore_errors=True)


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
    weights = yield from resolve_weights(name, file, stop, accept_changed=job.accept_changed_weights)
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


DONE_BEFORE: tuple[Stage, ...] = ("decode", "features", "probe")
"""Stages that find everything in the cache once there is a first model."""


def behind_first_model(stages: Generator[Event, None, None], stop: Stop) -> Generator[Event, None, None]:
    """Yield the events of `stages` without the beginnings of those that have nothing to do.

    Raises FirstModelKeptError once the user keeps the first model, unless the better one was released before.
    """
    with contextlib.closing(stages):
        for event in stages:
            if stop.requested() == "first" and not isinstance(event, TERMINAL):
                raise FirstModelKeptError
            if not (isinstance(event, StageStarted) and event.stage in DONE_BEFORE):
                yield event
