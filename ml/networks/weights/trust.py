"""Trust on first use: the checksum of the first download of every network, kept apart from the cache."""

from __future__ import annotations

from pathlib import Path

from ml.core.disk import write_text
from ml.core.folders import data_folder


def known_sha256(name: str) -> str:
    """Return the SHA-256 that the weights `name` had when they were first downloaded; "" if they never were."""
    try:
        return _note(name).read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def remember_sha256(name: str, sha256: str) -> None:
    """Trust weights `name` with this checksum from now on."""
    if known_sha256(name) != sha256:
        _note(name).parent.mkdir(parents=True, exist_ok=True)
        write_text(_note(name), sha256 + "\n")


def _note(name: str) -> Path:
    return data_folder() / "known-weights" / f"{name}.sha256"
