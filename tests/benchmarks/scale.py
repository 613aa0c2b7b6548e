"""What a picture costs in projects of 1,000 to 100,000: seconds and memory of the import and of the first model."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 10
SIDE = 96


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks scale", description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    given = parser.parse_args(arguments)
    print("pictures |   import s  ms each  MB |  quick s  ms each  MB")
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            _write(Path(scratch) / "pictures", size)
            project = Path(scratch) / "p.handlens"
            one = _timed("new", str(project), "--from", str(Path(scratch) / "pictures"), "--json")
            two = _timed("train", str(project), "--preset", "quick", "--json")
        cells = [f"{seconds:8.0f} {1000 * seconds / size:8.1f} {megabytes:6.0f}" for seconds, megabytes in (one, two)]
        print(f"{size:8,d} | {cells[0]} | {cells[1]}", flush=True)
    return 0


def _write(folder: Path, count: int) -> None:
    """Small pictures, every one different, of classes that can be told apart."""
    rng = np.random.default_rng(0)
    for number in range(count):
        kind = number % CLASSES
        place = folder / f"class {kind}" / f"{number // CLASSES // 1000:03d}"
        if number % 1000 < CLASSES:
            place.mkdir(parents=True, exist_ok=True)
        ramp = np.linspace(0, np.pi * (1 + kind), SIDE)
        grey = 128 + 60 * np.sin(ramp[:, None] + rng.uniform(0, 6)) * np.cos(ramp[None, :]) + rng.normal(0, 8)
        colour = np.clip(grey[:, :, None] + rng.integers(-40, 40, 3), 0, 255).astype(np.uint8)
        Image.fromarray(colour).save(place / f"{number:06d}.jpg", quality=80)


def _timed(*arguments: str) -> tuple[float, float]:
    """Seconds and the largest resident memory in MB of `handlens …` and its children."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "ml.cli", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        assert process.stderr is not None
        raise SystemExit(process.stderr.read().decode()[-2000:])
    unit = 1 if sys.platform == "darwin" else 1024
    return time.monotonic() - began, usage.ru_maxrss * unit / 2**20
