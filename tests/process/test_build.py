"""The folder that build.spec makes: small enough, without torch, and it runs without Python."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.tours import run_tour

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 400 << 20
LARGEST_DECODERS = 150 << 20
DECODERS = ("imagecodecs", "_gdcm", "gdcm", "python_gdcm", "pi_heif", "rawpy", "pydicom", "tifffile")
NEITHER = ("torch", "torchvision", "torchaudio", "timm", "pandas", "cleanlab", "ray", "triton", "nvidia", "rasterio")
"""Parts of an environment for development that the build must not find."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the build is only tried on Linux"),
    pytest.mark.skipif(
        importlib.util.find_spec("PyInstaller") is None,
        reason='PyInstaller is not installed: pip install -e ".[window,build]"',
    ),
]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that PyInstaller makes with the interpreter of this run, once for all processes of it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, log = base / "build", base / "build.txt"
    with FileLock(base / "build.lock"):
        if not log.is_file():
            command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
            places = ["--distpath", str(folder / "dist"), "--workpath", str(folder / "work")]
            made = subprocess.run(
                [*command, *places, "build.spec"], cwd=ROOT, capture_output=True, text=True, check=False
            )
            log.write_text(made.stderr, encoding="utf-8")
    program = folder / "dist" / "Handlens"
    assert (program / "handlens").is_file(), log.read_text(encoding="utf-8")[-4000:]
    return program


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def surroundings(home: Path) -> dict[str, str]:
    """Return the variables of a computer without Python."""
    return {"PATH": str(home), "HOME": str(home), "LANG": "C.UTF-8", "QT_QPA_PLATFORM": "offscreen"}


def run(build: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as on a computer without Python."""
    return subprocess.run(
        [str(build / "handlens"), *arguments],
        env=surroundings(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def is_decoder(path: Path) -> bool:
    """Whether the file belongs to the decoders of the extra `media`, which are only there where that is installed."""
    return len(path.parts) > 1 and path.parts[1].partition(".")[0] in DECODERS


def test_the_folder_is_small_and_without_torch(build: Path) -> None:
    sizes = {path.relative_to(build): path.lstat().st_size for path in build.rglob("*") if path.is_file()}
    assert sum(size for path, size in sizes.items() if not is_decoder(path)) <= LARGEST
    assert sum(sizes.values()) <= LARGEST + LARGEST_DECODERS
    names = {path.name.partition(".")[0].partition("-")[0].lower() for path in (build / "_internal").iterdir()}
    assert "numpy" in names
    assert not names & set(NEITHER)


def test_the_demo_trains_a_first_model_in_the_folder(build: Path, home: Path, tmp_path: Path) -> None:
    samples = ("--kind", "images", "--count", "40", "--to", str(tmp_path))
    ended = run(build, home, "demo", "--preset", "quick", *samples)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    project = next(tmp_path.glob("*.handlens"))
    assert (project / "runs" / "0001" / "model.onnx").is_file()
    looked_for = run(build, home, "suspicious", str(project))
    assert looked_for.returncode == 0, looked_for.stdout + looked_for.stderr


def test_the_tour_shows_the_window_of_the_folder(build: Path, home: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "tour"
    command = [str(build / "handlens"), "studio", "--tour", str(pictures), "--quick"]
    ended = run_tour(command, pictures, env=surroundings(home), cwd=home)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    taken = " ".join(path.stem for path in pictures.glob("*.png"))
    for page in ("start", "images-wizard-found", "train-result-quick", "explore-suspicious", "explore-map", "data"):
        assert f"-{page}-light-" in taken, page
