"""How long a user waits for the first model, against the least any program could need for the same folder."""

from __future__ import annotations

import argparse
import importlib
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import torch

from ml.core.events import Failed, Finished, ProbeDone, Scanned
from ml.core.jobs import NeverStop, ScanJob, TrainJob
from ml.demo.projects import write_samples
from ml.media.images import IMAGE_SUFFIXES, load_squashed
from ml.networks.heads import build_network
from ml.pipeline.dispatch import run
from ml.project.project import Project
from ml.project.split.plan import plan_split
from ml.runtime.session import open_session
from ml.training.data.features import backbone_graph


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks first_model", description=__doc__)
    parser.add_argument("--folder", type=Path, help="a folder of class folders; 1,000 generated bricks if not given")
    given = parser.parse_args(arguments)
    importlib.import_module("ml.pipeline.train")
    loaded = time.time() - psutil.Process().create_time()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch) / "bricks"
        if given.folder is None:
            for _ in write_samples(folder, "images", count=1000):
                pass
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        print(f"{len(files)} pictures, {os.cpu_count()} cores")
        least, spread = _least(files)
        scanned, probed, finished = _ours(folder, Path(scratch) / "bench.handlens")
    print(f"loading the libraries, in no row     {loaded:6.1f} s")
    print(f"one decode + one forward pass        {least:6.1f} s   1.00")
    print(f"… with a sample on each core          {spread:6.1f} s   {spread / least:4.2f}")
    print(f"scan (decodes every file once)       {scanned:6.1f} s   {scanned / least:4.2f}")
    print(f"scan + first model                   {probed:6.1f} s   {probed / least:4.2f}")
    print(f"… + every prediction, map, model file {finished:5.1f} s   {finished / least:4.2f}")
    return 0


def _least(files: list[Path]) -> tuple[float, float]:
    """Seconds to decode on all cores and send everything through the bare backbone in batches of 8: by a plain session
    of ONNX Runtime, and as Handlens asks it, a sample on each core. The sessions are made beforehand."""
    network = build_network(windowing=None, classes=2).eval()
    size = network.backbone.spec.size
    example = np.zeros((2, size, size, 3), dtype=np.uint8)
    graph = backbone_graph(network, example)
    plain, spread = open_session(graph), open_session(graph, many=True)
    for session in (plain, spread):
        session.run(None, {"raw": example})
    began = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pixels = list(pool.map(lambda path: load_squashed(path, size), files))
    decoded = time.monotonic() - began
    seconds = []
    for session in (plain, spread):
        began = time.monotonic()
        for start in range(0, len(pixels), 8):
            session.run(None, {"raw": np.stack(pixels[start : start + 8])})
        seconds.append(decoded + time.monotonic() - began)
    return seconds[0], seconds[1]


def _ours(folder: Path, place: Path) -> tuple[float, float, float]:
    torch.set_num_threads(os.cpu_count() or 1)
    began = time.monotonic()
    scanned = probed = 0.0
    for event in run(ScanJob(folder=folder, kind="images"), NeverStop()):
        if isinstance(event, Scanned):
            scanned = time.monotonic() - began
            plan = plan_split(event.report)
            Project.create(place, name="bench", report=event.report, plan=plan).close()
    for event in run(TrainJob(project=place, preset="quick", device="cpu"), NeverStop()):
        if isinstance(event, ProbeDone):
            probed = time.monotonic() - began
        if isinstance(event, Finished):
            return scanned, probed, time.monotonic() - began
        if isinstance(event, Failed):
            raise SystemExit(event.message)
    raise SystemExit("the training ended without a result")
