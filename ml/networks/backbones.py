"""Pretrained backbones from timm: an image in, a grid of features out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import timm
import torch
from timm.models import EfficientNet, group_parameters
from torch import Tensor, nn
from torch.nn import functional

from ml.core.errors import HandlensError
from ml.graphs.pretrained import LITE0_SIZE, Weights
from ml.networks.gradcam import PooledFeatures, TensorLayout, infer_layout
from ml.networks.weights.load import load_weights, pretrained_cfg

MAX_NATIVE_SIZE = 384
REDUCED_SIZE = 224
"""Networks for larger images read them at this size: twice the side takes up to sixteen times as long."""
INNER_STAGES = 4
"""Last stages of an EfficientNet whose outputs are features too; results in docs/learning.md."""
TIMM_WITH_PREVIOUS, SEPARATE = (99999,), (99998,)
"""Marks in timm's group matchers: the former adds a part to the stage before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneSpec:
    """A backbone's name in timm, its input size in pixels, and the normalisation of its training (of values in 0…1).

    `interpolation` is the resizing of its training images, for the record: Handlens resizes all images alike.
    """

    name: str
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    key: str
    """Changes with the features; part of the name of their cache."""


def spec_for(weights: Weights) -> BackboneSpec:
    """Return timm's settings of the model that `weights` belong to."""
    cfg = pretrained_cfg(weights.name)
    native = max(cfg.input_size[-2:])
    size = native if native <= MAX_NATIVE_SIZE else REDUCED_SIZE
    if weights.source == "bundled":
        size = LITE0_SIZE
    return BackboneSpec(
        name=weights.name,
        size=size,
        mean=_triple(cfg.mean),
        std=_triple(cfg.std),
        interpolation=cfg.interpolation,
        key=weights.sha256[:16],
    )


class Backbone(nn.Module):
    """Map (batch, 3, h, w), normalised as in `spec`, to features (batch, width, rows, columns); their mean is the
    embedding.

    The grid is that of a convolutional network, or the patch tokens of a transformer without its class and register
    tokens; `gradcam.PooledFeatures` makes one for networks that end in a vector. The features of an EfficientNet
    include the outputs of its last stages, pooled to the same grid. They describe textures and small shapes, which the
    last layer discards in favour of the classes of the pretraining.
    """

    def __init__(self, spec: BackboneSpec, weights: Weights, picture: tuple[int, int]) -> None:
        """`picture` is the usual height and width of the input."""
        super().__init__()
        self.spec = spec
        self.weights = weights
        self.body, self.fixed_size = _create_with_weights(weights, picture)
        self.body.eval()
        self.picture = self.fixed_size or picture
        example = torch.zeros(1, 3, *self.picture)
        with torch.no_grad():
            given = self._features(example)
        self.layout = _layout(self.body, given, self.picture)
        self.pooled = PooledFeatures(self.body, self.picture) if self.layout is None else None
        self.last_norm = None if self.layout is None else _last_norm(self.body)
        self.unused: frozenset[str] = frozenset()
        if weights.source != "bundled":
            self.unused = _drop_unused_parts(self, example)
        with torch.no_grad():
            _, self.width, rows, columns = self(example).shape
        own = int(self.body.num_features) if isinstance(self.body, EfficientNet) else self.width
        self.inner_features = slice(own, self.width)
        """The features of the inner stages: they separate classes, but do not help to detect unlike samples."""
        self.grid = (int(rows), int(columns))
        self.stride = round(self.picture[0] / rows)

    def forward(self, pictures: Tensor) -> Tensor:
        pictures = self._resized(pictures)
        if self.pooled is not None:
            return cast(Tensor, self.pooled(self.body, pictures))
        assert self.layout is not None
        features = self.layout.apply(self._features(pictures))
        if self.last_norm is None:
            return features
        # This norm belongs after the pooling; applied before it at every position, it keeps class maps exact.
        norm = self.body.get_submodule(self.last_norm)
        if type(norm).__name__.endswith("2d"):
            return cast(Tensor, norm(features))
        return cast(Tensor, norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))

    def _features(self, pictures: Tensor) -> Any:
        """Return the output of timm's `forward_features`; of an EfficientNet also the outputs of the last stages."""
        body = self.body
        if not isinstance(body, EfficientNet):
            return body.forward_features(pictures)  # type: ignore[operator]
        outputs: list[Tensor] = []
        passed = body.bn1(body.conv_stem(pictures))
        for stage in body.blocks:
            passed = stage(passed)
            outputs.append(passed)
        last = body.bn2(body.conv_head(passed))
        return torch.cat([last, *(_pool_like(item, last) for item in outputs[-INNER_STAGES:])], 1)

    def fit_gradcam(self, weight: Tensor, pictures: Tensor) -> None:
        """Fit Grad-CAM maps to a head of `weight` (classes, width), if the network ends in a vector."""
        if self.pooled is not None:
            self.pooled.fit_gradcam(self.body, weight, self._resized(pictures))

    def _resized(self, pictures: Tensor) -> Tensor:
        if self.fixed_size is None or tuple(pictures.shape[2:]) == self.fixed_size:
            return pictures
        return functional.interpolate(pictures, self.fixed_size, mode="bilinear", align_corners=False)

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters from the input to the output in groups, for layer-wise learning rates.

        The groups are timm's, or the model's children if it has none. Unused parameters are left out.
        """
        parameters = {name: item for name, item in self.body.named_parameters() if name not in self.unused}
        if hasattr(self.body, "group_matcher"):
            matcher = self.body.group_matcher(coarse=True)  # type: ignore[operator]
            groups = group_parameters(self.body, _separate_last_group(matcher))
            named = [groups[index] for index in sorted(groups)]
        else:
            parts = [f"{name}." for name, _ in self.body.named_children()]
            named = [[name for name in parameters if name.startswith(part)] for part in parts]
            named.insert(0, [name for name in parameters if not name.startswith(tuple(parts))])
        stages = [[parameters[name] for name in group if name in parameters] for group in named]
        return [stage for stage in stages if stage]


def build_backbone(weights: Weights, picture: tuple[int, int] | None = None) -> Backbone:
    """Return the backbone of `weights`, in evaluation mode. `picture`: its (height, width), if not the usual square."""
    spec = spec_for(weights)
    return Backbone(spec, weights, picture or (spec.size, spec.size)).eval()


def freeze_norms(network: nn.Module) -> None:
    """Keep the pretrained running statistics of batch norms: those of small batches would be noise.

    Layer and group norms have none, and continue to train their scale.
    """
    for module in network.modules():
        if getattr(module, "running_var", None) is not None:
            module.eval()


def _create_with_weights(weights: Weights, picture: tuple[int, int]) -> tuple[nn.Module, tuple[int, int] | None]:
    """Return the result of `_create_body` with weights, in the native size if the weights fit no other."""
    body, fixed_size = _create_body(weights.name, picture)
    cfg = pretrained_cfg(weights.name)
    native = (int(cfg.input_size[1]), int(cfg.input_size[2]))
    try:
        load_weights(body, weights)
    except HandlensError:
        if fixed_size in (None, native):
            raise
        body, fixed_size = timm.create_model(weights.name, pretrained=False, num_classes=0), native
        load_weights(body, weights)
    return body, fixed_size


def _create_body(name: str, picture: tuple[int, int]) -> tuple[nn.Module, tuple[int, int] | None]:
    """Return a model for images of this height and width, and the only size that it accepts (None: any)."""
    cfg = pretrained_cfg(name)
    native = (int(cfg.input_size[1]), int(cfg.input_size[2]))
    wanted: dict[str, Any] = {"img_size": picture} if cfg.fixed_input_size and picture != native else {}
    try:
        body: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **wanted)
        with torch.no_grad():
            body.eval().forward_features(torch.zeros(1, 3, *picture))  # type: ignore[operator]
    except (TypeError, ValueError, AssertionError, RuntimeError):
        # The model accepts only its native size, and reports that in many ways; images are resized to it.
        return timm.create_model(name, pretrained=False, num_classes=0), native
    return body, picture if cfg.fixed_input_size else None


def _pool_like(features: Tensor, like: Tensor) -> Tensor:
    """Pool the features to the grid of `like`."""
    # Use numbers: the older exporter does not support a pooling size that is computed in the graph.
    rows, columns = int(like.shape[2]), int(like.shape[3])
    height, width = int(features.shape[2]), int(features.shape[3])
    if height % rows or width % columns:
        return functional.adaptive_avg_pool2d(features, (rows, columns))
    if (height, width) == (rows, columns):
        return features
    return functional.avg_pool2d(features, (height // rows, width // columns))


def _layout(body: nn.Module, given: object, picture: tuple[int, int]) -> TensorLayout | None:
    if not isinstance(given, Tensor):
        return None
    channels, prefix = int(body.num_features), getattr(body, "num_prefix_tokens", None)  # type: ignore[arg-type]
    if isinstance(body, EfficientNet):
        channels = given.shape[1]
    return infer_layout(given, picture=picture, channels=channels, prefix=prefix)


def _last_norm(body: nn.Module) -> str | None:
    """Return the name of the norm after the pooling, if there is one."""
    for name in ("head.norm", "fc_norm"):
        try:
            norm = body.get_submodule(name)
        except AttributeError:
            continue
        if "Norm" in type(norm).__name__ and not list(norm.children()):
            return name
    return None


def _drop_unused_parts(backbone: Backbone, example: Tensor) -> frozenset[str]:
    """Remove the parts that do not contribute to the features, such as a classifier's hidden layer.

    Returns the names of unused parameters that had to stay.
    """
    body = backbone.body
    parameters = dict(body.named_parameters())
    body.eval()  # again, so that layers drop what they derived from their weights without gradients
    with torch.enable_grad():
        total = backbone(example).sum()
        gradients = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    body.eval()
    unused = {name for name, gradient in zip(parameters, gradients, strict=True) if gradient is None}
    for name, module in list(body.named_modules()):
        own = [f"{name}.{inner}" for inner, _ in module.named_parameters()]
        if name and own and unused.issuperset(own):
            unused.difference_update(own)
            body.set_submodule(name, nn.Identity())
    return frozenset(unused)


def _separate_last_group(matcher: object) -> object:
    """Make the last norm or convolution a stage of its own, with the highest learning rate; timm adds it to the one
    before."""
    if not isinstance(matcher, dict):
        return matcher
    return {
        part: [(how, SEPARATE if suffix == TIMM_WITH_PREVIOUS else suffix) for how, suffix in rules]
        if isinstance(rules, list | tuple)
        else rules
        for part, rules in matcher.items()
    }


def _triple(values: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
