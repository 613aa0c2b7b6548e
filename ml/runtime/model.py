"""A released model: open the file, give it pixels or sound, read what it says. ONNX Runtime only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.memory import MEMORY_RAN_OUT, is_memory_shortage
from ml.core.messages import msg
from ml.core.regular_files import refuse_irregular
from ml.media.kinds import kind_named
from ml.runtime.contract import METADATA_KEY, MOST_PIXELS, OUTPUTS, ModelInfo
from ml.runtime.graph_check import check_graph
from ml.runtime.session import open_session

if TYPE_CHECKING:
    import onnxruntime

_MOST_MAP_VALUES = 1 << 28
"""Of one sample."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outputs:
    """What the model says of n samples.

    `probabilities` (n, classes) float32, calibrated · `maps` (n, classes, h, w) float32, see `ml.pictures.heatmap` ·
    `embedding` (n, d) float32 · `unlike` (n,) float32, 0…1.
    """

    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]
    embedding: NDArray[np.float32]
    unlike: NDArray[np.float32]


class ReleasedModel:
    """A `model.onnx` made by Handlens, ready to be asked. `info` is what stands in its metadata."""

    def __init__(self, session: onnxruntime.InferenceSession, info: ModelInfo, *, name: str = "model.onnx") -> None:
        self._session = session
        self._name = name
        self.info = info

    @classmethod
    def open(cls, path: Path, *, many: bool = False) -> ReleasedModel:
        """Load `path`; with `many` samples it answers a batch sooner and a single one later, see `session`.

        Raises HandlensError for anything but a model that Handlens released.
        """
        refuse_irregular(path)
        if not path.is_file():
            raise HandlensError(msg("There is no model at {path}. Check the name.", path=str(path)))
        return cls.from_content(path, path.name, many=many)

    @classmethod
    def from_content(cls, content: Path | bytes, name: str, *, many: bool = False) -> ReleasedModel:
        """Load a model as `open` does, from a regular file or its content. `name` is what sentences call it."""
        try:
            check_graph(content)
        except (ValueError, OSError) as error:
            raise HandlensError(
                msg(
                    "{name} cannot be used as a model: it is damaged or not an ONNX file of Handlens. Export it again.",
                    name=name,
                ),
                details=repr(error),
            ) from error
        try:
            session = open_session(content, many=many)
        except Exception as error:  # ONNX Runtime's own errors share no narrower base class
            if is_memory_shortage(error):
                raise HandlensError(MEMORY_RAN_OUT, details=repr(error)) from error
            raise HandlensError(
                msg(
                    "{name} cannot be used as a model: it is damaged or not an ONNX file. Export it again.",
                    name=name,
                ),
                details=repr(error),
            ) from error
        return cls(session, _info_of(session, name), name=name)

    @classmethod
    def from_bytes(cls, data: bytes) -> ReleasedModel:
        """The content of a model file that `open` has accepted before, as it travels between machines; there it works
        on one core, beside others like it."""
        check_graph(data)
        session = open_session(data, threads=1)
        return cls(session, _info_of(session, "model.onnx"))

    def predict(self, batch: NDArray[np.generic]) -> Outputs:
        """Ask for a batch: uint8 RGB pixels (n, size, size, 3), or float32 mono sound (n, frames).

        Raises HandlensError if the graph fails, or answers in other shapes than it promised or with invalid numbers.
        """
        kind = np.uint8 if self.info.input_name == "pixels" else np.float32
        feed = {self.info.input_name: np.ascontiguousarray(batch, dtype=kind)}
        try:
            values = self._session.run(list(OUTPUTS), feed)
        except Exception as error:  # ONNX Runtime's own errors share no narrower base class
            raise HandlensError(
                msg(
                    "{name} could not be run: it is damaged, or it needs more memory than this computer has. Export "
                    "the model again.",
                    name=self._name,
                ),
                details=repr(error),
            ) from error
        outputs = Outputs(
            **{name: np.asarray(value, dtype=np.float32) for name, value in zip(OUTPUTS, values, strict=True)}
        )
        if not _sound(outputs, len(batch), len(self.info.classes)):
            raise HandlensError(
                msg(
                    "{name} answered with invalid numbers, so its predictions are useless. Export the model again or "
                    "train again.",
                    name=self._name,
                )
            )
        return outputs


def _sound(outputs: Outputs, count: int, classes: int) -> bool:
    """Whether the answers have the shapes and values that every released model gives."""
    maps, embedding = outputs.maps, outputs.embedding
    return bool(
        outputs.probabilities.shape == (count, classes)
        and (maps.ndim == 4 and maps.shape[:2] == (count, classes) and maps.size <= _MOST_MAP_VALUES * max(1, count))
        and (embedding.ndim == 2 and len(embedding) == count)
        and outputs.unlike.shape == (count,)
        and np.isfinite(outputs.probabilities).all()
        and np.isfinite(outputs.unlike).all()
    )


def _info_of(session: onnxruntime.InferenceSession, name: str) -> ModelInfo:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise HandlensError(
            msg("{name} is an ONNX file, but Handlens did not make it. Export a model from a project.", name=name)
        )
    try:
        info = ModelInfo.from_json(text)
    except ValueError as error:
        raise HandlensError(
            msg("The description inside {name} cannot be read. Export the model again.", name=name),
            details=repr(error),
        ) from error
    inputs = {item.name for item in session.get_inputs()}
    outputs = {item.name for item in session.get_outputs()}
    if info.input_name not in inputs or not set(OUTPUTS) <= outputs:
        raise HandlensError(
            msg("{name} lacks a part that Handlens models have. Export it again.", name=name),
            details=f"inputs {sorted(inputs)}, outputs {sorted(outputs)}",
        )
    if not _fits(info, session):
        raise HandlensError(
            msg("The description inside {name} does not fit its network. Export the model again.", name=name)
        )
    return info


def _fits(info: ModelInfo, session: onnxruntime.InferenceSession) -> bool:
    """Whether the graph takes what the description says that it takes, and answers for as many classes."""
    given = session.get_inputs()
    wanted = list(kind_named(info.kind).input_shape(info.windowing, info.size))
    element = "tensor(uint8)" if info.input_name == "pixels" else "tensor(float)"
    if len(given) != 1 or given[0].type != element or given[0].shape[1:] != wanted or _is_fixed(given[0].shape[:1]):
        return False
    shapes = {item.name: item.shape for item in session.get_outputs()}
    maps = shapes[OUTPUTS[1]]
    return bool(
        shapes[OUTPUTS[0]][1:] == [len(info.classes)]
        and len(maps) == 4
        and all(not isinstance(side, int) or side <= MOST_PIXELS for side in maps[2:])
    )


def _is_fixed(batch: list[int | str | None]) -> bool:
    """Whether the graph takes batches of one size only."""
    return not batch or isinstance(batch[0], int)
