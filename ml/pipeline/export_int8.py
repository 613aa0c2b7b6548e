"""A model in whole numbers, compared with the original on samples of the project."""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError, UnreadableError
from ml.core.events import Progress
from ml.core.jobs import Stop, raise_if_requested
from ml.core.messages import Message, msg
from ml.core.phrases import counted
from ml.core.types import Sample, Split
from ml.media.kinds import kind_named
from ml.project.project import Project
from ml.runtime.contract import ModelInfo
from ml.runtime.model import ReleasedModel
from ml.scoring.tasks import task_named

CALIBRATION_SAMPLES = 200
COMPARED_SAMPLES = 500
BATCH = 8

Loaded = tuple[NDArray[np.generic], tuple[int, ...]]
"""The input of one sample, and its labels as class indices of the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """How one form of a model did on the samples it was compared on."""

    score: float | None
    size: int
    """Bytes."""
    seconds: float
    """For each sample, on this machine."""

    def as_json(self) -> dict[str, Any]:
        return {"score": self.score, "bytes": self.size, "seconds": round(self.seconds, 6)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The model in floats and in whole numbers, on the same `samples` of one split."""

    samples: int
    split: Split
    float32: Measured
    int8: Measured

    def sentences(self, info: ModelInfo) -> list[Message]:
        """One sentence for each form."""
        return [
            msg(
                "{form}: {score} on {samples}, {megabytes:.1f} MB, {milliseconds:.1f} ms each on this computer.",
                form=form,
                score="–" if found.score is None else task_named(info.task).score_text(found.score),
                samples=counted(self.samples, info.kind),
                megabytes=found.size / 1e6,
                milliseconds=found.seconds * 1000,
            )
            for form, found in (("float32", self.float32), ("int8", self.int8))
        ]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "samples": self.samples,
            "split": self.split,
            "float32": self.float32.as_json(),
            "int8": self.int8.as_json(),
        }


def to_int8(
    project: Project, model: bytes, info: ModelInfo, stop: Stop
) -> Generator[Progress, None, tuple[bytes, Comparison]]:
    """Return the model in int8, calibrated on training samples, and how it compares on test samples.

    Without test samples it is compared on validation samples. Raises HandlensError where files of the project are
    gone, and StopRequestedError.
    """
    try:
        # Not in the folder that runs without Python.
        importlib.import_module("onnxruntime.quantization")
        from ml.release.int8 import quantized
    except ImportError as error:
        raise HandlensError(
            msg(
                "This edition of Handlens cannot write whole numbers. Install it with Python: {command}",
                command="pip install handlens",
            ),
            details=repr(error),
        ) from error
    training = _chosen(project, ("train",), CALIBRATION_SAMPLES)
    compared = _chosen(project, ("test",), COMPARED_SAMPLES) or _chosen(project, ("valid",), COMPARED_SAMPLES)
    count = _Count(len(training) + 2 * len(compared), stop)
    inputs: list[NDArray[np.generic]] = []
    for array, _labels in _loaded(project, training, info):
        inputs.append(array)
        yield count.after(1)
    made = quantized(model, inputs)
    float32, number = yield from _measured(model, project, compared, info, count)
    int8, _number = yield from _measured(made, project, compared, info, count)
    split: Split = compared[0].split or "test"
    return made, Comparison(samples=number, split=split, float32=float32, int8=int8)


class _Count:
    """How many samples were read. Raises StopRequestedError after a stop request."""

    def __init__(self, total: int, stop: Stop) -> None:
        self._done, self._total, self._stop = 0, total, stop

    def after(self, samples: int) -> Progress:
        raise_if_requested(self._stop)
        self._done += samples
        return Progress(stage="export", done=self._done, total=self._total)


def _chosen(project: Project, splits: Sequence[Split], most: int) -> list[Sample]:
    """At most so many labelled samples, always the same ones."""
    found = [sample for sample in project.samples() if sample.split in splits and sample.labelled]
    return found if len(found) <= most else random.Random(0).sample(found, most)


def _loaded(project: Project, samples: Sequence[Sample], info: ModelInfo) -> Iterator[Loaded]:
    """The samples that can still be read. Raises HandlensError where there are none."""
    kind, names = kind_named(info.kind), [item.name for item in project.classes()]
    place = {names.index(name): index for index, name in enumerate(info.classes) if name in names}
    readable = False
    for sample in samples:
        try:
            array = kind.load_input(
                project.file(sample.path), [sample.start or 0.0], windowing=info.reading, size=info.size
            )
        except UnreadableError:
            continue
        readable = True
        yield array, tuple(place[label] for label in sample.labels if label in place)
    if not readable:
        raise HandlensError(
            msg("None of the samples can be read. Check that the folder with the original files is there.")
        )


def _measured(
    model: bytes, project: Project, samples: Sequence[Sample], info: ModelInfo, count: _Count
) -> Generator[Progress, None, tuple[Measured, int]]:
    """How a model does on samples, and how many there were."""
    released = ReleasedModel.from_content(model, "model.onnx", many=True)
    task = task_named(info.task)
    answers: list[NDArray[np.float32]] = []
    labels: list[tuple[int, ...]] = []
    seconds = 0.0
    for batch in _batches(_loaded(project, samples, info)):
        arrays = np.concatenate([array for array, _labels in batch])
        began = time.perf_counter()
        answers.append(released.predict(arrays).probabilities)
        seconds += time.perf_counter() - began
        labels += [shown for _array, shown in batch]
        yield count.after(len(batch))
    probabilities = np.concatenate(answers)
    known = [row for row, shown in enumerate(labels) if shown or not task.exclusive]
    targets = task.targets([labels[row] for row in known], classes=len(info.classes))
    score, _loss = task.score_and_loss(probabilities[known], targets)
    return Measured(score=score, size=len(model), seconds=seconds / len(labels)), len(labels)


def _batches(loaded: Iterator[Loaded]) -> Iterator[list[Loaded]]:
    batch: list[Loaded] = []
    for item in loaded:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
