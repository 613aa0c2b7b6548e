"""Folders of this user that Handlens writes to outside of projects."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_NAME = "Handlens"


def cache_folder() -> Path:
    """Return the folder for files that can be made or downloaded again."""
    return platformdirs.user_cache_path(_NAME, appauthor=False)


def data_folder() -> Path:
    """Return the folder for facts that must outlive a cleared cache."""
    return platformdirs.user_data_path(_NAME, appauthor=False)


def log_folder() -> Path:
    """Return the folder of the log."""
    return platformdirs.user_log_path(_NAME, appauthor=False)


def keep_torch_out_of_temp() -> None:
    """Give torch a cache in the user's folder. On import it otherwise makes `torchinductor_USER` in the temp folder.

    Do nothing if the user's folder cannot be written, because the import of torch would fail.
    """
    folder = cache_folder() / "torch"
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(existing, os.W_OK):
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))
