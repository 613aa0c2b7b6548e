"""The training loop: fine-tune from the initial head; write the newest and the best epoch to disk."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.core.events import BatchDone, EpochDone, Event, Note, Showcase
from ml.core.jobs import Stop
from ml.core.messages import Message, msg
from ml.core.types import KindName, Sample, TaskName
from ml.networks.backbones import freeze_norms
from ml.networks.frontends.image_and_mel import MelFrontEnd
from ml.networks.frontends.log import LogFrontEnd
from ml.networks.heads import Classifier
from ml.probe.objective import Score, known_class_mask, targets_of
from ml.project.project import Project
from ml.scoring.tasks import task_named
from ml.training.data.augment import cosine_lr, varied
from ml.training.data.decode import Decoded
from ml.training.data.features import SpectrogramCache
from ml.training.data.prefetch import Prefetcher
from ml.training.distributed import DistributedContext
from ml.training.finetune import checkpoint
from ml.training.finetune.divergence import DIVERGED_AGAIN, RESTORED, DivergedError, DivergenceGuard
from ml.training.finetune.interruptible import StopRequestedError
from ml.training.finetune.progress import State, Timer, TrainingHistory, load_state
from ml.training.finetune.step import MicroBatches, backward_with_oom_retry, run_with_oom_split
from ml.training.objective import RowsLoss, make_loss, require_two_classes
from ml.training.recipe import Recipe

VALIDATION_BATCH, ON_A_GPU = 16, 64
Shown = Callable[[Tensor, Tensor], Tensor]
"""Maps the rows of a step (n,) and of the next one to the raw input, or spectrograms, of the former on the device."""
REFERENCE_NUM_STAGES = 9
"""Stages of the bundled network; a ResNet has five or six, a transformer as many as blocks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingData:
    """Training and validation samples. Labels are aligned with their samples, see `training.objective`."""

    kind: KindName
    task: TaskName = "single"
    decoded: Decoded
    train: tuple[Sample, ...]
    train_labels: NDArray[np.int64]
    valid: tuple[Sample, ...]
    valid_labels: NDArray[np.int64]
    showcase: tuple[Sample, ...]

    @property
    def fingerprint(self) -> str:
        """Changes with the samples and their labels."""
        pairs = [(sample.id, sample.labels) for sample in (*self.train, *self.valid)]
        return hashlib.sha256(f"{len(self.train)} {pairs}".encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How the loop ended. `beats_probe`: `best.safetensors` holds a better model than the probe. `stopped_early`: the
    user stopped it. `schedule_completed`: the learning rate had decayed, so the last weights are the ones to use."""

    beats_probe: bool
    stopped_early: bool
    schedule_completed: bool
    train_seconds: float
    """Per sample, one optimiser step's share."""


def outcome_so_far(folder: Path, data: TrainingData, *, early: bool) -> Outcome:
    """Return the outcome of an interrupted loop from its checkpoint, for a run that stops before it continues."""
    path = folder / "latest.safetensors"
    facts = checkpoint.load(path)[1] if path.is_file() else {}
    improved = bool(facts) and facts["labels"] == data.fingerprint and facts["best_epoch"] > 0
    return Outcome(beats_probe=improved, stopped_early=early, schedule_completed=False, train_seconds=0.0)


def finetune(
    network: Classifier,
    data: TrainingData,
    recipe: Recipe,
    *,
    fabric: Fabric,
    seed: int,
    folder: Path,
    probe: Score,
    stop: Stop,
    distributed: DistributedContext | None = None,
    micro_batches: MicroBatches | None = None,
) -> Generator[Event, None, Outcome]:
    """Fine-tune `network` from its present head. Continues from `folder/latest.safetensors` if that exists.

    Every rank runs this with the same arguments; only rank 0 writes files, and only its events are shown.
    """
    distributed = distributed or DistributedContext()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as reader:
        train_state, guard = _init_or_restore(
            network,
            data,
            recipe,
            fabric=fabric,
            folder=folder,
            probe=probe,
            distributed=distributed,
            micro_batches=micro_batches or MicroBatches(),
            reader=reader,
        )
        return (yield from _train_epochs(train_state, guard, data, recipe, seed=seed, folder=folder, stop=stop))


def early_stop_message(done: int, planned: int) -> Message:
    """Return the note that training ended before its last pass because more passes would not help."""
    return msg(
        "Training stopped after pass {done} of {planned}: the validation score no longer improves, or is perfect.",
        done=done,
        planned=planned,
    )


def _train_epochs(
    train_state: TrainState,
    guard: DivergenceGuard,
    data: TrainingData,
    recipe: Recipe,
    *,
    seed: int,
    folder: Path,
    stop: Stop,
) -> Generator[Event, None, Outcome]:
    history, ema_model, distributed = train_state.history, train_state.ema_model, train_state.distributed
    early = broken = False

    while not history.should_stop(recipe):
        epoch = history.epoch + 1
        try:
            train_loss = yield from _train_epoch(train_state, data, recipe, epoch=epoch, seed=seed, stop=stop)
            if train_loss is None:
                early = True
                break
            done = _validate(train_state, data, recipe, epoch=epoch, train_loss=train_loss)
            if distributed.is_main_process:
                history.save(folder, train_state.network, ema_model, train_state.optimiser)
            guard.note_checkpoint()
            train_state.timer.resume(len(data.valid))
            yield done
            if distributed.is_main_process:
                yield showcase(ema_model, data, train_state.fabric.device, epoch=epoch)
        except StopRequestedError:
            early = True
            break
        except DivergedError:
            if not guard.restore_and_halve_lr():
                yield Note(sentence=DIVERGED_AGAIN)
                broken = True
                break
            yield Note(sentence=RESTORED)
            continue
        if distributed.all_reduce_loss_and_stop(0.0, stop.requested())[1]:
            early = True
            break
    if not (early or broken) and history.epoch < recipe.epochs:
        yield Note(sentence=early_stop_message(history.epoch, recipe.epochs))
    return Outcome(
        beats_probe=history.best_epoch > 0,
        stopped_early=early,
        schedule_completed=not (early or broken) and history.epoch > recipe.midpoint_epoch,
        train_seconds=train_state.timer.per_sample,
    )


@dataclass(frozen=True, slots=True)
class TrainState:
    """Everything that changes during training. `ema_model` is the exponential moving average of `network`, which is
    validated; `module` is `network` as Fabric wraps it for the device."""

    network: Classifier
    module: nn.Module
    ema_model: Classifier
    optimiser: torch.optim.Optimizer
    fabric: Fabric
    history: TrainingHistory
    timer: Timer
    distributed: DistributedContext
    micro_batches: MicroBatches
    shown: Shown
    """Loads the input of a step: raw, or cached spectrograms."""


def _init_or_restore(
    network: Classifier,
    data: TrainingData,
    recipe: Recipe,
    *,
    fabric: Fabric,
    folder: Path,
    probe: Score,
    distributed: DistributedContext,
    micro_batches: MicroBatches,
    reader: Executor,
) -> tuple[TrainState, DivergenceGuard]:
    """Restore the state from the checkpoint in `folder`, or create it."""
    network = network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(parameter_groups(network, recipe), weight_decay=recipe.weight_decay)
    ema_model = copy.deepcopy(network).eval().requires_grad_(False)

    def saved() -> State | None:
        path = folder / "latest.safetensors"
        return distributed.broadcast(
            (checkpoint.load(path) if path.is_file() else None,) if distributed.is_main_process else None
        )[0]

    state = saved()
    if state is not None:
        load_state(state, network, ema_model, optimiser)
    history = TrainingHistory.restored(state, probe=probe, labels=data.fingerprint)
    del state
    module, optimiser = fabric.setup(network, optimiser)
    shown = _shown(network.front, data, fabric.device, reader)
    train_state = TrainState(
        network, module, ema_model, optimiser, fabric, history, Timer(), distributed, micro_batches, shown
    )
    return train_state, DivergenceGuard(network, ema_model, optimiser, history, saved=saved)


def _train_epoch(
    train_state: TrainState, data: TrainingData, recipe: Recipe, *, epoch: int, seed: int, stop: Stop
) -> Generator[Event, None, float | None]:
    """Train for one epoch. Returns its mean loss, None if the user stopped it. Yields an event for every step."""
    module, optimiser, distributed = train_state.module, train_state.optimiser, train_state.distributed
    module.train()
    freeze_norms(module)
    # Seeded by the epoch, so that a resumed run draws what an uninterrupted one would have drawn.
    generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
    order = torch.randperm(len(data.train), generator=generator)
    if distributed.rank:
        # Each rank augments its own samples differently.
        generator.manual_seed(generator.initial_seed() + 7_919 * distributed.rank)
    # Dropout and stochastic depth draw from torch's global generator.
    torch.manual_seed(generator.initial_seed())
    loss_of = make_loss(data.train_labels, smoothing=recipe.smoothing, device=train_state.fabric.device)
    front = train_state.network.front
    # The cache holds spectrograms already.
    front = nn.Identity() if isinstance(train_state.shown, SpectrogramCache) else front
    vary = partial(varied, front, kind=data.kind, variation=recipe.variation, generator=generator)
    steps = -(-len(order) // recipe.batch)
    total = 0.0
    for step in range(steps):
        rows = order[step * recipe.batch : (step + 1) * recipe.batch]
        share = cosine_lr((epoch - 1) * steps + step, recipe.epochs * steps, warmup=recipe.warmup)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * share * train_state.history.lr_factor
        then = order[(step + 1) * recipe.batch : (step + 2) * recipe.batch]
        loss_sum = yield from _backward_batch(train_state, rows, loss_of, vary, then=then)
        # NaN gradients show in the next loss or in the validation; checking here would synchronise the GPU.
        train_state.fabric.clip_gradients(module, optimiser, max_norm=1.0, error_if_nonfinite=False)
        loss_sum, asked = distributed.all_reduce_loss_and_stop(loss_sum, stop.requested())
        if not math.isfinite(loss_sum):
            raise DivergedError
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        train_state.history.step += 1
        _update_ema(
            train_state.ema_model,
            train_state.network,
            min(recipe.average, train_state.history.step / (9 + train_state.history.step)),
        )
        total += loss_sum
        train_state.timer.tick(len(rows))
        left = (recipe.epochs - epoch + 1) * len(order) - min(len(order), (step + 1) * recipe.batch)
        yield BatchDone(
            epoch=epoch,
            epochs=recipe.epochs,
            step=step + 1,
            steps=steps,
            loss=loss_sum / len(rows),
            rate=optimiser.param_groups[-1]["lr"],
            samples_per_second=train_state.timer.per_second,
            seconds_left=train_state.timer.left(left, len(data.valid) * (recipe.epochs - epoch + 1)),
        )
        if asked:
            return None
    return total / len(order)


def _backward_batch(
    train_state: TrainState, rows: Tensor, loss_of: RowsLoss, vary: Callable[[Tensor], Tensor], *, then: Tensor
) -> Generator[Event, None, float]:
    """Accumulate the gradient of the mean loss of `rows`; return the sum of the losses of this rank's shard."""
    distributed = train_state.distributed
    mine = distributed.shard(rows)
    # A rank with no row of a small last batch computes one with weight 0: the others wait for its gradients.
    weight = distributed.size / len(rows) if len(mine) else 0.0
    mine = mine if len(mine) else rows[:1]
    with torch.no_grad():
        pictures = vary(train_state.shown(mine, distributed.shard(then)))
    loss_sum = yield from backward_with_oom_retry(
        train_state.fabric,
        train_state.module,
        pictures,
        lambda logits, part: loss_of(mine[part], logits),
        weight=weight,
        micro_batches=train_state.micro_batches,
    )
    return loss_sum if weight else 0.0


def _shown(front: nn.Module, data: TrainingData, device: torch.device, reader: Executor) -> Shown:
    if isinstance(front, MelFrontEnd):
        return SpectrogramCache(front, data.decoded, data.train)
    return Prefetcher(data.decoded, data.train, device, reader)


def _validate(
    train_state: TrainState, data: TrainingData, recipe: Recipe, *, epoch: int, train_loss: float
) -> EpochDone:
    """Score the EMA model on the validation split."""
    train_state.timer.pause()
    device = train_state.fabric.device
    probabilities = train_state.distributed.gather_scores(
        lambda part: score_samples(train_state.ema_model, data.decoded, part, device), data.valid
    )
    sums = torch.stack([parameter.sum() for parameter in train_state.ema_model.parameters()])
    if not (np.isfinite(probabilities).all() and bool(sums.isfinite().all())):
        raise DivergedError
    rate = train_state.optimiser.param_groups[-1]["lr"]
    return train_state.history.record_epoch(
        epoch, train_loss, probabilities, data.valid_labels, rate=rate, of=recipe, task=task_named(data.task)
    )


def parameter_groups(network: Classifier, recipe: Recipe) -> list[dict[str, object]]:
    """Discriminative rates (Howard & Ruder 2018): the head fastest, every stage below it `decay` of the one above.

    The first stages do not learn: `frozen_stages` of nine, or as large a share of another network's depth. The head is
    the last group. "peak" is the rate the cycle reaches.
    """
    stages = network.backbone.stages()
    frozen = round(len(stages) * recipe.frozen_stages / REFERENCE_NUM_STAGES)
    groups: list[dict[str, object]] = []
    for depth, parameters in enumerate(stages):
        learns = depth >= frozen
        for parameter in parameters:
            parameter.requires_grad_(learns)
        if learns and parameters:
            rate = recipe.body_rate * recipe.decay ** (len(stages) - 1 - depth)
            groups.append({"params": parameters, "lr": rate, "peak": rate})
    groups.append({"params": list(network.head.parameters()), "lr": recipe.head_rate, "peak": recipe.head_rate})
    return groups


def score_samples(
    network: Classifier, decoded: Decoded, samples: tuple[Sample, ...], device: torch.device
) -> NDArray[np.float32]:
    """Uncalibrated probabilities (n, classes) of `samples`."""
    network.eval()  # in which it is already; some layers forget only so what they made of weights that changed since
    batch = VALIDATION_BATCH if device.type == "cpu" else ON_A_GPU

    def ask(raw: Tensor) -> tuple[NDArray[np.float32], ...]:
        pictures = network.front(raw.to(device)).contiguous(memory_format=torch.channels_last)
        return (network.probabilities(network(pictures)[0].float()).cpu().numpy(),)

    rows: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(samples), batch):
            rows += run_with_oom_split(ask, torch.from_numpy(decoded.read(samples[start : start + batch])))
    return np.concatenate(rows) if rows else np.zeros((0, network.head.out_features), dtype=np.float32)


def showcase(network: Classifier, data: TrainingData, device: torch.device, *, epoch: int) -> Showcase:
    """What `network` says of the showcase samples, with every class's map."""
    answers = network.look(torch.from_numpy(data.decoded.read(data.showcase)).to(device))
    return showcase_of(
        data, answers.probabilities.float().cpu().numpy(), answers.maps.float().cpu().numpy(), epoch=epoch
    )


def showcase_of(
    data: TrainingData, probabilities: NDArray[np.float32], maps: NDArray[np.float32], *, epoch: int
) -> Showcase:
    """The same from answers that are known: probabilities (n, classes), maps (n, classes, h, w)."""
    return Showcase(
        epoch=epoch,
        sample_ids=tuple(sample.id for sample in data.showcase),
        probabilities=probabilities,
        maps=maps,
    )


def _update_ema(ema_model: nn.Module, network: nn.Module, decay: float) -> None:
    """Update the exponential moving average of the trainable parameters."""
    mine: list[Tensor] = []
    theirs: list[Tensor] = []
    for own, other in zip(ema_model.parameters(), network.parameters(), strict=True):
        if other.requires_grad:
            mine.append(own)
            theirs.append(other.detach())
    torch._foreach_lerp_(mine, theirs, 1.0 - decay)


SHOWCASE = 12


def pick_showcase(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Return up to `SHOWCASE` samples, spread over the classes, always the same ones."""
    by_class: dict[tuple[int, ...], list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample.labels, []).append(sample)
    chosen: list[Sample] = []
    depth = 0
    while len(chosen) < min(SHOWCASE, len(samples)):
        chosen += [by_class[labels][depth] for labels in sorted(by_class) if depth < len(by_class[labels])]
        depth += 1
    return tuple(chosen[:SHOWCASE])


Part = tuple[tuple[Sample, ...], NDArray[np.int64]]
"""Samples and their targets."""
STATISTICS = 1000
"""About as many windows tell the levels and the strengths of a log well enough."""


def make_training_data(
    project: Project, decoded: Decoded, samples: tuple[Sample, ...], *, classes: int
) -> TrainingData:
    """For the loop. Raises HandlensError where the samples to learn from do not tell anything apart."""
    (train, train_labels), (valid, valid_labels) = split_targets(samples, task=project.task, classes=classes)
    require_two_classes(train)
    return TrainingData(
        kind=project.kind,
        task=project.task,
        decoded=decoded,
        train=train,
        train_labels=train_labels,
        valid=valid,
        valid_labels=valid_labels,
        showcase=pick_showcase(valid or train),
    )


def split_targets(samples: tuple[Sample, ...], *, task: TaskName, classes: int) -> tuple[Part, Part]:
    """What is learned from, and what judges: no choice among models can make one right on a class that it had no
    sample to learn from."""
    train, valid = (tuple(s for s in samples if s.split == split and s.labelled) for split in ("train", "valid"))
    learned, asked = (targets_of(part, task=task, classes=classes) for part in (train, valid))
    fair = known_class_mask(asked, learned)
    return (train, learned), (tuple(sample for sample, can_be in zip(valid, fair, strict=True) if can_be), asked[fair])


def fit_normalisation(network: Classifier, decoded: Decoded, samples: tuple[Sample, ...]) -> None:
    """Logs are measured in deviations of the training split: learn these from some of its windows, evenly picked."""
    if not isinstance(network.front, LogFrontEnd):
        return
    train = [sample for sample in samples if sample.split == "train" and sample.labels]
    every = max(1, len(train) // STATISTICS)
    network.front.learn(decoded.read(train[::every]).astype(np.float32, copy=False))
