"""Names of the columns of label files, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence

from ml.tables.names import words_of
from ml.tables.units import TIME_UNITS

FILE = (
    "begin path", "begin file", "file", "filename", "file name", "path", "filepath", "file path", "rel path",
    "relative path", "image", "img", "image id", "image name", "image file", "image path", "img id", "img name", "id",
    "fname", "itemid", "item id", "item", "audio", "audio file", "audio path", "audio filename", "recording",
    "recording id", "slice file name", "sound", "wav", "wav file", "clip", "clip id", "sample", "sample id", "key",
    "source file", "picture", "photo", "in file", "infile", "file upload", "media", "uuid", "name", "datei",
    "dateiname", "bild", "aufnahme", "fichier", "archivo",
)  # fmt: skip
ROOT_FOLDER = ("indir", "in dir", "root folder", "root path", "base folder", "base path", "input folder")
"""Columns of the folder that the other folders lie in."""
FOLDER = (
    *ROOT_FOLDER, "relative path", "rel path", "folder", "directory", "dir", "sub folder", "subfolder", "sub directory",
    "subdirectory", "subdir", "file folder", "image folder", "image dir", "parent folder", "path", "folder name",
    "folder path", "directory name", "ordner", "unterordner", "verzeichnis", "pfad", "dossier", "repertoire", "carpeta",
    "directorio",
)  # fmt: skip
ANNOTATOR = (
    "annotator", "annotators", "annotator id", "annotator name", "annotated by", "user", "user id", "user name",
    "username", "rater", "rater id", "coder", "observer", "observer id", "reviewer", "reviewer id", "labeler",
    "labeller", "labeled by", "labelled by", "worker", "worker id", "completed by", "created username", "expert",
    "person", "volunteer", "judge", "identified by", "beobachter", "bearbeiter", "annotateur", "observateur",
)  # fmt: skip
LABEL = (
    "manual id", "label", "class", "category", "annotation", "species", "class name", "label name", "category name",
    "primary label", "target", "labels", "classes", "categories", "tags", "tag", "annotations", "common name",
    "scientific name", "species name", "call type", "call", "sound type", "event label", "event", "breed", "type",
    "kind", "diagnosis", "dx", "finding", "finding labels", "attributes", "attribute ids", "ebird code",
    "species code", "class label", "ground truth", "truth", "choice", "choices", "verbatim", "identification",
    "answer", "sentiment", "y", "klasse", "art", "etikett", "classe", "clase", "etiqueta", "especie", "espece",
    "label id", "class id", "category id", "target id", "top 1match", "top 1 match", "auto id",
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
     "annotation id", "created at", "updated at", "lead time", "date time", "date time original", "relative path",
     "fsid", "mids", "is train", "esc 10", "xmin", "xmax", "ymin", "ymax"]
)  # fmt: skip
"""Columns that never hold the class, even if no other column is left."""


def plain(name: str) -> str:
    """The words of a column's name without a unit at its end: “Begin Time (s)” and “beginTime” are the same."""
    words = words_of(name)
    while len(words) > 1 and words[-1] in TIME_UNITS | {"milliseconds", "hz"}:
        words.pop()
    return " ".join(words)


def first_of(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """The place of the column whose (plain) name stands first in `wanted`; None where none does."""
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    return next((places[name] for name in wanted if name in places), None)


def known(names: Sequence[str]) -> bool:
    """Whether these cells are names of columns."""
    every = frozenset([*FILE, *LABEL, *START, *END, *LENGTH, *GROUP, *SPLIT])
    return any(name in every for name in names)
