"""What stands in a released `model.onnx` besides the weights: the agreement between export and runtime.

The graph has one input, see `ml.media.kinds.InputName`. Its outputs are
`probabilities` (batch, classes), calibrated; `maps` (batch, classes, h, w), see `ml.pictures.heatmap`; `embedding`
(batch, n); and `unlike` (batch,), 0…1, the share of known samples that are less strange, see `ml.scoring.ood`. The
probabilities of a sample sum to 1; in a multi-label model (`task` "multi") they are those of each class by itself, and
a class counts as present from its value in `present_above` on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.stored_reading import reading_in, reading_values
from ml.core.stored_windowing import windowing_in
from ml.core.types import KindName, PictureReading, Reading, TaskName, Windowing
from ml.core.untrusted import (
    LONGEST_PATH,
    LONGEST_TEXT,
    class_names_in,
    list_in,
    number_in,
    parse_json,
    table_in,
    text_in,
    whole_in,
)
from ml.media.kinds import InputName, kind_named
from ml.scoring.tasks import task_named

FORMAT = 1
METADATA_KEY = "handlens"
OUTPUTS = ("probabilities", "maps", "embedding", "unlike")
MOST_PIXELS = 4_096
"""Sides of the input of a network and of its maps."""
MOST_THRESHOLD = 1.01
"""Rounding may lift a threshold a little above 1."""


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

    picture_reading: PictureReading | None = None
    """How pictures with more than 8 bits or several pages become the input; written only where there is one."""
    task_name: TaskName = ""
    """Written only where `present_above` does not tell the task, since models of version 0.1 know no such entry."""

    @property
    def task(self) -> TaskName:
        """Name of the `ml.scoring.task.Task`."""
        return self.task_name or ("multi" if self.present_above else "single")

    @property
    def reading(self) -> Reading | None:
        """How files become samples: `windowing` or `picture_reading`."""
        return self.windowing or self.picture_reading

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
        if self.picture_reading is None:
            del values["picture_reading"]
        else:
            values["picture_reading"] = reading_values(self.picture_reading)
        if values["windowing"] is not None:
            del values["windowing"]["without_pauses"]  # of the samples of a project; a model cuts logs by their clocks
            if values["windowing"]["time_expansion"] == 1:
                del values["windowing"]["time_expansion"]
        return json.dumps({"format": FORMAT, **values}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Return what `to_json` wrote. Raises ValueError for other values: a stranger may have written the file.

        Raises HandlensError for another format, kind or task.
        """
        values = table_in(parse_json(text), "the description")
        if values.get("format") != FORMAT:
            raise HandlensError(
                msg("The model was made by another version of Handlens. Export it again with this version.")
            )
        if values.keys() - {"format", *_FIELDS}:
            raise ValueError("there are values that no model has")
        info = cls(**_checked({"present_above": [], **values}))
        task_named(info.task)
        return info


_FIELDS = frozenset(ModelInfo.__dataclass_fields__)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `ModelInfo`, each of its type and in its range."""
    kind = kind_named(text_in(values.get("kind"), "kind"))
    classes = class_names_in(values.get("classes"))
    if len(classes) < 1:
        raise ValueError("there are no classes")
    cut = values.get("windowing")
    if (cut is None) == kind.windowed:
        raise ValueError("windowing does not fit the kind")
    pictures = values.get("picture_reading")
    present = _thresholds(values.get("present_above"), "present_above", len(classes))
    map_size = [
        whole_in(side, "map_size", 1, MOST_PIXELS) for side in list_in(values.get("map_size"), "map_size", most=2)
    ]
    if len(map_size) != 2:
        raise ValueError("map_size is not a pair")
    promised = values.get("promised", False)
    if not isinstance(promised, bool):
        raise ValueError("promised is not true or false")
    checked: dict[str, Any] = {
        "kind": kind.name,
        "classes": classes,
        "size": whole_in(values.get("size"), "size", 0, MOST_PIXELS),
        "windowing": None if cut is None else windowing_in(table_in(cut, "windowing")),
        "picture_reading": None if pictures is None else reading_in(table_in(pictures, "picture_reading")),
        "map_size": tuple(map_size),
        "run": whole_in(values.get("run"), "run", 0, 1 << 31),
        "temperature": number_in(values.get("temperature"), "temperature", 1e-9, 1e9),
        "parity_samples": whole_in(values.get("parity_samples"), "parity_samples", 0, 1 << 31),
        "parity_difference": number_in(values.get("parity_difference"), "parity_difference", 0.0, 1e9),
        "class_reject_below": _thresholds(values.get("class_reject_below", []), "class_reject_below", len(classes)),
        "promised": promised,
        "present_above": present,
        "task_name": text_in(values.get("task_name", ""), "task_name", empty=True),
        "card": text_in(values.get("card"), "card", longest=LONGEST_TEXT, empty=True),
    }
    for name in ("backbone", "project", "created_at", "backbone_sha256"):
        default = "" if name == "backbone_sha256" else None
        checked[name] = text_in(values.get(name, default), name, longest=LONGEST_PATH, empty=True)
    for name in ("reject_below", "wanted_error", "unlike_above"):
        checked[name] = number_in(values.get(name), name, 0.0, MOST_THRESHOLD)
    for name in ("ece_before", "ece"):
        error = values.get(name)
        unknown = error is None or (isinstance(error, float) and math.isnan(error))
        checked[name] = None if unknown else number_in(error, name, 0.0, 1.0)
    return checked


def _thresholds(value: object, name: str, classes: int) -> tuple[float, ...]:
    """One probability for each class, or none."""
    found = tuple(number_in(item, name, 0.0, MOST_THRESHOLD) for item in list_in(value, name, most=classes))
    if found and len(found) != classes:
        raise ValueError(f"{name} has {len(found)} values for {classes} classes")
    return found
