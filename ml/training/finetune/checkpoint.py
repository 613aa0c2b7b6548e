"""Checkpoints: tensors and facts in safetensors files, written after every epoch, so that a kill costs one at most."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ml.core.disk import replacing
from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.untrusted import list_in, number_in, parse_json, table_in, whole_in

Contents = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors and facts of a checkpoint."""


def save(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and JSON facts to `path` atomically, and flush them to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    detached = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        with replacing(path) as draft:
            save_file(detached, draft, metadata={"facts": json.dumps(facts)})
    except SafetensorError as error:
        # The library has no error code, only the text of the system (28 and 112: no space).
        full = "no space" in str(error).lower() or "os error 112" in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(path)) from error


def load(path: Path) -> Contents:
    """Read what `save` wrote. Raises HandlensError if the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = _facts(parse_json((file.metadata() or {})["facts"]))
            # Copy the tensors: Windows cannot replace a file that is mapped.
            return {name: file.get_tensor(name).clone() for name in file.keys()}, facts  # noqa: SIM118 - not a dict
    except (SafetensorError, KeyError, ValueError) as error:
        raise HandlensError(
            msg("The checkpoint {file} is damaged. Train again without --resume.", file=path.name), details=repr(error)
        ) from error


def _facts(facts: object) -> dict[str, Any]:
    """Check those facts that the training history reads, where there are any. Raises ValueError."""
    table = dict(table_in(facts, "facts"))
    for name in ("epoch", "step", "best_epoch", "counted_from"):
        if name in table:
            whole_in(table[name], name, 0, 1 << 40)
    if "best" in table:
        list_in(table["best"], "best", most=2)
    if "merits" in table:
        for merit in list_in(table["merits"], "merits", most=100_000):
            number_in(merit, "merits", -math.inf, math.inf)
    return table


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of the optimiser by flat names: "optimiser.<parameter>.<entry>"."""
    state = optimiser.state_dict()["state"]
    return {
        f"optimiser.{index}.{entry}": torch.as_tensor(value)
        for index, entries in state.items()
        for entry, value in entries.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Load the tensors of `optimiser_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, entry = name.split(".")
            state.setdefault(int(index), {})[entry] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def state_dict_for(network: nn.Module, tensors: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Return the tensors with `prefix` as a state dict of `network`. Raises HandlensError if they do not fit it."""
    state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    shapes = {name: value.shape for name, value in state.items()}
    expected = {name: value.shape for name, value in network.state_dict().items()}
    if shapes != expected:
        differences = sorted(str(name) for name in {*shapes.items()} ^ {*expected.items()})
        raise HandlensError(
            msg("This run was started by another version of Handlens with a different network. Start a new training."),
            details=", ".join(differences),
        )
    return state


def network_tensors(network: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """Return every parameter and buffer by its name with `prefix`."""
    return {prefix + name: tensor for name, tensor in network.state_dict().items()}
