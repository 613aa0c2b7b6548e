"""The training loop: fine-tune from the initial head; write the newest and the best epoch to disk.

From top to bottom: start one process or several, initialise or restore the state, train the epochs, validate, save.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.core.events import BatchDone, EpochDone, Event, Note, Showcase
from ml.core.jobs import NeverStop, Stop, StopRequestedError
from ml.core.messages import Message, msg
from ml.core.types import Sample
from ml.features.decode import Decoded
from ml.networks.backbones import freeze_norms
from ml.networks.frontends.image_and_mel import MelFrontEnd
from ml.networks.heads import Classifier
from ml.probe.training_data import TrainingData, make_showcase
from ml.scoring.tasks import task_named
from ml.training.data.augment import augment_input, cosine_lr
from ml.training.data.features import Prefetcher, SpectrogramCache
from ml.training.distributed import DistributedContext, peer_failure_as_error
from ml.training.finetune import checkpoint
from ml.training.finetune.interruptible import interruptible
from ml.training.finetune.progress import Timer, TrainingHistory, load_state
from ml.training.finetune.step import RowsLoss, backward_with_oom_retry, make_loss, run_with_oom_split
from ml.training.finetune.task import FinetuneResult, FinetuneTask
from ml.training.recipe import Recipe

CPU_BATCH, GPU_BATCH = 16, 64
"""Validation samples at a time."""
REFERENCE_NUM_STAGES = 9
"""Stages of the bundled network; a ResNet has five or six, a transformer one per block."""

RESTORED = msg("Training became unstable. Handlens restored the last good weights and halved the learning rate.")
DIVERGED_AGAIN = msg(
    "Training became unstable again and ended early. The best model so far is kept. "
    "Look for damaged or empty samples, or choose a shorter training."
)


class DivergedError(Exception):
    """A loss, a gradient or a prediction is not finite."""


# -- one process or several ---------------------------------------------------------------------------------------


def run_finetune(
    task: FinetuneTask, fabric: Fabric, distributed: DistributedContext, stop: Stop
) -> Generator[Event, None, FinetuneResult]:
    """Fine-tune as rank 0, together with the worker ranks. Raises HandlensError if one of them is lost."""
    if distributed.world_size == 1:
        with interruptible(stop, task.network):
            return (yield from finetune(task, fabric, distributed, stop))
    # Only rank 0 sees a stop request, so all ranks stop together after a step, not within one.
    with peer_failure_as_error():
        task.network.to(torch.device("cpu"))  # the workers' devices have other indices
        distributed.broadcast(task)
        result = yield from finetune(task, fabric, distributed, stop)
        distributed.keep_workers()
        return result


def run_worker_rank(fabric: Fabric, distributed: DistributedContext) -> None:
    """Worker ranks: receive tasks from rank 0 and run the same loop without emitting events.

    The project folder must have the same path as on rank 0.
    """
    with peer_failure_as_error():
        while isinstance(task := _next_task(distributed), FinetuneTask):
            for _event in finetune(task, fabric, distributed, NeverStop()):
                pass


def _next_task(distributed: DistributedContext) -> object:
    """Wait for the next task of rank 0, or for the request to shut down."""
    return distributed.broadcast(None)


# -- initialise or restore ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class TrainState:
    """A task and everything that changes while it runs."""

    task: FinetuneTask
    fabric: Fabric
    distributed: DistributedContext
    module: nn.Module
    """The network as Fabric wraps it for the device."""
    ema_model: Classifier
    """The exponential moving average of the network, which is validated and kept."""
    optimiser: torch.optim.Optimizer
    history: TrainingHistory
    timer: Timer
    load_inputs: Callable[[Tensor, Tensor], Tensor]
    """Maps the rows of a step (n,) and of the next one to the input of the former: raw, or cached spectrograms."""
    initial_weights: dict[str, Tensor]
    """The weights to restore after divergence until there is a checkpoint."""

    @property
    def network(self) -> Classifier:
        return self.task.network


def finetune(
    task: FinetuneTask, fabric: Fabric, distributed: DistributedContext, stop: Stop
) -> Generator[Event, None, FinetuneResult]:
    """Fine-tune the network of `task`. Continues from `latest.safetensors` in the task's folder if that exists.

    Every rank runs this with the same task; only rank 0 writes files, and only its events are shown.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as reader:
        state = _init_or_restore(task, fabric, distributed, reader)
        return (yield from _train_epochs(state, stop))


def _init_or_restore(
    task: FinetuneTask, fabric: Fabric, distributed: DistributedContext, reader: Executor
) -> TrainState:
    """Return the state of the checkpoint, or a new one."""
    network = task.network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(parameter_groups(network, task.recipe), weight_decay=task.recipe.weight_decay)
    ema_model = copy.deepcopy(network).eval().requires_grad_(False)
    saved = _load_checkpoint(task, distributed)
    if saved is not None:
        load_state(saved, network, ema_model, optimiser)
    history = TrainingHistory.restored(saved, probe_score=task.probe_score, labels=task.data.fingerprint)
    del saved
    module, optimiser = fabric.setup(network, optimiser)
    load_inputs = (
        SpectrogramCache(network.front, task.data.decoded, task.data.train)
        if isinstance(network.front, MelFrontEnd)
        else Prefetcher(task.data.decoded, task.data.train, fabric.device, reader)
    )
    return TrainState(
        task=task,
        fabric=fabric,
        distributed=distributed,
        module=module,
        ema_model=ema_model,
        optimiser=optimiser,
        history=history,
        timer=Timer(),
        load_inputs=load_inputs,
        initial_weights={} if history.epoch else _copy_weights(network),
    )


def _load_checkpoint(task: FinetuneTask, distributed: DistributedContext) -> checkpoint.Contents | None:
    """Return the newest checkpoint, which only rank 0 has to see."""
    path = task.folder / "latest.safetensors"
    contents = checkpoint.load(path) if distributed.is_main_process and path.is_file() else None
    return distributed.broadcast((contents,) if distributed.is_main_process else None)[0]


def _copy_weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def parameter_groups(network: Classifier, recipe: Recipe) -> list[dict[str, object]]:
    """Return parameter groups with discriminative learning rates (Howard & Ruder 2018), the head last.

    The head has the highest rate; each stage below the last has `layer_lr_decay` times the rate of the stage above.
    The first stages are frozen: `frozen_stages` of nine, or the same share of another network's stages. "peak" is the
    highest rate of the schedule.
    """
    stages = network.backbone.stages()
    frozen = round(len(stages) * recipe.frozen_stages / REFERENCE_NUM_STAGES)
    groups: list[dict[str, object]] = []
    for depth, parameters in enumerate(stages):
        trainable = depth >= frozen
        for parameter in parameters:
            parameter.requires_grad_(trainable)
        if trainable and parameters:
            rate = recipe.backbone_lr * recipe.layer_lr_decay ** (len(stages) - 1 - depth)
            groups.append({"params": parameters, "lr": rate, "peak": rate})
    groups.append({"params": list(network.head.parameters()), "lr": recipe.head_lr, "peak": recipe.head_lr})
    return groups


# -- train the epochs ---------------------------------------------------------------------------------------------


def _train_epochs(state: TrainState, stop: Stop) -> Generator[Event, None, FinetuneResult]:
    """Train until the schedule ends, the score no longer improves, the user stops, or training diverges twice."""
    recipe, history, distributed = state.task.recipe, state.history, state.distributed
    early = diverged = False

    while not history.should_stop(recipe):
        epoch = history.epoch + 1
        try:
            train_loss = yield from _train_epoch(state, epoch, stop)
            if train_loss is None:
                early = True
                break
            done = _validate(state, epoch, train_loss)
            if distributed.is_main_process:
                history.save(state.task.folder, state.network, state.ema_model, state.optimiser)
            state.initial_weights = {}
            state.timer.resume(len(state.task.data.valid))
            yield done
            if distributed.is_main_process:
                yield showcase(state.ema_model, state.task.data, state.fabric.device, epoch=epoch)
        except StopRequestedError:
            early = True
            break
        except DivergedError:
            if not _restore_and_halve_lr(state):
                yield Note(sentence=DIVERGED_AGAIN)
                diverged = True
                break
            yield Note(sentence=RESTORED)
            continue
        if distributed.all_reduce_loss_and_stop(0.0, stop.requested())[1]:
            early = True
            break
    if not (early or diverged) and history.epoch < recipe.epochs:
        yield Note(sentence=early_stop_message(history.epoch, recipe.epochs))
    return FinetuneResult(
        beats_probe=history.best_epoch > 0,
        stopped_early=early,
        schedule_completed=not (early or diverged) and history.epoch > recipe.midpoint_epoch,
        train_seconds=state.timer.per_sample,
    )


def early_stop_message(done: int, planned: int) -> Message:
    """Return the note that training ended before its last pass because more passes would not help."""
    return msg(
        "Training stopped after pass {done} of {planned}: the validation score no longer improves, or is perfect.",
        done=done,
        planned=planned,
    )


def _train_epoch(state: TrainState, epoch: int, stop: Stop) -> Generator[Event, None, float | None]:
    """Train for one epoch and yield an event for every step. Returns the mean loss, None if the user stopped."""
    data, recipe = state.task.data, state.task.recipe
    state.module.train()
    freeze_norms(state.module)
    generator, order = _seed_epoch(state, epoch)
    loss_of = make_loss(data.train_labels, label_smoothing=recipe.label_smoothing, device=state.fabric.device)
    # The cache holds spectrograms already.
    front = nn.Identity() if isinstance(state.load_inputs, SpectrogramCache) else state.network.front
    augment = partial(augment_input, front, kind=data.kind, config=recipe.augment_config, generator=generator)
    steps = -(-len(order) // recipe.batch)
    total = 0.0
    for step in range(steps):
        rows = order[step * recipe.batch : (step + 1) * recipe.batch]
        next_rows = order[(step + 1) * recipe.batch : (step + 2) * recipe.batch]
        _set_learning_rates(state, (epoch - 1) * steps + step, recipe.epochs * steps)
        loss_sum = yield from _backward_batch(state, rows, loss_of, augment, next_rows=next_rows)
        # NaN gradients show in the next loss or in the validation; checking here would synchronise the GPU.
        state.fabric.clip_gradients(state.module, state.optimiser, max_norm=1.0, error_if_nonfinite=False)
        loss_sum, stop_request = state.distributed.all_reduce_loss_and_stop(loss_sum, stop.requested())
        if not math.isfinite(loss_sum):
            raise DivergedError
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)
        state.history.step += 1
        decay = min(recipe.ema_decay, state.history.step / (9 + state.history.step))
        _update_ema(state.ema_model, state.network, decay)
        total += loss_sum
        state.timer.tick(len(rows))
        left = (recipe.epochs - epoch + 1) * len(order) - min(len(order), (step + 1) * recipe.batch)
        yield BatchDone(
            epoch=epoch,
            epochs=recipe.epochs,
            step=step + 1,
            steps=steps,
            loss=loss_sum / len(rows),
            rate=state.optimiser.param_groups[-1]["lr"],
            samples_per_second=state.timer.per_second,
            seconds_left=state.timer.left(left, len(data.valid) * (recipe.epochs - epoch + 1)),
        )
        if stop_request:
            return None
    return total / len(order)


def _seed_epoch(state: TrainState, epoch: int) -> tuple[torch.Generator, Tensor]:
    """Return the generator of the augmentation and the order of the samples.

    The epoch is part of the seed, so that a resumed run draws the same numbers as an uninterrupted one.
    """
    generator = torch.Generator().manual_seed(1_000_003 * state.task.seed + epoch)
    order = torch.randperm(len(state.task.data.train), generator=generator)
    if state.distributed.rank:
        # Each rank augments its own samples differently.
        generator.manual_seed(generator.initial_seed() + 7_919 * state.distributed.rank)
    # Dropout and stochastic depth draw from torch's global generator.
    torch.manual_seed(generator.initial_seed())
    return generator, order


def _set_learning_rates(state: TrainState, step: int, steps: int) -> None:
    factor = cosine_lr(step, steps, warmup=state.task.recipe.warmup)
    for group in state.optimiser.param_groups:
        group["lr"] = group["peak"] * factor * state.history.lr_factor


def _backward_batch(
    state: TrainState, rows: Tensor, loss_of: RowsLoss, augment: Callable[[Tensor], Tensor], *, next_rows: Tensor
) -> Generator[Event, None, float]:
    """Accumulate the gradient of the mean loss of `rows`; return the sum of the losses of this rank's shard."""
    distributed = state.distributed
    shard = distributed.shard(rows)
    # A rank with no row of a small last batch computes one with weight 0: the others wait for its gradients.
    weight = distributed.world_size / len(rows) if len(shard) else 0.0
    shard = shard if len(shard) else rows[:1]
    with torch.no_grad():
        pictures = augment(state.load_inputs(shard, distributed.shard(next_rows)))
    loss_sum = yield from backward_with_oom_retry(
        state.fabric,
        state.module,
        pictures,
        lambda logits, part: loss_of(shard[part], logits),
        weight=weight,
        micro_batches=state.task.micro_batches,
    )
    return loss_sum if weight else 0.0


def _update_ema(ema_model: nn.Module, network: nn.Module, decay: float) -> None:
    """Update the exponential moving average of the trainable parameters."""
    averages: list[Tensor] = []
    values: list[Tensor] = []
    for average, value in zip(ema_model.parameters(), network.parameters(), strict=True):
        if value.requires_grad:
            averages.append(average)
            values.append(value.detach())
    torch._foreach_lerp_(averages, values, 1.0 - decay)


def _restore_and_halve_lr(state: TrainState) -> bool:
    """Restore the last good weights and halve the learning rate; return False if that was done before."""
    history, optimiser = state.history, state.optimiser
    if history.lr_halved:
        return False
    if state.initial_weights:
        state.network.load_state_dict(state.initial_weights)
        state.ema_model.load_state_dict(state.initial_weights)
        optimiser.load_state_dict({"state": {}, "param_groups": optimiser.state_dict()["param_groups"]})
        history.step = 0
    else:
        saved = _load_checkpoint(state.task, state.distributed)
        assert saved is not None, "an epoch has ended, so there is a checkpoint"
        load_state(saved, state.network, state.ema_model, optimiser)
        history.step = saved[1]["step"]
    optimiser.zero_grad(set_to_none=True)
    history.lr_halved = True
    return True


# -- validate -----------------------------------------------------------------------------------------------------


def _validate(state: TrainState, epoch: int, train_loss: float) -> EpochDone:
    """Score the EMA model on the validation split and record the epoch."""
    state.timer.pause()
    data, device = state.task.data, state.fabric.device
    probabilities = state.distributed.gather_scores(
        lambda shard: score_samples(state.ema_model, data.decoded, shard, device), data.valid
    )
    sums = torch.stack([parameter.sum() for parameter in state.ema_model.parameters()])
    if not (np.isfinite(probabilities).all() and bool(sums.isfinite().all())):
        raise DivergedError
    rate = state.optimiser.param_groups[-1]["lr"]
    accuracy, loss, improved = state.history.record_epoch(
        epoch, train_loss, probabilities, data.valid_labels, task=task_named(data.task)
    )
    return EpochDone(
        epoch=epoch,
        epochs=state.task.recipe.epochs,
        train_loss=train_loss,
        valid_loss=loss,
        valid_accuracy=accuracy,
        rate=rate,
        best=improved,
    )


def score_samples(
    network: Classifier, decoded: Decoded, samples: tuple[Sample, ...], device: torch.device
) -> NDArray[np.float32]:
    """Return uncalibrated probabilities (n, classes) of `samples`."""
    # Already in evaluation mode, but some layers drop what they derived from older weights only here.
    network.eval()
    batch = CPU_BATCH if device.type == "cpu" else GPU_BATCH

    def predict(raw: Tensor) -> tuple[NDArray[np.float32], ...]:
        pictures = network.front(raw.to(device)).contiguous(memory_format=torch.channels_last)
        return (network.probabilities(network(pictures)[0].float()).cpu().numpy(),)

    rows: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(samples), batch):
            rows += run_with_oom_split(predict, torch.from_numpy(decoded.read(samples[start : start + batch])))
    return np.concatenate(rows) if rows else np.zeros((0, network.head.out_features), dtype=np.float32)


def showcase(network: Classifier, data: TrainingData, device: torch.device, *, epoch: int) -> Showcase:
    """Return the predictions of the showcase samples, with the map of every class."""
    outputs = network.predict(torch.from_numpy(data.decoded.read(data.showcase)).to(device))
    return make_showcase(
        data, outputs.probabilities.float().cpu().numpy(), outputs.maps.float().cpu().numpy(), epoch=epoch
    )
