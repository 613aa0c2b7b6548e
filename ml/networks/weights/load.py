"""Files of pretrained weights, bundled or not; verified when they are loaded."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from timm.models import PretrainedCfg
from torch import Tensor, nn

from ml.core.errors import HandlensError
from ml.core.messages import Message, msg
from ml.graphs.pretrained import Weights

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


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
