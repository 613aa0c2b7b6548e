"""What the folders around files mean: ready-made splits, classes, or nothing."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ml.core.types import Split
from ml.project.scan.folder import READY_SPLITS
from ml.tables.names import words_of

Parts = Sequence[str]

_SPLIT_WORDS: Mapping[str, Split] = {
    **READY_SPLITS,
    **dict.fromkeys(
        ["trn", "trainset", "trainingset", "traindata", "trainingdata", "trainval", "training", "entrainement",
         "apprentissage", "entrenamiento", "lernen"],
        "train",
    ),
    **dict.fromkeys(["vld", "valset", "devset", "validationset", "valdata", "validierung", "validacion"], "valid"),
    **dict.fromkeys(
        ["tst", "testset", "testingset", "testdata", "eval", "evaluation", "holdout", "prueba", "pruebas"], "test"
    ),
}  # fmt: skip
_NEUTRAL_WORDS = (
    "set sets data dataset images image imgs img pictures pics photos samples files folder split splits part "
    "audio wav wavs sounds clips recordings jpg png spectrograms"
)
_NEUTRAL = frozenset(_NEUTRAL_WORDS.split())
"""Words beside these that change nothing."""
_CAMERA_WORDS = (
    "img image dsc dscn dscf pict picture pic photo pxl vid video rec recording audio sound file frame sample "
    "scan screenshot whatsapp untitled new copy bild foto aufnahme imagen mvi gopr sam cimg track clip slice "
    "tile page capture snapshot record voice memo"
)
_CAMERA = frozenset(_CAMERA_WORDS.split())
"""What devices and programs write before a number."""
_NAMED_AND_NUMBERED = re.compile(
    r"^(?P<name>[^\W\d_]{2,}(?:[ _-][^\W\d_]+)*?)"
    r"(?:[ ._-]*\(?(?P<number>\d+)\)?|[._-](?=[a-f]*\d)(?P<hex>[0-9a-f]{4,}))$"
)
_DAY = re.compile(r"^(?:19|20)\d{6}")
_NEARLY_ALL = 0.95
_EACH = 5
"""Files that a class in file names has on average, at least."""
_MOST_NAMED = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a file lies (`path` relative to the folder, with '/') and what that says about it."""

    path: str
    class_name: str | None
    ready_split: str | None


def places(paths: Sequence[str]) -> tuple[Place, ...]:
    """What the folders of these files mean; `paths` are all usable files of one kind below one folder.

    Where most files lie in folders for training and test (or validation), with the classes in them or around them,
    these are ready-made splits, and what lies beside them has no class. Otherwise a folder that holds nothing but one
    folder of folders is looked through, and the first folder of each file is its class. Deeper folders say nothing
    here. A file beside the class folders has no class. Where no folder names a class, the file names may.
    """
    split = [path.split("/") for path in paths]
    found = _ready(split) or _ready_inside_classes(split)
    if found is None:
        depth = wrapping(split)
        found = [(clean_name(parts[depth]) if len(parts) > depth + 1 else None, None) for parts in split]
        if not any(name for name, _ready_split in found):
            found = [(name, None) for name in _classes_in_names(split)]
    return tuple(
        Place(path=path, class_name=name, ready_split=ready) for path, (name, ready) in zip(paths, found, strict=True)
    )


@lru_cache(maxsize=10_000)
def clean_name(name: str) -> str:
    """The name of a class folder without what nobody sees: blanks at its ends, several in a row, zero-width signs."""
    composed = unicodedata.normalize("NFC", name)
    seen = "".join(sign for sign in composed if unicodedata.category(sign) != "Cf")
    return " ".join(seen.split()) or composed


def split_of_folder(name: str) -> Split | None:
    """The split that a folder of this name is for, if its name says so: “Training_Set”, “seg_test”, “val2017”."""
    roles = {_SPLIT_WORDS[word] for word in _words(name) if word in _SPLIT_WORDS}
    return roles.pop() if len(roles) == 1 else None


def split_folders(names: Collection[str]) -> dict[str, Split]:
    """Those of these neighbouring folders that divide one set: one for training and another, named alike."""
    alike: dict[tuple[str, ...], dict[str, Split]] = defaultdict(dict)
    for name in names:
        role = split_of_folder(name)
        if role is not None:
            rest = tuple(word for word in _words(name) if word not in _SPLIT_WORDS and word not in _NEUTRAL)
            alike[rest][name] = role
    divided = [found for found in alike.values() if "train" in found.values() and len(set(found.values())) > 1]
    return max(divided, key=len, default={})


def split_name(folder: str) -> str:
    """The name of a split folder as it is kept: its own in lower case, or the usual one of its role."""
    name = folder.lower()
    return name if name in READY_SPLITS else split_of_folder(folder) or name


def folders_inside(path: str, class_name: str | None, *, ready: bool, depth: int) -> list[str]:
    """The folders of a file below its class folder. `depth`: where class folders stand in a folder without splits."""
    folders = path.split("/")[:-1]
    if not ready:
        return folders[depth + 1 :]
    at = [place for place, folder in enumerate(folders) if clean_name(folder) == class_name]
    at = [place for place in at if any(map(split_of_folder, folders[:place]))] or at
    inner = folders[at[0] + 1 :] if at else []
    return inner[1:] if inner and at and not any(map(split_of_folder, folders[: at[0]])) else inner


def class_depth(places_and_classes: Sequence[tuple[str, str | None]]) -> int:
    """How many folders stand before the class folder, by (path, class name) of each file."""
    labelled = [(path.split("/")[:-1], name) for path, name in places_and_classes if name is not None]
    deepest = min((len(parts) for parts, _name in labelled), default=0)
    for depth in range(deepest):
        if all(clean_name(parts[depth]) == name for parts, name in labelled):
            return depth
    return 0


def wrapping(split: Sequence[Parts]) -> int:
    """How many folders hold nothing but one folder of folders."""
    depth = 0
    while split and all(len(parts) > depth + 2 for parts in split) and len({parts[depth] for parts in split}) == 1:
        depth += 1
    return depth


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name)
    return words_of("".join(sign for sign in plain if not unicodedata.combining(sign)))


# -- ready-made splits -------------------------------------------------------------------------------------------------


def _ready(split: Sequence[Parts]) -> list[tuple[str | None, str | None]] | None:
    """Class and split of each file where most of them lie in split folders with classes inside; None elsewhere."""
    found = _split_parent(split)
    if found is None:
        return None
    depth, parent, roles = found
    inner = {folder: _class_place(split, (*parent, folder)) for folder in roles}
    result: list[tuple[str | None, str | None]] = []
    for parts in split:
        folder = parts[depth] if len(parts) > depth + 1 and tuple(parts[:depth]) == parent else ""
        if folder not in roles:
            result.append((None, None))
            continue
        place = inner[folder]
        name = clean_name(parts[place]) if len(parts) > place + 1 else None
        result.append((name, split_name(folder)))
    classes: dict[Split, set[str]] = defaultdict(set)
    strays = False
    for (name, _ready_name), parts in zip(result, split, strict=True):
        folder = parts[depth] if len(parts) > depth + 1 and tuple(parts[:depth]) == parent else ""
        if folder in roles:
            classes[roles[folder]] |= {name} if name is not None else set()
        strays |= folder not in roles
    others = set().union(*(names for role, names in classes.items() if role != "train"))
    # A class that is called “train” has neighbours that are classes, too.
    fits = len(classes["train"]) > 1 and bool(classes["train"] & others) if strays else bool(classes["train"])
    return result if fits else None


def _split_parent(split: Sequence[Parts]) -> tuple[int, tuple[str, ...], dict[str, Split]] | None:
    """The folder that holds split folders with at least half of all files: its depth, its path, and these folders."""
    parent: tuple[str, ...] = ()
    while True:
        depth = len(parent)
        inside = Counter(parts[depth] for parts in split if tuple(parts[:depth]) == parent and len(parts) > depth + 1)
        roles = split_folders(inside)
        if roles and 2 * sum(inside[name] for name in roles) >= len(split):
            return depth, parent, roles
        largest = max(inside, key=lambda name: inside[name], default=None)
        if largest is None or 2 * inside[largest] < len(split):
            return None
        parent = (*parent, largest)


def _class_place(split: Sequence[Parts], parent: tuple[str, ...]) -> int:
    """Where the class folders stand in paths of this split folder: a folder around all of them is looked through."""
    depth = len(parent)
    own = [parts for parts in split if tuple(parts[:depth]) == parent]
    while True:
        inside = [parts for parts in own if len(parts) > depth + 1]
        names = {parts[depth] for parts in inside}
        if len(names) != 1 or not all(len(parts) > depth + 2 for parts in inside):
            return depth
        words = set(_words(next(iter(names))))
        if not words <= {*_SPLIT_WORDS, *_NEUTRAL, *_words(parent[-1])}:
            return depth
        depth += 1


def _ready_inside_classes(split: Sequence[Parts]) -> list[tuple[str | None, str | None]] | None:
    """The same where each class folder holds split folders."""
    depth = wrapping(split)
    inner = Counter(parts[depth + 1] for parts in split if len(parts) > depth + 2)
    roles = split_folders(inner)
    held = sum(inner[name] for name in roles)
    divided: dict[str, set[Split]] = defaultdict(set)
    for parts in split:
        if len(parts) > depth + 2 and parts[depth + 1] in roles:
            divided[parts[depth]].add(roles[parts[depth + 1]])
    if not roles or held < _NEARLY_ALL * len(split) or sum("train" in found for found in divided.values()) < 2:
        return None
    return [
        (
            clean_name(parts[depth]) if len(parts) > depth + 1 else None,
            split_name(parts[depth + 1]) if len(parts) > depth + 2 and parts[depth + 1] in roles else None,
        )
        for parts in split
    ]


# -- file names --------------------------------------------------------------------------------------------------------


def _classes_in_names(split: Sequence[Parts]) -> list[str | None]:
    """The classes before the numbers in the file names (cat.0.jpg, noise.3c4d.wav); None for all where these do not
    look like classes: devices number their files, too, and stations name them by the day."""
    found = [_NAMED_AND_NUMBERED.match(parts[-1].rpartition(".")[0] or parts[-1]) for parts in split]
    names = [None if match is None else clean_name(match["name"]) for match in found]
    counts = Counter(name for name in names if name is not None)
    nothing: list[str | None] = [None] * len(split)
    if not 2 <= len(counts) <= min(_MOST_NAMED, len(split) / _EACH) or counts.total() < _NEARLY_ALL * len(split):
        return nothing
    days = sum(match is not None and bool(_DAY.match(match["number"] or "")) for match in found)
    if min(counts.values()) < 2 or 2 * days > len(split) or any(_is_of_device(name) for name in counts):
        return nothing
    return names


def _is_of_device(name: str) -> bool:
    return not _CAMERA.isdisjoint(_words(name)) or split_of_folder(name) is not None
