"""What the columns of a table are called, in the usual varieties."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

FILE = (
    "begin path", "begin file", "file", "filename", "file name", "path", "filepath", "file path", "rel path",
    "relative path", "image", "img", "image id", "image name", "image file", "image path", "img id", "img name", "id",
    "fname", "itemid", "item id", "item", "audio", "audio file", "audio path", "audio filename", "recording",
    "recording id", "slice file name", "sound", "wav", "wav file", "clip", "clip id", "sample", "sample id", "key",
    "source file", "picture", "photo", "uuid", "name", "datei", "dateiname", "bild", "fichier", "archivo",
)  # fmt: skip
LABEL = (
    "label", "class", "category", "annotation", "species", "class name", "label name", "category name", "primary label",
    "target", "labels", "classes", "categories", "tags", "tag", "annotations", "common name", "scientific name",
    "species name", "call type", "call", "sound type", "event label", "event", "breed", "type", "kind", "diagnosis",
    "dx", "finding", "finding labels", "attributes", "attribute ids", "ebird code", "species code", "class label",
    "ground truth", "truth", "y", "klasse", "art", "etikett", "classe", "clase", "etiqueta", "especie", "espece",
    "label id", "class id", "category id", "target id",
)  # fmt: skip
START = (
    "start", "start time", "begin time", "begin", "onset", "start s", "begin s", "tmin", "t start", "time start",
    "start sec", "start seconds", "starttime", "from", "min t", "anfang", "beginn", "debut", "inicio",
)  # fmt: skip
END = (
    "end", "end time", "stop", "stop time", "offset", "end s", "stop s", "tmax", "t end", "time end", "end sec",
    "end seconds", "endtime", "finish", "to", "max t", "ende", "fin",
)  # fmt: skip
LENGTH = ("duration", "length", "dur", "delta time", "dauer")
FILE_OFFSET = ("file offset",)
GROUP = (
    "fold", "folds", "kfold", "group", "group id", "speaker", "speaker id", "subject", "subject id", "patient",
    "patient id", "session", "session id",
)  # fmt: skip
SPLIT = ("split", "set", "subset", "partition", "usage", "phase", "data set")

PLURAL = frozenset(["labels", "classes", "categories", "tags", "annotations", "finding labels", "attributes"])
NO_CLASS = frozenset(
    [*GROUP, *SPLIT, *FILE_OFFSET, *LENGTH, "index", "unnamed 0", "row", "row id", "selection", "view", "channel",
     "low freq", "high freq", "confidence", "score", "probability", "width", "height", "latitude", "longitude", "date",
     "time", "rating", "url", "license", "author", "comment", "comments", "notes", "take", "src file", "salience",
     "fsid", "mids", "is train", "esc10", "xmin", "xmax", "ymin", "ymax"]
)  # fmt: skip
"""Columns that are never taken for the class because nothing else is left."""

_UNITS = frozenset(["s", "sec", "secs", "second", "seconds", "ms", "msec", "milliseconds", "hz"])


def plain(name: str) -> str:
    """A column's name so that it compares: “Begin Time (s)”, “begin_time” and “beginTime” are one."""
    words = _words(name)
    while len(words) > 1 and words[-1] in _UNITS:
        words.pop()
    return " ".join(words)


def in_milliseconds(name: str) -> bool:
    """Whether the column's name says that its times are thousandths of a second."""
    return not {"ms", "msec", "milliseconds"}.isdisjoint(_words(name))


def first_of(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """The place of the column whose (plain) name stands first in `wanted`; None where none does."""
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    return next((places[name] for name in wanted if name in places), None)


def known(names: Sequence[str]) -> bool:
    """Whether these cells are names of columns."""
    every = frozenset([*FILE, *LABEL, *START, *END, *LENGTH, *GROUP, *SPLIT])
    return any(name in every for name in names)


def _words(name: str) -> list[str]:
    text = unicodedata.normalize("NFKC", name).strip().lstrip("#")
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.sub(r"[\W_]+", " ", text.lower()).split()
