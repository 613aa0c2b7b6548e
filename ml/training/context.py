"""What all stages of a training that fine-tunes share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lightning_fabric import Fabric

from ml.core.jobs import UsedEar
from ml.features.features import Features
from ml.media.kinds import kind_named
from ml.networks.heads import Classifier, build_network
from ml.probe.probe import Probe
from ml.training.distributed import DistributedContext
from ml.training.finetune.step import MicroBatches
from ml.training.finetune.task import FinetuneResult
from ml.training.run_context import RunContext


@dataclass(kw_only=True, slots=True)
class FinetuneContext(RunContext):
    """A training with torch. Its `frozen` is None for other networks than the bundled one."""

    fabric: Fabric
    distributed: DistributedContext

    first_probe: Probe | None = None
    """The first model that was released already, if it is of the network that is trained."""
    first_ear: UsedEar | None = None
    """For recordings: the pretrained networks of the first model that was released already."""

    network: Classifier = field(init=False)
    """The network that is trained, first with the pretrained weights."""
    micro_batches: MicroBatches = field(init=False)
    """Stage "preflight"."""
    result: FinetuneResult = field(init=False)
    """Stage "finetune"."""
    alpha: float = field(init=False, default=0.0)
    """After the stage "finetune": weight of the fine-tuned end in `final_network`."""
    final_network: Classifier = field(init=False)
    """The network to release, on the CPU."""
    holdout_network: Classifier | None = field(init=False, default=None)
    """Stage "refit": the final network before it was trained on the validation split; None if it was not."""

    @property
    def device(self) -> str:
        """Where the network is trained."""
        return str(self.fabric.device)

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoint"

    @property
    def resumes_finetuning(self) -> bool:
        """Whether the run continues an interrupted fine-tuning."""
        return self.job.resume and (self.checkpoints / "latest.safetensors").is_file()

    @property
    def has_first_model(self) -> bool:
        """Whether the run has a complete first model, behind which the network is adjusted."""
        return self.project.runs.adjusting(self.run.number)

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
