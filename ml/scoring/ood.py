"""How unlike everything it was shown a sample is: 0…1, the share of known samples that are less strange. Pure arrays.

The strangeness of a sample is how far, in angle, its embedding points away from those of its nearest training samples
(a k-nearest-neighbour distance as in Sun et al. 2022). It needs no labels, so it serves projects of every kind, and it
leaves the length of embeddings out, which blank input and noise can have just like anything else. Held-out samples say
how strange known things usually are; see docs/adr/0010.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5
MOST_ROWS = 384
"""Training samples that are kept to compare with: 2 MB in the model file."""
LEVELS = 19
"""Where the spread of usual strangeness is kept exactly: at every twentieth up to…"""
TAIL_FROM = 0.9
"""…here; beyond it falls off exponentially, so that the score never says 1 and the strangest can still be ordered."""
GUESSES, GUESS_OF_SPREAD = 2, 0.2
"""How fast it falls: as if so many more had been seen beyond, at this part of the usual spread."""
FEWEST_HELD_OUT = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class OodReference:
    """What is known, as the exported graph keeps it.

    `scale` (width,) divides embeddings; `bank` (rows, width) are training embeddings, scaled, of length 1; `knots` (k,)
    are strangenesses, rising, and `shares` (k,) the share of known samples below each; `tail` is how fast the rest
    falls off beyond the last knot.
    """

    scale: NDArray[np.float32]
    bank: NDArray[np.float32]
    knots: NDArray[np.float32]
    shares: NDArray[np.float32]
    tail: float


def fit_reference(
    train: NDArray[np.floating],
    *,
    held_out: NDArray[np.floating],
    sources: NDArray[np.integer] | None = None,
    left_out: slice | None = None,
    seed: int = 0,
) -> OodReference:
    """From training embeddings (n, width) and those of samples that were held out (m, width).

    `left_out` are dimensions that say nothing of how strange a sample is: they are divided by infinity.

    With hardly any held out, every training sample is compared with the others instead: with those from other files,
    where `sources` (n,) name the file of each.
    """
    scale = _scale(train, left_out or slice(0, 0))
    rows = _some_rows(len(train), seed=seed)
    bank = _directions(train[rows], scale)
    if len(held_out) >= FEWEST_HELD_OUT:
        usual = knn_distance(held_out, bank=bank, scale=scale)
    else:
        usual = _among_themselves(bank, rows if sources is None else sources[rows])
    shares = np.linspace(0.0, TAIL_FROM, LEVELS)
    knots = np.quantile(usual, shares)
    # Equal neighbours would make a step of no width.
    knots = np.maximum.accumulate(knots + np.arange(LEVELS) * 1e-6)
    return OodReference(
        scale=scale,
        bank=bank,
        knots=knots.astype(np.float32),
        shares=shares.astype(np.float32),
        tail=_tail(usual, knots),
    )


def recall_of_known(train: NDArray[np.floating], known: OodReference, *, left_out: slice | None = None) -> OodReference:
    """`known` for a network that has learned a little more: where its training embeddings (n, width) lie now."""
    scale = _scale(train, left_out or slice(0, 0))
    return dataclasses.replace(known, scale=scale, bank=_directions(train[_some_rows(len(train), seed=0)], scale))


def _some_rows(count: int, *, seed: int) -> NDArray[np.int64]:
    """At most `MOST_ROWS` of so many rows, in order."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:MOST_ROWS])


def _tail(usual: NDArray[np.floating], knots: NDArray[np.floating]) -> float:
    """How far beyond the last knot the strangest lie on average, as if a few more had been seen at a part of the usual
    spread: the one or two beyond the knots of a small set say little, and may lie in a heap."""
    beyond = usual[usual > knots[-1]] - knots[-1]
    guess = GUESS_OF_SPREAD * float(knots[-1] - knots[0])
    return max(float(beyond.sum() + GUESSES * guess) / (len(beyond) + GUESSES), 1e-4)


def knn_distance(
    embeddings: NDArray[np.floating], *, bank: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n,) 1 - the mean cosine to the nearest `NEIGHBOURS` rows of the bank; 0 is the same direction."""
    alike = _directions(embeddings, scale) @ bank.T
    return _from_cosines(alike, min(NEIGHBOURS, len(bank)))


def unlike_scores(strange: NDArray[np.floating], known: OodReference) -> NDArray[np.float32]:
    """(n,) 0…1 from strangeness: the share of known samples that are less strange."""
    inside = np.interp(strange, known.knots, known.shares)
    beyond = np.maximum(strange - known.knots[-1], 0.0)
    return np.asarray(inside + (1.0 - TAIL_FROM) * -np.expm1(-beyond / known.tail), dtype=np.float32)


def _among_themselves(bank: NDArray[np.float32], sources: NDArray[np.integer]) -> NDArray[np.float32]:
    if len(bank) < 2:
        return np.zeros(1, dtype=np.float32)
    alike = bank @ bank.T
    own = sources[:, None] == sources[None]
    if own.all():  # windows of one file are all there is
        own = np.eye(len(bank), dtype=bool)
    alike[own] = -1.0
    return _from_cosines(alike, min(NEIGHBOURS, int((~own).sum(axis=1).min())))


def _from_cosines(alike: NDArray[np.floating], count: int) -> NDArray[np.float32]:
    nearest = -np.partition(-alike, count - 1, axis=1)[:, :count]
    return np.asarray(1.0 - nearest.mean(axis=1), dtype=np.float32)


def _directions(embeddings: NDArray[np.floating], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled = np.asarray(embeddings, dtype=np.float32) / scale
    return np.asarray(scaled / (np.linalg.norm(scaled, axis=1, keepdims=True) + 1e-9), dtype=np.float32)


def _scale(embeddings: NDArray[np.floating], left_out: slice) -> NDArray[np.float32]:
    """Half-way, geometrically, between one divisor for all dimensions and each one's own deviation.

    Without it the loud dimensions decide alone, with the full deviation the dead ones do.
    """
    deviation = np.asarray(embeddings, dtype=np.float32).std(axis=0)
    overall = float(np.sqrt(np.mean(np.delete(deviation, left_out) ** 2))) + 1e-6
    scale = np.asarray(np.sqrt((deviation + 1e-3 * overall) * overall), dtype=np.float32)
    scale[left_out] = np.inf
    return scale
