"""What a run leaves to be read by people and by later runs: settings.toml and history.csv."""

from __future__ import annotations

import csv
import io
import tomllib
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import tomli_w

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.events import EpochDone, Event
from ml.core.jobs import TrainJob
from ml.probe.probe import Probe
from ml.training.recipe import Recipe

COLUMNS = ("epoch", "train_loss", "valid_loss", "valid_accuracy", "rate", "best")


def write_settings(
    folder: Path,
    job: TrainJob,
    recipe: Recipe,
    *,
    device: str,
    backbone: dict[str, str],
    speed: dict[str, float] | None = None,
    blend: float | None = None,
) -> None:
    """Everything that made this run what it is. `backbone` as `chosen.facts_of` gives it; `speed`: seconds per sample
    and the doubt, for the next estimate; `blend`: the share of the way from the first model to the fine-tuned one."""
    values: dict[str, object] = {
        "job": {
            "preset": job.preset,
            "epochs": -1 if job.epochs is None else job.epochs,
            "seed": job.seed,
            "wrong_at_most": job.wrong_at_most or 0.0,  # 0: nobody asked
            "front": job.front,
            "device": device,
        },
        "backbone": backbone,
        "recipe": asdict(recipe),
        "libraries": {name: version(name) for name in ("torch", "torchaudio", "timm", "onnxruntime", "numpy")},
        "speed": {key: value for key, value in (speed or {}).items() if value > 0.0},
    }
    if blend is not None:
        values["blend"] = {"share": blend}
    _write(folder / "settings.toml", tomli_w.dumps(values))


def read_recipe(folder: Path) -> Recipe:
    """The recipe that `write_settings` left."""
    return Recipe(**tomllib.loads((folder / "settings.toml").read_text(encoding="utf-8"))["recipe"])


def read_backbone(folder: Path) -> str:
    """The name of the backbone in what `write_settings` left, or of the one that comes with the installation."""
    path = folder / "settings.toml"
    settings = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return str(settings.get("backbone", {}).get("name", DEFAULT_BACKBONE))


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
            kept = [line for line in csv.reader(file) if line and line[0] != "epoch" and int(line[0]) != row[0]]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    lines: list[list[str]] = [*kept, ["" if value is None else str(value) for value in row]]
    lines.sort(key=_epoch)
    writer.writerows(lines)
    _write(path, text.getvalue())


def _epoch(line: list[str]) -> int:
    return int(line[0])


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(text, encoding="utf-8", newline="")
    draft.replace(path)
