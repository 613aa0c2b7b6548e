"""Text that may leave this computer: names of the user's files are replaced by short hashes."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sys
import sysconfig
import traceback
from functools import cache
from pathlib import Path

import ml
from ml.core.disk import write_text
from ml.core.errors import HandlensError
from ml.core.folders import data_folder

_CODE = tuple(
    (str(Path(folder)), name)
    for folder, name in (
        (Path(ml.__file__).resolve().parents[1], ""),
        (sysconfig.get_path("purelib"), ""),
        (sysconfig.get_path("platlib"), ""),
        (sysconfig.get_path("stdlib"), "python"),
    )
)
"""Folders of programs, which say nothing about the user. The first is our own."""
_OUR_PACKAGES = ("ml", "desktop", "resources")

_SUFFIXES = (
    "jpe?g|png|bmp|gif|tiff?|webp|heic|wav|flac|ogg|mp3|m4a|aiff?|csv|tsv|txt|json|toml|npy|onnx|handlens|db|"
    "safetensors|pth|pt|bin|zip|xlsx?"
)
_END = r"\"'`<>|\n\r\t"
_PATHS = re.compile(
    rf"""
      (?P<keep>\bhttps?://[^\s{_END}]+)
    | "(?P<double>[^"\n]*(?:[/\\]|\.\w{{1,12}}\b)[^"\n]*)"                  # in quotes: all of it
    | '(?P<single>[^'\n]*(?:[/\\]|\.\w{{1,12}}\b)[^'\n]*)'
    | (?P<bare>(?:file://|(?<![\w.])(?:~?/|[A-Za-z]:[\\/]|\\\\))(?:(?!:\s)[^{_END}])+)  # absolute
    | (?P<relative>[^\s{_END}()\[\]{{}},;:=]*[^\s{_END}()\[\]{{}},;:=/\\][/\\][^\s{_END}()\[\]{{}},;=]+)
    | (?P<file>[^\s{_END}/\\()\[\]{{}},;:=]+\.(?:{_SUFFIXES})\b)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def private(text: str) -> str:
    """Return `text` with everything that looks like a path replaced by a hash and the suffix of the file."""
    return _PATHS.sub(_replace, text)


def hashed(path: str) -> str:
    """Return a name for a path that is the same each time, but tells nothing: “[1f2e3d4c.jpg]”."""
    suffix = re.search(r"\.\w{1,12}\Z", path.rstrip("/\\ ."))
    digest = hashlib.sha256(_salt() + os.fsencode(path)).hexdigest()[:8]
    return f"[{digest}{suffix[0] if suffix else ''}]"


def describe(error: BaseException) -> str:
    """Return the traceback of an error without names of the user's files and without values of variables."""
    return "\n".join(_lines(traceback.TracebackException.from_exception(error), error))


def _replace(found: re.Match[str]) -> str:
    if found["keep"]:
        return found[0]
    for quote, name in (('"', "double"), ("'", "single")):
        if found[name]:
            return quote + hashed(found[name]) + quote
    return hashed(found[0])


def _lines(trace: traceback.TracebackException, error: BaseException | None) -> list[str]:
    lines = []
    before = trace.__cause__ or (None if trace.__suppress_context__ else trace.__context__)
    if before is not None:
        cause = None if error is None else error.__cause__ or error.__context__
        lines += [*_lines(before, cause), "", "It led to:", ""]
    lines.append("Traceback (most recent call last):")
    for frame in trace.stack:
        place, ours = place_of_code(frame.filename)
        lines.append(f'  File "{place}", line {frame.lineno}, in {frame.name}')
        if ours and frame.line:
            lines.append(f"    {frame.line}")
    if isinstance(error, HandlensError):  # its values are names of samples, classes and projects
        lines.append(f"{type(error).__name__}: {error.message.template}")
        lines += [private(error.details)] if error.details else []
    else:
        lines += [private(line) for line in "".join(trace.format_exception_only()).splitlines()]
    return lines


def place_of_code(file: str) -> tuple[str, bool]:
    """Return a name for a file of code, and whether it belongs to Handlens or an installed library."""
    if getattr(sys, "frozen", False) and not Path(file).is_absolute():
        return Path(file).as_posix(), True  # PyInstaller has made the names of all code relative to its folder
    for number, (folder, name) in enumerate(_CODE):
        if not file.startswith(folder + os.sep):
            continue
        inside = Path(file).relative_to(folder)
        if number == 0 and inside.parts[0] not in _OUR_PACKAGES:
            continue  # whatever else lies in the folder of a checkout
        return (Path(name) / inside).as_posix(), True
    return (file, False) if file.startswith("<") else (hashed(file), False)


@cache
def _salt() -> bytes:
    """Return the salt of this user: a hash without one could be undone by guessing names. It is not in the log."""
    path = data_folder() / "log-salt"
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, secrets.token_hex(16))
        return path.read_bytes()
    except OSError:
        return secrets.token_bytes(16)  # hashes of this process only
