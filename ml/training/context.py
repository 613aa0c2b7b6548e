"""What all stages of one training share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from lightning_fabric import Fabric

from ml.core.jobs import Stop, TrainJob
from ml.core.types import RunInfo, Sample
from ml.media.kinds import kind_named
from ml.networks.heads import Classifier, build_network
from ml.networks.weights.bundled import Weights
from ml.probe.probe import Probe
from ml.project.project import Project
from ml.features.decode import Decoded
from ml.training.data.features import Features
from ml.training.distributed import DistributedContext
from ml.training.finetune.step import MicroBatches
from ml.training.finetune.task import FinetuneResult, TrainingData
from ml.training.recipe import Recipe
from ml.training.run_files import requested_weights, weights_info, write_settings


@dataclass(kw_only=True, slots=True)
class RunContext:
    """One training: what was given, and what each stage has found so far.

    Each of the later fields is set by the stage named below it; reading it before raises AttributeError.
    """

    project: Project
    job: TrainJob
    run: RunInfo
    folder: Path
    """Of the run."""
    samples: tuple[Sample, ...]
    """All samples; after the stage "decode" those whose files could be read."""
    fabric: Fabric
    distributed: DistributedContext
    stop: Stop
    started: float = field(default_factory=time.monotonic)

    recipe: Recipe = field(init=False)
    """Preset and machine; adapted to the data after the stage "probe"."""
    weights: Weights | None = field(init=False, default=None)
    """Stage "download": the pretrained weights."""
    network: Classifier = field(init=False)
    """The network that is trained, first with the pretrained weights."""
    decoded: Decoded = field(init=False)
    micro_batches: MicroBatches = field(init=False)
    """Stage "preflight"."""
    features: Features = field(init=False)
    """Stage "features"."""
    forward_seconds: float = field(init=False, default=0.0)
    """Stage "features": seconds per newly computed sample."""
    data: TrainingData = field(init=False)
    """Stage "features"."""
    probe: Probe = field(init=False)
    """Stage "probe"."""
    result: FinetuneResult = field(init=False)
    """Stage "finetune"."""
    alpha: float = field(init=False, default=0.0)
    """After the stage "finetune": weight of the fine-tuned end in `final_network`."""
    final_network: Classifier = field(init=False)
    """The network to release, on the CPU."""
    holdout_network: Classifier | None = field(init=False, default=None)
    """Stage "refit": the final network before it was trained on the validation split; None if it was not."""

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoint"

    @property
    def resumes_finetuning(self) -> bool:
        """Whether the run continues an interrupted fine-tuning."""
        return self.job.resume and (self.checkpoints / "latest.safetensors").is_file()

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.run.class_names)

    @property
    def train_count(self) -> int:
        """The number of training samples."""
        return sum(sample.split == "train" and sample.labelled for sample in self.samples)

    @property
    def cached_features(self) -> Features | None:
        """The cached features, if the grids are kept and the final network has the frozen backbone."""
        return None if self.alpha or not self.features.grids_kept else self.features

    def new_network(self) -> Classifier:
        """Return a network with the pretrained weights, on the CPU."""
        return build_network(
            windowing=self.project.windowing,
            classes=self.classes,
            weights=self.weights,
            task=self.project.task,
            log_front=self.job.front,
            input_name=kind_named(self.project.kind).input_name,
        ).eval()

    def write_settings(self, *, speed: dict[str, float] | None = None, alpha: float | None = None) -> None:
        """Write what is known so far to settings.toml, for people and for a resumed run."""
        write_settings(
            self.folder,
            self.job,
            self.recipe,
            device=str(self.fabric.device),
            backbone=requested_weights(self.job) if self.weights is None else weights_info(self.weights),
            speed=speed,
            alpha=alpha,
        )
