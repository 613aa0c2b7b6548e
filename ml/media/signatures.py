"""Recognise files by what they hold, for those whose names do not tell."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ml.core.errors import UnreadableError
from ml.core.regular_files import check_regular
from ml.core.types import KindName
from ml.media.kinds import SampleKind, kinds

_ENOUGH = 16
_BEGINNINGS: tuple[tuple[int, bytes, KindName], ...] = (
    (0, b"\xff\xd8\xff", "images"),
    (0, b"\x89PNG\r\n", "images"),
    (0, b"GIF8", "images"),
    (8, b"WEBP", "images"),
    (0, b"II*\x00", "images"),
    (0, b"MM\x00*", "images"),
    (0, b"BM", "images"),
    (8, b"WAVE", "recordings"),
    (8, b"AIF", "recordings"),
    (0, b"fLaC", "recordings"),
    (0, b"OggS", "recordings"),
    (0, b"ID3", "recordings"),
    (0, b"caff", "recordings"),
)
_BITMAP_NAMES = frozenset([""])
"""Two letters are no proof: of files with another suffix only those without any are taken for bitmaps."""
_OTHERS_WORDS = (
    ".txt .csv .tsv .json .jsonl .ndjson .xml .yaml .yml .md .rst .html .htm .pdf .doc .docx .odt .xls .xlsx "
    ".ods .py .ipynb .sh .bat .js .css .zip .gz .tar .7z .rar .exe .dll .so .db .sqlite .pkl .npy .npz .h5 "
    ".hdf5 .pt .pth .onnx .log .ini .cfg .toml .lnk .url .xmp .aae .thm .srt .part .tmp .crdownload"
)
_OTHERS = frozenset(_OTHERS_WORDS.split())
"""Files that are left alone: what they are is known, or they are not complete."""


def belongs(folder: Path, name: str, kind: SampleKind) -> bool:
    """Return whether a file below `folder` is of this kind: by its suffix, or by its first bytes if that is strange."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in kind.suffixes:
        return True
    return is_strange(suffix) and kind_inside(folder / name) == kind.name


def is_strange(suffix: str) -> bool:
    """Return whether files of this suffix, in lower case, may be anything."""
    return suffix not in _OTHERS and not any(suffix in kind.suffixes for kind in kinds())


def kind_inside(path: Path) -> KindName | None:
    """The kind that the first bytes of a file are of; None for any other file, or one that cannot be read."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            start = file.read(_ENOUGH)
    except (OSError, ValueError, UnreadableError):
        return None
    for offset, mark, kind in _BEGINNINGS:
        if start[offset:].startswith(mark) and (mark != b"BM" or path.suffix in _BITMAP_NAMES):
            return kind
    return None
