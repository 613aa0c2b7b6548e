"""What stands in a released `model.onnx` besides the weights: the agreement between export and runtime.

The graph has one input, see `ml.media.kinds.InputName`. Its outputs are
`probabilities` (batch, classes), calibrated; `maps` (batch, classes, h, w), see `ml.pictures.heatmap`; `embedding`
(batch, n); and `unlike` (batch,), 0…1, the share of known samples that are less strange, see `ml.scoring.ood`. The
probabilities of a sample sum to 1; in a multi-label model (`task` "multi") they are those of each class by itself, and
a class counts as present from its value in `present_above` on.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.types import KindName, TaskName, Windowing
from ml.media.kinds import InputName, kind_named
from ml.scoring.tasks import task_named

FORMAT = 1
METADATA_KEY = "handlens"
OUTPUTS = ("probabilities", "maps", "embedding", "unlike")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """The metadata of a released model."""

    kind: KindName
    classes: tuple[str, ...]
    size: int
    """Side of the square input in pixels (images); 0 for recordings and logs."""
    windowing: Windowing | None
    map_size: tuple[int, int]
    backbone: str
    project: str
    run: int
    created_at: str
    temperature: float
    reject_below: float
    """A prediction with a lower probability is rejected; chosen on the validation split for `wanted_error`."""
    wanted_error: float
    """The share of accepted answers that may be wrong. Multi-label: of the samples said to show a class, of each class
    by itself; 0 where nobody asked and the thresholds are where F1 is best."""
    unlike_above: float
    """A sample with a higher unlike score is rejected."""
    parity_samples: int
    """On how many samples the exported graph was compared with the trained network…"""
    parity_difference: float
    """…and the largest difference in probability that was seen."""
    card: str
    """The model card, Markdown."""
    backbone_sha256: str = ""
    """Of the file with the weights it began from."""
    class_reject_below: tuple[float, ...] = ()
    """For each class the same as `reject_below`, where a class needs to be surer; empty in older models."""
    promised: bool = False
    """Whether `wanted_error` is kept with 95 % confidence, as far as new samples are like those it was tested on."""
    ece_before: float | None = None
    """The calibration error (0…1) on held-out samples before the temperature was fitted…"""
    ece: float | None = None
    """…and with it."""
    present_above: tuple[float, ...] = ()
    """Multi-label: for each class, the probability from which it counts as present. Empty where one class is chosen."""

    task_name: TaskName = ""
    """Written only where `present_above` does not tell the task, since models of version 0.1 know no such entry."""

    @property
    def task(self) -> TaskName:
        """Name of the `ml.scoring.task.Task`."""
        return self.task_name or ("multi" if self.present_above else "single")

    @property
    def input_name(self) -> InputName:
        return kind_named(self.kind).input_name

    def predicted(self, probabilities: NDArray[np.floating]) -> tuple[int, ...]:
        """Return the classes that are said of one sample (classes,), the likeliest first."""
        return task_named(self.task).predicted(probabilities, self.present_above)

    def threshold(self, class_index: int) -> float:
        """The probability a prediction of this class needs to be accepted."""
        own = self.class_reject_below
        return max(self.reject_below, own[class_index]) if class_index < len(own) else self.reject_below

    def to_json(self) -> str:
        values = asdict(self)
        if self.task == replace(self, task_name="").task:
            del values["task_name"]
        if values["windowing"] is not None:
            del values["windowing"]["without_pauses"]  # of the samples of a project; a model cuts logs by their clocks
        return json.dumps({"format": FORMAT, **values}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        values = json.loads(text)
        if values.pop("format", None) != FORMAT:
            raise HandlensError(
                msg("The model was made by another version of Handlens. Export it again with this version.")
            )
        kind_named(values["kind"])
        if values["windowing"] is not None:
            cut = values["windowing"]
            tuples = {"columns": tuple(cut.get("columns", ())), "ranges": tuple(map(tuple, cut.get("ranges", ())))}
            values["windowing"] = Windowing(**cut | tuples)
        values["classes"] = tuple(values["classes"])
        values["class_reject_below"] = tuple(values.get("class_reject_below", ()))
        values["map_size"] = tuple(values["map_size"])
        values["present_above"] = tuple(values.get("present_above", ()))
        return cls(**values)
