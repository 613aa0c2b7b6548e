"""Pretrained backbones from timm: a picture in, a grid of features out."""

from __future__ import annotations

from dataclasses import dataclass

import timm
import torch
from torch import Tensor, nn

from ml.networks.weights import LITE0_SHA256, checked, lite0_path, load_in_order

DEFAULT = "tf_efficientnet_lite0"


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneSpec:
    """A backbone's name in timm, its input side in pixels, and the scaling it was trained with (of values in 0…1)."""

    name: str
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    key: str
    """Changes whenever the features would: part of the name of everything cached from them."""


SPECS = {
    # The weights were trained on crops of 224; whole pictures are better read a little larger (Touvron et al. 2019):
    # test accuracy of the probe at 224 · 256: trashnet 0.83 · 0.84, eurosat 0.90 · 0.91, flowers 0.86 · 0.86.
    DEFAULT: BackboneSpec(
        name=DEFAULT, size=256, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), key=f"lite0-{LITE0_SHA256[:8]}"
    )
}


class Backbone(nn.Module):
    """(batch, 3, h, w) scaled as `spec` says -> features (batch, width, h / 32, w / 32)."""

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        self.spec = spec
        self.body: nn.Module = timm.create_model(spec.name, pretrained=False, num_classes=0)
        self.width = int(self.body.num_features)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.body.forward_features(pictures)  # type: ignore[operator]
        return features

    def stages(self) -> list[list[nn.Parameter]]:
        """The parameters from the input to the output in groups, for rates that grow towards the head."""
        blocks = list(self.body.blocks)  # type: ignore[arg-type]
        first = [module for name, module in self.body.named_children() if name in ("conv_stem", "bn1")]
        last = [module for name, module in self.body.named_children() if name in ("conv_head", "bn2")]
        return [[p for module in group for p in module.parameters()] for group in (first, *([b] for b in blocks), last)]


def build(name: str = DEFAULT) -> Backbone:
    """The backbone `name` with its pretrained weights, in evaluation mode."""
    spec = SPECS[name]
    path = checked(lite0_path(), LITE0_SHA256)
    backbone = Backbone(spec)
    # The file brings ImageNet's classifier too; it goes through a complete network, by order, and is left behind.
    complete = timm.create_model(name, pretrained=False)
    load_in_order(complete, path)
    own = backbone.body.state_dict()
    backbone.body.load_state_dict({key: value for key, value in complete.state_dict().items() if key in own})
    return backbone.eval()


def freeze_norms(network: nn.Module) -> None:
    """Keep batch statistics as they were pretrained: with small batches their own would be noise."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
