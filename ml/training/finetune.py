"""The loop: fine-tune from the probe, epoch by epoch, and keep whichever model validates best."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ml.events import BatchDone, Event, Showcase
from ml.jobs import Stop
from ml.networks.backbones import freeze_norms
from ml.networks.heads import Classifier
from ml.project.samples import Kind, Sample
from ml.training.augment import augment, cosine
from ml.training.decode import Decoded
from ml.training.recipe import Recipe
from ml.training.standing import History, Score, Timer

VALIDATION_BATCH = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What the loop learns from. Labels are class indices, aligned with their samples."""

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
    """How the loop ended. `improved`: `best.safetensors` holds a better model than the probe."""

    improved: bool
    early: bool
    train_seconds: float
    """Per sample, one optimiser step's share."""


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
) -> Generator[Event, None, Outcome]:
    """Train `network` in place of its probe head. Continues from `folder/latest.safetensors` where that is there."""
    network = network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(parameter_groups(network, recipe), weight_decay=recipe.weight_decay)
    steady = copy.deepcopy(network).eval().requires_grad_(False)
    history = History.restore(folder, network, steady, optimiser, probe=probe, labels=material.fingerprint)
    module, optimiser = fabric.setup(network, optimiser)
    learner = Learner(network, module, steady, optimiser, fabric, history, Timer())
    early = False

    for epoch in range(history.epoch + 1, recipe.epochs + 1):
        if history.patience_used >= recipe.patience:
            break
        train_loss = yield from _train_epoch(learner, material, recipe, epoch=epoch, seed=seed, stop=stop)
        if train_loss is None:
            early = True
            break
        learner.timer.pause()
        probabilities = score_samples(steady, material.decoded, material.valid, fabric.device)
        rate = optimiser.param_groups[-1]["lr"]
        done = history.judge(epoch, train_loss, probabilities, material.valid_labels, rate=rate, of=recipe)
        history.save(folder, network, steady, optimiser)
        learner.timer.resume(len(material.valid))
        yield done
        yield showcase(steady, material, fabric.device, epoch=epoch)
        if stop.requested():
            early = True
            break
    return Outcome(improved=history.best_epoch > 0, early=early, train_seconds=learner.timer.per_sample)


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


def _train_epoch(
    learner: Learner, material: Material, recipe: Recipe, *, epoch: int, seed: int, stop: Stop
) -> Generator[Event, None, float | None]:
    """One pass over the training split. Returns its mean loss, None if the user stopped it. Yields every step."""
    network, module, optimiser, fabric = learner.network, learner.module, learner.optimiser, learner.fabric
    module.train()
    freeze_norms(module)
    # Seeded by the epoch, so that a resumed run draws what an uninterrupted one would have drawn.
    generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
    order = torch.randperm(len(material.train), generator=generator)
    # Classes without a training sample take no part, or smoothing would push towards them.
    present = torch.from_numpy(np.unique(material.train_labels))
    targets = torch.searchsorted(present, torch.from_numpy(material.train_labels))
    steps = -(-len(order) // recipe.batch)
    total = 0.0
    for step in range(steps):
        rows = order[step * recipe.batch : (step + 1) * recipe.batch]
        share = cosine((epoch - 1) * steps + step, recipe.epochs * steps, warmup=recipe.warmup)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * share
        raw = torch.from_numpy(material.decoded.read([material.train[row] for row in rows])).to(fabric.device)
        with torch.no_grad():
            pictures = network.front(raw)
            pictures = augment(pictures, kind=material.kind, strength=recipe.strength, generator=generator)
        logits, _ = module(pictures.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(
            logits[:, present.to(fabric.device)], targets[rows].to(fabric.device), label_smoothing=recipe.smoothing
        )
        fabric.backward(loss)
        fabric.clip_gradients(module, optimiser, max_norm=1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        learner.history.step += 1
        _follow(learner.steady, network, min(recipe.average, learner.history.step / (9 + learner.history.step)))
        total += float(loss.detach()) * len(rows)
        learner.timer.tick(len(rows))
        left = (recipe.epochs - epoch + 1) * len(order) - min(len(order), (step + 1) * recipe.batch)
        yield BatchDone(
            epoch=epoch,
            epochs=recipe.epochs,
            step=step + 1,
            steps=steps,
            loss=float(loss.detach()),
            rate=optimiser.param_groups[-1]["lr"],
            samples_per_second=learner.timer.per_second,
            seconds_left=learner.timer.left(left, len(material.valid) * (recipe.epochs - epoch + 1)),
        )
        if stop.requested():
            return None
    return total / len(order)


def parameter_groups(network: Classifier, recipe: Recipe) -> list[dict[str, object]]:
    """Discriminative rates (Howard & Ruder 2018): the head fastest, every stage below it `decay` of the one above.

    The first `frozen_stages` stages do not learn. The head is the last group. "peak" is the rate the cycle reaches.
    """
    stages = network.backbone.stages()
    groups: list[dict[str, object]] = []
    for depth, parameters in enumerate(stages):
        learns = depth >= recipe.frozen_stages
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
    rows = []
    with torch.inference_mode():
        for start in range(0, len(samples), VALIDATION_BATCH):
            raw = torch.from_numpy(decoded.read(samples[start : start + VALIDATION_BATCH])).to(device)
            pictures = network.front(raw).contiguous(memory_format=torch.channels_last)
            rows.append(torch.softmax(network(pictures)[0].float(), dim=1).cpu().numpy())
    return np.concatenate(rows) if rows else np.zeros((0, network.head.out_features), dtype=np.float32)


def showcase(network: Classifier, material: Material, device: torch.device, *, epoch: int) -> Showcase:
    """What `network` says of the showcase samples, with every class's map."""
    with torch.inference_mode():
        raw = torch.from_numpy(material.decoded.read(material.showcase)).to(device)
        answers = network.answer(network.backbone(network.front(raw)))
    return Showcase(
        epoch=epoch,
        sample_ids=tuple(sample.id for sample in material.showcase),
        probabilities=answers.probabilities.float().cpu().numpy(),
        maps=answers.maps.float().cpu().numpy(),
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
