"""Every sample decoded once: source files become rows of uint8 pixels or int16 waveforms that stay on disk."""

from __future__ import annotations

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import Event, Progress
from ml.core.jobs import Stop
from ml.core.messages import Message, msg
from ml.core.types import Sample, Windowing
from ml.media.kinds import SampleKind, kind_named
from ml.project.project import Project
from ml.runtime.session import cores
from ml.training.data.cache import RowCache

DECODED, DECODED_LOGS = 2, 3
"""To be raised whenever the same file would be decoded otherwise than before."""
PROGRESS_SECONDS = 0.1
BATCH = 64
PART = 16
"""Windows of one recording that are cut at once."""


class Decoded:
    """The decoded samples of a project, row by row through memory maps."""

    def __init__(self, project: Project, *, size: int) -> None:
        self.kind = kind_named(project.kind)
        self.windowing = project.windowing
        self._folder = project.source_folder
        self._size = size
        self._stamps = project.stamps()
        """Size and time of change of every file; needed only until all are decoded."""
        cache = project.path / "cache"
        self._rows = RowCache(
            cache / _cache_name(self.kind, self.windowing, size), {"data": self.kind.row_shape(self.windowing, size)}
        )

    def decode(self, samples: Sequence[Sample], stop: Stop, unreadable: dict[str, Message]) -> Iterator[Event]:
        """Decode what is not here yet. Files that cannot be read any more go into `unreadable`, with why."""
        wanted: dict[str, list[Sample]] = defaultdict(list)
        waiting = set(self._rows.missing([key_of(sample) for sample in samples]))
        for sample in samples:
            if key_of(sample) in waiting:
                waiting.discard(key_of(sample))
                wanted[sample.path].append(sample)
        total = sum(len(group) for group in wanted.values())
        done, began, told, before = 0, time.monotonic(), 0.0, len(unreadable)
        keys: list[str] = []
        rows: list[NDArray[np.generic]] = []
        with ThreadPoolExecutor(cores()) as pool:
            for batch in _batches(list(wanted.items())):
                for (path, group), result in zip(batch, pool.map(self._load, batch), strict=True):
                    if stop.requested():
                        return
                    done += len(group)
                    if isinstance(result, HandlensError):
                        unreadable[path] = result.message
                        continue
                    keys += [key_of(sample) for sample in group]
                    rows += list(result)
                    if len(keys) >= self._rows.at_once:
                        self._rows.append(keys, data=np.stack(rows))
                        keys, rows = [], []
                now = time.monotonic()
                if now - told > PROGRESS_SECONDS or done == total:
                    told = now
                    yield Progress(stage="decode", done=done, total=total, per_second=per_second(done, now - began))
        if keys:
            self._rows.append(keys, data=np.stack(rows))
        self._stamps = {}
        if len(unreadable) > before and not stop.requested():
            # A file that has gone may have been the first of several copies: ask the next one.
            yield from self.decode([s for s in samples if s.path not in unreadable], stop, unreadable)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, as `read` gives it."""
        return self._rows.columns["data"][0]

    def bytes_to_write(self, samples: Sequence[Sample]) -> int:
        """What the decoded samples that are not here yet will take on disk."""
        shape, dtype = self._rows.columns["data"]
        missing = self._rows.missing([key_of(sample) for sample in samples])
        return len(missing) * math.prod(shape) * np.dtype(dtype).itemsize

    def read(self, samples: Sequence[Sample]) -> NDArray[np.generic]:
        """What the network's front end takes: uint8 (n, size, size, 3), float32 (n, frames) in -1…1 or, of logs,
        float32 (n, channels, frames) as they were measured."""
        rows = self._rows.read("data", [key_of(sample) for sample in samples])
        return self.kind.as_input(rows)

    def _load(self, item: tuple[str, list[Sample]]) -> NDArray[np.generic] | HandlensError:
        path, group = item
        try:
            if not self._as_imported(path, group[0].digest):
                return HandlensError(
                    msg("{path} has changed since the project was created. Put the old file back.", path=path)
                )
            starts = [sample.start or 0.0 for sample in group]
            return self.kind.load(self._folder / path, starts, windowing=self.windowing, size=self._size)
        except HandlensError as error:
            return error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            return HandlensError(msg("{path} could not be read: {reason}.", path=path, reason=reason))

    def _as_imported(self, path: str, digest: str) -> bool:
        """What is kept under the digest of a file has to come from it."""
        facts = (self._folder / path).stat()
        if self._stamps.get(path) == (facts.st_size, facts.st_mtime_ns):
            return True
        with (self._folder / path).open("rb") as file:  # a copy of the folder has other times
            return hashlib.file_digest(file, "sha256").hexdigest() == digest


def key_of(sample: Sample) -> str:
    """Same bytes and same place, same key: a copy of a file is decoded once."""
    return sample.digest if sample.start is None else f"{sample.digest}@{sample.start:.6f}"


def _cache_name(kind: SampleKind, windowing: Windowing | None, size: int) -> str:
    """Name what is cached: other columns or another clock make other rows of the same bytes."""
    if kind.input_name == "pixels" or windowing is None:
        return f"pixels-{DECODED}-{size}"
    if kind.input_name == "waveform":
        return f"waves-{DECODED}-{windowing.rate}-{windowing.seconds:g}"
    columns = hashlib.sha256(repr((windowing.columns, windowing.clock)).encode()).hexdigest()[:8]
    return f"logs-{DECODED_LOGS}-{windowing.rate:g}-{windowing.frames}-{columns}"


def per_second(done: int, seconds: float) -> float:
    """Units per second. Some systems' clocks stand still for 16 ms at a time."""
    return done / max(seconds, 1e-3)


def _batches(items: list[tuple[str, list[Sample]]]) -> Iterator[list[tuple[str, list[Sample]]]]:
    """About `BATCH` samples at a time; a long recording comes in parts, so that memory stays small."""
    batch: list[tuple[str, list[Sample]]] = []
    held = 0
    for path, group in items:
        for start in range(0, len(group), PART):
            part = group[start : start + PART]
            if batch and held + len(part) > BATCH:
                yield batch
                batch, held = [], 0
            batch.append((path, part))
            held += len(part)
    if batch:
        yield batch
