"""Decode every sample once: source files become rows of uint8 pixels, int16 waveforms or float32 logs on disk."""

from __future__ import annotations

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import Event, Progress
from ml.core.jobs import Stop
from ml.core.memory import is_memory_shortage, start_threads
from ml.core.messages import Message, msg
from ml.core.regular_files import check_regular
from ml.core.types import Reading, Sample, Windowing
from ml.features.row_cache import RowCache
from ml.media.kinds import SampleKind, kind_named
from ml.project.project import Project
from ml.project.roots import root_name
from ml.runtime.session import cores

DECODER_VERSION, LOG_DECODER_VERSION = 3, 3
"""Part of the names of the caches. Increase them if the same file is decoded differently."""
PROGRESS_SECONDS = 0.1
BATCH = 64
WINDOWS_AT_ONCE = 16
"""Windows of one recording that are decoded at a time."""


class Decoded:
    """The decoded samples of a project, in memory-mapped rows."""

    def __init__(self, project: Project, *, size: int) -> None:
        self.kind = kind_named(project.kind)
        self.windowing = project.windowing
        self.reading = project.reading
        self._folder = project.source_folder
        self._roots = {root.name: root.folder(project.path) for root in project.roots()}
        """Plain paths instead of the project: this object travels to other processes."""
        self._size = size
        self._stamps = project.stamps()
        """Size and modification time of every file; needed only until all are decoded."""
        cache = project.path / "cache"
        self._rows = RowCache(
            cache / _cache_name(self.kind, self.reading, size), {"data": self.kind.row_shape(self.windowing, size)}
        )

    def decode(self, samples: Sequence[Sample], stop: Stop, unreadable: dict[str, Message]) -> Iterator[Event]:
        """Decode the missing samples. Files that cannot be read go into `unreadable`, with the reason."""
        missing: dict[str, list[Sample]] = defaultdict(list)
        waiting = set(self._rows.missing([cache_key(sample) for sample in samples]))
        for sample in samples:
            if cache_key(sample) in waiting:
                waiting.discard(cache_key(sample))
                missing[sample.path].append(sample)
        total = sum(len(group) for group in missing.values())
        done, started, reported, before = 0, time.monotonic(), 0.0, len(unreadable)
        keys: list[str] = []
        rows: list[NDArray[np.generic]] = []
        with start_threads(cores()) as pool:
            for batch in _batches(list(missing.items()), WINDOWS_AT_ONCE if self.windowing else BATCH):
                for (path, group), result in zip(batch, self._load_all(batch, pool), strict=True):
                    if stop.requested():
                        return
                    done += len(group)
                    if isinstance(result, HandlensError):
                        unreadable[path] = result.message
                        continue
                    keys += [cache_key(sample) for sample in group]
                    rows += list(result)
                    if len(keys) >= self._rows.at_once:
                        self._rows.append(keys, data=np.stack(rows))
                        keys, rows = [], []
                now = time.monotonic()
                if now - reported > PROGRESS_SECONDS or done == total:
                    reported = now
                    yield Progress(stage="decode", done=done, total=total, per_second=per_second(done, now - started))
        if keys:
            self._rows.append(keys, data=np.stack(rows))
        self._stamps = {}
        if len(unreadable) > before and not stop.requested():
            # The file is missing or damaged; try the next duplicate.
            yield from self.decode([s for s in samples if s.path not in unreadable], stop, unreadable)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample, as `read` returns it."""
        return self._rows.columns["data"][0]

    def bytes_to_write(self, samples: Sequence[Sample]) -> int:
        """Return the disk space of the samples that are not decoded yet."""
        shape, dtype = self._rows.columns["data"]
        missing = self._rows.missing([cache_key(sample) for sample in samples])
        return len(missing) * math.prod(shape) * np.dtype(dtype).itemsize

    def read(self, samples: Sequence[Sample]) -> NDArray[np.generic]:
        """Return the input of the front end: uint8 (n, size, size, 3), float32 (n, frames) in -1…1, or of logs
        float32 (n, channels, frames) in their own units."""
        rows = self._rows.read("data", [cache_key(sample) for sample in samples])
        return self.kind.as_input(rows)

    def _load_all(
        self, batch: list[tuple[str, list[Sample]]], pool: ThreadPoolExecutor
    ) -> Iterator[NDArray[np.generic] | HandlensError]:
        """Yield what `_load` returns for each file; those for which memory ran out are loaded again, one at a time.

        Raises MemoryError where one file alone is too much: the scan has decoded it within a gigabyte.
        """
        results = list(pool.map(self._load, batch))
        for item, result in zip(batch, results, strict=True):
            if not isinstance(result, HandlensError) or not is_memory_shortage(result):
                yield result
                continue
            alone = self._load(item)
            if isinstance(alone, HandlensError) and is_memory_shortage(alone):
                raise MemoryError(str(alone)) from alone
            yield alone

    def _load(self, item: tuple[str, list[Sample]]) -> NDArray[np.generic] | HandlensError:
        path, group = item
        try:
            if not self._as_imported(path, group[0].digest):
                return HandlensError(
                    msg("{path} has changed since the project was created. Put the old file back.", path=path)
                )
            starts = [sample.start or 0.0 for sample in group]
            return self.kind.load(self._place_of(path), starts, windowing=self.reading, size=self._size)
        except HandlensError as error:
            return error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            return HandlensError(msg("{path} could not be read: {reason}.", path=path, reason=reason))

    def _place_of(self, path: str) -> Path:
        name = root_name(path)
        folder = self._roots.get(name)
        return self._folder / path if folder is None else folder / path.removeprefix(f"{name}/")

    def _as_imported(self, path: str, digest: str) -> bool:
        """Return whether the file still has its digest, which is the key of its rows."""
        facts = check_regular(self._place_of(path))
        if self._stamps.get(path) == (facts.st_size, facts.st_mtime_ns):
            return True
        with self._place_of(path).open("rb") as file:  # copying a folder changes the times
            return hashlib.file_digest(file, "sha256").hexdigest() == digest


def cache_key(sample: Sample) -> str:
    """Return the key of the sample: the digest and the start, so that duplicates are decoded once."""
    return sample.digest if sample.start is None else f"{sample.digest}@{sample.start:.6f}"


def _cache_name(kind: SampleKind, windowing: Reading | None, size: int) -> str:
    """Return the name of the cache; of logs it depends on the columns and the clock, of pictures on their range."""
    if kind.input_name == "pixels" or not isinstance(windowing, Windowing):
        own = f"{hashlib.sha256(repr(windowing).encode()).hexdigest()[:8]}-" if windowing is not None else ""
        return f"pixels-{DECODER_VERSION}-{own}{size}"
    if kind.input_name == "waveform":
        return f"waves-{DECODER_VERSION}-{windowing.rate}-{windowing.seconds:g}"
    columns = hashlib.sha256(repr((windowing.columns, windowing.clock)).encode()).hexdigest()[:8]
    return f"logs-{LOG_DECODER_VERSION}-{windowing.rate:g}-{windowing.frames}-{columns}"


def per_second(done: int, seconds: float) -> float:
    """Return units per second. The clocks of some systems advance in steps of 16 ms."""
    return done / max(seconds, 1e-3)


def _batches(items: list[tuple[str, list[Sample]]], at_once: int) -> Iterator[list[tuple[str, list[Sample]]]]:
    """Yield about `BATCH` samples at a time, `at_once` of a file: long recordings would take too much memory."""
    batch: list[tuple[str, list[Sample]]] = []
    count = 0
    for path, group in items:
        for start in range(0, len(group), at_once):
            part = group[start : start + at_once]
            if batch and count + len(part) > BATCH:
                yield batch
                batch, count = [], 0
            batch.append((path, part))
            count += len(part)
    if batch:
        yield batch
