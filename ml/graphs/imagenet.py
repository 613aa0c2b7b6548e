"""The words of the pretrained network: ImageNet's classes, and wider words such as "dog" for many of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ml.graphs.pretrained import bundled
from ml.graphs.torch_file import read_state_dict


@cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the names of ImageNet's 1,000 classes, in their order."""
    return tuple(_read("classes.txt").splitlines())


@cache
def wider_words() -> Mapping[str, frozenset[int]]:
    """Return the classes, by index, for each of some wider words: "dog" stands for 118 of them."""
    places: dict[str, set[int]] = {}
    for index, name in enumerate(imagenet_classes()):
        places.setdefault(name, set()).add(index)
    words: dict[str, frozenset[int]] = {}
    for line in _read("wider.txt").splitlines():
        word, _colon, parts = line.partition(": ")
        chosen: set[int] = set()
        for part in parts.split(", "):
            first, _dash, last = part.partition("-")
            chosen |= set(range(int(first), int(last or first) + 1)) if first.isdecimal() else places[part]
        words[word] = frozenset(chosen)
    return words


def imagenet_classes_for(forms: Collection[str], query: Collection[str]) -> frozenset[int]:
    """Return the classes that a word means. `forms`: the word in singular and plural; `query`: all words.

    A word means a class if it is the last of its name, as in "golden retriever", or if the query has the whole name.
    """
    for form in forms:
        if form in wider_words():
            return wider_words()[form]
    found = set()
    for index, name in enumerate(imagenet_classes()):
        parts = name.casefold().split()
        if parts[-1] in forms or (any(form in parts for form in forms) and set(parts) <= set(query)):
            found.add(index)
    return frozenset(found)


@cache
def imagenet_classifier() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weights (1000, features) and bias (1000,) of the classifier of the pretraining.

    It is linear in the mean of the network's own features, which come first in an embedding.
    """
    weight, bias = list(read_state_dict(bundled().path).values())[-2:]
    return np.asarray(weight, dtype=np.float32), np.asarray(bias, dtype=np.float32)


def _read(name: str) -> str:
    return (resources.files("resources") / "imagenet" / name).read_text(encoding="utf-8")
