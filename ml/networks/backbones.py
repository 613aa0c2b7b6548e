"""Pretrained backbones from timm, any of them: a picture in, a grid of features out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import timm
import torch
from timm.models import EfficientNet, group_parameters
from torch import Tensor, nn
from torch.nn import functional

from ml.core.errors import HandlensError
from ml.networks.gradcam import Layout, Pooled, layout_of
from ml.networks.weights.bundled import Weights, card_of, fill

LARGEST_NATIVE = 384
"""A network made for larger pictures reads them at `INSTEAD`: four times as many places cost sixteen times the time."""
INSTEAD = 224
TAPPED = 4
"""Stages of an EfficientNet whose outputs are features too: see docs/learning.md for what they add."""
WITH_THE_ONE_BEFORE, APART = (99999,), (99998,)
"""How timm's group matchers mark what belongs to the stage before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneSpec:
    """A backbone's name in timm, its input side in pixels, and the scaling it was trained with (of values in 0…1).

    `interpolation` is how the pictures it was trained on were resized, for the record: Handlens resizes all alike.
    """

    name: str
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    key: str
    """Changes whenever the features would: part of the name of everything cached from them."""


def spec_of(weights: Weights) -> BackboneSpec:
    """What timm says of the model that `weights` belong to."""
    card = card_of(weights.name)
    native = max(card.input_size[-2:])
    size = native if native <= LARGEST_NATIVE else INSTEAD
    if weights.source == "bundled":
        # The weights were trained on crops of 224; whole pictures are better read a little larger (Touvron et al.
        # 2019): accuracy of the probe at 224 · 256: trashnet 0.83 · 0.84, eurosat 0.90 · 0.91, flowers 0.86 · 0.86.
        size = 256
    return BackboneSpec(
        name=weights.name,
        size=size,
        mean=_triple(card.mean),
        std=_triple(card.std),
        interpolation=card.interpolation,
        key=weights.sha256[:16],
    )


class Backbone(nn.Module):
    """(batch, 3, h, w) scaled as `spec` says -> features (batch, width, rows, columns), whose mean is the embedding.

    The rows and columns come straight from a convolutional network, from the patch tokens of a transformer (class and
    register tokens are left out), or, where a network keeps no places to the end, from `gradcam.Pooled`. Those of an
    EfficientNet are joined by what its last stages say, averaged to the same places: textures and small shapes, which
    the last layer has given up for the sake of the classes it was pretrained on.
    """

    def __init__(self, spec: BackboneSpec, weights: Weights, picture: tuple[int, int]) -> None:
        """`picture` is the height and width that it will mostly read."""
        super().__init__()
        self.spec = spec
        self.weights = weights
        self.body, self.takes = _filled(weights, picture)
        self.body.eval()
        self.picture = self.takes or picture
        example = torch.zeros(1, 3, *self.picture)
        with torch.no_grad():
            given = self._features(example)
        self.layout = _layout(self.body, given, self.picture)
        self.pooled = Pooled(self.body, self.picture) if self.layout is None else None
        self.last_norm = None if self.layout is None else _last_norm(self.body)
        self.idle: frozenset[str] = frozenset()
        if weights.source != "bundled":
            self.idle = _drop_what_is_idle(self, example)
        with torch.no_grad():
            _, self.width, rows, columns = self(example).shape
        own = int(self.body.num_features) if isinstance(self.body, EfficientNet) else self.width
        self.early = slice(own, self.width)
        """Which features are those of the inner stages: they tell classes apart, but not what is strange."""
        self.grid = (int(rows), int(columns))
        self.stride = round(self.picture[0] / rows)

    def forward(self, pictures: Tensor) -> Tensor:
        pictures = self._fitted(pictures)
        if self.pooled is not None:
            return cast(Tensor, self.pooled(self.body, pictures))
        assert self.layout is not None
        features = self.layout.apply(self._features(pictures))
        if self.last_norm is None:
            return features
        # Made to follow the pooling; before it, at every place, class maps stay exact.
        norm = self.body.get_submodule(self.last_norm)
        if type(norm).__name__.endswith("2d"):
            return cast(Tensor, norm(features))
        return cast(Tensor, norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))

    def _features(self, pictures: Tensor) -> Any:
        """What timm's `forward_features` gives, with the last stages' outputs where those are features too."""
        body = self.body
        if not isinstance(body, EfficientNet):
            return body.forward_features(pictures)  # type: ignore[operator]
        outputs: list[Tensor] = []
        passed = body.bn1(body.conv_stem(pictures))
        for stage in body.blocks:
            passed = stage(passed)
            outputs.append(passed)
        last = body.bn2(body.conv_head(passed))
        return torch.cat([last, *(_shrunk(item, last) for item in outputs[-TAPPED:])], 1)

    def attune(self, weight: Tensor, pictures: Tensor) -> None:
        """Find out what maps a head of `weight` (classes, width) shall give, where they are not exact by themselves."""
        if self.pooled is not None:
            self.pooled.attune(self.body, weight, self._fitted(pictures))

    def _fitted(self, pictures: Tensor) -> Tensor:
        if self.takes is None or tuple(pictures.shape[2:]) == self.takes:
            return pictures
        return functional.interpolate(pictures, self.takes, mode="bilinear", align_corners=False)

    def stages(self) -> list[list[nn.Parameter]]:
        """The parameters from the input to the output in groups, for rates that grow towards the head.

        As timm groups them for layer-wise rates; by the order of its parts where it does not. What takes no part in the
        features is left out.
        """
        parameters = {name: item for name, item in self.body.named_parameters() if name not in self.idle}
        if hasattr(self.body, "group_matcher"):
            matcher = self.body.group_matcher(coarse=True)  # type: ignore[operator]
            groups = group_parameters(self.body, _last_apart(matcher))
            named = [groups[index] for index in sorted(groups)]
        else:
            parts = [f"{name}." for name, _ in self.body.named_children()]
            named = [[name for name in parameters if name.startswith(part)] for part in parts]
            named.insert(0, [name for name in parameters if not name.startswith(tuple(parts))])
        stages = [[parameters[name] for name in group if name in parameters] for group in named]
        return [stage for stage in stages if stage]


def build(weights: Weights, picture: tuple[int, int] | None = None) -> Backbone:
    """The backbone that `weights` are for, in evaluation mode. `picture`: the (height, width) it will read, where that
    is not its square."""
    spec = spec_of(weights)
    return Backbone(spec, weights, picture or (spec.size, spec.size)).eval()


def freeze_norms(network: nn.Module) -> None:
    """Keep running statistics as they were pretrained: with small batches their own would be noise.

    Layer and group norms have none: they look at one sample only and go on learning their scale.
    """
    for module in network.modules():
        if getattr(module, "running_var", None) is not None:
            module.eval()


def _filled(weights: Weights, picture: tuple[int, int]) -> tuple[nn.Module, tuple[int, int] | None]:
    """As `_made_for`, with its weights; at its own size where its weights fit no other."""
    body, takes = _made_for(weights.name, picture)
    card = card_of(weights.name)
    native = (int(card.input_size[1]), int(card.input_size[2]))
    try:
        fill(body, weights)
    except HandlensError:
        if takes in (None, native):
            raise
        body, takes = timm.create_model(weights.name, pretrained=False, num_classes=0), native
        fill(body, weights)
    return body, takes


def _made_for(name: str, picture: tuple[int, int]) -> tuple[nn.Module, tuple[int, int] | None]:
    """A model that reads pictures of this height and width, and the only size it takes (None: it takes any)."""
    card = card_of(name)
    native = (int(card.input_size[1]), int(card.input_size[2]))
    wanted: dict[str, Any] = {"img_size": picture} if card.fixed_input_size and picture != native else {}
    try:
        body: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **wanted)
        with torch.no_grad():
            body.eval().forward_features(torch.zeros(1, 3, *picture))  # type: ignore[operator]
    except (TypeError, ValueError, AssertionError, RuntimeError):
        # It has a size of its own and says so in many ways; pictures are brought to that.
        return timm.create_model(name, pretrained=False, num_classes=0), native
    return body, picture if card.fixed_input_size else None


def _shrunk(features: Tensor, like: Tensor) -> Tensor:
    """Averaged over the same rows and columns as `like` has."""
    # As numbers: the older exporter knows no pooling whose size is worked out in the graph.
    rows, columns = int(like.shape[2]), int(like.shape[3])
    height, width = int(features.shape[2]), int(features.shape[3])
    if height % rows or width % columns:
        return functional.adaptive_avg_pool2d(features, (rows, columns))
    if (height, width) == (rows, columns):
        return features
    return functional.avg_pool2d(features, (height // rows, width // columns))


def _layout(body: nn.Module, given: object, picture: tuple[int, int]) -> Layout | None:
    if not isinstance(given, Tensor):
        return None
    channels, prefix = int(body.num_features), getattr(body, "num_prefix_tokens", None)  # type: ignore[arg-type]
    if isinstance(body, EfficientNet):
        channels = given.shape[1]
    return layout_of(given, picture=picture, channels=channels, prefix=prefix)


def _last_norm(body: nn.Module) -> str | None:
    """The name of the norm that stands after the pooling, where there is one."""
    for name in ("head.norm", "fc_norm"):
        try:
            norm = body.get_submodule(name)
        except AttributeError:
            continue
        if "Norm" in type(norm).__name__ and not list(norm.children()):
            return name
    return None


def _drop_what_is_idle(backbone: Backbone, example: Tensor) -> frozenset[str]:
    """Take out the parts that the features do not pass through, such as a classifier's hidden layer.

    Returns the names of parameters that stay and are idle all the same.
    """
    body = backbone.body
    parameters = dict(body.named_parameters())
    body.eval()  # said again, so that layers forget what they made of their weights before, without a way back to them
    with torch.enable_grad():
        total = backbone(example).sum()
        gradients = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    body.eval()
    idle = {name for name, gradient in zip(parameters, gradients, strict=True) if gradient is None}
    for name, module in list(body.named_modules()):
        own = [f"{name}.{inner}" for inner, _ in module.named_parameters()]
        if name and own and idle.issuperset(own):
            idle.difference_update(own)
            body.set_submodule(name, nn.Identity())
    return frozenset(idle)


def _last_apart(matcher: object) -> object:
    """timm counts the last norm or convolution to the stage before it; it is the one that may learn fastest."""
    if not isinstance(matcher, dict):
        return matcher
    return {
        part: [(how, APART if suffix == WITH_THE_ONE_BEFORE else suffix) for how, suffix in rules]
        if isinstance(rules, list | tuple)
        else rules
        for part, rules in matcher.items()
    }


def _triple(values: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
