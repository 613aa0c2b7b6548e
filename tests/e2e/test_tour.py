"""The tour: the real windows, real child processes and a real training, from the start page to a corrected label."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.tours import run_tour

CODE = """
import sys
from pathlib import Path
from desktop.tour.tour import run_tour
sys.exit(run_tour(Path(sys.argv[1]), quick=True))
"""
PAGES = {"start", "wizard", "label", "train", "explore", "use", "data", "keys"}


@pytest.mark.slow
def test_the_tour_ends_well_and_leaves_a_picture_of_every_page(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    surroundings = {name: text for name, text in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, "-c", CODE, str(pictures)]
    ended = run_tour(command, pictures, env=surroundings | {"HOME": str(tmp_path)})
    assert ended.returncode == 0, ended.stderr
    found = sorted(pictures.glob("*.png"))
    named = {part for path in found for part in path.stem.split("-")}
    assert named >= PAGES | {"light", "dark", "images", "recordings"}
    assert {_size(path) for path in found} == {(1366, 768), (1920, 1080)}
    assert len(found) % 4 == 0 and len(found) >= 60


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size
