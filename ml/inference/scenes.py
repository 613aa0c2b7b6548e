"""A large picture, answered tile by tile: overlapping tiles, blended into a map of classes with its areas.

Memory follows the width of the picture and not its height: rows are read once from top to bottom, and a row of the map
is final as soon as the last tile over it was answered.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import UnreadableError
from ml.core.jobs import StopRequestedError
from ml.media.images import image_facts, squashed
from ml.media.scenes import GeoReference, LargePicture, open_scene
from ml.project.project import Project
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import BATCH
from ml.runtime.model import ReleasedModel
from ml.scoring.tasks import task_named

UNSURE, NO_DATA = -1, -2
"""Cells of the map without a class: set aside, or without enough pixels that have data."""
SMALLEST_TILE = 16
_CELLS_PER_STEP = 4
_PICTURE_EDGE = 2_000
"""Pixels of the longer side of the small picture, below which it stays."""
_LEAST_WEIGHT = 1e-3
"""At the very edge of the picture, where no tile has its middle."""
_LEAST_DATA = 0.5
_MEASURED = 40
"""Samples whose size is looked at."""

Progress = Callable[[float], bool]
"""Takes the share that is done, and returns False to stop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassArea:
    """How much of a scene a class covers. `index` is `UNSURE` for what is set aside."""

    index: int
    name: str
    pixels: int
    share: float
    hectares: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneMap:
    """The answer to a scene of `width` × `height` pixels.

    `index` (rows, columns) int16 is the class of each cell of `cell` × `cell` pixels, `UNSURE` or `NO_DATA`.
    `picture` is the scene, made smaller, in RGB.
    """

    path: Path
    classes: tuple[str, ...]
    index: NDArray[np.int16]
    cell: int
    tile: int
    width: int
    height: int
    picture: NDArray[np.uint8]
    areas: tuple[ClassArea, ...]
    geo: GeoReference | None


def usual_edge(project: Project) -> int | None:
    """Return how many pixels the samples of a project are wide and high, in the middle; None if none can be read."""
    samples = [sample for sample in project.samples() if sample.split == "train"][:_MEASURED]
    edges = []
    for sample in samples:
        try:
            facts = image_facts(project.file(sample.path))
        except UnreadableError:
            continue
        edges.append(min(facts.width, facts.height))
    return max(SMALLEST_TILE, round(statistics.median(edges))) if edges else None


def map_scene(
    model: ReleasedModel, path: Path, *, tile: int | None = None, progress: Progress = lambda _share: True
) -> SceneMap:
    """Answer a scene. `tile`: pixels of an edge of what the model is shown at once, its input's if None.

    Raises UnreadableError, HandlensError and StopRequestedError.
    """
    with open_scene(path, model.info.picture_reading) as scene:
        edge = min(tile or model.info.size, scene.width, scene.height)
        return _Mapping(model, scene, edge).run(path, progress)


class _Mapping:
    """One pass over a scene."""

    def __init__(self, model: ReleasedModel, scene: LargePicture, tile: int) -> None:
        self._model, self._scene, self._tile = model, scene, tile
        self._cell = max(1, tile // (2 * _CELLS_PER_STEP))
        step = min(tile, self._cell * _CELLS_PER_STEP)
        self._tops, self._lefts = _starts(scene.height, tile, step), _starts(scene.width, tile, step)
        self._columns = -(-scene.width // self._cell)
        self._picture = _Reduced(scene.width, -(-max(scene.width, scene.height) // _PICTURE_EDGE))
        self._data = _Reduced(scene.width, self._cell)
        self._left_weights = [_weights(left, tile, self._cell, scene.width) for left in self._lefts]
        self._thresholds = np.array([model.info.threshold(place) for place in range(len(model.info.classes))])
        self._base = 0
        self._sums = np.zeros((len(model.info.classes) + 1, 0, self._columns), dtype=np.float32)
        """Probabilities and, last, unlike scores of the rows from `_base` on, each times its weight."""
        self._weight = np.zeros((0, self._columns), dtype=np.float32)
        self._done: list[NDArray[np.int16]] = []

    def run(self, path: Path, progress: Progress) -> SceneMap:
        scene, tile = self._scene, self._tile
        rows = -(-scene.height // self._cell)
        band, valid, top = np.zeros((0, scene.width, 3), dtype=np.uint8), np.zeros((0, scene.width), dtype=bool), 0
        for number, wanted in enumerate(self._tops):
            band, valid = band[wanted - top :], valid[wanted - top :]
            top = wanted
            new, known = scene.rows(top + len(band), top + tile)
            known = np.ones(new.shape[:2], dtype=bool) if known is None else known
            self._picture.add(new)
            self._data.add((known * np.uint8(255))[:, :, None])
            band, valid = np.concatenate([band, new]), np.concatenate([valid, known])
            self._answer_row(top, band, valid)
            following = self._tops[number + 1] if number + 1 < len(self._tops) else scene.height
            self._finish(rows if following == scene.height else _weights(following, tile, self._cell, scene.height)[0])
            if not progress((number + 1) / len(self._tops)):
                raise StopRequestedError
        index, data = np.concatenate(self._done), self._data.end()[:, :, 0] / 255.0
        index[data < _LEAST_DATA] = NO_DATA
        return SceneMap(
            path=path,
            classes=self._model.info.classes,
            index=index,
            cell=self._cell,
            tile=tile,
            width=scene.width,
            height=scene.height,
            picture=self._picture.end(),
            areas=_areas(index, data, scene, self._cell, self._model.info),
            geo=scene.geo,
        )

    def _answer_row(self, top: int, band: NDArray[np.uint8], valid: NDArray[np.bool_]) -> None:
        """Answer the tiles of one row and add what they say to the cells below them."""
        first, down = _weights(top, self._tile, self._cell, self._scene.height)
        self._make_room(first + len(down))
        wanted = [
            place for place, left in enumerate(self._lefts) if valid[:, left : left + self._tile].mean() >= _LEAST_DATA
        ]
        for start in range(0, len(wanted), BATCH):
            places = wanted[start : start + BATCH]
            outputs = self._model.predict(np.stack([self._square(band, self._lefts[place]) for place in places]))
            values = np.concatenate([outputs.probabilities, outputs.unlike[:, None]], axis=1)
            for place, row in zip(places, values, strict=True):
                left, across = self._left_weights[place]
                weight = down[:, None] * across
                part = slice(first - self._base, first - self._base + len(down)), slice(left, left + len(across))
                self._sums[:, *part] += row[:, None, None] * weight
                self._weight[part] += weight

    def _square(self, band: NDArray[np.uint8], left: int) -> NDArray[np.uint8]:
        cut, size = band[:, left : left + self._tile], self._model.info.size
        return cut if cut.shape[:2] == (size, size) else squashed(np.ascontiguousarray(cut), size)

    def _make_room(self, end: int) -> None:
        missing = end - self._base - len(self._weight)
        if missing > 0:
            self._sums = np.pad(self._sums, ((0, 0), (0, missing), (0, 0)))
            self._weight = np.pad(self._weight, ((0, missing), (0, 0)))

    def _finish(self, end: int) -> None:
        """Decide all cells above row `end`, which no later tile reaches."""
        count = max(0, end - self._base)
        if not count:
            return
        weight = self._weight[:count]
        means = self._sums[:, :count] / np.maximum(weight, np.float32(1e-9))
        index = _decided(means[:-1], means[-1], self._model.info, self._thresholds)
        self._done.append(np.where(weight > 0, index, NO_DATA).astype(np.int16))
        self._sums, self._weight, self._base = self._sums[:, count:], self._weight[count:], end


def _decided(
    probabilities: NDArray[np.floating], unlike: NDArray[np.floating], info: ModelInfo, thresholds: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the class of each cell, as `ml.runtime.decision` accepts it."""
    if task_named(info.task).exclusive:
        limits = thresholds
        best = probabilities.argmax(axis=0)
    else:
        limits = np.asarray(info.present_above)
        best = (probabilities / np.maximum(limits, 1e-6)[:, None, None]).argmax(axis=0)
    surest = np.take_along_axis(probabilities, best[None], axis=0)[0]
    return np.where((surest >= limits[best]) & (unlike <= info.unlike_above), best, UNSURE)


def _starts(length: int, tile: int, step: int) -> list[int]:
    """Return where tiles begin, so that the last one ends with the picture."""
    return sorted({*range(0, length - tile, step), length - tile})


def _weights(start: int, tile: int, cell: int, length: int) -> tuple[int, NDArray[np.float32]]:
    """Return the first cell whose middle lies in a tile, and how much the tile says about it and those that follow.

    A tile says most about its middle. The last one of `length` pixels also reaches a cell that is cut off.
    """
    first = -(-(2 * start - cell) // (2 * cell)) if start else 0
    last = -(-length // cell) if start + tile >= length else -(-(2 * (start + tile) - cell) // (2 * cell))
    place = ((np.arange(first, last) + 0.5) * cell - start) / tile
    return first, (np.sin(np.pi * np.clip(place, 0, 1)) ** 2 + _LEAST_WEIGHT).astype(np.float32)


class _Reduced:
    """Makes an array of rows smaller, `factor` × `factor` pixels to one, as its rows arrive."""

    def __init__(self, width: int, factor: int) -> None:
        self._factor = factor
        self._edges = np.arange(0, width, factor)
        self._lengths = np.diff(np.append(self._edges, width))
        self._pending: list[NDArray[np.uint8]] = []
        self._waiting = 0
        self._done: list[NDArray[np.uint8]] = []

    def add(self, rows: NDArray[np.uint8]) -> None:
        """Take further rows (n, width, channels)."""
        self._pending.append(rows)
        self._waiting += len(rows)
        whole = self._waiting // self._factor * self._factor
        if whole:
            joined = np.concatenate(self._pending)
            for first in range(0, whole, self._factor):
                self._done.append(self._mean(joined[first : first + self._factor]))
            self._pending, self._waiting = [joined[whole:]], self._waiting - whole

    def end(self) -> NDArray[np.uint8]:
        """Return the small array, its last row made of what is left."""
        if self._waiting:
            self._done.append(self._mean(np.concatenate(self._pending)))
            self._pending, self._waiting = [], 0
        return np.stack(self._done)

    def _mean(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        sums = np.add.reduceat(rows.sum(axis=0, dtype=np.uint32), self._edges, axis=0)
        return np.asarray(sums // (self._lengths * len(rows))[:, None], dtype=np.uint8)


def _areas(
    index: NDArray[np.int16], data: NDArray[np.float64], scene: LargePicture, cell: int, info: ModelInfo
) -> tuple[ClassArea, ...]:
    """Return how much each class covers, the largest first, and then what was set aside."""
    heights = np.minimum(cell, scene.height - np.arange(len(index)) * cell)
    widths = np.minimum(cell, scene.width - np.arange(index.shape[1]) * cell)
    pixels = heights[:, None] * widths * data
    middles = np.arange(len(index)) * cell + (heights - 1) / 2
    hectares = None if scene.geo is None else pixels * scene.geo.pixel_hectares(middles)[:, None]
    total = float(pixels[index != NO_DATA].sum())
    found = []
    for place in (*range(len(info.classes)), UNSURE):
        cells = index == place
        if cells.any():
            counted = float(pixels[cells].sum())
            found.append(
                ClassArea(
                    index=place,
                    name="" if place == UNSURE else info.classes[place],
                    pixels=round(counted),
                    share=counted / total,
                    hectares=None if hectares is None else float(hectares[cells].sum()),
                )
            )
    return tuple(sorted(found, key=lambda area: (area.index == UNSURE, -area.pixels)))
