"""The folder that build.spec makes: small enough, without torch, and it runs without Python."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 400 << 20
NEITHER = ("torch", "torchvision", "torchaudio", "timm", "pandas", "cleanlab", "ray", "triton", "nvidia")
"""Parts of an environment for development that the build must not find."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="the build is only tried on Linux"),
    pytest.mark.skipif(
        importlib.util.find_spec("PyInstaller") is None,
        reason='PyInstaller is not installed: pip install -e ".[window,build]"',
    ),
]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that PyInstaller makes with the interpreter of this run."""
    folder = tmp_path_factory.mktemp("build")
    made = subprocess.run(
        [
            *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
            *("--distpath", str(folder / "dist"), "--workpath", str(folder / "work"), "build.spec"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-4000:]
    return folder / "dist" / "Handlens"


def run(build: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as on a computer without Python."""
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [str(build / "handlens"), *arguments],
        env={"PATH": str(home), "HOME": str(home), "LANG": "C.UTF-8", "QT_QPA_PLATFORM": "offscreen"},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )


def test_the_folder_is_small_and_without_torch(build: Path) -> None:
    assert sum(path.lstat().st_size for path in build.rglob("*") if path.is_file()) <= LARGEST
    names = {path.name.partition(".")[0].partition("-")[0].lower() for path in (build / "_internal").iterdir()}
    assert "numpy" in names
    assert not names & set(NEITHER)


def test_the_demo_trains_a_first_model_in_the_folder(build: Path, tmp_path: Path) -> None:
    ended = run(
        build,
        tmp_path / "home",
        "demo",
        "--preset",
        "quick",
        "--kind",
        "images",
        "--count",
        "40",
        "--to",
        str(tmp_path),
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    project = next(tmp_path.glob("*.handlens"))
    assert (project / "runs" / "0001" / "model.onnx").is_file()
    looked_for = run(build, tmp_path / "home", "suspicious", str(project))
    assert looked_for.returncode == 0, looked_for.stdout + looked_for.stderr


def test_the_tour_shows_the_window_of_the_folder(build: Path, tmp_path: Path) -> None:
    ended = run(build, tmp_path / "home", "studio", "--tour", str(tmp_path / "tour"), "--quick")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    taken = " ".join(path.stem for path in (tmp_path / "tour").glob("*.png"))
    for page in ("start", "images-wizard-found", "train-result-quick", "explore-suspicious", "data", "explore-sound"):
        assert f"-{page}-light-" in taken, page
