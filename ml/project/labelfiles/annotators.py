"""Recognise the columns of a label table that each hold what one person says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from ml.project.labelfiles.cells import all_flags, class_name, class_words
from ml.project.labelfiles.columns import ANNOTATOR, NO_CLASS

_PEOPLE = frozenset(
    [*ANNOTATOR, "reader", "grader", "doctor", "radiologist", "pathologist", "annotation by", "label by"]
)
_MACHINES = frozenset(
    ["predicted", "prediction", "model", "auto", "ai", "guess", "suggestion", "suggested", "computer"]
)
"""Words in the names of columns that hold no person's opinion."""
_MOST_CLASSES = 50
_OFTEN = 2
"""There are at least so many rows for each class: other texts hardly ever come back."""
_SHARED = 0.5
"""Share of the classes of one column that come in the other, too."""
_KAPPA = 0.2
"""Cohen's kappa from which two columns speak of the same thing. The left and the right side of a leaf do not."""
_NUMBER = re.compile(r"-?\d+([.,]\d+)?")


def annotator_columns(names: Sequence[str], cells: Sequence[Sequence[str]], places: Sequence[int]) -> tuple[int, ...]:
    """Return those of `places` that hold the same few classes, one column for each person; none where it is not clear.

    `names` are the plain names of all columns. Numbers and yes and no may be measurements or classes of their own, so
    they count only in columns that are named after people, such as “rater 1”.
    """
    opinions = [place for place in places if _may_be_opinion(names[place])]
    words_for_nothing = class_words([cell for place in opinions for cell in cells[place]])
    given = {place: [class_name(cell, words_for_nothing) for cell in cells[place]] for place in opinions}
    given = {place: own for place, own in given.items() if any(own)}
    people = [place for place in given if _named_after_people(names[place])]
    if len(people) > 1 and _few_classes([given[place] for place in people]):
        return tuple(people)
    words = [place for place in given if place in people or not (_numbers(given[place]) or all_flags(cells[place]))]
    group = _largest_group(words, {pair for pair in combinations(words, 2) if _alike(*(given[each] for each in pair))})
    return tuple(group) if len(group) > 1 and _few_classes([given[place] for place in group]) else ()


def _may_be_opinion(name: str) -> bool:
    return bool(name) and name not in NO_CLASS and _MACHINES.isdisjoint(name.split())


def _named_after_people(name: str) -> bool:
    """Whether it is “rater 1”, “annotator b” or “expert”."""
    return re.sub(r"( |^)(\d+|[a-z])$", "", name).strip() in _PEOPLE


def _numbers(own: Sequence[str]) -> bool:
    return all(_NUMBER.fullmatch(cell) for cell in own if cell)


def _few_classes(columns: Sequence[Sequence[str]]) -> bool:
    classes = {name for own in columns for name in own if name}
    rows = max(sum(map(bool, own)) for own in columns)
    return 1 < len(classes) <= min(_MOST_CLASSES, max(2, rows // _OFTEN))


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two columns share their classes, and agree more often than by chance where both say something."""
    first, second = {*one} - {""}, {*other} - {""}
    if len(first & second) < _SHARED * min(len(first), len(second)):
        return False
    both = [(a, b) for a, b in zip(one, other, strict=False) if a and b]
    if not both:
        return False
    agreed = sum(a == b for a, b in both) / len(both)
    often, often_other = Counter(a for a, _ in both), Counter(b for _, b in both)
    by_chance = sum(count * often_other[name] for name, count in often.items()) / len(both) ** 2
    return by_chance < 1 and (agreed - by_chance) / (1 - by_chance) >= _KAPPA


def _largest_group(places: Sequence[int], pairs: set[tuple[int, int]]) -> list[int]:
    """The largest set of columns that pairs connect, in their order."""
    groups = {place: {place} for place in places}
    for one, other in pairs:
        joined = groups[one] | groups[other]
        groups |= dict.fromkeys(joined, joined)
    largest: set[int] = max(groups.values(), key=len, default=set())
    return sorted(largest)
