"""Frozen features of every sample, for the first model; cached on disk for the next run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.events import Event, Progress
from ml.core.jobs import Stop
from ml.core.types import Sample
from ml.features.decode import PROGRESS_SECONDS, Decoded, cache_key, per_second
from ml.features.row_cache import RowCache
from ml.runtime.session import cores, open_session

BATCH = max(16, 2 * cores())
MAX_SAMPLES_WITH_GRIDS = 20_000
"""With more samples the feature grids (250 KB each) would fill a disk; the maps then need a second pass."""

Extractor = Callable[[NDArray[np.generic]], tuple[NDArray[np.float32], NDArray[np.float16]]]
"""Maps raw input to embeddings (n, width) and feature grids (n, width, h, w)."""


class Features:
    """Embeddings (n, width) float32 and feature grids (n, width, h, w) float16 of a project's samples."""

    def __init__(self, cache: Path, name: str, *, samples: int, width: int, grid: tuple[int, int]) -> None:
        """`name` is the fingerprint of network and front end."""
        self.grids_kept = samples <= MAX_SAMPLES_WITH_GRIDS
        # Separate caches: a project that grows beyond the limit keeps its embeddings.
        self._embeddings = RowCache(cache / f"embeddings-{name}", {"embedding": ((width,), np.float32)})
        self._grids = RowCache(cache / f"grids-{name}", {"grid": ((width, *grid), np.float16)})

    def missing(self, samples: Sequence[Sample]) -> list[Sample]:
        """Return the samples without cached features, each key once."""
        unique = {cache_key(sample): sample for sample in samples}
        missing = set(self._embeddings.missing(list(unique)))
        if self.grids_kept:
            missing |= set(self._grids.missing(list(unique)))
        return [sample for key, sample in unique.items() if key in missing]

    def extract(self, samples: Sequence[Sample], decoded: Decoded, extractor: Extractor, stop: Stop) -> Iterator[Event]:
        """Compute the missing features. A thread writes them while the next ones are computed."""
        missing = self.missing(samples)
        started, reported = time.monotonic(), 0.0
        computed: list[tuple[str, NDArray[np.float32], NDArray[np.float16]]] = []
        with ThreadPoolExecutor(1) as writer:
            written: Future[None] | None = None
            for start in range(0, len(missing), BATCH):
                batch = missing[start : start + BATCH]
                embeddings, grids = extractor(decoded.read(batch))
                # Drop grids that are not cached: a thousand take a quarter of a gigabyte.
                grids = grids if self.grids_kept else np.empty((len(batch), 0), dtype=np.float16)
                computed += zip([cache_key(sample) for sample in batch], embeddings, grids, strict=True)
                request = stop.requested()
                if request == "cancel":
                    return
                done = start + len(batch)
                if len(computed) >= self._at_once or request or done == len(missing):
                    if written is not None:
                        written.result()
                    written, computed = writer.submit(self._append, computed), []
                if request:
                    break  # the features so far stay in the cache
                now = time.monotonic()
                if now - reported > PROGRESS_SECONDS or done == len(missing):
                    reported = now
                    yield Progress(
                        stage="features", done=done, total=len(missing), per_second=per_second(done, now - started)
                    )
            if written is not None:
                written.result()

    def embeddings(self, samples: Sequence[Sample]) -> NDArray[np.float32]:
        """Return the embeddings (n, width) of samples that are not missing."""
        return self._embeddings.read("embedding", [cache_key(sample) for sample in samples]).astype(
            np.float32, copy=False
        )

    def grids(self, samples: Sequence[Sample]) -> NDArray[np.float16]:
        """Return the feature grids (n, width, h, w), if they are kept."""
        return self._grids.read("grid", [cache_key(sample) for sample in samples]).astype(np.float16, copy=False)

    @property
    def folder(self) -> Path:
        """The folder of the embeddings."""
        return self._embeddings.folder

    @property
    def _at_once(self) -> int:
        return (self._grids if self.grids_kept else self._embeddings).at_once

    def _append(self, rows: list[tuple[str, NDArray[np.float32], NDArray[np.float16]]]) -> None:
        keys, embeddings, grids = zip(*rows, strict=True)
        self._embeddings.append(keys, embedding=np.stack(embeddings))
        if self.grids_kept:
            self._grids.append(keys, grid=np.stack(grids))


def embedding_folders(cache: Path, backbone: str) -> list[Path]:
    """Return the caches of this backbone's embeddings, the newest first; logs have one for every training split."""
    found = [path for path in cache.glob("embeddings-*") if path.name.rpartition("-")[0] == f"embeddings-{backbone}"]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def cached_embeddings(cache: Path, backbone: str, samples: Sequence[Sample]) -> NDArray[np.float32] | None:
    """Return the embeddings (n, width) of this backbone as they lie in `cache`; None if some are missing."""
    for folder in embedding_folders(cache, backbone):
        found = embeddings_in(folder, samples)
        if found is not None:
            return found
    return None


def embeddings_in(folder: Path, samples: Sequence[Sample]) -> NDArray[np.float32] | None:
    """Return the embeddings (n, width) that lie in a folder of the cache; None if some are missing."""
    keys_needed = {cache_key(sample): None for sample in samples}
    known: dict[str, NDArray[np.float32]] = {}
    for keys_path in sorted(folder.glob("*.keys.npy")):
        values = keys_path.with_name(keys_path.name.replace(".keys.npy", ".embedding.npy"))
        try:
            keys = np.load(keys_path, allow_pickle=False)
            rows = np.load(values, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            continue  # a damaged segment: its embeddings are missing, which is checked below
        for key, row in zip(keys, rows, strict=False):
            name = key.decode()
            if name in keys_needed:
                known[name] = row
    if len(known) < len(keys_needed):
        return None
    return np.stack([known[cache_key(sample)] for sample in samples]).astype(np.float32)


def graph_extractor(graph: bytes) -> Extractor:
    """Return the extractor of a graph from `raw` to `embedding` and `grid`, one sample on each core."""
    session = open_session(graph, many=True)

    def extract(raw: NDArray[np.generic]) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        embedding, grid = session.run(None, {"raw": raw})
        return embedding, grid

    return extract
