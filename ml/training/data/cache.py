"""Rows of numbers on disk, found again by key: decoded pixels, waveforms, features. Deletable at any time."""

from __future__ import annotations

import math
import os
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

SEGMENT_ROWS = 1024
SEGMENT_BYTES = 32 * 2**20
"""Of a segment's rows, about: whoever fills one holds them in memory, twice for a moment."""


class RowCache:
    """Rows with one or more columns of fixed shape, kept in memory-mapped segments of about `at_once` rows.

    A segment counts once its keys are there, and they are written last: a kill leaves nothing half-valid.
    """

    def __init__(self, folder: Path, columns: Mapping[str, tuple[tuple[int, ...], DTypeLike]]) -> None:
        self.folder = folder
        self.columns = dict(columns)
        row = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in self.columns.values())
        self.at_once = max(1, min(SEGMENT_ROWS, SEGMENT_BYTES // max(1, row)))
        """As many rows make a good segment."""
        self._places: dict[str, tuple[int, int]] = {}
        self._segments: list[str] = []
        for leftover in folder.glob("*.part"):
            leftover.unlink(missing_ok=True)
        for column in self.columns:
            for values in folder.glob(f"*.{column}.npy"):
                if not values.with_name(values.name.replace(f".{column}.npy", ".keys.npy")).exists():
                    values.unlink(missing_ok=True)  # a kill came before the keys
        for keys_path in sorted(folder.glob("*.keys.npy")):
            self._open(keys_path)

    def __reduce__(self) -> tuple[object, ...]:
        """To another process goes where it lies; there it is opened again."""
        return RowCache, (self.folder, self.columns)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Those of `keys` that are not here yet, each once, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._places]

    def append(self, keys: Sequence[str], **columns: NDArray[np.generic]) -> None:
        """Keep rows under `keys`; on disk when this returns."""
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
        """(len(keys), *shape) of one column. Every key must be here."""
        shape, dtype = self.columns[column]
        rows = np.empty((len(keys), *shape), dtype=dtype)
        wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for place, key in enumerate(keys):
            segment, row = self._places[key]
            wanted[segment].append((place, row))
        for segment, pairs in wanted.items():
            # Mapped anew each time, which costs less than a tenth of a millisecond: a map that stays keeps every page
            # that was ever read in the memory of this process, in the end the whole folder.
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
            # A damaged cache is only slow, never wrong: forget the segment and it is made again.
            with suppress(OSError):
                keys_path.unlink()
            return
        except OSError:
            return  # what hinders may pass
        number = len(self._segments)
        self._segments.append(stem)
        for row, key in enumerate(keys):
            self._places[key.decode()] = (number, row)


def _save(path: Path, array: NDArray[np.generic]) -> None:
    draft = path.with_suffix(".part")
    try:
        with draft.open("wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
