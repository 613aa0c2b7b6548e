"""One answered file seen closely: where the model looked, and in a recording where it is surest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import UnreadableError
from ml.media.kinds import kind_named
from ml.runtime.folder import FilePrediction, UnreadableInput, predict_files
from ml.runtime.model import ReleasedModel


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseUp:
    """The class maps (classes, h, w) of a picture, or of the window of a recording that begins at `start` s."""

    maps: NDArray[np.float32]
    start: float = 0.0


def surest_start(answer: FilePrediction) -> float:
    """Return where the window begins in which the predicted class is most probable, in seconds; 0 of a picture."""
    surest = max(answer.windows, key=lambda window: float(window.probabilities[answer.best]), default=None)
    return 0.0 if surest is None else surest.start


def close_up(model: ReleasedModel, answer: FilePrediction) -> CloseUp:
    """Read the file of `answer` again for its maps: they are too large to be kept for many files.

    Raises UnreadableError where the file has changed or is gone.
    """
    info = model.info
    if info.windowing is not None or answer.windows:
        start = surest_start(answer)
        array = kind_named(info.kind).load_input(answer.path, [start], windowing=info.reading, size=info.size)
        return CloseUp(maps=model.predict(array).maps[0], start=start)
    again = next(predict_files(model, [answer.path], keep_maps=True))
    if isinstance(again, UnreadableInput):
        raise UnreadableError(again.reason)
    assert again.maps is not None
    return CloseUp(maps=again.maps)
