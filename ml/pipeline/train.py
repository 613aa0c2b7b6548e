"""One training from beginning to end: decode, features, probe, fine-tune, export, predict."""

from __future__ import annotations

import copy
import ctypes
import dataclasses
import shutil
import sys
import time
import tomllib
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.errors import HandlensError
from ml.core.events import Event, Finished, ProbeDone, RunStarted, Stopped
from ml.core.jobs import DEFAULT_FRONT, Front, Stop, TrainJob
from ml.core.messages import msg
from ml.core.types import Preset, RunInfo, Sample
from ml.media.kinds import kind_named
from ml.networks.heads import Classifier, build_network
from ml.networks.weights import resolve as obtain
from ml.networks.weights.bundled import Weights
from ml.pipeline.finish import finish_run
from ml.pipeline.predict_all import ReleaseInputs
from ml.pipeline.retrain import SelectedConfig, retrain_on_all, retrain_samples, should_retrain
from ml.pipeline.stages import (
    CancelledError,
    NoModelYetError,
    decode_all,
    extract_features,
    finetune_stage,
    fit_first_model,
    interpolation_stage,
    raise_if_cancelled,
    raise_if_ended,
    set_head,
    stage,
)
from ml.probe.objective import WORST
from ml.probe.probe import Probe
from ml.project.project import Project
from ml.project.split.plan import plan_split
from ml.release.assess import Scores
from ml.scoring.tasks import task_named
from ml.training.data.decode import Decoded
from ml.training.data.features import Features, frozen_answers
from ml.training.distributed import DistributedContext
from ml.training.finetune.loop import (
    Outcome,
    TrainingData,
    fit_normalisation,
    make_training_data,
    outcome_so_far,
    showcase,
    showcase_of,
    split_targets,
)
from ml.training.finetune.step import MicroBatches
from ml.training.finetune.task import FinetuneTask, run_worker_rank
from ml.training.objective import require_two_classes
from ml.training.preflight import Plan, preflight
from ml.training.recipe import Recipe, adapt_recipe, recipe_for, relative_probe_loss
from ml.training.run_files import read_recipe, write_history, write_settings
from ml.training.selection.symmetry import detect_symmetries

_INTERNAL_ERROR = msg("An internal error in Handlens ended this training.")


def train(job: TrainJob, stop: Stop) -> Iterator[Event]:
    """Train a run as `job` says. Raises HandlensError where it cannot; `ml.pipeline.dispatch` makes that an event.

    Of several processes under `torchrun` only the first opens the project; the others help it learn.
    """
    distributed = DistributedContext()
    if not distributed.is_main_process:
        run_worker_rank(_fabric(job.device, distributed), distributed)
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
    began = time.monotonic()
    yield stage("preflight")
    # Originals, a device, a network or a file that are not there are said before a run begins.
    _ = project.source_folder
    refuse_unknown(job)
    fabric = _fabric(job.device, distributed)
    samples, class_names = labelled_and_split(project)
    run, job = open_or_resume_run(project, job, class_names)
    try:
        (train, _), (valid, _) = split_targets(samples, task=project.task, classes=len(class_names))
        yield RunStarted(
            run=run.number,
            resumed=job.resume,
            train=len(train),
            valid=len(valid),
            test=sum(sample.split == "test" for sample in samples),
            class_names=class_names,
            task=project.task,
        )
        context, recipe = yield from _planned(
            project, job, run, samples, stop, began=began, distributed=distributed, fabric=fabric
        )
        yield from _learn(context, recipe, samples)
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
        # Ctrl+C, or a caller that asks for no more: the run can be resumed, unless "finished" was the last event.
        if any(item.number == run.number and item.state == "running" for item in project.runs.all()):
            project.runs.update(run.number, state="interrupted")
        raise


@dataclass(frozen=True, slots=True)
class _RunContext:
    """What all steps of one training share."""

    project: Project
    job: TrainJob
    run: RunInfo
    weights: Weights
    fabric: Fabric
    distributed: DistributedContext
    stop: Stop
    began: float
    begun: bool
    """Whether it goes on with the fine-tuning of a run that was cut off."""

    @property
    def folder(self) -> Path:
        return self.project.runs.folder(self.run.number)

    def new_network(self) -> Classifier:
        """With the pretrained weights, on the CPU."""
        return _network(self.project, self.run, self.weights, front=self.job.front)


def _planned(
    project: Project,
    job: TrainJob,
    run: RunInfo,
    samples: tuple[Sample, ...],
    stop: Stop,
    *,
    began: float,
    distributed: DistributedContext,
    fabric: Fabric,
) -> Generator[Event, None, tuple[_RunContext, Recipe]]:
    """What is needed to begin, the pretrained weights above all, which may have to be downloaded."""
    folder = project.runs.folder(run.number)
    begun = job.resume and (folder / "checkpoint" / "latest.safetensors").is_file()
    # As it began, even where the machine or its devices changed: the saved state fits nothing else.
    recipe = read_recipe(folder) if begun else recipe_for(job, train=_to_learn_from(samples), on_gpu=_on_gpu(fabric))
    weights = yield from weights_for_job(job, recipe, folder, device=str(fabric.device), stop=stop)
    raise_if_ended(stop)  # what has arrived of a download is kept
    assert weights is not None
    return _RunContext(project, job, run, weights, fabric, distributed, stop, began, begun), recipe


def _learn(context: _RunContext, recipe: Recipe, samples: tuple[Sample, ...]) -> Iterator[Event]:
    project, job, run, fabric, stop = context.project, context.job, context.run, context.fabric, context.stop
    network = context.new_network()

    decoded = Decoded(project, size=network.backbone.spec.size)
    if not decoded.bytes_to_write(samples):
        fit_normalisation(network, decoded, samples)  # before preflight asks what is cached of what the network sees
    micro_batches = yield from preflight(_plan(project, network, decoded, samples, recipe), fabric)
    release_memory()

    samples = yield from decode_all(decoded, samples, stop)
    fit_normalisation(network, decoded, samples)
    features, forward_seconds = yield from extract_features(project, network, samples, decoded, fabric, stop=stop)
    release_memory()

    data = make_training_data(project, decoded, samples, classes=len(run.class_names))
    probe = yield from _learn_first_model(context, network, features, data)
    if not context.begun:
        recipe = _adapt_recipe_to_data(context, recipe, network, probe, data)

    checkpoints = context.folder / "checkpoint"
    outcome = outcome_so_far(checkpoints, data, early=recipe.epochs > 0)
    if recipe.epochs > 0 and not stop.requested():
        set_head(network, probe.init_head)
        task = FinetuneTask(network, data, recipe, job.seed, checkpoints, probe.valid_score or WORST, micro_batches)
        again = retrain_samples(recipe, data) if should_retrain(data, samples) else 0
        outcome = yield from finetune_stage(task, fabric, context.distributed, stop, then=again)
    raise_if_cancelled(stop)

    best, alpha = yield from _choose_final_weights(context, recipe, network, probe=probe, data=data, outcome=outcome)
    raise_if_cancelled(stop)
    whole: Classifier | None = None
    if outcome.schedule_completed and not stop.requested() and should_retrain(data, samples):
        selected = SelectedConfig(network=best, recipe=recipe, strength=probe.strength, alpha=alpha)
        whole = yield from _retrain_on_all(
            context, network, selected, data=data, features=features, micro_batches=micro_batches
        )
        raise_if_cancelled(stop)
    ingredients = ReleaseInputs(
        project=project,
        run=run,
        network=best if whole is None else whole,
        before=None if whole is None else best,
        samples=samples,
        decoded=decoded,
        features=None if alpha or not features.grids_kept else features,
        device=fabric.device,
        wrong_at_most=job.wrong_at_most,
    )
    scores = yield from finish_run(ingredients, stop)
    raise_if_cancelled(stop)
    relative_loss = relative_probe_loss(probe.valid_loss, data.train_labels)
    speed = {"forward_seconds": forward_seconds, "train_seconds": outcome.train_seconds, "doubt": relative_loss}
    facts = weights_info(context.weights)
    write_settings(context.folder, job, recipe, device=str(fabric.device), backbone=facts, speed=speed, blend=alpha)
    yield _finished_event(context, probe, scores, early=outcome.stopped_early or stop.requested() == "stop")


def _learn_first_model(
    context: _RunContext, network: Classifier, features: Features, data: TrainingData
) -> Generator[Event, None, Probe]:
    """Fit the probe, write it down, and give `network`, which goes to the device, its head; show what it says."""
    yield stage("probe")
    probe = yield from fit_first_model(features, data, classes=len(context.run.class_names), stop=context.stop)
    release_memory()
    set_head(network, probe.head)
    yield ProbeDone(
        seconds=time.monotonic() - context.began,
        train_loss=probe.train_loss,
        valid_loss=probe.valid_loss,
        valid_accuracy=probe.valid_accuracy,
    )
    network.to(context.fabric.device)
    if features.grids_kept and network.backbone.pooled is None:
        probabilities, maps, _ = frozen_answers(network, features, data.showcase)
        yield showcase_of(data, probabilities, maps, epoch=0)
    else:
        yield showcase(network, data, context.fabric.device, epoch=0)
    write_history(context.folder, epoch=0, probe=probe)
    return probe


def _adapt_recipe_to_data(
    context: _RunContext, recipe: Recipe, network: Classifier, probe: Probe, data: TrainingData
) -> Recipe:
    """The recipe as the first model suggests, written down for a run that is resumed."""
    job = context.job
    relative_loss = relative_probe_loss(probe.valid_loss, data.train_labels)
    recipe = adapt_recipe(recipe, relative_loss=relative_loss, train=len(data.train), lengthen=job.epochs is None)
    if kind_named(context.project.kind).input_name == "pixels" and recipe.epochs > 0:
        single = [sample for sample in data.valid if len(sample.labels) == 1]
        recipe = detect_symmetries(recipe, network, data.decoded, single, context.stop)
    facts = weights_info(context.weights)
    write_settings(context.folder, job, recipe, device=str(context.fabric.device), backbone=facts)
    return recipe


def _choose_final_weights(
    context: _RunContext, recipe: Recipe, network: Classifier, *, probe: Probe, data: TrainingData, outcome: Outcome
) -> Generator[Event, None, tuple[Classifier, float]]:
    """The model that is delivered, on the CPU, and its share of the way from the first model to the fine-tuned one."""
    if recipe.epochs == 0:
        return network.cpu(), 0.0
    best = _first_model(context.new_network(), probe, front=network.front)
    alpha = yield from interpolation_stage(
        best, context.folder / "checkpoint", data, context.stop, device=context.fabric.device, outcome=outcome
    )
    best.both_sides = (
        alpha > 0.0 and kind_named(context.project.kind).input_name == "pixels" and recipe.both_sides and recipe.mirror
    )
    return best, alpha


def _retrain_on_all(
    context: _RunContext,
    network: Classifier,
    selected: SelectedConfig,
    *,
    data: TrainingData,
    features: Features,
    micro_batches: MicroBatches,
) -> Generator[Event, None, Classifier | None]:
    """`chosen` once more, from the validation samples too, where that is better. `network` lends its front end."""
    fresh = context.new_network()
    fresh.front = copy.deepcopy(network.front).cpu()
    return (
        yield from retrain_on_all(
            fresh,
            selected,
            data,
            features,
            seed=context.job.seed,
            folder=context.folder / "checkpoint",
            fabric=context.fabric,
            distributed=context.distributed,
            micro_batches=micro_batches,
            stop=context.stop,
        )
    )


def _finished_event(context: _RunContext, probe: Probe, scores: Scores, *, early: bool) -> Finished:
    """Write down that the run is done."""
    seconds = time.monotonic() - context.began
    accuracies = {
        "valid_accuracy": scores.valid,
        "test_accuracy": scores.test,
        "probe_accuracy": probe.valid_accuracy,
    }
    context.project.runs.update(context.run.number, state="finished", seconds=seconds, **accuracies)
    # Only an unfinished run needs where it stood; the best weights stay.
    (context.folder / "checkpoint" / "latest.safetensors").unlink(missing_ok=True)
    shutil.rmtree(context.folder / "checkpoint" / "refit", ignore_errors=True)
    return Finished(
        run=context.run.number,
        seconds=seconds,
        early=early,
        **accuracies,
        valid_interval=scores.valid_interval,
        test_interval=scores.test_interval,
    )


def _plan(project: Project, network: Classifier, decoded: Decoded, samples: tuple[Sample, ...], recipe: Recipe) -> Plan:
    return Plan(
        kind=project.kind,
        network=network,
        decoded=decoded,
        samples=samples,
        train=_to_learn_from(samples),
        recipe=recipe,
        project=project.path,
    )


def _to_learn_from(samples: tuple[Sample, ...]) -> int:
    return sum(sample.split == "train" and sample.labelled for sample in samples)


def _on_gpu(fabric: Fabric) -> bool:
    return fabric.device.type != "cpu"


def _network(project: Project, run: RunInfo, weights: Weights, *, front: Front = DEFAULT_FRONT) -> Classifier:
    return build_network(
        windowing=project.windowing,
        classes=len(run.class_names),
        weights=weights,
        task=project.task,
        log_front=front,
        input_name=kind_named(project.kind).input_name,
    ).eval()


def _first_model(network: Classifier, probe: Probe, *, front: nn.Module) -> Classifier:
    """The probe as a network of its own, on the CPU: fine-tuning changes the weights it began with."""
    network.front = front.cpu()
    set_head(network, probe.head)
    return network


def _fabric(device: str, distributed: DistributedContext) -> Fabric:
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
    # Rounded products would make features, and with them stored answers, differ from what the exported model says.
    torch.backends.cudnn.allow_tf32 = False
    half = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return distributed.fabric(device, precision="bf16-mixed" if half else "32-true")


def release_memory() -> None:
    """Call `malloc_trim`: glibc keeps hundreds of megabytes of freed memory for later.

    Call it between stages that allocate large arrays of different shapes.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)


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


def open_or_resume_run(project: Project, job: TrainJob, class_names: tuple[str, ...]) -> tuple[RunInfo, TrainJob]:
    """A new run, or with `job.resume` the unfinished one and the job as that began, with its rate.

    Where more than one class may be present there is a rate only if one was asked for.
    """
    project.runs.mark_interrupted_now()
    usual = task_named(project.task).default_error_rate
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


def chosen_weights(job: TrainJob, folder: Path, stop: Stop) -> Generator[Event, None, Weights | None]:
    """The weights for the run in `folder`; None if the user stopped their download. Raises HandlensError."""
    noted = _noted(folder) if job.resume else {}
    name = noted.get("name") or job.backbone
    file = job.weights
    if file is None and noted.get("source") == "file":
        file = Path(noted["file"])
        if not file.is_file():
            raise HandlensError(
                msg(
                    "The run started with the weights in {file}, which no longer exists. "
                    "Put the file back, or name it with --resume --weights FILE.",
                    file=str(file),
                )
            )
    _refuse_unknown(name, file)
    weights = yield from obtain.obtain(name, file, stop)
    if weights is not None and noted.get("sha256", weights.sha256) != weights.sha256:
        raise HandlensError(
            msg(
                "{file} is not the weights file that the run started with. Use that file, or train without --resume.",
                file=weights.path.name,
            )
        )
    return weights


def refuse_unknown(job: TrainJob) -> None:
    """Raises HandlensError for a new run where there is no such network or file, before that run begins."""
    if not job.resume:
        _refuse_unknown(job.backbone, job.weights)


def _refuse_unknown(name: str, file: Path | None) -> None:
    if file is not None and not name:
        if not file.is_file():
            raise HandlensError(msg("There is no file {file}. Check the name.", file=str(file)))
        raise HandlensError(
            msg("{file} could belong to any network. Name the network with --backbone NAME.", file=file.name)
        )
    obtain.refuse_unknown(name or DEFAULT_BACKBONE, file)


def weights_for_job(
    job: TrainJob, recipe: Recipe, folder: Path, *, device: str, stop: Stop
) -> Generator[Event, None, Weights | None]:
    """As `chosen_weights`; the run notes which, before they are here and after."""
    if not (job.resume and (folder / "settings.toml").is_file()):
        write_settings(folder, job, recipe, device=device, backbone=requested_info(job))
    weights = yield from chosen_weights(job, folder, stop)
    if weights is not None:
        write_settings(folder, job, recipe, device=device, backbone=weights_info(weights))
    return weights


def weights_info(weights: Weights) -> dict[str, str]:
    """What settings.toml says of them."""
    facts = {"name": weights.name, "sha256": weights.sha256, "source": weights.source, "licence": weights.licence}
    return facts | ({"file": str(weights.path)} if weights.source == "file" else {})


def requested_info(job: TrainJob) -> dict[str, str]:
    """The same before they are here: enough to resume a run that was cut off while they were downloaded."""
    facts = {"name": job.backbone or DEFAULT_BACKBONE}
    return facts | ({"source": "file", "file": str(job.weights.absolute())} if job.weights is not None else {})


def _noted(folder: Path) -> dict[str, str]:
    path = folder / "settings.toml"
    if not path.is_file():
        return {}
    noted: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8")).get("backbone", {})
    return noted
