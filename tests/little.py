"""A network, and samples for it, so small that a fine-tuning takes no time: the loop is the real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.core.events import Event
from ml.core.jobs import NeverStop, Stop
from ml.core.types import Sample
from ml.networks.frontends.image_and_mel import PixelFrontEnd
from ml.networks.heads import Classifier
from ml.probe.objective import WORST
from ml.probe.training_data import TrainingData
from ml.training.distributed import DistributedContext
from ml.training.finetune.loop import finetune
from ml.training.finetune.task import FinetuneResult, FinetuneTask
from ml.training.recipe import Recipe

RECIPE = Recipe(
    epochs=3,
    batch=8,
    head_lr=1e-2,
    backbone_lr=1e-2,
    layer_lr_decay=0.75,
    weight_decay=0.02,
    label_smoothing=0.1,
    warmup=0.2,
    ema_decay=0.9,
    augment_magnitude=0.0,
    frozen_stages=0,
    patience=10,
)


class LittleBackbone(nn.Module):
    """Two layers. `while_learning` sees, and may change or refuse, what goes through in training."""

    while_learning: ClassVar[Callable[[Tensor], Tensor] | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.width = 12
        self.pooled = None  # it keeps places to the end, so maps come without gradients
        self.first = nn.Conv2d(3, 8, 4, stride=4)
        self.last = nn.Conv2d(8, 12, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        if self.training and LittleBackbone.while_learning is not None:
            pictures = LittleBackbone.while_learning(pictures)
        return torch.relu(self.last(torch.relu(self.first(pictures))))

    def stages(self) -> list[list[nn.Parameter]]:
        return [list(self.first.parameters()), list(self.last.parameters())]


class Held:
    """Decoded samples that are in memory: half of them reddish, half bluish."""

    windowing = None

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(7)
        self._pixels = rng.integers(0, 200, (count, 16, 16, 3), dtype=np.uint8)
        self._pixels[::2, ..., 0] += 40
        self._pixels[1::2, ..., 2] += 40

    def read(self, samples: Sequence[Sample]) -> NDArray[np.generic]:
        return self._pixels[[sample.id for sample in samples]]


def training_data(*, train: int = 21, valid: int = 9) -> TrainingData:
    """`train` is no multiple of the batch, and odd: the last batch is smaller than the processes may be many."""
    samples = tuple(
        Sample(
            id=number,
            source_id=number,
            path=f"{number}.png",
            digest=f"{number}",
            labels=(number % 2,),
            split="train" if number < train else "valid",
        )
        for number in range(train + valid)
    )
    labels = np.array([sample.labels[0] for sample in samples], dtype=np.int64)
    held: Any = Held(train + valid)
    return TrainingData(
        kind="images",
        decoded=held,
        train=samples[:train],
        train_labels=labels[:train],
        valid=samples[train:],
        valid_labels=labels[train:],
        showcase=samples[train : train + 2],
    )


def network() -> Classifier:
    """Always the same one."""
    torch.manual_seed(3)
    backbone: Any = LittleBackbone()
    return Classifier(PixelFrontEnd((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), backbone, 2)


def learn(
    folder: Path,
    *,
    recipe: Recipe = RECIPE,
    fabric: Fabric | None = None,
    distributed: DistributedContext | None = None,
    stop: Stop | None = None,
    before: Callable[[Event], None] | None = None,
) -> tuple[list[Event], FinetuneResult, Classifier]:
    """Fine-tune the little network, checkpoints in `folder`. `before` sees every event as it comes."""
    own = network()
    loop = finetune(
        FinetuneTask(own, training_data(), recipe, 1, folder, WORST),
        fabric or Fabric(accelerator="cpu", devices=1),
        distributed or DistributedContext(),
        stop or NeverStop(),
    )
    events: list[Event] = []
    while True:
        try:
            event = next(loop)
        except StopIteration as end:
            return events, end.value, own
        if before is not None:
            before(event)
        events.append(event)
