"""Before a run begins: does its disk space suffice, its memory, and does one step of its very recipe work?"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from ml.core.errors import HandlensError
from ml.core.events import Event, Note
from ml.core.messages import Message, english, msg
from ml.core.types import KindName, Sample
from ml.media.kinds import kind_named
from ml.networks.backbones import freeze_norms
from ml.networks.heads import Classifier
from ml.training.data.augment import varied
from ml.training.data.decode import Decoded
from ml.training.data.features import MAX_CACHE_BYTES, Features
from ml.training.finetune.loop import parameter_groups
from ml.training.finetune.step import MicroBatches, backward_with_oom_retry
from ml.training.recipe import Recipe

SPARE_DISK = 20 * 2**20
"""For the database, tables and whatever else is written meanwhile."""
SCRATCH = 1.2
"""Memory of a step over what it keeps for the way back, measured on the default backbone."""
COPIES_OF_SAMPLES = 3
"""Of the training samples' embeddings, while the first model is fitted to them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a run is going to do. `train`: how many samples it learns from."""

    kind: KindName
    network: Classifier
    decoded: Decoded
    samples: Sequence[Sample]
    train: int
    recipe: Recipe
    project: Path


@dataclass(frozen=True, slots=True)
class ForwardProfile:
    """One sample's way through the network: the shape of its features (width, h, w), bytes kept for the way back."""

    features: tuple[int, int, int]
    kept: int


def preflight(plan: Plan, fabric: Fabric) -> Generator[Event, None, MicroBatches]:
    """Raises HandlensError with one sentence where the run cannot work; returns how its steps fit into memory.

    Takes about as long as one step. The network is as it was afterwards.
    """
    # The first model may show that every stage has to learn, see `recipe.fitted`.
    with _as_in_training(plan.network, dataclasses.replace(plan.recipe, frozen_stages=0)):
        profile = profile_forward(plan)
    with _as_in_training(plan.network, plan.recipe):
        check_disk(disk_needs(plan, profile.features), plan.project)
        micro_batches = MicroBatches()
        if fabric.device.type == "cpu":
            yield from _fit_into_memory(plan, profile, micro_batches)
        if plan.recipe.epochs > 0:
            yield from _try_training_step(plan, fabric, micro_batches)
            plan.network.cpu()
    return micro_batches


def profile_forward(plan: Plan) -> ForwardProfile:
    """Send one sample of noise through the network and see what that takes. HandlensError where it gives no numbers."""
    own = {parameter.untyped_storage().data_ptr() for parameter in plan.network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits, features = plan.network(plan.network.front(_noise(plan.decoded, 1)))
    if not (torch.isfinite(logits).all() and torch.isfinite(features).all()):
        raise HandlensError(
            msg(
                "The pretrained network produces invalid numbers (NaN) and cannot be used. "
                "Install Handlens again, or choose another network."
            )
        )
    _, width, height, breadth = features.shape
    return ForwardProfile((width, height, breadth), sum(kept.values()))


def disk_needs(plan: Plan, features: tuple[int, int, int]) -> dict[str, int]:
    """Bytes that the run will write, by what they are for, at their highest."""
    width, height, breadth = features
    embeddings = Features(plan.project / "cache", plan.network, samples=len(plan.samples), grid=(height, breadth))
    each = 4 * width + (2 * width * height * breadth if embeddings.grids_kept else 0)
    classes = plan.network.head.out_features
    network = sum(tensor.nbytes for tensor in plan.network.state_dict().values())
    answers = 4 * classes + 2 * classes * height * breadth + 2 * width + 17
    return {
        "decoded samples": plan.decoded.bytes_to_write(plan.samples),
        "features": len(embeddings.missing(plan.samples)) * each,
        # Weights, their average, two moments of each; the best. The old ones stay until the new ones are complete.
        "checkpoints": 2 * 5 * network if plan.recipe.epochs else 0,
        "predictions": len(plan.samples) * answers,
        "released model": 2 * network,
    }


def check_disk(needs: dict[str, int], folder: Path) -> None:
    """HandlensError where `folder`'s disk is too small for `needs`."""
    needed, free = sum(needs.values()) + SPARE_DISK, shutil.disk_usage(folder).free
    if needed > free:
        raise HandlensError(
            msg(
                "This training needs about {needed} of disk space, but only {free} are free at {folder}. "
                "Free some space, or move the project to a larger disk.",
                needed=_size(needed),
                free=_size(free),
                folder=str(folder),
            ),
            details="\n".join(f"{what}: {english(_size(number))}" for what, number in needs.items()),
        )


CGROUPS = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Bytes this process may still take: what the machine has free, or what its container leaves it."""
    system = int(psutil.virtual_memory().available) + int(psutil.swap_memory().free)
    return min([system, *_container_leaves()])


def _container_leaves() -> Iterator[int]:
    """What a container's limit (cgroup version 2 or 1) leaves, where there is one.

    The pages of files that were read lately count as used there, though they are given up when memory is wanted.
    """
    places = (
        (CGROUPS / "memory.max", CGROUPS / "memory.current", "inactive_file"),
        (
            CGROUPS / "memory" / "memory.limit_in_bytes",
            CGROUPS / "memory" / "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    )
    for limit, usage, pages in places:
        with contextlib.suppress(OSError, ValueError):  # no such limit: "max", or no such file
            most, used = (int(path.read_text(encoding="ascii")) for path in (limit, usage))
            facts = dict(line.split() for line in (usage.parent / "memory.stat").read_text("ascii").splitlines())
            yield max(0, most - used + min(used, int(facts.get(pages, 0))))


def _fit_into_memory(plan: Plan, profile: ForwardProfile, micro_batches: MicroBatches) -> Iterator[Event]:
    """Halve the pieces until a step fits by estimate; HandlensError where nothing does."""
    network: int = sum(tensor.nbytes for tensor in plan.network.state_dict().values())
    width = profile.features[0]
    probe = COPIES_OF_SAMPLES * plan.train * width * 4
    free = available_memory()

    def needed() -> int:
        if not plan.recipe.epochs:
            return probe
        # Gradients, the average and two moments; the probe's memory is free again by then.
        at_once = -(-min(plan.recipe.batch, plan.train) // micro_batches.count)
        pictures = MAX_CACHE_BYTES if kind_named(plan.kind).input_name == "waveform" else 0
        return max(probe, 4 * network + pictures + int(SCRATCH * at_once * profile.kept))

    note: Message | None = None
    while needed() > free:
        if probe > free or micro_batches.count >= plan.recipe.batch:
            raise HandlensError(
                msg(
                    "This training needs about {needed} of memory, but only {free} are free. "
                    "Close other programs, or train with fewer samples.",
                    needed=_size(needed()),
                    free=_size(free),
                )
            )
        note = micro_batches.halve(plan.recipe.batch)
    if note is not None:
        yield Note(sentence=note)


def _try_training_step(plan: Plan, fabric: Fabric, micro_batches: MicroBatches) -> Generator[Event, None, None]:
    """One batch of noise forward and backward, as the recipe has it; the weights stay as they are."""
    count = min(plan.recipe.batch, plan.train)
    network = plan.network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        raw = _noise(plan.decoded, count).to(fabric.device)
        pictures = varied(network.front, raw, kind=plan.kind, variation=plan.recipe.variation, generator=generator)
    classes = network.head.out_features

    def loss_of(logits: Tensor, rows: Tensor) -> Tensor:
        return functional.cross_entropy(logits, (rows % classes).to(logits.device))

    trial = _Trial(network, fabric)
    total = yield from backward_with_oom_retry(
        fabric, trial, pictures, loss_of, weight=1 / count, micro_batches=micro_batches
    )
    if not math.isfinite(total):
        raise HandlensError(
            msg("A first training step produced invalid numbers (NaN). Choose another device or network.")
        )


class _Trial(nn.Module):
    """The network at the device's precision, without being set up for training."""

    def __init__(self, network: Classifier, fabric: Fabric) -> None:
        super().__init__()
        self.network = network
        self._autocast = fabric.autocast

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        with self._autocast():
            logits, features = self.network(pictures)
        return logits.float(), features


@contextlib.contextmanager
def _as_in_training(network: Classifier, recipe: Recipe) -> Iterator[None]:
    """What the recipe freezes is frozen; afterwards everything is as it was."""
    learned = [parameter.requires_grad for parameter in network.parameters()]
    try:
        if recipe.epochs:
            parameter_groups(network, recipe)
            network.train()
            freeze_norms(network)
        yield
    finally:
        network.eval()
        for parameter, before in zip(network.parameters(), learned, strict=True):
            parameter.requires_grad_(before)
            parameter.grad = None


def _noise(decoded: Decoded, count: int) -> Tensor:
    """`count` samples of nothing, as `Decoded.read` would give them."""
    generator = torch.Generator().manual_seed(0)
    if decoded.kind.input_name == "pixels":
        return torch.randint(0, 256, (count, *decoded.shape), dtype=torch.uint8, generator=generator)
    return torch.rand((count, *decoded.shape), generator=generator) * 2 - 1


def _size(number: float) -> Message:
    """Bytes as a person says them."""
    return msg("{n:.1f} GB", n=number / 1e9) if number >= 1e9 else msg("{n:.0f} MB", n=number / 1e6)
