"""The answers about a video, one for each of its frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ml.runtime.contract import ModelInfo
from ml.runtime.decision import decide
from ml.runtime.folder import FilePrediction, UnreadableInput

Answer = FilePrediction | UnreadableInput


def is_of_video(answer: Answer, info: ModelInfo) -> bool:
    """Return whether an answer is about a video, or about one frame of it."""
    return info.windowing is None and isinstance(answer, FilePrediction) and bool(answer.windows)


def moment(answer: Answer, info: ModelInfo) -> float | None:
    """Return when a frame is shown, in seconds; None of an answer about a whole file."""
    if not isinstance(answer, FilePrediction) or not is_of_video(answer, info) or len(answer.windows) != 1:
        return None
    return answer.windows[0].start


def by_frame(answers: Iterable[Answer], info: ModelInfo) -> Iterator[Answer]:
    """Yield answers, instead of that about a video one for each of its frames."""
    for answer in answers:
        if not isinstance(answer, FilePrediction) or not is_of_video(answer, info):
            yield answer
            continue
        for frame in answer.windows:
            unlike = answer.unlike if frame.unlike is None else frame.unlike
            yield replace(
                answer,
                probabilities=frame.probabilities,
                unlike=unlike,
                decision=decide(frame.probabilities, unlike, info),
                maps=frame.maps,
                windows=(frame,),
            )
