"""The loop: fine-tune from the probe, epoch by epoch, and keep whichever model validates best."""

from __future__ import annotations

import copy
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ml.events import BatchDone, EpochDone, Event, Showcase
from ml.jobs import Stop
from ml.networks.backbones import freeze_norms
from ml.networks.heads import Classifier
from ml.project.samples import Kind, Sample
from ml.training import checkpoint
from ml.training.augment import augment, cosine
from ml.training.decode import Decoded
from ml.training.recipe import Recipe

VALIDATION_BATCH = 16


class Score(NamedTuple):
    """How good a model is: higher accuracy first, then lower loss. On the training loss where nothing validates."""

    accuracy: float
    minus_loss: float


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
    groups = parameter_groups(network, recipe)
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    peaks = [float(group["lr"]) for group in groups]
    steady = copy.deepcopy(network).eval().requires_grad_(False)
    steps = -(-len(material.train) // recipe.batch)
    history = _History.restore(folder, network, steady, optimiser, probe)
    module, optimiser = fabric.setup(network, optimiser)
    present = torch.from_numpy(np.unique(material.train_labels)).to(fabric.device)
    targets = torch.searchsorted(present.cpu(), torch.from_numpy(material.train_labels))
    timer = _Timer()
    early = False

    for epoch in range(history.epoch + 1, recipe.epochs + 1):
        module.train()
        freeze_norms(module)
        generator = torch.Generator().manual_seed(1_000_003 * seed + epoch)
        order = torch.randperm(len(material.train), generator=generator)
        losses = 0.0
        for step in range(steps):
            rows = order[step * recipe.batch : (step + 1) * recipe.batch]
            share = cosine((epoch - 1) * steps + step, recipe.epochs * steps, warmup=recipe.warmup)
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * share
            raw = torch.from_numpy(material.decoded.read([material.train[row] for row in rows])).to(fabric.device)
            with torch.no_grad():
                pictures = augment(
                    network.front(raw), kind=material.kind, strength=recipe.strength, generator=generator
                )
            logits, _ = module(pictures.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(
                logits[:, present], targets[rows].to(fabric.device), label_smoothing=recipe.smoothing
            )
            fabric.backward(loss)
            fabric.clip_gradients(module, optimiser, max_norm=1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            _follow(steady, network, min(recipe.average, (1 + history.step) / (10 + history.step)))
            history.step += 1
            losses += float(loss.detach()) * len(rows)
            timer.tick(len(rows))
            yield BatchDone(
                epoch=epoch,
                epochs=recipe.epochs,
                step=step + 1,
                steps=steps,
                loss=float(loss.detach()),
                rate=peaks[-1] * share,
                samples_per_second=timer.per_second,
                seconds_left=timer.left(
                    recipe.epochs * len(material.train) - (epoch - 1) * len(material.train) - (step + 1) * recipe.batch,
                    len(material.valid) * (recipe.epochs - epoch + 1),
                ),
            )
            if stop.requested():
                early = True
                break
        if early:
            break
        timer.pause()
        probabilities = score_samples(steady, material.decoded, material.valid, fabric.device)
        train_loss = losses / len(material.train)
        done = history.judge(epoch, train_loss, probabilities, material.valid_labels, rate=peaks[-1] * share, of=recipe)
        history.save(folder, network, steady, optimiser)
        timer.resume(len(material.valid))
        yield done
        yield showcase(steady, material, fabric.device, epoch=epoch)
        if epoch - history.best_epoch >= recipe.patience or stop.requested():
            early = bool(stop.requested())
            break
    return Outcome(improved=history.best_epoch > 0, early=early, train_seconds=timer.per_sample)


def parameter_groups(network: Classifier, recipe: Recipe) -> list[dict[str, object]]:
    """Discriminative rates (Howard & Ruder 2018): the head fastest, every stage below it `decay` of the one above.

    The first `frozen_stages` stages do not learn. The head is the last group.
    """
    stages = network.backbone.stages()
    groups: list[dict[str, object]] = []
    for depth, parameters in enumerate(stages):
        learns = depth >= recipe.frozen_stages
        for parameter in parameters:
            parameter.requires_grad_(learns)
        if learns and parameters:
            groups.append({"params": parameters, "lr": recipe.body_rate * recipe.decay ** (len(stages) - 1 - depth)})
    groups.append({"params": list(network.head.parameters()), "lr": recipe.head_rate})
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


class _History:
    """Where the loop stands and the best it has seen; goes to disk after every epoch."""

    def __init__(self, probe: Score) -> None:
        self.epoch = 0
        self.step = 0
        self.best = probe
        self.best_epoch = 0

    @classmethod
    def restore(
        cls, folder: Path, network: nn.Module, steady: nn.Module, optimiser: torch.optim.Optimizer, probe: Score
    ) -> _History:
        history = cls(probe)
        path = folder / "latest.safetensors"
        if path.is_file():
            tensors, facts = checkpoint.load(path)
            network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("network.")})
            steady.load_state_dict({k[7:]: v for k, v in tensors.items() if k.startswith("steady.")})
            checkpoint.restore_optimiser(optimiser, tensors)
            history.epoch, history.step = facts["epoch"], facts["step"]
            history.best, history.best_epoch = Score(*facts["best"]), facts["best_epoch"]
        return history

    def judge(
        self,
        epoch: int,
        train_loss: float,
        probabilities: NDArray[np.float32],
        labels: NDArray[np.int64],
        *,
        rate: float,
        of: Recipe,
    ) -> EpochDone:
        accuracy = loss = None
        score = Score(0.0, -train_loss)
        if len(labels):
            own = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)
            accuracy = float((probabilities.argmax(axis=1) == labels).mean())
            loss = float(-np.log(own).mean())
            score = Score(accuracy, -loss)
        self.epoch = epoch
        better = score > self.best
        if better:
            self.best, self.best_epoch = score, epoch
        return EpochDone(
            epoch=epoch,
            epochs=of.epochs,
            train_loss=train_loss,
            valid_loss=loss,
            valid_accuracy=accuracy,
            rate=rate,
            best=better,
        )

    def save(
        self, folder: Path, network: nn.Module, steady: nn.Module, optimiser: torch.optim.Optimizer
    ) -> None:
        facts = {"epoch": self.epoch, "step": self.step, "best": list(self.best), "best_epoch": self.best_epoch}
        if self.best_epoch == self.epoch:
            checkpoint.save(folder / "best.safetensors", checkpoint.network_tensors(steady), facts)
        tensors = (
            checkpoint.network_tensors(network, "network.")
            | checkpoint.network_tensors(steady, "steady.")
            | checkpoint.optimiser_tensors(optimiser)
        )
        checkpoint.save(folder / "latest.safetensors", tensors, facts)


class _Timer:
    """Seconds per sample of training and of validation, as measured so far."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._train_seconds = 0.0
        self._trained = 0
        self._valid_seconds = 0.0
        self._validated = 0

    def tick(self, samples: int) -> None:
        now = time.monotonic()
        self._train_seconds += now - self._began
        self._trained += samples
        self._began = now

    def pause(self) -> None:
        self._began = time.monotonic()

    def resume(self, validated: int) -> None:
        now = time.monotonic()
        self._valid_seconds += now - self._began
        self._validated += validated
        self._began = now

    @property
    def per_sample(self) -> float:
        return self._train_seconds / max(1, self._trained)

    @property
    def per_second(self) -> float:
        return self._trained / max(1e-9, self._train_seconds)

    def left(self, train: int, valid: int) -> float:
        """Seconds for as many samples to train on and to validate; a validation costs a third until one was measured."""
        each = self._valid_seconds / self._validated if self._validated else self.per_sample / 3
        return max(0, train) * self.per_sample + valid * each
