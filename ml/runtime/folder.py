"""A released model over many files: found, decoded a little ahead, predicted in batches, in the order they came."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError, UnreadableError
from ml.core.memory import MEMORY_RAN_OUT, is_memory_shortage, start_threads
from ml.core.messages import Message, msg, verbatim
from ml.core.phrases import files
from ml.media.kinds import kind_named
from ml.project.scan.folder import CLOSED_FOLDER, LEAVES_FOLDER, entries_below, is_link
from ml.runtime.contract import ModelInfo
from ml.runtime.decision import Decision, decide
from ml.runtime.model import Outputs, ReleasedModel
from ml.runtime.session import cores
from ml.scoring.tasks import task_named

BATCH = max(8, 2 * cores())
CHUNK = 32
"""Windows of one recording that are in memory at once."""

Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowPrediction:
    """What the model said of `start`…`end` s of a recording, or of a frame of a video that stands for that time.

    `probabilities` (classes,); `maps` (classes, h, w).
    """

    start: float
    end: float
    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32] | None = None
    unlike: float | None = None
    """Of a frame of a video, which is an answer of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePrediction:
    """What the model said of one file.

    `probabilities` (classes,) and `unlike` are means over the windows of a recording or the frames of a video. `maps`
    (classes, h, w) is there for pictures when it was asked for; recordings and videos carry theirs in `windows`. `cut`:
    a video is damaged or ends before its time, and what is before that was answered.
    """

    path: Path
    probabilities: NDArray[np.float32]
    unlike: float
    decision: Decision
    maps: NDArray[np.float32] | None = None
    windows: tuple[WindowPrediction, ...] = ()
    cut: bool = False

    @property
    def best(self) -> int:
        """Index of the most probable class."""
        return int(self.probabilities.argmax())


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadableInput:
    """A file that could not be predicted, and why in one sentence."""

    path: Path
    reason: Message


def find_inputs(inputs: Sequence[Path], info: ModelInfo) -> list[Path]:
    """Return what `search_inputs` yields. Raises HandlensError as that does."""
    return list(search_inputs(inputs, info))


def search_inputs(inputs: Sequence[Path], info: ModelInfo) -> Iterator[Path]:
    """Yield the files to predict: files as they are given, folders searched for files of the model's kind, sorted.

    The order is the same each time, and memory does not grow with the number of files. Hidden files and litter are
    skipped, see `project.scan.folder`. A folder inside that may not be opened, or a link to a folder elsewhere, is one
    of the inputs, to be named as unreadable. Raises HandlensError for an input that is not there, and, at the end,
    where nothing was found.
    """
    check_inputs(inputs)
    suffixes = kind_named(info.kind).suffixes
    found = False
    for given in inputs:
        for path in _below(given, suffixes) if given.is_dir() else (given,):
            found = True
            yield path
    if not found:
        searched = tuple(str(item) for item in inputs)
        raise HandlensError(
            msg("No {files} were found in {folders}. Check the folder.", files=files(info.kind), folders=searched)
        )


def check_inputs(inputs: Sequence[Path]) -> None:
    """Raise HandlensError for an input that is not there."""
    for given in inputs:
        if not given.exists():
            raise HandlensError(msg("There is no file or folder {path}. Check the name.", path=str(given)))


def count_inputs(inputs: Sequence[Path], info: ModelInfo, stop: Callable[[], bool] = lambda: False) -> int | None:
    """Return about how many files `search_inputs` would yield, much sooner; None if `stop` says so meanwhile."""
    suffixes = tuple(kind_named(info.kind).suffixes)
    total = 0
    for given in inputs:
        if not given.is_dir():
            total += 1
            continue
        for _folder, folders, names in os.walk(given):
            if stop():
                return None
            folders[:] = [name for name in folders if not name.startswith(".")]
            total += sum(name.lower().endswith(suffixes) and not name.startswith(".") for name in names)
    return total


def predict_files(
    model: ReleasedModel, paths: Iterable[Path], *, keep_maps: bool = False, frame_every: float | None = None
) -> Iterator[FilePrediction | UnreadableInput]:
    """Predict `paths` one after another, as many at a time as a batch takes; memory does not grow with their number.

    Unreadable files are yielded in their place. `keep_maps` adds the class maps. `frame_every`: seconds
    between two frames of a video; None: as its length asks for.
    """
    waiting: list[_Item] = []
    for item in _decoded(paths, model.info, frame_every):
        waiting.append(item)
        if sum(len(entry.arrays) for entry in waiting) >= BATCH:
            yield from _predict(model, waiting, keep_maps=keep_maps)
            waiting = []
    yield from _predict(model, waiting, keep_maps=keep_maps)


@dataclass(slots=True)
class _Item:
    """One file on its way: its first samples, decoded, or the reason why there are none."""

    path: Path
    arrays: NDArray[np.generic] = field(default_factory=lambda: np.zeros((0, 1), dtype=np.float32))
    spans: tuple[Span, ...] = ()
    cut: bool = False
    reason: Message | None = None
    short_of_memory: bool = False


def _decoded(paths: Iterable[Path], info: ModelInfo, every: float | None) -> Iterator[_Item]:
    """Decode in threads, never further ahead than two batches; of recordings, which may hold a batch each, than keeps
    the threads busy."""
    threads = min(4, os.cpu_count() or 1)
    most = 2 * BATCH if info.windowing is None else threads + 1
    ahead: deque[Future[_Item]] = deque()
    with start_threads(threads, name="decode") as pool:
        try:
            for path in paths:
                ahead.append(pool.submit(_load, path, info, every))
                if len(ahead) >= most:
                    yield _alone_if_short(ahead.popleft().result(), ahead, info, every)
            while ahead:
                yield _alone_if_short(ahead.popleft().result(), ahead, info, every)
        finally:
            pool.shutdown(cancel_futures=True)


def _alone_if_short(item: _Item, ahead: Iterable[Future[_Item]], info: ModelInfo, every: float | None) -> _Item:
    """The item; decoded again if memory ran out while others were decoded beside it, once these are done."""
    if not item.short_of_memory:
        return item
    wait(ahead)
    return _load(item.path, info, every)


def _load(path: Path, info: ModelInfo, every: float | None) -> _Item:
    try:
        if info.windowing is None:
            frames = kind_named(info.kind).frames(path, every)
            return _Item(path, _windows(path, info, frames.spans[:CHUNK] or ((0.0, 0.0),)), frames.spans, frames.cut)
        spans = kind_named(info.kind).windows(path, info.windowing)
        return _Item(path, _windows(path, info, spans[:CHUNK]), spans)
    except Exception as error:  # of thousands of files one that nobody thought of costs the others nothing
        return _Item(path, reason=why_unreadable(path, error), short_of_memory=is_memory_shortage(error))


def why_unreadable(path: Path, error: Exception) -> Message:
    """Return the reason why a file could not be decoded, for the person who gave it."""
    if isinstance(error, UnreadableError):
        if path.is_dir():
            return LEAVES_FOLDER if is_link(path) else CLOSED_FOLDER
        return error.message
    if is_memory_shortage(error):
        return MEMORY_RAN_OUT
    return msg(
        "The file could not be read because of a fault in Handlens ({fault}). Please report it.",
        fault=type(error).__name__,
    )


def _windows(path: Path, info: ModelInfo, spans: Sequence[Span]) -> NDArray[np.generic]:
    starts = [start for start, _end in spans]
    return kind_named(info.kind).load_input(path, starts, windowing=info.reading, size=info.size)


def _predict(
    model: ReleasedModel, items: list[_Item], *, keep_maps: bool
) -> Iterator[FilePrediction | UnreadableInput]:
    readable = [item for item in items if item.reason is None]
    outputs: Callable[[int, int], Outputs]
    if readable:
        outputs = _in_batches(model, np.concatenate([item.arrays for item in readable]))
    row = 0
    for item in items:
        if item.reason is not None:
            yield UnreadableInput(path=item.path, reason=item.reason)
            continue
        first = outputs(row, row + len(item.arrays))
        row += len(item.arrays)
        if not item.spans:
            yield _picture(item, first, model.info, keep_maps=keep_maps)
        else:
            yield _recording(model, item, first, keep_maps=keep_maps)


def _in_batches(model: ReleasedModel, arrays: NDArray[np.generic]) -> Callable[[int, int], Outputs]:
    """Predict all rows, `BATCH` at a time, and give back a function that cuts out rows."""
    parts = [
        part
        for start in range(0, len(arrays), BATCH)
        for part in _halved_if_short(model, arrays[start : start + BATCH])
    ]
    whole = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("probabilities", "maps", "embedding", "unlike")
    }
    return lambda start, end: Outputs(**{name: values[start:end] for name, values in whole.items()})


def _halved_if_short(model: ReleasedModel, arrays: NDArray[np.generic]) -> list[Outputs]:
    """Predict in one batch, or in halves where memory runs out."""
    try:
        return [model.predict(arrays)]
    except Exception as error:  # ONNX Runtime's own errors share no narrower base class
        if len(arrays) < 2 or not is_memory_shortage(error):
            raise
    half = len(arrays) // 2
    return [*_halved_if_short(model, arrays[:half]), *_halved_if_short(model, arrays[half:])]


def _picture(item: _Item, outputs: Outputs, info: ModelInfo, *, keep_maps: bool) -> FilePrediction:
    probabilities, unlike = outputs.probabilities[0], float(outputs.unlike[0])
    return FilePrediction(
        path=item.path,
        probabilities=probabilities,
        unlike=unlike,
        decision=decide(probabilities, unlike, info),
        maps=outputs.maps[0] if keep_maps else None,
    )


def _recording(
    model: ReleasedModel, item: _Item, first: Outputs, *, keep_maps: bool
) -> FilePrediction | UnreadableInput:
    """Read the rest of a long recording or video chunk by chunk and take the mean over its windows."""
    windows = _window_predictions(item.spans[:CHUNK], first, keep_maps=keep_maps)
    unlike = [first.unlike]
    for start in range(CHUNK, len(item.spans), CHUNK):
        spans = item.spans[start : start + CHUNK]
        try:
            arrays = _windows(item.path, model.info, spans)
        except Exception as error:  # as at its beginning, see `_load`
            return UnreadableInput(path=item.path, reason=why_unreadable(item.path, error))
        outputs = _in_batches(model, arrays)(0, len(spans))
        windows += _window_predictions(spans, outputs, keep_maps=keep_maps)
        unlike.append(outputs.unlike)
    probabilities = task_named(model.info.task).over_windows(np.stack([window.probabilities for window in windows]))
    mean_unlike = float(np.concatenate(unlike).mean())
    return FilePrediction(
        path=item.path,
        probabilities=probabilities,
        unlike=mean_unlike,
        decision=decide(probabilities, mean_unlike, model.info),
        windows=windows,
        cut=item.cut,
    )


def _window_predictions(spans: Sequence[Span], outputs: Outputs, *, keep_maps: bool) -> tuple[WindowPrediction, ...]:
    return tuple(
        WindowPrediction(
            start=start,
            end=end,
            probabilities=outputs.probabilities[row],
            maps=outputs.maps[row] if keep_maps else None,
            unlike=float(outputs.unlike[row]),
        )
        for row, (start, end) in enumerate(spans)
    )


def _below(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    try:
        for entry in entries_below(folder):
            if entry.folder or PurePosixPath(entry.path).suffix.lower() in suffixes:
                yield folder / entry.path
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HandlensError(
            msg("The folder {folder} cannot be opened ({reason}).", folder=str(folder), reason=verbatim(reason)),
            details=repr(error),
        ) from error
