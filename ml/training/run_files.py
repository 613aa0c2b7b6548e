"""The files of a run for people and for later runs: settings.toml and history.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tomli_w

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.disk import write_text
from ml.core.errors import HandlensError
from ml.core.events import EpochDone, Event
from ml.core.jobs import TrainJob
from ml.core.messages import msg
from ml.graphs.pretrained import Weights
from ml.probe.probe import Probe
from ml.project.run_settings import read_run_settings
from ml.training.recipe import Recipe

LIBRARIES = ("torch", "torchaudio", "timm", "onnx", "onnxruntime", "scikit-learn", "numpy")
COLUMNS = ("epoch", "train_loss", "valid_loss", "valid_accuracy", "rate", "best")


RECIPE_KEYS = {
    "head_lr": "head_rate",
    "backbone_lr": "body_rate",
    "layer_lr_decay": "decay",
    "label_smoothing": "smoothing",
    "ema_decay": "average",
    "augment_magnitude": "strength",
    "hflip": "mirror",
    "rotate": "turns",
    "flip_tta": "both_sides",
}
"""Keys of settings.toml that differ from the names of the recipe's fields: those of version 0.1."""


def write_settings(
    folder: Path,
    job: TrainJob,
    recipe: Recipe,
    *,
    device: str,
    backbone: dict[str, str],
    ear: Mapping[str, str | float] | None = None,
    speed: dict[str, float] | None = None,
    alpha: float | None = None,
) -> None:
    """Write settings.toml: everything that determined this run.

    `backbone` is what `weights_info` returns; `ear`: the networks for recordings, and the scores that chose them;
    `speed`: seconds per sample and the relative loss of the probe, for the next estimate; `alpha`: the weight of the
    fine-tuned end in the released weights.
    """
    values: dict[str, object] = {
        "job": {
            "preset": job.preset,
            "epochs": -1 if job.epochs is None else job.epochs,
            "seed": job.seed,
            "wrong_at_most": job.wrong_at_most or 0.0,  # 0: no rate was requested
            "front": job.front,
            "ear": job.ear,
            "device": device,
        },
        "backbone": backbone,
        "recipe": {RECIPE_KEYS.get(name, name): value for name, value in asdict(recipe).items()},
        "libraries": dict(_installed_libraries()),
        "speed": {key: value for key, value in (speed or {}).items() if value > 0.0},
    }
    if ear is not None:
        values["ear"] = ear
    if alpha is not None:
        values["blend"] = {"share": alpha}
    write_text(folder / "settings.toml", tomli_w.dumps(values))


def _installed_libraries() -> Iterator[tuple[str, str]]:
    """Yield names and versions; a first model does without torch."""
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def weights_info(weights: Weights) -> dict[str, str]:
    """Return what settings.toml records of the pretrained weights."""
    facts = {"name": weights.name, "sha256": weights.sha256, "source": weights.source, "licence": weights.licence}
    return facts | ({"file": str(weights.path)} if weights.source == "file" else {})


def requested_weights(job: TrainJob) -> dict[str, str]:
    """Return what is known of the weights before their download: enough to resume a run that it interrupts."""
    facts = {"name": job.backbone or DEFAULT_BACKBONE}
    return facts | ({"source": "file", "file": str(job.weights.absolute())} if job.weights is not None else {})


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the content of settings.toml; empty if there is none. Raises HandlensError if it is damaged."""
    return read_run_settings(folder)


def read_recipe(folder: Path) -> Recipe:
    """Return the recipe in settings.toml."""
    fields = {key: name for name, key in RECIPE_KEYS.items()}
    stored = {fields.get(key, key): value for key, value in read_settings(folder).get("recipe", {}).items()}
    try:
        return Recipe(**stored)
    except TypeError as error:  # a value is missing, or there is one too many
        raise HandlensError(
            msg("{file} of the run lacks settings. Train again without --resume.", file="settings.toml"),
            details=str(error),
        ) from error


def read_backbone(folder: Path) -> str:
    """Return the name of the backbone in settings.toml, or of the bundled one."""
    return str(read_settings(folder).get("backbone", {}).get("name", DEFAULT_BACKBONE))


def write_history(
    folder: Path, *, epoch: int | None = None, probe: Probe | None = None, event: Event | None = None
) -> None:
    """Add a line to history.csv: the probe as epoch 0, then every epoch. A repeated epoch replaces its line."""
    row: list[object]
    if probe is not None:
        row = [epoch, probe.train_loss, probe.valid_loss, probe.valid_accuracy, "", True]
    elif isinstance(event, EpochDone):
        row = [getattr(event, column) for column in COLUMNS]
    else:
        return
    path = folder / "history.csv"
    kept: list[list[str]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            lines_before = [line for line in csv.reader(file) if line and line[0].isdecimal()]
        kept = [line for line in lines_before if int(line[0]) != row[0]]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    lines: list[list[str]] = [*kept, ["" if value is None else str(value) for value in row]]
    lines.sort(key=_epoch)
    writer.writerows(lines)
    write_text(path, text.getvalue())


def _epoch(line: list[str]) -> int:
    return int(line[0])
