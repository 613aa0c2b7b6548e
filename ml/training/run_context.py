"""What all stages of one training share, whether or not it fine-tunes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from ml.core.jobs import Stop, TrainJob, UsedEar
from ml.core.types import RunInfo, Sample
from ml.features.decode import Decoded
from ml.features.features import Features
from ml.graphs.frozen_network import FrozenNetwork
from ml.graphs.pretrained import Weights
from ml.probe.probe import Probe
from ml.probe.training_data import TrainingData
from ml.project.project import Project
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
    stop: Stop
    started: float = field(default_factory=time.monotonic)

    recipe: Recipe = field(init=False)
    """Preset and machine; adapted to the data after the stage "probe"."""
    weights: Weights | None = field(init=False, default=None)
    """Stage "download": the pretrained weights."""
    frozen: FrozenNetwork | None = field(init=False, default=None)
    """Stage "preflight": the pretrained network as a graph, if it is the bundled one."""
    ear: UsedEar | None = field(init=False, default=None)
    """Stage "features", for recordings: the pretrained networks of the first model…"""
    ear_scores: dict[UsedEar, float] = field(init=False, default_factory=dict)
    """…and the scores by which they were chosen."""
    decoded: Decoded = field(init=False)
    features: Features = field(init=False)
    """Stage "features"."""
    forward_seconds: float = field(init=False, default=0.0)
    """Stage "features": seconds per newly computed sample."""
    data: TrainingData = field(init=False)
    """Stage "features"."""
    probe: Probe = field(init=False)
    """Stage "probe"."""

    @property
    def device(self) -> str:
        """Where the network runs."""
        return "cpu"

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.run.class_names)

    @property
    def train_count(self) -> int:
        """The number of training samples."""
        return sum(sample.split == "train" and sample.labelled for sample in self.samples)

    def write_settings(self, *, speed: dict[str, float] | None = None, alpha: float | None = None) -> None:
        """Write what is known so far to settings.toml, for people and for a resumed run."""
        write_settings(
            self.folder,
            self.job,
            self.recipe,
            device=self.device,
            backbone=requested_weights(self.job) if self.weights is None else weights_info(self.weights),
            ear=None
            if self.ear is None
            else {"name": self.ear, **{str(name): score for name, score in self.ear_scores.items()}},
            speed=speed,
            alpha=alpha,
        )
