"""What a child process does with one file of a folder. Few imports, because every child loads this module."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ml.core.disk import disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import msg
from ml.core.regular_files import check_regular
from ml.core.types import PictureReading, Stretch
from ml.media.kinds import FileFacts, SampleKind

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """What a child process learned of one file."""

    size: int
    mtime_ns: int
    digest: str
    facts: FileFacts
    stretches: tuple[Stretch, ...] = ()


def examine(kind: SampleKind, path: Path, *, reading: PictureReading | None = None) -> Examined:
    """Decode one file in full and take its fingerprint. Raises UnreadableError."""
    facts = kind.probe_as(path, reading)
    size, mtime_ns, digest = _fingerprint(path)
    return Examined(size=size, mtime_ns=mtime_ns, digest=digest, facts=facts)


def _fingerprint(path: Path) -> tuple[int, int, str]:
    """Size, time of change (ns) and SHA-256 of a file."""
    digest = hashlib.sha256()
    try:
        info = check_regular(path)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UnreadableError(disk_reason(error) or msg("The file could not be read."), details=repr(error)) from error
    return info.st_size, info.st_mtime_ns, digest.hexdigest()
