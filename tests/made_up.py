"""A sample kind and a task that Handlens does not have: frames of films, and classes in an order."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.core import phrases, plugins
from ml.core.errors import UnreadableError
from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import Nouns
from ml.core.types import Windowing
from ml.media import kinds
from ml.media.kinds import FileFacts, SampleKind, register_kind
from ml.scoring import tasks
from ml.scoring.single_label_task import SingleLabel
from ml.scoring.task import Interval
from ml.scoring.tasks import register_task

GREYS = {"1 dark": 40, "2 middle": 120, "3 bright": 220}


class Films(SampleKind):
    """A film is a numpy file of frames (frames, height, width, 3), one a second. Each frame is a sample."""

    name = "films"
    suffixes = frozenset([".film"])
    nouns = Nouns(
        counted=lambda number: nmsg("{count} frame", "{count} frames", number),
        counted_files=lambda number: nmsg("{count} film", "{count} films", number),
        things=msg("frames"),
        thing=msg("frame"),
        files=msg("films"),
    )
    input_name = "pixels"
    windowed = True

    def probe(self, path: Path) -> FileFacts:
        count, height, width, _channels = _frames(path).shape
        return FileFacts(width=width, height=height, duration=float(count), rate=1)

    def choose_windowing(self, facts: Sequence[FileFacts]) -> Windowing | None:
        return Windowing(rate=1, seconds=1.0, step=1.0)

    def load(
        self, path: Path, starts: Sequence[float], *, windowing: Windowing | None, size: int
    ) -> NDArray[np.generic]:
        frames = _frames(path)
        return np.stack([_resized(frames[int(start)], (size, size)) for start in starts])

    def row_shape(self, windowing: Windowing | None, size: int) -> tuple[tuple[int, ...], type[np.generic]]:
        return (size, size, 3), np.uint8

    def original(self, path: Path, *, windowing: Windowing | None, start: float, edge: int) -> NDArray[np.generic]:
        return _frames(path)[int(start)]

    def draw(
        self, original: NDArray[np.generic], *, windowing: Windowing | None, size: tuple[int, int], dark: bool
    ) -> NDArray[np.uint8]:
        return _resized(np.asarray(original, dtype=np.uint8), size)


class Ordered(SingleLabel):
    """One class of several in an order: a near miss counts as half a hit."""

    name = "ordered"
    score_meaning = msg("A near miss counts as half a hit.")

    def score_and_loss(
        self, probabilities: NDArray[np.floating], targets: NDArray[np.integer]
    ) -> tuple[float | None, float | None]:
        if not len(targets):
            return None, None
        missed = np.abs(np.argmax(probabilities, axis=1) - targets)
        return float(np.maximum(0.0, 1.0 - 0.5 * missed).mean()), super().score_and_loss(probabilities, targets)[1]

    def score_interval(self, score: float | None, files: int) -> Interval | None:
        return None

    def result(
        self, score: float, n: int, kind: str, *, files: int | None = None, interval: Interval | None = None
    ) -> Message:
        return msg("Near enough on {score:.0%} of {n} {things}.", score=score, n=n, things=phrases.things(kind))


def film_folder(folder: Path, *, each: int = 8) -> Path:
    """`each` films of two frames for each brightness, with noise."""
    rng = np.random.default_rng(8)
    for name, grey in GREYS.items():
        (folder / name).mkdir(parents=True)
        for number in range(each):
            frames = np.clip(rng.normal(grey, 12, (2, 24, 32, 3)), 0, 255).astype(np.uint8)
            with (folder / name / f"{name[2:]}-{number}.film").open("wb") as file:
                np.save(file, frames)
    return folder


def register() -> None:
    """Make both known."""
    register_kind(Films())
    register_task(Ordered())


@contextmanager
def registered() -> Iterator[None]:
    """Both are known inside only, so that no other test meets them."""
    books = (kinds._kinds, tasks._tasks, phrases._nouns, plugins._modules)
    before = [dict(book) for book in books]
    register()
    try:
        yield
    finally:
        for book, old in zip(books, before, strict=True):
            book.clear()
            book.update(old)  # type: ignore[arg-type]


def _frames(path: Path) -> NDArray[np.uint8]:
    try:
        frames: NDArray[np.uint8] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UnreadableError(msg("The film cannot be read."), details=repr(error)) from error
    return frames


def _resized(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(frame).resize(size), dtype=np.uint8)


if multiprocessing.parent_process() is not None:  # in a child that a job sent here
    register()
