"""Check before a run begins: disk space, memory, and one training step with the actual recipe."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shutil
import sys
from collections.abc import Generator, Iterator
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
from ml.media.kinds import kind_named
from ml.networks.backbones import freeze_norms
from ml.networks.heads import Classifier
from ml.training.context import RunContext
from ml.training.data.augment import augment_input
from ml.training.data.decode import Decoded
from ml.training.data.features import MAX_CACHE_BYTES, Features
from ml.training.finetune.loop import parameter_groups
from ml.training.finetune.step import MicroBatches, backward_with_oom_retry
from ml.training.recipe import Recipe

if sys.platform != "win32":
    import resource

DISK_RESERVE = 20 * 2**20
"""Disk space for the database, tables and other small files."""
ACTIVATION_OVERHEAD = 1.2
"""Memory of a step, relative to the activations kept for the backward pass; measured on the default backbone."""
PROBE_COPIES = 3
"""Copies of the training embeddings while the probe is fitted."""


@dataclass(frozen=True, slots=True)
class ForwardProfile:
    """Of one sample: the shape of its features (width, h, w), and the bytes kept for the backward pass."""

    features: tuple[int, int, int]
    kept: int


def preflight(context: RunContext) -> Iterator[Event]:
    """Set the number of micro batches that fit into memory. Raises HandlensError if the run cannot work.

    Takes about as long as one step, and restores the network.
    """
    network, recipe = context.network, context.recipe
    context.micro_batches = MicroBatches()
    # The probe may show that no stage can stay frozen, see `recipe.adapt_recipe`.
    with _as_in_training(network, dataclasses.replace(recipe, frozen_stages=0)):
        profile = profile_forward(context)
    with _as_in_training(network, recipe):
        check_disk(disk_needs(context, profile.features), context.project.path)
        if context.fabric.device.type == "cpu":
            yield from _fit_into_memory(context, profile)
        if recipe.epochs > 0:
            yield from _try_training_step(context)
            network.cpu()


def profile_forward(context: RunContext) -> ForwardProfile:
    """Measure one forward pass of noise. Raises HandlensError if the outputs are not finite."""
    network = context.network
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits, features = network(network.front(_noise(context.decoded, 1)))
    if not (torch.isfinite(logits).all() and torch.isfinite(features).all()):
        raise HandlensError(
            msg(
                "The pretrained network produces invalid numbers (NaN) and cannot be used. "
                "Install Handlens again, or choose another network."
            )
        )
    _, width, height, breadth = features.shape
    return ForwardProfile((width, height, breadth), sum(kept.values()))


def disk_needs(context: RunContext, features: tuple[int, int, int]) -> dict[str, int]:
    """Return the most bytes that the run will have on disk at a time, by their purpose."""
    width, height, breadth = features
    samples = context.samples
    embeddings = Features(context.project.path / "cache", context.network, samples=len(samples), grid=(height, breadth))
    each = 4 * width + (2 * width * height * breadth if embeddings.grids_kept else 0)
    classes = context.network.head.out_features
    network = sum(tensor.nbytes for tensor in context.network.state_dict().values())
    answers = 4 * classes + 2 * classes * height * breadth + 2 * width + 17
    return {
        "decoded samples": context.decoded.bytes_to_write(samples),
        "features": len(embeddings.missing(samples)) * each,
        # Weights, their average, two moments; the best. The old files are removed after the new ones are complete.
        "checkpoints": 2 * 5 * network if context.recipe.epochs else 0,
        "predictions": len(samples) * answers,
        "released model": 2 * network,
    }


def check_disk(needs: dict[str, int], folder: Path) -> None:
    """Raise HandlensError if the disk of `folder` is too small for `needs`."""
    needed, free = sum(needs.values()) + DISK_RESERVE, shutil.disk_usage(folder).free
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
    """Return the bytes that this process can still allocate, by the machine and by its container."""
    system = int(psutil.virtual_memory().available) + int(psutil.swap_memory().free)
    return min([system, *_container_memory(), *_address_space()])


def _address_space() -> Iterator[int]:
    """Yield what a limit of the address space (`ulimit -v`) leaves, if there is one."""
    if sys.platform == "win32":
        return
    limit, _hard = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield max(0, limit - int(psutil.Process().memory_info().vms))


def _container_memory() -> Iterator[int]:
    """Yield the free memory within a container's limit (cgroup version 2 or 1), if there is one.

    The file cache counts as used there, but is released when memory is needed.
    """
    files = (
        (CGROUPS / "memory.max", CGROUPS / "memory.current", "inactive_file"),
        (
            CGROUPS / "memory" / "memory.limit_in_bytes",
            CGROUPS / "memory" / "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    )
    for limit, usage, pages in files:
        with contextlib.suppress(OSError, ValueError):  # no such limit: "max", or no such file
            most, used = (int(path.read_text(encoding="ascii")) for path in (limit, usage))
            facts = dict(line.split() for line in (usage.parent / "memory.stat").read_text("ascii").splitlines())
            yield max(0, most - used + min(used, int(facts.get(pages, 0))))


def _fit_into_memory(context: RunContext, profile: ForwardProfile) -> Iterator[Event]:
    """Halve the micro batches until a step fits by estimate. Raises HandlensError if none does."""
    recipe, train, micro_batches = context.recipe, context.train_count, context.micro_batches
    network: int = sum(tensor.nbytes for tensor in context.network.state_dict().values())
    width = profile.features[0]
    probe = PROBE_COPIES * train * width * 4
    free = available_memory()

    def needed() -> int:
        if not recipe.epochs:
            return probe
        # Gradients, the average and two moments; the memory of the probe is free again by then.
        at_once = -(-min(recipe.batch, train) // micro_batches.count)
        pictures = MAX_CACHE_BYTES if kind_named(context.project.kind).input_name == "waveform" else 0
        return max(probe, 4 * network + pictures + int(ACTIVATION_OVERHEAD * at_once * profile.kept))

    note: Message | None = None
    while needed() > free:
        if probe > free or micro_batches.count >= recipe.batch:
            raise HandlensError(
                msg(
                    "This training needs about {needed} of memory, but only {free} are free. "
                    "Close other programs, or train with fewer samples.",
                    needed=_size(needed()),
                    free=_size(free),
                )
            )
        note = micro_batches.halve(recipe.batch)
    if note is not None:
        yield Note(sentence=note)


def _try_training_step(context: RunContext) -> Generator[Event, None, None]:
    """Run forward and backward on one batch of noise, without changing the weights."""
    recipe, fabric = context.recipe, context.fabric
    count = min(recipe.batch, context.train_count)
    network = context.network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        raw = _noise(context.decoded, count).to(fabric.device)
        pictures = augment_input(
            network.front, raw, kind=context.project.kind, config=recipe.augment_config, generator=generator
        )
    classes = network.head.out_features

    def loss_of(logits: Tensor, rows: Tensor) -> Tensor:
        return functional.cross_entropy(logits, (rows % classes).to(logits.device))

    module = _AutocastModule(network, fabric)
    total = yield from backward_with_oom_retry(
        fabric, module, pictures, loss_of, weight=1 / count, micro_batches=context.micro_batches
    )
    if not math.isfinite(total):
        raise HandlensError(
            msg("A first training step produced invalid numbers (NaN). Choose another device or network.")
        )


class _AutocastModule(nn.Module):
    """The network at the precision of the device; `fabric.setup` would change it for good."""

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
    """Put the network into training mode with the recipe's frozen stages; restore it afterwards."""
    required = [parameter.requires_grad for parameter in network.parameters()]
    try:
        if recipe.epochs:
            parameter_groups(network, recipe)
            network.train()
            freeze_norms(network)
        yield
    finally:
        network.eval()
        for parameter, before in zip(network.parameters(), required, strict=True):
            parameter.requires_grad_(before)
            parameter.grad = None


def _noise(decoded: Decoded, count: int) -> Tensor:
    """Return `count` samples of noise in the format of `Decoded.read`."""
    generator = torch.Generator().manual_seed(0)
    if decoded.kind.input_name == "pixels":
        return torch.randint(0, 256, (count, *decoded.shape), dtype=torch.uint8, generator=generator)
    return torch.rand((count, *decoded.shape), generator=generator) * 2 - 1


def _size(number: float) -> Message:
    """Return bytes in GB or MB."""
    return msg("{n:.1f} GB", n=number / 1e9) if number >= 1e9 else msg("{n:.0f} MB", n=number / 1e6)
