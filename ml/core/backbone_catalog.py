"""The few pretrained networks that are offered by name, and what a licence means in words. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from ml.core.messages import Message, msg

DEFAULT_BACKBONE = "tf_efficientnet_lite0"
Use = Literal["any", "not commercial", "read it"]

_FREE = frozenset({"apache-2.0", "mit", "bsd-3-clause"})
_NOT_COMMERCIAL = ("-nc", "noncommercial", "non-commercial", "apple-amlr", "seer")


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferedBackbone:
    """A pretrained network to choose. `title` is one of "small", "default", "strong".

    `effort` is what a sample costs as a multiple of what it costs with the default: on one core, looking · learning
    took 19 · 126 ms with the default, 2 · 21 ms with the small one and 124 · 344 ms with the strong one.
    """

    title: Literal["small", "default", "strong"]
    name: str
    megabytes: int
    """To download once; 0 where it comes with the installation."""
    effort: float
    licence: str


OFFERED = (
    OfferedBackbone(
        title="small", name="mobilenetv3_small_100.lamb_in1k", megabytes=10, effort=0.2, licence="apache-2.0"
    ),
    OfferedBackbone(title="default", name=DEFAULT_BACKBONE, megabytes=0, effort=1.0, licence="apache-2.0"),
    OfferedBackbone(
        title="strong", name="convnext_tiny.in12k_ft_in1k", megabytes=114, effort=4.0, licence="apache-2.0"
    ),
)
"""Licences as timm's cards of 2026 give them; nothing in this list forbids commercial use."""


def relative_cost(name: str) -> float | None:
    """What a sample costs with backbone `name`, as a multiple of the default; None where it was never measured."""
    for offered in OFFERED:
        if name in (offered.name, offered.name.split(".", 1)[0]):
            return offered.effort
    return None


def use_of(licence: str) -> Use:
    """What weights of `licence` (as timm writes it, "" if it says nothing) may be used for."""
    plain = licence.lower()
    if plain in _FREE:
        return "any"
    return "not commercial" if any(word in plain for word in _NOT_COMMERCIAL) else "read it"


def licence_sentence(name: str, licence: str, page: str) -> Message:
    """What the licence of a network's weights allows, in one sentence. `page` is where it stands."""
    match use_of(licence):
        case "any":
            return msg("The weights of {name} are free for any use ({licence}).", name=name, licence=licence)
        case "not commercial":
            return msg("The weights of {name} are for non-commercial use only ({licence}).", name=name, licence=licence)
        case _:
            if not licence:
                return msg(
                    "No licence is named for the weights of {name}. Read this page before you use them: {page}",
                    name=name,
                    page=page,
                )
            return msg(
                "The weights of {name} have their own licence ({licence}). Read it before you use them: {page}",
                name=name,
                licence=licence,
                page=page,
            )


def weights_folder() -> Path:
    """Where downloaded weights are kept, for all projects of this user."""
    return platformdirs.user_cache_path("Handlens", appauthor=False) / "weights"


def yamnet_file() -> Path:
    """Where the weights of YAMNet are kept once somebody asked for them, see `ml.graphs.yamnet_weights`."""
    return weights_folder() / "yamnet.npz"
