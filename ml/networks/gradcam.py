"""Maps where a network keeps no places to the end: Grad-CAM (Selvaraju et al. 2017), and what of it can be exported."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

TOP_CLASSES = 5
"""So many classes of a sample get a Grad-CAM of their own; each costs a pass backwards."""
NON_SPATIAL = (nn.Linear, nn.Dropout, nn.Identity, nn.Softmax)
"""What these give is a step inside another part; some of it only looks like rows and columns."""


class SpatialOutput(NamedTuple):
    """The last part of a network whose output still has rows and columns: module, which of its outputs, how it lies."""

    module: str
    output: int
    layout: TensorLayout


class PooledFeatures(nn.Module):
    """What stands for the features of a network that ends in one vector: an embedding with a map around it.

    At every place p of the last grid A: embedding + R (A_p - mean A), where R, (width, channels), says how the
    embedding answers to a channel. The mean over all places is exactly the embedding, so head, probe and export treat
    it like any other grid; and the class maps are Grad-CAM's, with the gradient averaged over the pictures that
    `fit_gradcam` was given. Before that they are flat.
    """

    response: Tensor

    def __init__(self, body: nn.Module, picture: tuple[int, int]) -> None:
        super().__init__()
        noise = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 4.0 - 2.0
        example = functional.interpolate(noise, picture, mode="bilinear", align_corners=False)
        self.place = find_spatial_output(body, example)
        self.seen = torch.zeros(0)
        if self.place is not None:
            body.get_submodule(self.place.module).register_forward_hook(self._see)
            with torch.no_grad():
                width = embedding_of(body, example).shape[1]
            self.register_buffer("response", torch.zeros(width, self.grid().shape[1]))

    def forward(self, body: nn.Module, pictures: Tensor) -> Tensor:
        """(batch, width, rows, columns); one row and column where the network has no grid anywhere."""
        embedding = embedding_of(body, pictures)[:, :, None, None]
        if self.place is None:
            return embedding
        return embedding + functional.conv2d(_centred(self.grid()), self.response[:, :, None, None])

    def grid(self) -> Tensor:
        """The last grid of the newest forward pass, (batch, channels, rows, columns)."""
        assert self.place is not None
        return self.place.layout.apply(self.seen)

    def fit_gradcam(self, body: nn.Module, weight: Tensor, pictures: Tensor) -> None:
        """Average the gradient over `pictures` for a head of `weight` (classes, width), once the network has learned.

        Only what the head looks at is found out, one pass backwards for each class: of all R that give the classes
        their averaged gradients, the smallest.
        """
        if self.place is None:
            return
        with torch.enable_grad():
            logits = functional.linear(embedding_of(body, pictures.detach().requires_grad_()), weight.detach())
            gradients = torch.stack([_channel_gradient(self, column.sum()).mean(0) for column in logits.unbind(1)])
        self.response.copy_(torch.linalg.pinv(weight.detach()) @ gradients)

    def __getstate__(self) -> dict[str, Any]:
        # A copy begins without what this one saw last, which may hang on a whole graph.
        return self.__dict__ | {"seen": torch.zeros(0)}

    def _see(self, _module: nn.Module, _given: Any, output: Any) -> None:
        assert self.place is not None
        self.seen = _tensors(output)[self.place.output]


def grad_cam(pooled: PooledFeatures, network: Callable[[Tensor], Tensor], pictures: Tensor, classes: Tensor) -> Tensor:
    """Maps (batch, k, rows, columns) of `classes` (batch, k), each sample with its own gradient.

    `network` gives logits (batch, classes) without their bias. On the scale of class activation maps: the
    mean of a map is its class's logit. Where pooling is a mean they are the same as class activation maps.
    """
    with torch.enable_grad():
        logits = network(pictures.detach().requires_grad_()).gather(1, classes)
        around = _centred(pooled.grid()).detach()
        maps = []
        for rank in range(classes.shape[1]):
            weights = _channel_gradient(pooled, logits[:, rank].sum())
            maps.append((weights[:, :, None, None] * around).sum(1) + logits[:, rank, None, None].detach())
    return torch.stack(maps, dim=1)


def find_spatial_output(body: nn.Module, picture: Tensor) -> SpatialOutput | None:
    """The last module that has rows and columns in its output on which the embedding depends."""
    seen: list[tuple[str, int, TensorLayout, Tensor]] = []

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def see(_module: nn.Module, _given: Any, output: Any) -> None:
            for index, tensor in enumerate(_tensors(output)):
                layout = infer_layout(tensor, picture=(picture.shape[2], picture.shape[3]))
                if layout is not None and layout.apply(tensor).shape[2] * 4 <= picture.shape[2]:
                    seen.append((name, index, layout, tensor))

        return see

    parts = [(name, part) for name, part in body.named_modules() if name and not isinstance(part, NON_SPATIAL)]
    handles = [part.register_forward_hook(watch(name)) for name, part in parts]
    try:
        with torch.enable_grad():
            total = embedding_of(body, picture.detach().requires_grad_()).square().sum()
    finally:
        for handle in handles:
            handle.remove()
    for name, index, layout, tensor in reversed(seen):
        if tensor.requires_grad:
            gradient = torch.autograd.grad(total, tensor, retain_graph=True, allow_unused=True)[0]
            if gradient is not None and bool(layout.apply(gradient).any()):
                return SpatialOutput(name, index, layout)
    return None


def embedding_of(body: nn.Module, pictures: Tensor) -> Tensor:
    """(batch, width) as the network itself pools it."""
    embedding: Tensor = body.forward_head(body.forward_features(pictures), pre_logits=True)  # type: ignore[operator]
    return embedding


def _channel_gradient(pooled: PooledFeatures, value: Tensor) -> Tensor:
    """(batch, channels): how `value` answers to each channel of the grid, raised at all places."""
    assert pooled.place is not None
    gradient = torch.autograd.grad(value, pooled.seen, retain_graph=True)[0]
    return pooled.place.layout.apply(gradient).sum((2, 3))


def _centred(grid: Tensor) -> Tensor:
    return grid - grid.mean((2, 3), keepdim=True)


def _tensors(output: Any) -> list[Tensor]:
    """The tensors in a module's output, which may be one or some."""
    if isinstance(output, Tensor):
        return [output]
    return [item for item in output if isinstance(item, Tensor)] if isinstance(output, tuple | list) else []


MAX_PREFIX_TOKENS = 8
"""Tokens that stand for no place: one for the class, one for a teacher, a few registers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorLayout:
    """How to bring a tensor into (batch, channels, height, width). `grid` and `prefix` are for tokens only."""

    order: Literal["nchw", "nhwc", "tokens"]
    prefix: int = 0
    grid: tuple[int, int] = (0, 0)

    def apply(self, given: Tensor) -> Tensor:
        """(batch, channels, height, width)."""
        match self.order:
            case "nchw":
                return given
            case "nhwc":
                return given.permute(0, 3, 1, 2)
            case _:
                # One size may stay open, so that the exported graph takes any batch.
                return given[:, self.prefix :].transpose(1, 2).reshape(-1, given.shape[2], *self.grid)


def infer_layout(
    given: Tensor, *, picture: tuple[int, int], channels: int | None = None, prefix: int | None = None
) -> TensorLayout | None:
    """The layout of one sample's features (1, …), made from a picture of (height, width); None without places.

    `channels` and `prefix` are what the model says of itself; without them the places must have the picture's shape.
    """
    if given.ndim == 4:
        first, last = given.shape[1], given.shape[3]
        if channels in (first, last) and first != last:
            order: Literal["nchw", "nhwc"] = "nchw" if first == channels else "nhwc"
        elif _alike((given.shape[2], last), picture):
            order = "nchw"
        elif _alike((first, given.shape[2]), picture):
            order = "nhwc"
        else:
            return None
        layout = TensorLayout(order=order)
        shape = layout.apply(given).shape
        return layout if shape[2] * shape[3] > 1 else None
    if given.ndim == 3 and channels in (None, given.shape[2]):
        for before in range(MAX_PREFIX_TOKENS + 1) if prefix is None else (prefix,):
            grid = _grid_of(given.shape[1] - before, picture)
            if grid is not None:
                return TensorLayout(order="tokens", prefix=before, grid=grid)
    return None


def _grid_of(tokens: int, picture: tuple[int, int]) -> tuple[int, int] | None:
    """Height and width of so many tokens in the picture's proportions; None where they do not come out even."""
    if tokens < 4:
        return None
    height = round(math.sqrt(tokens * picture[0] / picture[1]))
    if height < 1 or tokens % height:
        return None
    grid = (height, tokens // height)
    return grid if _alike(grid, picture) else None


def _alike(grid: tuple[int, int], picture: tuple[int, int]) -> bool:
    return abs(grid[0] * picture[1] - grid[1] * picture[0]) <= max(picture)
