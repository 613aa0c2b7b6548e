"""What the pretrained network sees in pictures, in its own words, so that they can be searched before any training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.types import Sample
from ml.features.decode import cache_key
from ml.features.features import embedding_folders
from ml.features.row_cache import RowCache
from ml.graphs.imagenet import imagenet_classifier

VERSION = 1
KEPT = 32
"""The likeliest classes that are kept of each picture: what is left out adds up to very little."""
CHUNK = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """The likeliest classes of each picture (n, KEPT), and how likely they are; zeros where nothing is known."""

    classes: NDArray[np.uint16]
    probabilities: NDArray[np.float32]

    def of(self, classes: Collection[int]) -> NDArray[np.float32]:
        """Return how much any of these classes is seen in each picture (n,)."""
        wanted = np.isin(self.classes, np.fromiter(classes, dtype=np.uint16, count=len(classes)))
        return np.asarray((self.probabilities * wanted).sum(axis=1), dtype=np.float32)


def seen_in(cache: Path, samples: Sequence[Sample], *, stopped: Callable[[], bool] = lambda: False) -> Seen | None:
    """Return what the network sees in pictures whose features are in the cache; None without any, or when stopped.

    Kept in the cache, so the second search is quick.
    """
    folders = embedding_folders(cache, DEFAULT_BACKBONE)
    width = _width(folders[0]) if folders else 0
    if not width:
        return None
    features = RowCache(folders[0], {"embedding": ((width,), np.float32)})
    known = RowCache(cache / f"seen-{VERSION}", {"classes": ((KEPT,), np.uint16), "probability": ((KEPT,), np.float32)})
    keys = [cache_key(sample) for sample in samples]
    missing = [key for key in known.missing(keys) if key in features]
    for begin in range(0, len(missing), CHUNK):
        if stopped():
            return None
        some = missing[begin : begin + CHUNK]
        classes, probabilities = _likeliest(np.asarray(features.read("embedding", some), dtype=np.float32))
        known.append(some, classes=classes, probability=probabilities)
    there = np.array([key in known for key in keys], dtype=np.bool_)
    found = Seen(
        classes=np.zeros((len(keys), KEPT), dtype=np.uint16),
        probabilities=np.zeros((len(keys), KEPT), dtype=np.float32),
    )
    if not there.any():
        return None
    wanted = [key for key, is_there in zip(keys, there, strict=True) if is_there]
    found.classes[there] = known.read("classes", wanted)
    found.probabilities[there] = known.read("probability", wanted)
    return found


def _likeliest(embeddings: NDArray[np.float32]) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    weight, bias = imagenet_classifier()
    logits = embeddings[:, : weight.shape[1]] @ weight.T + bias
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    best = np.argpartition(probabilities, -KEPT, axis=1)[:, -KEPT:]
    return best.astype(np.uint16), np.take_along_axis(probabilities, best, axis=1).astype(np.float32)


def _width(folder: Path) -> int:
    """Return the number of features in a folder of embeddings; 0 where none can be read."""
    for path in sorted(folder.glob("*.embedding.npy")):
        try:
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
        except (OSError, ValueError, EOFError):
            continue
        return int(shape[1]) if len(shape) == 2 else 0
    return 0
