"""A cache on disk: rows by key (decoded pixels, waveforms, features). Deletable at any time."""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ml.core.disk import replacing

SEGMENT_ROWS = 1024
SEGMENT_BYTES = 32 * 2**20
"""Approximate size of a segment; its writer holds it in memory, for a moment twice."""


class RowCache:
    """Rows with one or more columns of fixed shape, in memory-mapped segments of about `at_once` rows.

    The keys of a segment are written last and make it valid, so that a kill leaves no invalid rows.
    """

    def __init__(self, folder: Path, columns: Mapping[str, tuple[tuple[int, ...], DTypeLike]]) -> None:
        self.folder = folder
        self.columns = dict(columns)
        row = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in self.columns.values())
        self.at_once = max(1, min(SEGMENT_ROWS, SEGMENT_BYTES // max(1, row)))
        """The number of rows of a segment."""
        self._positions: dict[str, tuple[int, int]] = {}
        self._segments: list[str] = []
        for leftover in folder.glob("*.part"):
            leftover.unlink(missing_ok=True)
        for column in self.columns:
            for values in folder.glob(f"*.{column}.npy"):
                if not values.with_name(values.name.replace(f".{column}.npy", ".keys.npy")).exists():
                    values.unlink(missing_ok=True)  # killed before the keys were written
        for keys_path in sorted(folder.glob("*.keys.npy")):
            self._open(keys_path)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the path only; another process opens the files again."""
        return RowCache, (self.folder, self.columns)

    def __contains__(self, key: str) -> bool:
        return key in self._positions

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Return the unknown ones of `keys`, each once, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._positions]

    def append(self, keys: Sequence[str], **columns: NDArray[np.generic]) -> None:
        """Add rows under `keys`; they are on disk when this returns."""
        name = uuid.uuid4().hex
        self.folder.mkdir(parents=True, exist_ok=True)
        for column, values in columns.items():
            shape, dtype = self.columns[column]
            array = np.ascontiguousarray(values, dtype=dtype)
            if array.shape != (len(keys), *shape):
                raise ValueError(f"{column} has shape {array.shape}, expected {(len(keys), *shape)}")
            _save(self.folder / f"{name}.{column}.npy", array)
        _save(self.folder / f"{name}.keys.npy", np.array([key.encode() for key in keys]))
        self._open(self.folder / f"{name}.keys.npy")

    def read(self, column: str, keys: Sequence[str]) -> NDArray[np.generic]:
        """Return (len(keys), *shape) of one column. Every key must be known."""
        shape, dtype = self.columns[column]
        rows = np.empty((len(keys), *shape), dtype=dtype)
        requested: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for place, key in enumerate(keys):
            segment, row = self._positions[key]
            requested[segment].append((place, row))
        for segment, pairs in requested.items():
            # Map the file for each call, which takes less than 0.1 ms: a permanent map would keep every page that was
            # ever read in the memory of this process.
            mapped = self._mapped(self._segments[segment], column)
            for place, row in pairs:
                rows[place] = mapped[row]
        return rows

    def _mapped(self, stem: str, column: str) -> NDArray[np.generic]:
        mapped: NDArray[np.generic] = np.load(self.folder / f"{stem}.{column}.npy", mmap_mode="r", allow_pickle=False)
        return mapped

    def _open(self, keys_path: Path) -> None:
        stem = keys_path.name.removesuffix(".keys.npy")
        try:
            keys = np.load(keys_path, allow_pickle=False)
            for column in self.columns:
                self._mapped(stem, column)
        except (FileNotFoundError, ValueError, EOFError):
            # Drop a damaged segment; its rows are computed again.
            with suppress(OSError):
                keys_path.unlink()
            return
        except OSError:
            return  # possibly temporary: keep the file
        number = len(self._segments)
        self._segments.append(stem)
        for row, key in enumerate(keys):
            self._positions[key.decode()] = (number, row)


def _save(path: Path, array: NDArray[np.generic]) -> None:
    with replacing(path) as draft, draft.open("wb") as file:
        np.save(file, array, allow_pickle=False)
