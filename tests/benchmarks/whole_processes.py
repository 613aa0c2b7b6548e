"""How long `handlens new` and `handlens train --preset quick` take as processes, against a bare script.

The script decodes each file once and runs the bundled network once through ONNX Runtime, in batches of 8 on all cores.
Both sides are new processes, measured from outside, so the time in which their libraries load counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ml.graphs.frozen_network import FrozenNetwork

BARE_SCRIPT = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
name, size = session.get_inputs()[0].name, int(sys.argv[3])
files = sorted(Path(sys.argv[2]).rglob("*.jpg"))
with ThreadPoolExecutor(os.cpu_count()) as pool:
    pixels = list(pool.map(lambda file: np.asarray(Image.open(file).convert("RGB").resize((size, size))), files))
for start in range(0, len(files), 8):
    session.run(None, {name: np.stack(pixels[start:start + 8])})
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks whole_processes", description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args(arguments)
    bare: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, graph = Path(scratch) / "pictures", Path(scratch) / "network.onnx"
        write_pictures(folder, given.pictures)
        network = FrozenNetwork(input_name="pixels", windowing=None)
        graph.write_bytes(network.feature_graph())
        for number in range(given.repeats):
            place = Path(scratch) / f"{number}.handlens"
            bare.append(measured([sys.executable, "-c", BARE_SCRIPT, graph, folder, network.size]))
            new = measured([sys.executable, "-m", "ml.cli", "new", place, "--from", folder, "--json"])
            train = measured([sys.executable, "-m", "ml.cli", "train", place, "--preset", "quick", "--json"])
            ours.append((new[0] + train[0], new[1] + train[1]))
            print(f"new {new[0]:.1f} s, train {train[0]:.1f} s (processor: {new[1]:.1f} and {train[1]:.1f} s)")
    print(f"{given.pictures} pictures of 320 × 240, {os.cpu_count()} cores, median of {given.repeats}")
    least, handlens = np.median(bare, axis=0), np.median(ours, axis=0)
    print("                        seconds  processor seconds")
    print(f"bare script             {least[0]:7.1f}  {least[1]:7.1f}")
    print(f"handlens new and train  {handlens[0]:7.1f}  {handlens[1]:7.1f}")
    print(f"ratio                   {handlens[0] / least[0]:7.2f}  {handlens[1] / least[1]:7.2f}")
    return 0


def write_pictures(folder: Path, count: int, *, classes: int = 4, seed: int = 0) -> None:
    """JPEG files of coloured noise that is smooth, as photographs are; the colour tells the class."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        name = f"class {number % classes}"
        (folder / name).mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 160, (12, 16, 3), dtype=np.uint8)
        coarse[..., number % 3] += np.uint8(20 * (number % classes))
        Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC).save(folder / name / f"{number}.jpg")


def measured(command: Sequence[object]) -> tuple[float, float]:
    """Seconds that a process takes, and those of the processor, its children included."""
    before, began = os.times(), time.monotonic()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.monotonic() - began, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used
