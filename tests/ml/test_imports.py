"""What loads what: the promises that keep the window quick and the runtime small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tiny_model import write_colour_model

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "torchaudio", "timm", "sklearn", "lightning_fabric")
QT = ("PySide6", "shiboken6", "pyqtgraph")


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that are loaded after `statement` in a fresh interpreter."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["ml.api", "ml.cli", "ml.engine", "desktop.__main__"])
def test_neither_torch_nor_qt_is_loaded_by(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert not loaded & {*HEAVY, *QT}


def test_opening_a_model_and_predicting_never_loads_torch(tmp_path: Path) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    Image.new("RGB", (30, 30), "blue").save(tmp_path / "a.png")
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "ml.cli",
        "predict",
        str(model),
        str(tmp_path / "a.png"),
        "--json",
    ]
    done = subprocess.run(
        [*command, "--overlays", str(tmp_path / "looked")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["label"] == "blue"
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "numpy" in imported
    assert not imported & {*HEAVY, *QT}
