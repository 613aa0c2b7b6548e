"""Write files and folders atomically, and explain what a disk refuses: few of its errors say that it is full."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

from ml.core.messages import Message, msg

_TRIED = 1 << 16
"""Bytes: SQLite needs half as many for the index that its readers share."""


def is_writable(project: Path) -> bool:
    """Whether something can be kept in a project's folder. What `os.access` says of a share is not always so."""
    if not (os.access(project, os.W_OK) and os.access(project / "project.db", os.W_OK)):
        return False
    try:
        # Not by opening the database: closing it again would free the locks that others in this process have on it.
        try_to_write(project)
    except OSError:
        return False
    return True


def is_disk_full_error(error: OSError) -> bool:
    """Whether the system refused because the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def check_free_space(folder: Path) -> None:
    """Write a little into `folder` and take it away again. Raises OSError where that is not possible.

    Tried, not asked: what the system says of free space knows nothing of quotas.
    """
    probe = folder / f".{uuid4().hex}"
    handle = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_RDWR)
    try:
        _fill(handle)
    finally:
        probe.unlink()


def _fill(handle: int) -> None:
    """Write to it and close it. A share may say only then that it is full."""
    try:
        left = _TRIED
        while left:
            left -= os.write(handle, bytes(left))
    finally:
        os.close(handle)


def disk_is_full(folder: Path) -> bool:
    try:
        check_free_space(folder)
    except OSError as error:
        return is_disk_full_error(error)
    return False


def try_to_write(folder: Path) -> None:
    """Make an empty file and take it away again. Raises OSError where that is not possible.

    Not through `tempfile`, which on Windows takes a refusal for a name that is taken and tries hundreds of thousands.
    """
    probe = folder / f".{uuid4().hex}"
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_RDWR))
    probe.unlink()


# -- atomic writes -----------------------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield an empty draft beside `path` to write to; it takes the name of `path` when the block ends well.

    A new file gets the permissions of the user's umask, and an existing file keeps its own. `durable`: the file and its
    name are on the disk at the end; a cache can do without. Raises OSError.
    """
    draft = new_draft(path)
    mode = draft.stat().st_mode
    try:
        yield draft
        replace_with(draft, path, mode=mode, durable=durable)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def new_draft(path: Path) -> Path:
    """Make an empty draft beside `path` for `replace_with`. Raises OSError."""
    draft = _draft_path(path)
    # Not `tempfile`, whose files only their owner may read.
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return draft


def replace_with(draft: Path, path: Path, *, mode: int | None = None, durable: bool = True) -> None:
    """Move the finished file `draft` to `path`, as `replacing` does. `mode`: that of a new file here."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
    if durable:
        flush(draft)
    if mode is not None and mode != draft.stat().st_mode:
        with suppress(OSError):  # some drives know nothing of permissions
            draft.chmod(mode & 0o7777)
    draft.replace(path)
    if durable:
        flush(path.parent)


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """Yield a new, empty draft of the folder `path`; it takes that name when the block ends well. Raises OSError."""
    draft = _draft_path(path)
    draft.mkdir()
    try:
        yield draft
        rename_folder(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def rename_folder(draft: Path, path: Path) -> None:
    """Rename a folder once everything in it is on the disk. Raises OSError."""
    for folder, _, names in os.walk(draft):
        for name in names:
            flush(Path(folder) / name)
        flush(Path(folder))
    draft.rename(path)
    flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a small file atomically, with the line ends that `text` has."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="")


def flush(path: Path) -> None:
    """Return when a file, or the names in a folder, are on the disk."""
    folder = path.is_dir()
    if folder and sys.platform == "win32":
        return  # Windows has no handle for that
    handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network drives cannot flush folders; a full disk is reported.
        if not folder or is_disk_full_error(error):
            raise
    finally:
        os.close(handle)


_DRAFT = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part")


def _draft_path(path: Path) -> Path:
    """Return an unused name beside `path` that says which process of which computer uses it."""
    _remove_orphans(path.parent)
    # Long names must not become too long: file systems allow 255 bytes.
    start = os.fsencode(path.name)[:150].decode(errors="ignore")
    return path.with_name(f".{start}.{_computer()}-{os.getpid()}-{uuid4().hex[:8]}.part")


@cache
def _remove_orphans(folder: Path) -> None:
    """Remove drafts that killed processes of this computer left in `folder`. Once per folder and process."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _DRAFT.fullmatch(entry.name)
            if found is None or found[1] != _computer() or _is_alive(int(found[2])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with suppress(OSError):
                    Path(entry.path).unlink()


@cache
def _computer() -> str:
    """Return a short name of this computer: process numbers mean nothing on another one that shares the folder."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


_QUERY = 0x1000
"""Windows' PROCESS_QUERY_LIMITED_INFORMATION."""


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":  # `os.kill` would end it
        handle = ctypes.windll.kernel32.OpenProcess(_QUERY, False, process)
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


# -- reasons -----------------------------------------------------------------------------------------------------

_CLOUD_ERRORS = range(358, 405)
"""Windows' ERROR_CLOUD_FILE_…: the name is on this machine, the bytes are not."""

EMPTY = msg("The file is empty.")
UNREADABLE = msg("The file could not be read.")
_CLOSED = msg("The file may not be opened. Allow reading it and try again.")
_GONE = msg("The file is no longer there.")

_REASONS = {
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.ENOENT: _GONE,
    errno.ENOTDIR: _GONE,
    errno.ELOOP: msg("The file is a link that leads back to itself."),
    errno.EISDIR: msg("This is a folder with the name of a file."),
    errno.ENAMETOOLONG: msg(
        "The name of the file is too long for this computer. Shorten it or the names of its folders."
    ),
}


def disk_reason(error: BaseException) -> Message | None:
    """One sentence if `error` comes from the disk, None if it comes from a decoder."""
    if not isinstance(error, OSError):
        return None
    if getattr(error, "winerror", None) in _CLOUD_ERRORS:
        return msg("The file is only in the cloud. Make it available on this computer and try again.")
    if error.errno is None:
        return None
    return _REASONS.get(
        error.errno,
        msg("The disk could not deliver the file. Check the disk or the network connection and try again."),
    )
