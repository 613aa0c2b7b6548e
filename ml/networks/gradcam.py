"""Class maps for networks that end in a vector: Grad-CAM (Selvaraju et al. 2017), and an average of it to export."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

TOP_CLASSES = 5
"""Classes of a sample with a Grad-CAM of their own; each takes a backward pass."""
NON_SPATIAL = (nn.Linear, nn.Dropout, nn.Identity, nn.Softmax)
"""Modules whose output has no rows and columns, even if its shape looks so."""


class SpatialOutput(NamedTuple):
    """The last module whose output has rows and columns: its name, the index of the output, and the layout."""

    module: str
    output: int
    layout: TensorLayout


class PooledFeatures(nn.Module):
    """A feature grid for a network that ends in one vector, from its last grid A.

    At each position p it is embedding + R (A_p - mean A), where R (width, channels) is the response of the embedding to
    the channels of A. Its mean is exactly the embedding, so head, probe and export treat it like any other grid. The
    class maps are Grad-CAM's, with the gradient averaged over the pictures of `fit_gradcam`; before that they are flat.
    """

    response: Tensor

    def __init__(self, body: nn.Module, picture: tuple[int, int]) -> None:
        super().__init__()
        noise = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 4.0 - 2.0
        example = functional.interpolate(noise, picture, mode="bilinear", align_corners=False)
        self.place = find_spatial_output(body, example)
        self.latest = torch.zeros(0)
        if self.place is not None:
            body.get_submodule(self.place.module).register_forward_hook(self._record)
            with torch.no_grad():
                width = embedding_of(body, example).shape[1]
            self.register_buffer("response", torch.zeros(width, self.grid().shape[1]))

    def forward(self, body: nn.Module, pictures: Tensor) -> Tensor:
        """Return (batch, width, rows, columns); one row and column if the network has no grid at all."""
        embedding = embedding_of(body, pictures)[:, :, None, None]
        if self.place is None:
            return embedding
        return embedding + functional.conv2d(_centred(self.grid()), self.response[:, :, None, None])

    def grid(self) -> Tensor:
        """Return the last grid of the latest forward pass, (batch, channels, rows, columns)."""
        assert self.place is not None
        return self.place.layout.apply(self.latest)

    def fit_gradcam(self, body: nn.Module, weight: Tensor, pictures: Tensor) -> None:
        """Fit R to the average gradients of a head of `weight` (classes, width) over `pictures`.

        Takes one backward pass for each class. R is the least-norm solution that gives these gradients.
        """
        if self.place is None:
            return
        with torch.enable_grad():
            logits = functional.linear(embedding_of(body, pictures.detach().requires_grad_()), weight.detach())
            gradients = torch.stack([_channel_gradient(self, column.sum()).mean(0) for column in logits.unbind(1)])
        self.response.copy_(torch.linalg.pinv(weight.detach()) @ gradients)

    def __getstate__(self) -> dict[str, Any]:
        # Do not copy the latest grid, which may reference a whole autograd graph.
        return self.__dict__ | {"latest": torch.zeros(0)}

    def _record(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        assert self.place is not None
        self.latest = _tensors(output)[self.place.output]


def grad_cam(pooled: PooledFeatures, network: Callable[[Tensor], Tensor], pictures: Tensor, classes: Tensor) -> Tensor:
    """Return Grad-CAM maps (batch, k, rows, columns) of `classes` (batch, k), by the gradient of each sample.

    `network` returns logits (batch, classes) without their bias. The scale is that of class activation maps: the mean
    of a map is the logit of its class. With mean pooling both kinds of maps are equal.
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
    """Return the last module with rows and columns in an output that the embedding depends on."""
    seen: list[tuple[str, int, TensorLayout, Tensor]] = []

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def record(_module: nn.Module, _inputs: Any, output: Any) -> None:
            for index, tensor in enumerate(_tensors(output)):
                layout = infer_layout(tensor, picture=(picture.shape[2], picture.shape[3]))
                if layout is not None and layout.apply(tensor).shape[2] * 4 <= picture.shape[2]:
                    seen.append((name, index, layout, tensor))

        return record

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
    """Return (batch, width) as the network itself pools it."""
    embedding: Tensor = body.forward_head(body.forward_features(pictures), pre_logits=True)  # type: ignore[operator]
    return embedding


def _channel_gradient(pooled: PooledFeatures, value: Tensor) -> Tensor:
    """Return (batch, channels): the gradient of `value` with respect to the grid, summed over its positions."""
    assert pooled.place is not None
    gradient = torch.autograd.grad(value, pooled.latest, retain_graph=True)[0]
    return pooled.place.layout.apply(gradient).sum((2, 3))


def _centred(grid: Tensor) -> Tensor:
    return grid - grid.mean((2, 3), keepdim=True)


def _tensors(output: Any) -> list[Tensor]:
    """Return the tensors in the output of a module: one or several."""
    if isinstance(output, Tensor):
        return [output]
    return [item for item in output if isinstance(item, Tensor)] if isinstance(output, tuple | list) else []


MAX_PREFIX_TOKENS = 8
"""Tokens without a position: class token, distillation token, registers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorLayout:
    """How to bring a tensor into (batch, channels, height, width). `grid` and `prefix` are for tokens only."""

    order: Literal["nchw", "nhwc", "tokens"]
    prefix: int = 0
    grid: tuple[int, int] = (0, 0)

    def apply(self, tensor: Tensor) -> Tensor:
        """Return (batch, channels, height, width)."""
        match self.order:
            case "nchw":
                return tensor
            case "nhwc":
                return tensor.permute(0, 3, 1, 2)
            case _:
                # -1 keeps the batch size of the exported graph free.
                return tensor[:, self.prefix :].transpose(1, 2).reshape(-1, tensor.shape[2], *self.grid)


def infer_layout(
    features: Tensor, *, picture: tuple[int, int], channels: int | None = None, prefix: int | None = None
) -> TensorLayout | None:
    """Return the layout of one sample's features (1, …) from a picture of (height, width); None if it has no grid.

    `channels` and `prefix` come from the model; without them the grid must have the aspect ratio of the picture.
    """
    if features.ndim == 4:
        first, last = features.shape[1], features.shape[3]
        if channels in (first, last) and first != last:
            order: Literal["nchw", "nhwc"] = "nchw" if first == channels else "nhwc"
        elif _same_aspect((features.shape[2], last), picture):
            order = "nchw"
        elif _same_aspect((first, features.shape[2]), picture):
            order = "nhwc"
        else:
            return None
        layout = TensorLayout(order=order)
        shape = layout.apply(features).shape
        return layout if shape[2] * shape[3] > 1 else None
    if features.ndim == 3 and channels in (None, features.shape[2]):
        for before in range(MAX_PREFIX_TOKENS + 1) if prefix is None else (prefix,):
            grid = _grid_of(features.shape[1] - before, picture)
            if grid is not None:
                return TensorLayout(order="tokens", prefix=before, grid=grid)
    return None


def _grid_of(tokens: int, picture: tuple[int, int]) -> tuple[int, int] | None:
    """Return the height and width of a grid of so many tokens with the aspect ratio of the picture, if there is one."""
    if tokens < 4:
        return None
    height = round(math.sqrt(tokens * picture[0] / picture[1]))
    if height < 1 or tokens % height:
        return None
    grid = (height, tokens // height)
    return grid if _same_aspect(grid, picture) else None


def _same_aspect(grid: tuple[int, int], picture: tuple[int, int]) -> bool:
    return abs(grid[0] * picture[1] - grid[1] * picture[0]) <= max(picture)
