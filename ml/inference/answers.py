"""An answer as a row: what `handlens predict --json` prints, and what tables are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.core.messages import Message, msg, text
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import FilePrediction, UnreadableInput, WindowPrediction
from ml.scoring.tasks import task_named

RUNNERS_UP = 5
"""How many of the likeliest classes an answer names."""
UNREADABLE = "unreadable"
"""The decision about a file that could not be read."""
NONE_OF_THEM = msg("none of the classes")

Row = dict[str, Any]


def answer_row(result: FilePrediction | UnreadableInput, info: ModelInfo) -> Row:
    """Return the answer as plain values. See `docs/json.md`; `reason` says why it was set aside or is missing."""
    if isinstance(result, UnreadableInput):
        return {"path": str(result.path), "decision": UNREADABLE, "reason": text(result.reason)}
    order = result.probabilities.argsort()[::-1]
    why = why_set_aside(result, info)
    row: Row = {
        "path": str(result.path),
        "label": info.classes[result.best],
        "probability": _rounded(result.probabilities[result.best]),
        "unlike": _rounded(result.unlike),
        "decision": result.decision,
        "top": [[info.classes[index], _rounded(result.probabilities[index])] for index in order[:RUNNERS_UP]],
    }
    if not task_named(info.task).exclusive:
        row["labels"] = _present(result.probabilities, info)
    if info.windowing is not None or result.windows:
        row["windows"] = [_window(window, info) for window in result.windows]
    if info.windowing is None and len(result.windows) == 1:
        row["frame"] = True
    if result.cut:
        row["cut"] = True
    return row | {"reason": "" if why is None else text(why)}


def why_set_aside(result: FilePrediction, info: ModelInfo) -> Message | None:
    """Return why an answer was set aside, None if it was not."""
    return rejected_because(result.unlike, result.best, info) if result.decision == "reject" else None


def rejected_because(unlike: float, best: int, info: ModelInfo) -> Message:
    """Return why an answer, class index `best`, was set aside, in a few words."""
    if unlike > info.unlike_above:
        return msg("unlike all training samples")
    return msg("below its threshold of {percent:.1f} %", percent=info.threshold(best) * 100)


def _window(window: WindowPrediction, info: ModelInfo) -> Row:
    values: Row = {
        "start": window.start,
        "end": window.end,
        "label": info.classes[int(window.probabilities.argmax())],
        "probability": _rounded(window.probabilities.max()),
    }
    if not task_named(info.task).exclusive:
        values["labels"] = _present(window.probabilities, info)
    return values


def _present(probabilities: NDArray[np.floating], info: ModelInfo) -> list[str]:
    """Every class that counts as present, the most probable first."""
    return [info.classes[index] for index in info.predicted(probabilities)]


def _rounded(value: float) -> float:
    return round(float(value), 6)
