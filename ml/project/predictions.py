"""A run's predictions for every sample, kept as arrays beside the run and read through memory maps."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Split, TaskName
from ml.scoring.tasks import task_named

SPLIT_CODES = ("train", "valid", "test", "none")
"""`Predictions.splits` holds indices into this tuple; "none" is a sample without a label."""

_BLOCK = 1 << 20
_MAPPED_BYTES = 16 << 20
"""About as much is written through one map: pages of a map that stays open stay in the memory of this process."""
_ARRAYS = ("sample_ids", "labels", "splits", "probabilities", "embeddings", "maps")
_IF_NOT_EXCLUSIVE = ("targets", "thresholds")
_OPTIONAL = ("unlike", *_IF_NOT_EXCLUSIVE)
_FORMS: dict[str, tuple[type, int]] = {
    "sample_ids": (np.int64, 1),
    "labels": (np.int64, 1),
    "splits": (np.uint8, 1),
    "probabilities": (np.float32, 2),
    "embeddings": (np.float16, 2),
    "maps": (np.float16, 4),
    "unlike": (np.float32, 1),
    "targets": (np.uint8, 2),
    "thresholds": (np.float32, 1),
}
"""Type and number of dimensions of each array."""
_BLOCK_ROWS = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """What one run said of N samples, row by row.

    `sample_ids` (N,) int64 · `labels` (N,) int64, the class index when the run was made, -1 for none ·
    `splits` (N,) uint8, see `SPLIT_CODES` · `probabilities` (N, C) float32 · `embeddings` (N, D) float16 ·
    `maps` (N, C, h, w) float16, one per class, see `ml.pictures.heatmap` · `unlike` (N,) float32, 0…1, None in runs
    from before it was kept.
    """

    sample_ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    splits: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float16]
    maps: NDArray[np.float16]
    unlike: NDArray[np.float32] | None = None
    targets: NDArray[np.uint8] | None = None
    """Multi-label: (N, C) 1 for each class a sample had when the run was made; `labels` holds the first of them."""
    thresholds: NDArray[np.float32] | None = None
    """Multi-label: (C,) the probability from which a class counts as present."""

    task: TaskName = "single"
    """What the run learned."""

    def __len__(self) -> int:
        return len(self.sample_ids)

    def labelled(self, split: Split) -> NDArray[np.bool_]:
        """(N,) the labelled samples of a split; in a multi-label project one may show none of the classes."""
        inside = np.asarray(self.splits) == SPLIT_CODES.index(split)
        return inside if self.targets is not None else np.asarray(inside & (np.asarray(self.labels) >= 0))


class PredictionWriter:
    """Fills the arrays of `folder` batch by batch without ever holding them in memory."""

    def __init__(
        self,
        folder: Path,
        *,
        samples: int,
        classes: int,
        embedding: int,
        map_size: tuple[int, int],
        with_targets: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._row = 0
        shapes: dict[str, tuple[tuple[int, ...], type]] = {
            "sample_ids": ((samples,), np.int64),
            "labels": ((samples,), np.int64),
            "splits": ((samples,), np.uint8),
            "probabilities": ((samples, classes), np.float32),
            "embeddings": ((samples, embedding), np.float16),
            "maps": ((samples, classes, *map_size), np.float16),
            "unlike": ((samples,), np.float32),
        }
        if with_targets:
            shapes["targets"] = ((samples, classes), np.uint8)
        for name, (shape, dtype) in shapes.items():
            _reserve(folder / f"{name}.npy", shape, dtype)
        self._names = tuple(shapes)
        row = sum(math.prod(shape[1:]) * np.dtype(dtype).itemsize for shape, dtype in shapes.values())
        self._rows_mapped = max(1, _MAPPED_BYTES // row)
        self._mapped_until = 0
        self._arrays: dict[str, NDArray[np.generic]] = {}

    def write(self, **columns: NDArray[np.generic]) -> None:
        """Append the next rows; every array of `Predictions` is given by its name, but `thresholds`."""
        count = len(columns["sample_ids"])
        if self._row + count > self._mapped_until:
            self._arrays = {n: np.lib.format.open_memmap(self._folder / f"{n}.npy", mode="r+") for n in self._names}
            self._mapped_until = self._row + max(count, self._rows_mapped)
        for name, values in columns.items():
            self._arrays[name][self._row : self._row + count] = values
        self._row += count

    def close(self) -> None:
        """On disk when this returns."""
        self._arrays.clear()
        self._mapped_until = 0
        for name in self._names:
            with (self._folder / f"{name}.npy").open("rb+") as file:
                os.fsync(file.fileno())


def _reserve(path: Path, shape: tuple[int, ...], dtype: type) -> None:
    """An array of zeros that takes its place on the disk now: a full disk found later, through a map, is a crash."""
    row: NDArray[np.generic] = np.zeros(shape[1:], dtype=dtype)
    rows = max(1, _BLOCK // max(1, row.nbytes))
    block: NDArray[np.generic] = np.zeros((rows, *shape[1:]), dtype=dtype)
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(row[None])
        np.lib.format.write_array_header_1_0(file, {**header, "shape": shape})
        for start in range(0, shape[0], rows):
            file.write(block[: shape[0] - start].tobytes())


def read_predictions(folder: Path, *, task: TaskName) -> Predictions:
    """Open the arrays of `folder`; the large ones stay on disk until a row is asked for.

    Raises OSError where one is missing, and ValueError where one is damaged. `check_predictions` looks at the rest.
    """
    present = [*_ARRAYS, *(name for name in _OPTIONAL if (folder / f"{name}.npy").is_file())]
    loaded = {name: _mapped(folder / f"{name}.npy") for name in present}
    for name in _IF_NOT_EXCLUSIVE:
        if name in loaded:
            # Small, so they are read: a mapped file could not be replaced on Windows.
            loaded[name] = np.array(loaded[name])
    return Predictions(**loaded, task=task)


def _mapped(path: Path) -> NDArray[Any]:
    """Map one array. Raises ValueError where the file is no array, or shorter than it says."""
    with path.open("rb") as file:
        magic = file.read(len(np.lib.format.MAGIC_PREFIX))
    if magic != np.lib.format.MAGIC_PREFIX:  # numpy would open archives, too
        raise ValueError(f"{path.name} is not an array")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (EOFError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        raise ValueError(f"{path.name} is damaged") from error


def check_predictions(predictions: Predictions, *, classes: int) -> None:
    """Raise ValueError where types, shapes or values are others than a finished run of that many classes has."""
    loaded = {name: array for name in _FORMS if (array := getattr(predictions, name)) is not None}
    for name, array in loaded.items():
        dtype, dimensions = _FORMS[name]
        if array.dtype != dtype or array.ndim != dimensions or (array.size == 0 and len(array) > 0):
            raise ValueError(f"{name} has type {array.dtype} and shape {array.shape}")
    rows, columns = loaded["probabilities"].shape
    if not 1 <= columns <= classes:
        raise ValueError(f"there are {columns} classes")
    for name, array in loaded.items():
        if name == "thresholds":
            fits = array.shape == (columns,)
        elif name in ("maps", "targets"):
            fits = array.shape[:2] == (rows, columns)
        else:
            fits = len(array) == rows
        if not fits:
            raise ValueError(f"{name} has shape {array.shape} beside {rows} rows of {columns} classes")
    if not task_named(predictions.task).exclusive and not ({*_IF_NOT_EXCLUSIVE} <= loaded.keys()):
        raise ValueError("targets or thresholds are missing")
    if rows and (loaded["splits"].max() >= len(SPLIT_CODES) or loaded["labels"].min() < -1):
        raise ValueError("splits or labels are out of range")
    for name in ("probabilities", "unlike", "thresholds"):
        for start in range(0, len(loaded.get(name, ())), _BLOCK_ROWS):
            if not np.isfinite(loaded[name][start : start + _BLOCK_ROWS]).all():
                raise ValueError(f"{name} has invalid numbers")


def write_thresholds(folder: Path, thresholds: NDArray[np.float32]) -> None:
    """From which probability on a class counts as present, in a run of a multi-label project."""
    np.save(folder / "thresholds.npy", thresholds, allow_pickle=False)
