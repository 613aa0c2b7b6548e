"""A run's predictions for every sample, kept as arrays beside the run and read through memory maps."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Split, TaskName

SPLIT_CODES = ("train", "valid", "test", "none")
"""`Predictions.splits` holds indices into this tuple; "none" is a sample without a label."""

_BLOCK = 1 << 20
_MAPPED_BYTES = 16 << 20
"""About as much is written through one map: pages of a map that stays open stay in the memory of this process."""
_ARRAYS = ("sample_ids", "labels", "splits", "probabilities", "embeddings", "maps")
_IF_NOT_EXCLUSIVE = ("targets", "thresholds")


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
    """Open the arrays of `folder`; the large ones stay on disk until a row is asked for."""
    present = [*_ARRAYS, *(["unlike"] if (folder / "unlike.npy").is_file() else [])]
    loaded = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in present}
    for name in _IF_NOT_EXCLUSIVE:
        if (folder / f"{name}.npy").is_file():
            # Small, so they are read: a mapped file could not be replaced on Windows.
            loaded[name] = np.load(folder / f"{name}.npy", allow_pickle=False)
    return Predictions(**loaded, task=task)


def write_thresholds(folder: Path, thresholds: NDArray[np.float32]) -> None:
    """From which probability on a class counts as present, in a run of a multi-label project."""
    np.save(folder / "thresholds.npy", thresholds, allow_pickle=False)
