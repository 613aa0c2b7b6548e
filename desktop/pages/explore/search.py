"""Search on Explore: by the names of classes, files and folders, and by colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from desktop.i18n import tr
from desktop.models.prediction_table import PredictionTable
from ml.api import COLOURS, Sample, cached_colours, kind_named

ENOUGH = 0.1
"""So much of a picture has a colour that is searched for; the middle counts more than the edges."""
_PLURAL = ("es", "s", "n", "en")


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """The ids of what was found, the best first. `no_colours`: a colour was named, but no picture is decoded yet."""

    ids: tuple[int, ...]
    no_colours: bool = False


def colour_words() -> dict[str, int]:
    """Return the words for colours, in English and in the language of the window, by their index in `COLOURS`."""
    own = (
        tr("red"),
        tr("orange"),
        tr("yellow"),
        tr("green"),
        tr("cyan"),
        tr("blue"),
        tr("purple"),
        tr("pink"),
        tr("brown"),
        tr("black"),
        tr("grey"),
        tr("white"),
    )
    words = {word: index for index, word in enumerate(COLOURS)}
    return words | {"gray": COLOURS.index("grey")} | {word.casefold(): index for index, word in enumerate(own)}


def search(
    words: str,
    table: PredictionTable,
    samples: Sequence[Sample],
    *,
    names: Sequence[str],
    kind: str,
    cache: Path,
    stopped: Callable[[], bool] = lambda: False,
) -> SearchResult:
    """Return the samples to which every word applies. Runs in a background thread.

    A word applies to a sample if its class, what is predicted, or its path contains it, or if it has that colour.
    """
    wanted, known = words.casefold().split(), colour_words()
    rows = {int(sample_id): row for row, sample_id in enumerate(table.ids.tolist())}
    samples = [sample for sample in samples if sample.id in rows]
    keep = np.ones(len(samples), dtype=np.bool_)
    rank = np.zeros(len(samples), dtype=np.float32)
    places = np.array([rows[sample.id] for sample in samples], dtype=np.int64)
    no_colours = False
    for word in wanted:
        found = _named(word, samples, places, table, names)
        index = known.get(word)
        if index is not None and kind_named(kind).input_name == "pixels":
            shares = cached_colours(cache, samples, stopped=stopped)
            no_colours |= shares is None
            if shares is not None:
                found |= shares[:, index] >= ENOUGH
                rank += shares[:, index]
        keep &= found
    chosen = np.flatnonzero(keep)
    order = chosen[np.argsort(-rank[chosen], kind="stable")]
    return SearchResult(ids=tuple(samples[int(place)].id for place in order), no_colours=no_colours)


def _named(
    word: str,
    samples: Sequence[Sample],
    places: NDArray[np.int64],
    table: PredictionTable,
    names: Sequence[str],
) -> NDArray[np.bool_]:
    """Return to which samples a word applies by a name. A plural finds the singular: “roses” finds “rose”."""
    forms = {word, *(word.removesuffix(end) for end in _PLURAL if len(word) > len(end) + 2)}
    classes = np.array([any(form in name.casefold() for form in forms) for name in names], dtype=np.bool_)
    by_class = classes[np.minimum(table.predicted[places], len(names) - 1)] if len(names) else places < 0
    by_name = [
        any(classes[label] for label in sample.labels) or any(form in sample.path.casefold() for form in forms)
        for sample in samples
    ]
    return np.asarray(by_class | np.array(by_name, dtype=np.bool_))
