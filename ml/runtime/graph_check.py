"""Look through an ONNX file before ONNX Runtime loads it, without the library onnx.

Handlens writes models of one file that need no loops. A file that points to other files, or that could run forever,
is not one of them. The file is read as protocol buffers; the numbers are the fields of onnx.proto.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

LARGEST_FILE = (1 << 31) - 1
"""Bytes; protocol buffers end there."""
MOST_NODES = 200_000
_DEEPEST = 8
_UNBOUNDED = frozenset([b"Loop", b"Scan", b"SequenceMap"])
_DOMAINS = frozenset([b"", b"ai.onnx", b"pkg.onnxscript.torch_lib", b"pkg.onnxscript.torch_lib.common"])
_PARTS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 10: "tensor", 6: "graph", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Which fields of a message hold which messages."""
_TRAINING, _OP_TYPE, _DOMAIN, _EXTERNAL, _LOCATION = 20, 4, 7, 13, 14

Buffer = bytes | mmap.mmap
Field = tuple[int, int, int]
"""The number of a field, and where its value begins and ends; a number has begin = -1 and the value as its end."""


def check_graph(model: Path | bytes) -> None:
    """Raise ValueError if Handlens cannot have written the graph in `model`, and OSError."""
    if isinstance(model, bytes):
        _Check(model).message("model", 0, len(model), 0)
        return
    size = model.stat().st_size
    if not 0 < size <= LARGEST_FILE:
        raise ValueError(f"a file of {size} bytes")
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        _Check(data).message("model", 0, size, 0)


class _Check:
    def __init__(self, data: Buffer) -> None:
        self._data = data
        self._nodes = 0

    def message(self, name: str, begin: int, end: int, depth: int) -> None:
        """Check the message between these bytes, and those in it."""
        if depth > _DEEPEST * 3:  # a graph in an attribute of a node
            raise ValueError("the graph is nested too deeply")
        if name == "node":
            self._nodes += 1
            if self._nodes > MOST_NODES:
                raise ValueError("the graph has too many nodes")
        for number, first, last in self._fields(begin, end):
            self._refuse(name, number, first, last)
            part = _PARTS[name].get(number)
            if part is not None:
                if first < 0:
                    raise ValueError("not an ONNX file")
                self.message(part, first, last, depth + 1)

    def _refuse(self, name: str, number: int, first: int, last: int) -> None:
        """Raise ValueError for a field that no model of Handlens has."""
        if name == "model" and number == _TRAINING:
            raise ValueError("the model has a part for training")
        if name == "tensor" and (number == _EXTERNAL or (number == _LOCATION and last)):
            raise ValueError("the weights are in another file")
        if name == "node" and first >= 0:
            value = bytes(self._data[first : min(last, first + 256)])
            if number == _OP_TYPE and value in _UNBOUNDED:
                raise ValueError(f"the graph has a {value.decode()}")
            if number == _DOMAIN and value not in _DOMAINS:
                raise ValueError("the graph has operators of an unknown maker")

    def _fields(self, begin: int, end: int) -> Iterator[Field]:
        place = begin
        while place < end:
            key, place = self._varint(place, end)
            number, kind = key >> 3, key & 7
            if kind == 0:
                value, place = self._varint(place, end)
                yield number, -1, value
                continue
            if kind == 2:
                length, place = self._varint(place, end)
            elif kind in (1, 5):
                length = 8 if kind == 1 else 4
            else:
                raise ValueError("not an ONNX file")
            if place + length > end:
                raise ValueError("the file is cut off")
            yield number, place, place + length
            place += length

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while place < end and shift < 64:
            byte = self._data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, place
            shift += 7
        raise ValueError("the file is cut off")
