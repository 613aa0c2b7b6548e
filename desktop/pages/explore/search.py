"""Search on Explore: by names, by notes, by colours, and by what the pretrained network sees in a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from desktop.i18n import tr
from desktop.models.prediction_table import PredictionTable
from desktop.pages.explore.wider_words import own_wider_words
from ml.api import COLOURS, Sample, Seen, cached_colours, imagenet_classes_for, kind_named, seen_in

ENOUGH = 0.1
"""So much of a picture has a colour that is searched for; the middle counts more than the edges."""
SEEN = 0.05
"""So likely the pretrained network sees what is searched for."""
_PLURAL = ("es", "s", "n", "en")


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """The ids of what was found, the best first.

    `no_colours`: a colour was named, but no picture is decoded yet. `unseen`: the pretrained network has a word for
    it, but has not looked at the pictures yet.
    """

    ids: tuple[int, ...]
    no_colours: bool = False
    unseen: bool = False


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
    notes: Mapping[int, str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> SearchResult:
    """Return the samples to which every word applies. Runs in a background thread.

    A word applies to a sample if its class, what is predicted, its path or its note contains it, if it has that
    colour, or if the pretrained network sees it. The more of a colour or of what is seen, the earlier it comes.
    """
    wanted, known = words.casefold().split(), colour_words()
    rows = {int(sample_id): row for row, sample_id in enumerate(table.ids.tolist())}
    samples = [sample for sample in samples if sample.id in rows]
    keep = np.ones(len(samples), dtype=np.bool_)
    rank = np.zeros(len(samples), dtype=np.float32)
    places = np.array([rows[sample.id] for sample in samples], dtype=np.int64)
    no_colours, pixels = False, kind_named(kind).input_name == "pixels"
    sight = _Sight(cache, samples, wanted, stopped)
    for word in wanted:
        found = _named(word, samples, places, table, names)
        if notes:
            found |= _noted(word, samples, notes)
        if pixels:
            seen = sight.of(word)
            found |= seen >= SEEN
            rank += seen
        index = known.get(word)
        if index is not None and pixels:
            shares = cached_colours(cache, samples, stopped=stopped)
            no_colours |= shares is None
            if shares is not None:
                found |= shares[:, index] >= ENOUGH
                rank += shares[:, index]
        keep &= found
    chosen = np.flatnonzero(keep)
    order = chosen[np.argsort(-rank[chosen], kind="stable")]
    return SearchResult(
        ids=tuple(samples[int(place)].id for place in order), no_colours=no_colours, unseen=sight.unknown
    )


class _Sight:
    """What the pretrained network sees; looked up when the first word asks for it."""

    def __init__(
        self, cache: Path, samples: Sequence[Sample], query: Sequence[str], stopped: Callable[[], bool]
    ) -> None:
        self._cache, self._samples, self._stopped = cache, samples, stopped
        self._query = {form for word in query for form in _forms(word)}
        self._own = own_wider_words()
        self._seen: Seen | None = None
        self.unknown = False
        """A word was asked for, but there are no features yet."""

    def of(self, word: str) -> NDArray[np.float32]:
        """Return how much of it is seen in each sample."""
        forms = _forms(word)
        # As a whole word, so that more endings do no harm: “Hunde”.
        english = {self._own[form] for form in (*forms, *map(word.removesuffix, ("e", "er"))) if form in self._own}
        classes = imagenet_classes_for(english or forms, self._query)
        if classes and self._seen is None and not self.unknown:
            self._seen = seen_in(self._cache, self._samples, stopped=self._stopped)
            self.unknown = self._seen is None
        if not classes or self._seen is None:
            return np.zeros(len(self._samples), dtype=np.float32)
        return self._seen.of(classes)


def _forms(word: str) -> set[str]:
    """Return the word and what may be its singular: “roses” is also “rose”."""
    return {word, *(word.removesuffix(end) for end in _PLURAL if len(word) > len(end) + 2)}


def _noted(word: str, samples: Sequence[Sample], notes: Mapping[int, str]) -> NDArray[np.bool_]:
    """Return to which samples a word applies by their notes."""
    forms = _forms(word)
    texts = [notes.get(sample.id, "").casefold() for sample in samples]
    return np.array([any(form in text for form in forms) for text in texts], dtype=np.bool_)


def _named(
    word: str,
    samples: Sequence[Sample],
    places: NDArray[np.int64],
    table: PredictionTable,
    names: Sequence[str],
) -> NDArray[np.bool_]:
    """Return to which samples a word applies by a name. A plural finds the singular: “roses” finds “rose”."""
    forms = _forms(word)
    classes = np.array([any(form in name.casefold() for form in forms) for name in names], dtype=np.bool_)
    by_class = classes[np.minimum(table.predicted[places], len(names) - 1)] if len(names) else places < 0
    by_name = [
        any(classes[label] for label in sample.labels) or any(form in sample.path.casefold() for form in forms)
        for sample in samples
    ]
    return np.asarray(by_class | np.array(by_name, dtype=np.bool_))
