"""A released model: open the file, give it pixels or sound, read what it says. ONNX Runtime only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.memory import MEMORY_RAN_OUT, is_memory_shortage
from ml.core.messages import msg
from ml.core.regular_files import refuse_irregular
from ml.media.kinds import kind_named
from ml.runtime.contract import METADATA_KEY, OUTPUTS, ModelInfo
from ml.runtime.session import open_session


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

    def __init__(self, session: onnxruntime.InferenceSession, info: ModelInfo) -> None:
        self._session = session
        self.info = info

    @classmethod
    def open(cls, path: Path, *, many: bool = False) -> ReleasedModel:
        """Load `path`; with `many` samples it answers a batch sooner and a single one later, see `session`.

        Raises HandlensError for anything but a model that Handlens released.
        """
        refuse_irregular(path)
        if not path.is_file():
            raise HandlensError(msg("There is no model at {path}. Check the name.", path=str(path)))
        try:
            session = open_session(path, many=many)
        except Exception as error:  # ONNX Runtime's own errors share no narrower base class
            if is_memory_shortage(error):
                raise HandlensError(MEMORY_RAN_OUT, details=repr(error)) from error
            raise HandlensError(
                msg(
                    "{name} cannot be used as a model: it is damaged or not an ONNX file. Export it again.",
                    name=path.name,
                ),
                details=repr(error),
            ) from error
        return cls(session, _info_of(session, path))

    @classmethod
    def from_bytes(cls, data: bytes) -> ReleasedModel:
        """The content of a model file that `open` has accepted before, as it travels between machines; there it works
        on one core, beside others like it."""
        session = open_session(data, threads=1)
        return cls(session, _info_of(session, Path("model.onnx")))

    def predict(self, batch: NDArray[np.generic]) -> Outputs:
        """Ask for a batch: uint8 RGB pixels (n, size, size, 3), or float32 mono sound (n, frames)."""
        kind = np.uint8 if self.info.input_name == "pixels" else np.float32
        values = self._session.run(list(OUTPUTS), {self.info.input_name: np.ascontiguousarray(batch, dtype=kind)})
        return Outputs(
            **{name: np.asarray(value, dtype=np.float32) for name, value in zip(OUTPUTS, values, strict=True)}
        )


def _info_of(session: onnxruntime.InferenceSession, path: Path) -> ModelInfo:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise HandlensError(
            msg("{name} is an ONNX file, but Handlens did not make it. Export a model from a project.", name=path.name)
        )
    try:
        info = ModelInfo.from_json(text)
    except (ValueError, KeyError, TypeError) as error:
        raise HandlensError(
            msg("The description inside {name} cannot be read. Export the model again.", name=path.name),
            details=repr(error),
        ) from error
    inputs = {item.name for item in session.get_inputs()}
    outputs = {item.name for item in session.get_outputs()}
    if info.input_name not in inputs or not set(OUTPUTS) <= outputs:
        raise HandlensError(
            msg("{name} lacks a part that Handlens models have. Export it again.", name=path.name),
            details=f"inputs {sorted(inputs)}, outputs {sorted(outputs)}",
        )
    if not _fits(info, session):
        raise HandlensError(
            msg("The description inside {name} does not fit its network. Export the model again.", name=path.name)
        )
    return info


def _fits(info: ModelInfo, session: onnxruntime.InferenceSession) -> bool:
    """Whether the graph takes what the description says that it takes, and answers for as many classes."""
    given = next(item.shape for item in session.get_inputs() if item.name == info.input_name)[1:]
    answer = next(item.shape for item in session.get_outputs() if item.name == OUTPUTS[0])[1:]
    wanted = kind_named(info.kind).input_shape(info.windowing, info.size)
    return bool(given == list(wanted) and answer == [len(info.classes)])
