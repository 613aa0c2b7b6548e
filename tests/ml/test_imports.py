"""What loads what: the promises that keep the window quick and the runtime small."""

from __future__ import annotations

import ast
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


@pytest.mark.parametrize(
    "statement",
    ["import ml.api", "import ml.cli; ml.cli.build_app()", "import ml.pipeline.dispatch", "import desktop.__main__"],
)
def test_neither_torch_nor_qt_is_loaded_by(statement: str) -> None:
    loaded = loaded_by(statement)
    assert not loaded & {*HEAVY, *QT}


ORDER = "print(json.dumps([name for name in sys.modules if name in ('onnxruntime', 'PySide6')]))"


def order_of_libraries(statement: str) -> list[str]:
    """Return which of ONNX Runtime and Qt `statement` loads in a fresh interpreter, the first one first."""
    code = f"import json, sys\nimport desktop.__main__ as program\n{statement}\n{ORDER}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded


@pytest.mark.parametrize("module", ["ml.api", "ml.cli", "ml.project.scan.examine"])
def test_scipy_is_not_loaded_by(module: str) -> None:
    """It takes one to two seconds, which every start of the window and every child that reads files would wait for."""
    assert "scipy" not in loaded_by(f"import {module}")


def test_onnx_runtime_is_loaded_before_qt_on_windows() -> None:
    pytest.importorskip("PySide6")
    windows = "program.RUNTIME_BEFORE_QT = True\nprogram._load_window(with_tour=False)"
    assert order_of_libraries(windows) == ["onnxruntime", "PySide6"]


def test_the_first_window_waits_for_neither_numpy_nor_the_pages() -> None:
    pytest.importorskip("PySide6")
    loaded = loaded_by(
        "import desktop.__main__ as program\nprogram.RUNTIME_BEFORE_QT = False\nprogram._load_window(with_tour=False)"
    )
    assert "PySide6" in loaded
    assert not loaded & {"numpy", "onnxruntime", "pyqtgraph", "scipy"}


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


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count too: a circle that is hidden is a circle."""
    files = {_module(path): path for package in ("ml", "desktop") for path in sorted((ROOT / package).rglob("*.py"))}
    graph = {name: _imports(path) & files.keys() - {name} for name, path in files.items()}
    done: set[str] = set()
    while True:
        free = {name for name in graph.keys() - done if graph[name] <= done}
        if not free:
            break
        done |= free
    assert not graph.keys() - done, f"circles among: {', '.join(sorted(graph.keys() - done))}"


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found
