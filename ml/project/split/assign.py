"""Dealing groups of files out to the splits so that every class has its share in each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ml.core.types import Split

Shares = Mapping[Split, float]

_FIRST_IN_TIES: tuple[Split, ...] = ("train", "test", "valid")
"""With two groups an honest test is worth more than a choice between models."""
_PASSES = 10
_FEW = 5
"""With fewer groups of a class each part but the first has one of them, however long or short it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Files that stay together: how many of each class."""

    name: str
    counts: Mapping[str, int]
    overlapping: bool = False
    """Whether some of the files show several classes."""
    windows: int = 0
    """How many samples its files are cut into; 0 where a file is a sample."""

    @property
    def size(self) -> int:
        return sum(self.counts.values())


@dataclass(slots=True)
class _Deal:
    """What each split should get and has got, by class."""

    wanted: dict[Split, dict[str, float]]
    got: dict[Split, Counter[str]] = field(default_factory=dict)

    def cost(self, group: Group, split: Split, *, to_train: bool = False) -> tuple[float, bool, float]:
        """How much farther from its share `split` is with `group` in it: by class, and over all for ties.

        `to_train`: of these the part that is learned from comes first.
        """
        wanted, got = self.wanted[split], self.got[split]
        by_class = 0.0
        for name, count in group.counts.items():
            short = wanted[name] - got[name]
            whole = sum(self.wanted[each][name] for each in self.wanted)
            by_class += ((short - count) ** 2 - short**2) / whole**2
        return round(by_class, 9), to_train and split != "train", round(sum(got.values()) - sum(wanted.values()), 9)


def assign_groups(
    groups: Sequence[Group],
    *,
    shares: Shares,
    seed: int,
    settled: Mapping[str, Split],
) -> dict[str, Split]:
    """The split of every group by its name; groups in `settled` keep theirs and count.

    `shares` are fractions that sum to 1. Large groups are placed first, then, in an order drawn by `seed` from
    their names alone, each goes where its classes are shortest. With three free groups or more no split stays empty.
    Of a class with few groups those with most windows are placed first, so that most of it is learned from.
    Where files show several classes, those with the rarest class are placed first, while every split still has room
    for them (after Sechidis et al. 2011, On the stratification of multi-label data), and in the end those that lie
    better elsewhere are moved.
    """
    rarest, few = _rarest(groups), _of_few(groups)
    result: dict[str, Split] = {group.name: settled[group.name] for group in groups if group.name in settled}
    free = sorted(
        (group for group in groups if group.name not in settled),
        key=lambda group: (
            rarest.get(group.name, 0),
            -group.size,
            -group.windows if group.name in few else 0,
            _draw(group.name, seed),
        ),
    )
    deal = _Deal(wanted=_wanted(groups, shares), got={split: Counter() for split in shares})
    for group in groups:
        if group.name in settled and settled[group.name] in shares:
            deal.got[settled[group.name]].update(group.counts)
    order = [split for split in _FIRST_IN_TIES if split in shares]
    for group in free:
        long_first = group.windows > 0 and group.name in few
        best = min(order, key=lambda split: deal.cost(group, split, to_train=long_first))
        result[group.name] = best
        deal.got[best].update(group.counts)
    if rarest:
        _even_out(result, free, deal, order)
    _fill_empty(result, groups, free, order)
    return result


def _even_out(result: dict[str, Split], free: Sequence[Group], deal: _Deal, order: Sequence[Split]) -> None:
    """Move single groups for as long as that brings the classes nearer to their shares."""
    for _ in range(_PASSES):
        moved = False
        for group in free:
            here = result[group.name]
            deal.got[here].subtract(group.counts)
            best = min(order, key=lambda split: (deal.cost(group, split)[0], split != here))
            deal.got[best].update(group.counts)
            result[group.name] = best
            moved |= best != here
        if not moved:
            return


def _of_few(groups: Sequence[Group]) -> set[str]:
    """The groups of classes that have few."""
    groups_with = Counter(name for group in groups for name in group.counts)
    return {group.name for group in groups if any(groups_with[name] < _FEW for name in group.counts)}


def _rarest(groups: Sequence[Group]) -> dict[str, int]:
    """How many files the rarest class of each group has; empty where no file shows several classes."""
    if not any(group.overlapping for group in groups):
        return {}
    total: Counter[str] = Counter()
    for group in groups:
        total.update(group.counts)
    return {group.name: min((total[name] for name in group.counts), default=0) for group in groups}


def _wanted(groups: Sequence[Group], shares: Shares) -> dict[Split, dict[str, float]]:
    """How many files of each class each split should have: at least one where the class has a group for each."""
    total: Counter[str] = Counter()
    groups_with: Counter[str] = Counter()
    for group in groups:
        total.update(group.counts)
        groups_with.update(group.counts.keys())
    wanted: dict[Split, dict[str, float]] = {split: {} for split in shares}
    for name, count in total.items():
        least = 1.0 if groups_with[name] >= len(shares) else 0.0
        for split, share in shares.items():
            wanted[split][name] = max(least, share * count)
        wanted["train"][name] = count - sum(wanted[split][name] for split in shares if split != "train")
    return wanted


def _fill_empty(
    result: dict[str, Split], groups: Sequence[Group], free: Sequence[Group], order: Sequence[Split]
) -> None:
    """Give every empty split the smallest free group of the split that has most of them; not, if another will do, one
    without which that has nothing of a class."""
    for empty in order:
        held = Counter(result.values())
        if held[empty] or len(result) < len(order):
            continue
        richest = max(order, key=lambda split: held[split])
        spare = [group for group in reversed(free) if result[group.name] == richest]
        if spare and held[richest] > 1:
            have = Counter(name for group in groups if result[group.name] == richest for name in group.counts)
            missed = next((group for group in spare if all(have[name] > 1 for name in group.counts)), spare[0])
            result[missed.name] = empty


def _draw(name: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}:{name}".encode("utf-8", "backslashreplace"), digest_size=8).digest()
