"""A text file that only grows, line by line, through a queue on disk: a kill neither loses a line nor repeats it."""

from __future__ import annotations

import os
from pathlib import Path

from ml.core.disk import replacing
from ml.inference.watch_memory import Item, WatchMemory

_AT_ONCE = 1_000


class AppendedFile:
    """The file, and its lines that wait in `memory` under the name `target`."""

    def __init__(self, memory: WatchMemory, target: str, path: Path, *, header: str = "") -> None:
        self.path = path
        self._memory = memory
        self._target = target
        self._header = header

    def put(self, text: str) -> None:
        """Leave lines, as part of the memory's transaction; `flush` writes them."""
        self._memory.put(self._target, {"text": text})

    def flush(self) -> None:
        """Write every line that waits. Raises OSError where that is not possible; the lines then wait further."""
        while items := self._memory.all_due(self._target, _AT_ONCE):
            self._append(items)

    def _append(self, items: list[Item]) -> None:
        if not self.path.exists() or not self.path.stat().st_size:
            with replacing(self.path) as draft:
                draft.write_bytes(self._header.encode())
        with self.path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            todo = []
            for item in items:
                data = _bytes_of(item)
                if item.begun and item.place is not None:
                    file.seek(item.place)
                    data = _missing(data, file.read(len(data)))
                todo.append((item, data))
            file.seek(end)
            with self._memory.transaction():
                place = end
                for item, data in todo:
                    if not item.begun:
                        self._memory.begin(item, place)
                    place += len(data)
            file.write(b"".join(data for _item, data in todo))
            file.flush()
            os.fsync(file.fileno())
        with self._memory.transaction():
            for item, _data in todo:
                self._memory.done(item)


def _bytes_of(item: Item) -> bytes:
    # The name of a file need be no text at all; it is still told apart.
    return str(item.payload["text"]).encode("utf-8", errors="backslashreplace")


def _missing(data: bytes, found: bytes) -> bytes:
    """What of `data` is not in the file yet, where an earlier process began to write it and `found` lies now."""
    return data[len(found) :] if data.startswith(found) else data
