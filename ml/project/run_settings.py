"""Read `settings.toml` of a run, which a stranger may have written: each known value is checked here, and only here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ml.core.errors import HandlensError
from ml.core.jobs import DEFAULT_EAR, EARS, FRONTS
from ml.core.messages import msg
from ml.core.types import PRESETS
from ml.core.untrusted import LONGEST_PATH, number_in, read_toml, table_in, text_in, whole_in

NAME = "settings.toml"
_Check = Callable[[object, str], object]


def read_run_settings(folder: Path) -> dict[str, Any]:
    """Return the content of settings.toml in the folder of a run; empty if there is none.

    Raises HandlensError if it is damaged.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    try:
        settings = read_toml(path)
        for section, checks in _SECTIONS.items():
            values = table_in(settings.get(section, {}), section)
            for key, check in checks.items():
                if key in values:
                    check(values[key], f"{section}.{key}")
        for key, value in settings.get("speed", {}).items():
            number_in(value, f"speed.{key}", 0.0, 1e9)
    except (OSError, ValueError) as error:
        raise HandlensError(
            msg(
                "{file} of run {run} is damaged, so the run cannot be continued. Train again without --resume.",
                file=NAME,
                run=folder.name.lstrip("0"),
            ),
            details=repr(error),
        ) from error
    return settings


def _whole(low: int, high: int) -> _Check:
    return lambda value, name: whole_in(value, name, low, high)


def _number(low: float, high: float) -> _Check:
    return lambda value, name: number_in(value, name, low, high)


def _text(value: object, name: str) -> str:
    return text_in(value, name, longest=LONGEST_PATH, empty=True)


def _flag(value: object, name: str) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} is not true or false")


def _one_of(known: tuple[str, ...]) -> _Check:
    def check(value: object, name: str) -> None:
        if value not in known:
            raise ValueError(f"{name} is unknown")

    return check


_SECTIONS: Mapping[str, Mapping[str, _Check]] = {
    "job": {
        "preset": _one_of(PRESETS),
        "epochs": _whole(-1, 100_000),
        "seed": _whole(-(1 << 62), 1 << 62),
        "wrong_at_most": _number(0.0, 1.0),
        "front": _one_of(FRONTS),
        "ear": _one_of((DEFAULT_EAR, *EARS)),
        "device": _text,
    },
    "backbone": dict.fromkeys(("name", "sha256", "source", "licence", "file"), _text),
    "recipe": {
        "epochs": _whole(0, 100_000),
        "batch": _whole(1, 4_096),
        "head_rate": _number(0.0, 10.0),
        "body_rate": _number(0.0, 10.0),
        "decay": _number(0.0, 1.0),
        "weight_decay": _number(0.0, 10.0),
        "smoothing": _number(0.0, 1.0),
        "warmup": _number(0.0, 1.0),
        "average": _number(0.0, 1.0),
        "strength": _number(0.0, 10.0),
        "frozen_stages": _whole(0, 1_000),
        "patience": _whole(0, 100_000),
        "mirror": _flag,
        "turns": _flag,
        "both_sides": _flag,
    },
    "ear": {"name": _one_of(EARS), **dict.fromkeys(EARS, _number(0.0, 1.0))},
    "speed": {},
    "blend": {"share": _number(0.0, 1.0)},
}
"""The names are those on disk, see `ml.training.run_files`."""


STAGES = 9
"""Stages of the bundled network, from the picture to the features."""


def stage_rates(settings: Mapping[str, Any]) -> tuple[float, ...]:
    """Return the highest learning rate of each stage of the network in a run, from the input; 0 for a stage that kept
    its pretrained weights.

    `settings`: what `read_run_settings` returned. A quick run leaves every stage as it was. Where the settings say
    nothing, the result is empty.
    """
    recipe = settings.get("recipe", {})
    if not {"epochs", "body_rate", "decay", "frozen_stages"} <= set(recipe):
        return ()
    if not recipe["epochs"]:
        return (0.0,) * STAGES
    return tuple(
        0.0 if stage < recipe["frozen_stages"] else recipe["body_rate"] * recipe["decay"] ** (STAGES - 1 - stage)
        for stage in range(STAGES)
    )
