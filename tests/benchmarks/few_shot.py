"""Seconds of processor and clock from a label to the probabilities of all samples, and their rank beside a full fit."""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ml.probe import few_shot
from ml.probe.few_shot import FewShot

LABELS = (1, 2, 5, 20, 100, 500, 1000, 2000, 5000)
EXACT = {"MOST_OPERATIONS": 1e13, "TOLERANCE": 1e-7, "MAX_ITERATIONS": 5000}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks few_shot", description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--classes", type=int, nargs="*", default=[3, 10, 20])
    given = parser.parse_args(arguments)
    for classes in given.classes:
        features, truth = made_up(given.samples, given.width, classes)
        began = time.process_time()
        shots = FewShot(features, classes=classes)
        print(f"{classes} classes: prepared in {time.process_time() - began:.2f} s of processor", flush=True)
        for count in (each for each in LABELS if each <= given.samples):
            shots.set_labels({row: int(truth[row]) for row in range(count - 1)})
            shots.probabilities()
            shots.set_label(count - 1, int(truth[count - 1]))
            cpu, wall = time.process_time(), time.perf_counter()
            quick = shots.probabilities()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            rank = lowest_rank(quick, fully_fitted(features, truth[:count], classes))
            print(f"  label {count:5d}: {cpu:.3f} s of processor, {wall:.3f} s, Spearman {rank:.4f}", flush=True)
    return 0


def made_up(
    samples: int, width: int, classes: int, *, apart: float = 0.15
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return features whose dimensions depend on each other and vary by a factor of 30, and their classes."""
    rng = np.random.default_rng(7)
    centres = apart * rng.normal(size=(classes, width)).astype(np.float32)
    mixed = rng.normal(size=(width, width)).astype(np.float32) * np.geomspace(3.0, 0.1, width, dtype=np.float32)
    truth = rng.integers(0, classes, samples)
    noise = rng.normal(size=(samples, width)).astype(np.float32)
    return (centres[truth] + noise) @ (mixed / np.sqrt(width, dtype=np.float32)), truth


def fully_fitted(features: NDArray[np.float32], truth: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Return the probabilities of a fit from the start to the end, with labels for the first samples."""
    before = {name: getattr(few_shot, name) for name in EXACT}
    try:
        for name, value in EXACT.items():
            setattr(few_shot, name, value)
        shots = FewShot(features, classes=classes)
        shots.set_labels(dict(enumerate(truth.tolist())))
        return shots.probabilities()
    finally:
        for name, value in before.items():
            setattr(few_shot, name, value)


def lowest_rank(ours: NDArray[np.float32], full: NDArray[np.float32]) -> float:
    """Return the lowest rank correlation of a class."""
    varied = [index for index in range(full.shape[1]) if full[:, index].std() > 0]
    return min((float(spearmanr(ours[:, index], full[:, index])[0]) for index in varied), default=1.0)
