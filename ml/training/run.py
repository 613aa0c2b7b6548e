"""One training from beginning to end: decode, features, probe, fine-tune, export, predict."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from ml.core.messages import msg
from ml.errors import HandlensError
from ml.events import Event, Finished, ProbeDone, RunStarted, Stopped
from ml.export.ask import Ingredients
from ml.export.finish import finish_run
from ml.export.judge import Scores
from ml.jobs import DEFAULT_FRONT, Front, Stop, TrainJob
from ml.memory import give_back
from ml.networks.build import build_network
from ml.networks.heads import Classifier
from ml.networks.weights import Weights
from ml.project.project import Project
from ml.project.samples import RunInfo, Sample
from ml.training.beginning import labelled_and_split, resumed_or_new
from ml.training.chosen import facts_of, refuse_unknown, weights_for
from ml.training.crew import Crew
from ml.training.decode import Decoded
from ml.training.features import Features, frozen_answers
from ml.training.finetune import Material, Outcome, outcome_so_far, showcase, showcase_of
from ml.training.materials import learn_levels, material_of, parts_of
from ml.training.preflight import Plan, preflight
from ml.training.probe import Probe
from ml.training.recipe import Recipe, doubt_of, fitted, recipe_for
from ml.training.records import read_recipe, write_history, write_settings
from ml.training.refit import Chosen, learned_from_all, seen_again, worth_learning_again
from ml.training.score import NONE
from ml.training.step import Pieces
from ml.training.steps import (
    CancelledError,
    TooEarlyError,
    adjust,
    blended,
    decode_all,
    fit_first_model,
    give_head,
    look_at_all,
    raise_if_cancelled,
    raise_if_ended,
    stage,
)
from ml.training.symmetry import allowed
from ml.training.together import Lesson, help_out

_INTERNAL_ERROR = msg("An internal error in Handlens ended this training.")


def train(job: TrainJob, stop: Stop) -> Iterator[Event]:
    """Train a run as `job` says. Raises HandlensError where it cannot; `ml.engine` makes that an event.

    Of several processes under `torchrun` only the first opens the project; the others help it learn.
    """
    crew = Crew()
    if not crew.leads:
        help_out(_fabric(job.device, crew), crew)
        yield Stopped()
        return
    project = Project.open(job.project)
    try:
        lock = project.lock("train")
        try:
            yield from _train_locked(project, job, stop, crew)
        finally:
            lock.release()
            crew.dismiss()
    finally:
        project.close()


def _train_locked(project: Project, job: TrainJob, stop: Stop, crew: Crew) -> Iterator[Event]:
    began = time.monotonic()
    yield stage("preflight")
    # Originals, a device, a network or a file that are not there are said before a run begins.
    _ = project.source_folder
    refuse_unknown(job)
    fabric = _fabric(job.device, crew)
    samples, class_names = labelled_and_split(project)
    run, job = resumed_or_new(project, job, class_names)
    try:
        (train, _), (valid, _) = parts_of(samples, task=project.task, classes=len(class_names))
        yield RunStarted(
            run=run.number,
            resumed=job.resume,
            train=len(train),
            valid=len(valid),
            test=sum(sample.split == "test" for sample in samples),
            class_names=class_names,
            task=project.task,
        )
        course, recipe = yield from _planned(project, job, run, samples, stop, began=began, crew=crew, fabric=fabric)
        yield from _learn(course, recipe, samples)
    except CancelledError:
        project.runs.discard(run.number)
        yield Stopped()
    except TooEarlyError:
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
class _Course:
    """What all steps of one training share."""

    project: Project
    job: TrainJob
    run: RunInfo
    weights: Weights
    fabric: Fabric
    crew: Crew
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
    crew: Crew,
    fabric: Fabric,
) -> Generator[Event, None, tuple[_Course, Recipe]]:
    """What is needed to begin, the pretrained weights above all, which may have to be downloaded."""
    folder = project.runs.folder(run.number)
    begun = job.resume and (folder / "checkpoint" / "latest.safetensors").is_file()
    # As it began, even where the machine or its devices changed: the saved state fits nothing else.
    recipe = read_recipe(folder) if begun else recipe_for(job, train=_to_learn_from(samples), on_gpu=_on_gpu(fabric))
    weights = yield from weights_for(job, recipe, folder, device=str(fabric.device), stop=stop)
    raise_if_ended(stop)  # what has arrived of a download is kept
    assert weights is not None
    return _Course(project, job, run, weights, fabric, crew, stop, began, begun), recipe


def _learn(course: _Course, recipe: Recipe, samples: tuple[Sample, ...]) -> Iterator[Event]:
    project, job, run, fabric, stop = course.project, course.job, course.run, course.fabric, course.stop
    network = course.new_network()

    decoded = Decoded(project, size=network.backbone.spec.size)
    if not decoded.bytes_to_write(samples):
        learn_levels(network, decoded, samples)  # before preflight asks what is cached of what the network sees
    pieces = yield from preflight(_plan(project, network, decoded, samples, recipe), fabric)
    give_back()

    samples = yield from decode_all(decoded, samples, stop)
    learn_levels(network, decoded, samples)
    features, forward_seconds = yield from look_at_all(project, network, samples, decoded, fabric, stop=stop)
    give_back()

    material = material_of(project, decoded, samples, classes=len(run.class_names))
    probe = yield from _learn_first_model(course, network, features, material)
    if not course.begun:
        recipe = _settled(course, recipe, network, probe, material)

    checkpoints = course.folder / "checkpoint"
    outcome = outcome_so_far(checkpoints, material, early=recipe.epochs > 0)
    if recipe.epochs > 0 and not stop.requested():
        give_head(network, probe.modest)
        lesson = Lesson(network, material, recipe, job.seed, checkpoints, probe.valid_score or NONE, pieces)
        again = seen_again(recipe, material) if worth_learning_again(material, samples) else 0
        outcome = yield from adjust(lesson, fabric, course.crew, stop, then=again)
    raise_if_cancelled(stop)

    best, share = yield from _delivered(course, recipe, network, probe=probe, material=material, outcome=outcome)
    raise_if_cancelled(stop)
    whole: Classifier | None = None
    if outcome.whole and not stop.requested() and worth_learning_again(material, samples):
        chosen = Chosen(network=best, recipe=recipe, strength=probe.strength, share=share)
        whole = yield from _learned_from_all(
            course, network, chosen, material=material, features=features, pieces=pieces
        )
        raise_if_cancelled(stop)
    ingredients = Ingredients(
        project=project,
        run=run,
        network=best if whole is None else whole,
        before=None if whole is None else best,
        samples=samples,
        decoded=decoded,
        features=None if share or not features.grids_kept else features,
        device=fabric.device,
        wrong_at_most=job.wrong_at_most,
    )
    scores = yield from finish_run(ingredients, stop)
    raise_if_cancelled(stop)
    doubt = doubt_of(probe.valid_loss, material.train_labels)
    speed = {"forward_seconds": forward_seconds, "train_seconds": outcome.train_seconds, "doubt": doubt}
    facts = facts_of(course.weights)
    write_settings(course.folder, job, recipe, device=str(fabric.device), backbone=facts, speed=speed, blend=share)
    yield _finished(course, probe, scores, early=outcome.early or stop.requested() == "stop")


def _learn_first_model(
    course: _Course, network: Classifier, features: Features, material: Material
) -> Generator[Event, None, Probe]:
    """Fit the probe, write it down, and give `network`, which goes to the device, its head; show what it says."""
    yield stage("probe")
    probe = yield from fit_first_model(features, material, classes=len(course.run.class_names), stop=course.stop)
    give_back()
    give_head(network, probe.head)
    yield ProbeDone(
        seconds=time.monotonic() - course.began,
        train_loss=probe.train_loss,
        valid_loss=probe.valid_loss,
        valid_accuracy=probe.valid_accuracy,
    )
    network.to(course.fabric.device)
    if features.grids_kept and network.backbone.pooled is None:
        probabilities, maps, _ = frozen_answers(network, features, material.showcase)
        yield showcase_of(material, probabilities, maps, epoch=0)
    else:
        yield showcase(network, material, course.fabric.device, epoch=0)
    write_history(course.folder, epoch=0, probe=probe)
    return probe


def _settled(course: _Course, recipe: Recipe, network: Classifier, probe: Probe, material: Material) -> Recipe:
    """The recipe as the first model suggests, written down for a run that is resumed."""
    job = course.job
    doubt = doubt_of(probe.valid_loss, material.train_labels)
    recipe = fitted(recipe, doubt=doubt, train=len(material.train), lengthen=job.epochs is None)
    if course.project.kind == "images" and recipe.epochs > 0:
        single = [sample for sample in material.valid if len(sample.labels) == 1]
        recipe = allowed(recipe, network, material.decoded, single, course.stop)
    facts = facts_of(course.weights)
    write_settings(course.folder, job, recipe, device=str(course.fabric.device), backbone=facts)
    return recipe


def _delivered(
    course: _Course, recipe: Recipe, network: Classifier, *, probe: Probe, material: Material, outcome: Outcome
) -> Generator[Event, None, tuple[Classifier, float]]:
    """The model that is delivered, on the CPU, and its share of the way from the first model to the fine-tuned one."""
    if recipe.epochs == 0:
        return network.cpu(), 0.0
    best = _first_model(course.new_network(), probe, front=network.front)
    share = yield from blended(
        best, course.folder / "checkpoint", material, course.stop, device=course.fabric.device, outcome=outcome
    )
    best.both_sides = share > 0.0 and course.project.kind == "images" and recipe.both_sides and recipe.mirror
    return best, share


def _learned_from_all(
    course: _Course, network: Classifier, chosen: Chosen, *, material: Material, features: Features, pieces: Pieces
) -> Generator[Event, None, Classifier | None]:
    """`chosen` once more, from the validation samples too, where that is better. `network` lends its front end."""
    fresh = course.new_network()
    fresh.front = copy.deepcopy(network.front).cpu()
    return (
        yield from learned_from_all(
            fresh,
            chosen,
            material,
            features,
            seed=course.job.seed,
            folder=course.folder / "checkpoint",
            fabric=course.fabric,
            crew=course.crew,
            pieces=pieces,
            stop=course.stop,
        )
    )


def _finished(course: _Course, probe: Probe, scores: Scores, *, early: bool) -> Finished:
    """Write down that the run is done."""
    seconds = time.monotonic() - course.began
    accuracies = {
        "valid_accuracy": scores.valid,
        "test_accuracy": scores.test,
        "probe_accuracy": probe.valid_accuracy,
    }
    course.project.runs.update(course.run.number, state="finished", seconds=seconds, **accuracies)
    # Only an unfinished run needs where it stood; the best weights stay.
    (course.folder / "checkpoint" / "latest.safetensors").unlink(missing_ok=True)
    shutil.rmtree(course.folder / "checkpoint" / "refit", ignore_errors=True)
    return Finished(
        run=course.run.number,
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
    ).eval()


def _first_model(network: Classifier, probe: Probe, *, front: nn.Module) -> Classifier:
    """The probe as a network of its own, on the CPU: fine-tuning changes the weights it began with."""
    network.front = front.cpu()
    give_head(network, probe.head)
    return network


def _fabric(device: str, crew: Crew) -> Fabric:
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
    return crew.fabric(device, precision="bf16-mixed" if half else "32-true")
