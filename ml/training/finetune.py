"""The loop: fine-tune from a modest head, epoch by epoch; where it stands and the best epoch so far are on disk."""

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

from ml.core.messages import Message, msg
from ml.events import BatchDone, EpochDone, Event, Note, Showcase
from ml.jobs import Stop
from ml.networks.backbones import freeze_norms
from ml.networks.frontend import MelFrontEnd
from ml.networks.heads import Classifier
from ml.project.samples import Kind, Sample
from ml.training import checkpoint
from ml.training.ahead import Ahead
from ml.training.augment import cosine
from ml.training.augment_sensors import varied
from ml.training.crew import Crew
from ml.training.decode import Decoded
from ml.training.heard import Heard
from ml.training.listening import StoppedError
from ml.training.objective import RowsLoss, loss_over
from ml.training.recipe import Recipe
from ml.training.rescue import CALMED, GIVEN_UP, DivergedError, Rescue
from ml.training.score import Score
from ml.training.standing import History, State, Timer, put_back
from ml.training.step import Pieces, careful_backward, in_parts

VALIDATION_BATCH, ON_A_GPU = 16, 64
Shown = Callable[[Tensor, Tensor], Tensor]
"""Rows of a step (n,) and those of the next one -> raw input, or pictures, of the former on the device."""
USUAL_STAGES = 9
"""Of the bundled network; a residual network has five or six, a transformer as many as blocks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What the loop learns from. Labels are aligned with their samples, see `training.objective`."""

    kind: Kind
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
    """How the loop ended. `improved`: `best.safetensors` holds a better model than the probe. `early`: it was asked to
    stop. `whole`: the rate had fallen, so the last weights are the ones to take."""

    improved: bool
    early: bool
    whole: bool
    train_seconds: float
    """Per sample, one optimiser step's share."""


def outcome_so_far(folder: Path, material: Material, *, early: bool) -> Outcome:
    """What an interrupted loop left in `folder`, for a run that is stopped before it goes on with it."""
    path = folder / "latest.safetensors"
    facts = checkpoint.load(path)[1] if path.is_file() else {}
    improved = bool(facts) and facts["labels"] == material.fingerprint and facts["best_epoch"] > 0
    return Outcome(improved=improved, early=early, whole=False, train_seconds=0.0)


def finetune(
    network: Classifier,
    material: Material,
    recipe: Recipe,
    *,
    fabric: Fabric,
    seed: int,
    folder: Path,
    probe: Score,
    stop: Stop,
    crew: Crew | None = None,
    pieces: Pieces | None = None,
) -> Generator[Event, None, Outcome]:
    """Train `network` from the head that it comes with. Continues from `folder/latest.safetensors` where that is there.

    Every process of a `crew` runs this with the same arguments; only rank 0 writes, and its events are to be shown.
    """
    crew = crew or Crew()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as reader:
        learner, rescue = _begun(
            network,
            material,
            recipe,
            fabric=fabric,
            folder=folder,
            probe=probe,
            crew=crew,
            pieces=pieces or Pieces(),
            reader=reader,
        )
        return (yield from _all_passes(learner, rescue, material, recipe, seed=seed, folder=folder, stop=stop))


def stopped_early(done: int, planned: int) -> Message:
    """Return the note that training ended before its last pass because more passes would not help."""
    return msg(
        "Training stopped after pass {done} of {planned}: the validation score no longer improves, or is perfect.",
        done=done,
        planned=planned,
    )


def _all_passes(
    learner: Learner, rescue: Rescue, material: Material, recipe: Recipe, *, seed: int, folder: Path, stop: Stop
) -> Generator[Event, None, Outcome]:
    history, steady, crew = learner.history, learner.steady, learner.crew
    early = broken = False

    while not history.ended(recipe):
        epoch = history.epoch + 1
        try:
            train_loss = yield from _train_epoch(learner, material, recipe, epoch=epoch, seed=seed, stop=stop)
            if train_loss is None:
                early = True
                break
            done = _judge(learner, material, recipe, epoch=epoch, train_loss=train_loss)
            if crew.leads:
                history.save(folder, learner.network, steady, learner.optimiser)
            rescue.saved_now()
            learner.timer.resume(len(material.valid))
            yield done
            if crew.leads:
                yield showcase(steady, material, learner.fabric.device, epoch=epoch)
        except StoppedError:
            early = True
            break
        except DivergedError:
            if not rescue.go_back():
                yield Note(sentence=GIVEN_UP)
                broken = True
                break
            yield Note(sentence=CALMED)
            continue
        if crew.agree(0.0, stop.requested())[1]:
            early = True
            break
    if not (early or broken) and history.epoch < recipe.epochs:
        yield Note(sentence=stopped_early(history.epoch, recipe.epochs))
    return Outcome(
        improved=history.best_epoch > 0,
        early=early,
        whole=not (early or broken) and history.epoch > recipe.turning_point,
        train_seconds=learner.timer.per_sample,
    )


@dataclass(frozen=True, slots=True)
class Learner:
    """Everything that changes while a network learns. `steady` is the moving average of `network`, which is scored;
    `module` is `network` as Fabric wraps it for the device."""

    network: Classifier
    module: nn.Module
    steady: Classifier
    optimiser: torch.optim.Optimizer
    fabric: Fabric
    history: History
    timer: Timer
    crew: Crew
    pieces: Pieces
    shown: Shown
    """What is varied: raw input, or the pictures of what was heard."""


def _begun(
    network: Classifier,
    material: Material,
    recipe: Recipe,
    *,
    fabric: Fabric,
    folder: Path,
    probe: Score,
    crew: Crew,
    pieces: Pieces,
    reader: Executor,
) -> tuple[Learner, Rescue]:
    """Everything as it was left in `folder`, or new."""
    network = network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(parameter_groups(network, recipe), weight_decay=recipe.weight_decay)
    steady = copy.deepcopy(network).eval().requires_grad_(False)

    def saved() -> State | None:
        path = folder / "latest.safetensors"
        return crew.told((checkpoint.load(path) if path.is_file() else None,) if crew.leads else None)[0]

    state = saved()
    if state is not None:
        put_back(state, network, steady, optimiser)
    history = History.restored(state, probe=probe, labels=material.fingerprint)
    del state
    module, optimiser = fabric.setup(network, optimiser)
    shown = _shown(network.front, material, fabric.device, reader)
    learner = Learner(network, module, steady, optimiser, fabric, history, Timer(), crew, pieces, shown)
    return learner, Rescue(network, steady, optimiser, history, saved=saved)


def _train_epoch(
    learner: Learner, material: Material, recipe: Recipe, *, epoch: int, seed: int, stop: Stop
) -> Generator[Event, None, float | None]:
    """One pass over the training split. Returns its mean loss, None if the user stopped it. Yields every step."""
    module, optimiser, crew = learner.module, learner.optimiser, learner.crew
    module.train()
    freeze_norms(module)
    # Seeded by the epoch, so that a resumed run draws what an uninterrupted one would have drawn.
    generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
    order = torch.randperm(len(material.train), generator=generator)
    if crew.rank:
        # Each process varies its own samples in its own way.
        generator.manual_seed(generator.initial_seed() + 7_919 * crew.rank)
    # What some networks leave out at random (dropout, stochastic depth) is drawn from torch's own generator.
    torch.manual_seed(generator.initial_seed())
    loss_of = loss_over(material.train_labels, smoothing=recipe.smoothing, device=learner.fabric.device)
    front = learner.network.front
    # What was heard is a picture already.
    front = nn.Identity() if isinstance(learner.shown, Heard) else front
    vary = partial(varied, front, kind=material.kind, variation=recipe.variation, generator=generator)
    steps = -(-len(order) // recipe.batch)
    total = 0.0
    for step in range(steps):
        rows = order[step * recipe.batch : (step + 1) * recipe.batch]
        share = cosine((epoch - 1) * steps + step, recipe.epochs * steps, warmup=recipe.warmup)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * share * learner.history.rate_share
        then = order[(step + 1) * recipe.batch : (step + 2) * recipe.batch]
        loss_sum = yield from _gradients(learner, rows, loss_of, vary, then=then)
        # Gradients that are none make the next loss none, or show when the pass is judged: asking here holds up a GPU.
        learner.fabric.clip_gradients(module, optimiser, max_norm=1.0, error_if_nonfinite=False)
        loss_sum, asked = crew.agree(loss_sum, stop.requested())
        if not math.isfinite(loss_sum):
            raise DivergedError
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        learner.history.step += 1
        _follow(learner.steady, learner.network, min(recipe.average, learner.history.step / (9 + learner.history.step)))
        total += loss_sum
        learner.timer.tick(len(rows))
        left = (recipe.epochs - epoch + 1) * len(order) - min(len(order), (step + 1) * recipe.batch)
        yield BatchDone(
            epoch=epoch,
            epochs=recipe.epochs,
            step=step + 1,
            steps=steps,
            loss=loss_sum / len(rows),
            rate=optimiser.param_groups[-1]["lr"],
            samples_per_second=learner.timer.per_second,
            seconds_left=learner.timer.left(left, len(material.valid) * (recipe.epochs - epoch + 1)),
        )
        if asked:
            return None
    return total / len(order)


def _gradients(
    learner: Learner, rows: Tensor, loss_of: RowsLoss, vary: Callable[[Tensor], Tensor], *, then: Tensor
) -> Generator[Event, None, float]:
    """Leave the gradient of the mean loss of `rows`; returns the sum of the losses of this process's share of them."""
    crew = learner.crew
    mine = crew.share(rows)
    # One that gets none of a small last batch lends a sample that does not count: the others wait for its gradients.
    weight = crew.size / len(rows) if len(mine) else 0.0
    mine = mine if len(mine) else rows[:1]
    with torch.no_grad():
        pictures = vary(learner.shown(mine, crew.share(then)))
    loss_sum = yield from careful_backward(
        learner.fabric,
        learner.module,
        pictures,
        lambda logits, part: loss_of(mine[part], logits),
        weight=weight,
        pieces=learner.pieces,
    )
    return loss_sum if weight else 0.0


def _shown(front: nn.Module, material: Material, device: torch.device, reader: Executor) -> Shown:
    if isinstance(front, MelFrontEnd):
        return Heard(front, material.decoded, material.train)
    return Ahead(material.decoded, material.train, device, reader)


def _judge(learner: Learner, material: Material, recipe: Recipe, *, epoch: int, train_loss: float) -> EpochDone:
    """Score the averaged network on the validation split."""
    learner.timer.pause()
    device = learner.fabric.device
    probabilities = learner.crew.scored(
        lambda part: score_samples(learner.steady, material.decoded, part, device), material.valid
    )
    sums = torch.stack([parameter.sum() for parameter in learner.steady.parameters()])
    if not (np.isfinite(probabilities).all() and bool(sums.isfinite().all())):
        raise DivergedError
    rate = learner.optimiser.param_groups[-1]["lr"]
    return learner.history.judge(epoch, train_loss, probabilities, material.valid_labels, rate=rate, of=recipe)


def parameter_groups(network: Classifier, recipe: Recipe) -> list[dict[str, object]]:
    """Discriminative rates (Howard & Ruder 2018): the head fastest, every stage below it `decay` of the one above.

    The first stages do not learn: `frozen_stages` of nine, or as large a share of another network's depth. The head is
    the last group. "peak" is the rate the cycle reaches.
    """
    stages = network.backbone.stages()
    frozen = round(len(stages) * recipe.frozen_stages / USUAL_STAGES)
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
            rows += in_parts(ask, torch.from_numpy(decoded.read(samples[start : start + batch])))
    return np.concatenate(rows) if rows else np.zeros((0, network.head.out_features), dtype=np.float32)


def showcase(network: Classifier, material: Material, device: torch.device, *, epoch: int) -> Showcase:
    """What `network` says of the showcase samples, with every class's map."""
    answers = network.look(torch.from_numpy(material.decoded.read(material.showcase)).to(device))
    return showcase_of(
        material, answers.probabilities.float().cpu().numpy(), answers.maps.float().cpu().numpy(), epoch=epoch
    )


def showcase_of(
    material: Material, probabilities: NDArray[np.float32], maps: NDArray[np.float32], *, epoch: int
) -> Showcase:
    """The same from answers that are known: probabilities (n, classes), maps (n, classes, h, w)."""
    return Showcase(
        epoch=epoch,
        sample_ids=tuple(sample.id for sample in material.showcase),
        probabilities=probabilities,
        maps=maps,
    )


def _follow(steady: nn.Module, network: nn.Module, decay: float) -> None:
    """One step of the exponential moving average over the parameters that learn."""
    mine: list[Tensor] = []
    theirs: list[Tensor] = []
    for own, other in zip(steady.parameters(), network.parameters(), strict=True):
        if other.requires_grad:
            mine.append(own)
            theirs.append(other.detach())
    torch._foreach_lerp_(mine, theirs, 1.0 - decay)
