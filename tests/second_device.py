"""A graphics processor that is none: tensors “on cuda” are in main memory and say otherwise.

What a real device refuses is refused here too: tensors of both sides in one operation, and arrays of a tensor that is
over there. So the paths for graphics processors run through where there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

CUDA = torch.device("cuda", 0)
_NEITHER = (
    "copy_",
    "set_",
    "type_as",
    "data_ptr",
    "untyped_storage",
    "is_floating_point",
    "register_hook",
    "_has_compatible_shallow_copy_type",
    "_is_view",
    "new_tensor",
    "__set__",
)
"""Operations that a real device allows with tensors of both sides, or that touch no numbers."""


class Elsewhere(Tensor):
    """A tensor on the second device."""

    @property
    def device(self) -> torch.device:
        return CUDA

    @property
    def is_cuda(self) -> bool:
        return True

    def numpy(self, *_args: object, **_options: object) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        with torch._C.DisableTorchFunction():
            copied = _there(self.detach().clone(memory_format=torch.preserve_format))
            if getattr(self, "_is_param", False):
                copied._is_param = True
            copied.requires_grad_(self.requires_grad)
        memo[id(self)] = copied
        return copied


def _there(tensor: Tensor) -> Tensor:
    with torch._C.DisableTorchFunction():
        return tensor if isinstance(tensor, Elsewhere) else tensor.as_subclass(Elsewhere)


def _here(tensor: Tensor) -> Tensor:
    with torch._C.DisableTorchFunction():
        return tensor.as_subclass(Tensor) if isinstance(tensor, Elsewhere) else tensor


class SecondDevice(TorchFunctionMode):
    """Within it every operation knows two devices."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options, name = dict(kwargs or {}), getattr(func, "__name__", str(func))
        tensors = [item for item in tree_leaves((args, options)) if isinstance(item, Tensor)]
        there = any(isinstance(item, Elsewhere) for item in tensors)
        wanted = _wanted(name, args, options)
        if name == "pin_memory":
            return args[0]
        if name == "cuda":
            func = Tensor.cpu
        if wanted is not None:
            there = wanted.type == "cuda"
            if "device" in options:
                options["device"] = torch.device("cpu")
            if name == "to":
                args = (args[0], *(_neutral(item) for item in args[1:]))
        elif there and name not in ("__get__", *_NEITHER):
            _refuse_a_mixture(name, args, tensors)
        with torch._C.DisableTorchFunction():
            result = func(*args, **options)
        if name in ("copy_", "requires_grad_", "detach_"):
            return args[0]
        in_place = name.endswith("_") and not name.endswith("__")
        if name == "register_hook" or (in_place and args and result is args[0]):
            return result
        return tree_map(lambda item: _placed(item, there) if isinstance(item, Tensor) else item, result)


def _wanted(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> torch.device | None:
    """Where the operation is to put its result, if it says so."""
    given = options.get("device")
    if given is None and name in ("cpu", "cuda"):
        given = name
    if given is None and name == "to":
        for item in (*args[1:], options.get("other")):
            if isinstance(item, torch.device | str | Tensor):
                given = item.device if isinstance(item, Tensor) else item
                break
    return None if given is None else torch.device(given)


def _neutral(item: object) -> object:
    if isinstance(item, torch.device | str):
        return "cpu"
    return _here(item) if isinstance(item, Tensor) else item


def _placed(tensor: Tensor, there: bool) -> Tensor:
    return _there(tensor) if there else _here(tensor)


def _refuse_a_mixture(name: str, args: tuple[Any, ...], tensors: list[Tensor]) -> None:
    others = [item for item in tensors if not isinstance(item, Elsewhere) and item.dim() > 0]
    if not others:
        return
    # Indices may lie in main memory, values may not.
    if name == "__getitem__" and isinstance(args[0], Elsewhere):
        return
    if name == "__setitem__" and isinstance(args[0], Elsewhere) and all(item is not args[2] for item in others):
        return
    raise RuntimeError(f"Expected all tensors to be on the same device, but found at least two, cuda:0 and cpu: {name}")


class SecondFabric(Fabric):
    """Fabric whose device is the second one, with bfloat16 as on a real one."""

    def __init__(self) -> None:
        super().__init__(accelerator="cpu", devices=1, precision="bf16-mixed")

    @property
    def device(self) -> torch.device:
        return CUDA

    def setup(self, *args: Any, **options: Any) -> Any:
        return super().setup(*args, **options | {"move_to_device": False})
