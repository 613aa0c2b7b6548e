"""onnxruntime-web, which runs a model in a browser: one pinned version, checked by its integrity hash."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from ml.core.disk import replacing
from ml.core.errors import HandlensError
from ml.core.folders import cache_folder
from ml.core.messages import msg

NAME = "onnxruntime-web"
VERSION = "1.22.0"
LICENCE = "MIT"
SIZE = 20_387_966
"""Bytes of the package."""
MEGABYTES = round(SIZE / 1e6)
INTEGRITY = "sha512-Ud/+EBo6mhuaQWt/OjaOk0iNWjXqJoeeMFr6xQEERZdIZH2OWpGzuujz7lfuOBjUa6TEE/sc4nb7Da5dNL34fg=="
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""Of the package's folder `dist`, those that a page needs."""
_LARGEST_FILE = 32 << 20


def has_web_runtime() -> bool:
    """Return whether the files are in the user's cache."""
    return all((_folder() / name).is_file() for name in FILES)


def _folder() -> Path:
    return cache_folder() / f"{NAME}-{VERSION}"


def web_runtime(package: Path | None = None, *, download: bool = False) -> Path:
    """Return the folder with `FILES`, in the user's cache.

    `package` is the package as a file; without one, it is fetched once with npm if `download` says so. Raises
    HandlensError if there is none, or if it is another one.
    """
    folder = _folder()
    if package is not None:
        return _unpacked(package, folder)
    if has_web_runtime():
        return folder
    if not download:
        raise HandlensError(
            msg(
                "The page needs {name} {version} ({size:.0f} MB, licence {licence}). Add {download} to fetch it once, "
                "or {option} with the file {file} from npm.",
                name=NAME,
                version=VERSION,
                size=SIZE / 1e6,
                licence=LICENCE,
                download="--download",
                option="--runtime",
                file=f"{NAME}-{VERSION}.tgz",
            )
        )
    with tempfile.TemporaryDirectory() as scratch:
        return _unpacked(_fetched(Path(scratch)), folder)


def _fetched(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise HandlensError(
            msg(
                "To download {name}, the program {npm} is needed, and it was not found. Install Node.js, or fetch "
                "{file} on another computer and name it with {option}.",
                name=NAME,
                npm="npm",
                file=f"{NAME}-{VERSION}.tgz",
                option="--runtime",
            )
        )
    command = [npm, "pack", "--ignore-scripts", f"{NAME}@{VERSION}"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = sorted(folder.glob("*.tgz"))
    if ended.returncode or not found:
        raise HandlensError(
            msg("{name} could not be downloaded. Check the connection and try again.", name=NAME), details=ended.stderr
        )
    return found[0]


def _unpacked(package: Path, folder: Path) -> Path:
    """Write `FILES` of the package into the folder. Nothing else of it is read, and no name in it is used as a path."""
    try:
        data = package.read_bytes() if package.stat().st_size == SIZE else b""
    except OSError as error:
        raise HandlensError(msg("{path} could not be read.", path=str(package)), details=repr(error)) from error
    if "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode() != INTEGRITY:
        raise HandlensError(
            msg(
                "{path} is not {name} {version} as it was published, so it is not used. Fetch it again.",
                path=str(package),
                name=NAME,
                version=VERSION,
            )
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package) as archive:
        for name in FILES:
            member = archive.extractfile(f"package/dist/{name}")
            assert member is not None
            with replacing(folder / name) as draft:
                draft.write_bytes(member.read(_LARGEST_FILE))
    return folder
