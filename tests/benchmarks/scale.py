"""What a picture costs in projects of 1,000 to 100,000: seconds and memory of the import and of the first model."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

CLASSES = 10
SIDE = 96


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks scale", description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--first-only", action="store_true", help="end each run when it has its first model")
    given = parser.parse_args(arguments)
    print("pictures |   import s  ms each  MB |  first model s  ms each  MB |  everything s  ms each  MB")
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            _write(Path(scratch) / "pictures", size)
            project = Path(scratch) / "p.handlens"
            reached = [
                Watched("new", str(project), "--from", str(Path(scratch) / "pictures"), "--json").until("created")
            ]
            run = Watched("train", str(project), "--preset", "quick", "--json")
            reached.append(run.until("probe"))
            if given.first_only:
                run.end()
            else:
                reached.append(run.until("finished", last=True))
        cells = [f"{seconds:8.0f} {1000 * seconds / size:8.1f} {megabytes:6.0f}" for seconds, megabytes in reached]
        print(f"{size:8,d} | " + " | ".join(cells), flush=True)
    return 0


class Watched:
    """`handlens …` with --json, and the most memory that it and its children held, looked at twenty times a second.

    What several processes share counts once for each of them.
    """

    def __init__(self, *arguments: str) -> None:
        self._began = time.monotonic()
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process runs
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ml.cli", *arguments], stdout=subprocess.PIPE, stderr=self._complaints, text=True
        )
        self._most = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def until(self, wanted: str, *, last: bool = False) -> tuple[float, float]:
        """Seconds from the start and the most megabytes until the event `wanted`, the `last` of all or not."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if json.loads(line)["event"] == wanted:
                reached = time.monotonic() - self._began, self._most / 2**20
                if last and self._process.wait():
                    break
                return reached
        self._complaints.seek(0)
        raise SystemExit(self._complaints.read()[-2000:])

    def end(self) -> None:
        for one in self._family():
            with suppress(psutil.Error):
                one.kill()
        self._process.wait()

    def _watch(self) -> None:
        while self._process.poll() is None:
            held = 0
            for one in self._family():
                with suppress(psutil.Error):
                    held += one.memory_info().rss
            self._most = max(self._most, held)
            time.sleep(0.05)

    def _family(self) -> list[psutil.Process]:
        try:
            process = psutil.Process(self._process.pid)
            return [process, *process.children(recursive=True)]
        except psutil.Error:
            return []


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
