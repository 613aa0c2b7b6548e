"""Read the tensors of a state dict that torch saved, without torch and without executing what the file contains."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.messages import msg

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""Of torch's format before 1.6: pickles, then the bare numbers. Newer files are zip archives."""
MAX_DIMENSIONS = 8


@dataclass(slots=True)
class _Storage:
    """The numbers of one or more tensors; in files of the older format they follow after the tensors."""

    dtype: np.dtype[Any]
    count: int
    values: NDArray[np.generic] | None = None


@dataclass(slots=True)
class _Tensor:
    """A view into a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def to_numpy(self) -> NDArray[np.generic]:
        values = self.storage.values
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))
        if values is None or self.offset < 0 or min(self.stride, default=0) < 0 or last >= len(values):
            raise ValueError("a tensor lies outside its storage")
        strides = tuple(step * values.itemsize for step in self.stride)
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides).copy()


def read_state_dict(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the tensors of the state dict at `path` in their order.

    Reads both of torch's formats, the zip archive and the older one. Raises HandlensError if the file is neither or
    needs anything but tensors: nothing in it is executed.
    """
    try:
        tensors = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
        return {name: tensor.to_numpy() for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, ValueError, EOFError, KeyError, TypeError, IndexError, zipfile.BadZipFile) as error:
        raise HandlensError(
            msg(
                "{file} cannot be read as a weights file. Install Handlens again, or use another file.", file=path.name
            ),
            details=repr(error),
        ) from error


def _read_legacy(path: Path) -> dict[str, _Tensor]:
    with path.open("rb") as file:
        if _plain_value(file) != MAGIC or _plain_value(file) != PROTOCOL:
            raise ValueError("not a file of torch")
        _Unpickler(file, {}).load()  # the machine that wrote it
        storages: dict[str, _Storage] = {}
        tensors = _checked(_Unpickler(file, storages).load())
        for key in _Unpickler(file, {}).load():
            storage = storages[key]
            if int.from_bytes(file.read(8), "little") != storage.count:
                raise ValueError("a storage has another length than its tensors say")
            storage.values = np.frombuffer(_exactly(file, storage.count * storage.dtype.itemsize), storage.dtype)
    return tensors


def _read_zip(path: Path) -> dict[str, _Tensor]:
    with zipfile.ZipFile(path) as archive:
        index = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder, storages = index.removesuffix("data.pkl"), dict[str, _Storage]()
        with archive.open(index) as file:
            tensors = _checked(_Unpickler(file, storages).load())
        for key, storage in storages.items():
            with archive.open(f"{folder}data/{key}") as file:
                storage.values = np.frombuffer(_exactly(file, storage.count * storage.dtype.itemsize), storage.dtype)
    return tensors


def _plain_value(file: IO[bytes]) -> object:
    """Return the plain value that comes next in `file`."""
    return _Unpickler(file, {}).load()


def _exactly(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise EOFError("the file ends too early")
    return content


def _checked(loaded: object) -> dict[str, _Tensor]:
    if not isinstance(loaded, dict) or not all(isinstance(item, _Tensor) for item in loaded.values()):
        raise ValueError("not a state dict")
    return {str(name): item for name, item in loaded.items()}


def _rebuild_tensor(storage: _Storage, offset: int, shape: Any, stride: Any, *_unused: object) -> _Tensor:
    shape, stride = tuple(map(int, shape)), tuple(map(int, stride))
    if not isinstance(storage, _Storage) or len(shape) != len(stride) or len(shape) > MAX_DIMENSIONS:
        raise ValueError("not a tensor")
    if min(shape, default=1) < 1:
        raise ValueError("an empty tensor")
    return _Tensor(storage, int(offset), shape, stride)


def _rebuild_parameter(data: _Tensor, *_unused: object) -> _Tensor:
    return data


@dataclass(frozen=True, slots=True)
class _StorageType:
    """Stands for torch's class of the same name."""

    dtype: np.dtype[Any]


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "FloatStorage"): _StorageType(np.dtype("<f4")),
    ("torch", "HalfStorage"): _StorageType(np.dtype("<f2")),
    ("torch", "LongStorage"): _StorageType(np.dtype("<i8")),
}
"""All names that a file may use."""


class _Unpickler(pickle.Unpickler):
    """Load tensors and plain values only."""

    def __init__(self, file: IO[bytes], storages: dict[str, _Storage]) -> None:
        super().__init__(file, encoding="utf-8")
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from None

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that `pid` (kind, type, key, device, count, ...) names."""
        kind, storage_type, key, _device, count, *_view = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType) or _view not in ([], [None]):
            raise pickle.UnpicklingError("only whole storages are allowed")
        return self._storages.setdefault(str(key), _Storage(storage_type.dtype, int(count)))
