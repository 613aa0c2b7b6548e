"""`python -m tests.benchmarks NAME`: prints figures and ratios, measured side by side in one run. No name: the list."""

from __future__ import annotations

import argparse
import importlib
import sys

NAMES = {
    "abuse": "kills survived and labels lost, hostile inputs and how each ended, and how a hurried window keeps up",
    "bulk": "files per second and peak memory of predictions over very many files, killed and continued",
    "busy": "how long the window of a project with 50,000 samples keeps the user waiting",
    "calibration": "by how much a named probability is off, before and after calibration",
    "against_fastai": "how long fastai fine_tune(5) takes, and Handlens to be as good (pip install fastai)",
    "epoch": "samples per second of a fine-tuning pass, against random tensors that are already in memory",
    "scale": "seconds and memory of projects of 1,000 to 100,000 pictures",
    "labelling": "what labels are worth that the Label page asks for, and how many keys its suggestions save",
    "few_shot": "seconds until the suggestions follow a label in a project of 10,000 samples, and how they are ranked",
    "first_model": "seconds from a folder to its first model, against one decode and one forward pass over it",
    "planted_calls": "how many of 40 chainsaws planted in six hours are found, how fast and in how much memory",
    "stop": "seconds until a training of 1,000 pictures ends after a stop and a cancel, in each of its parts",
    "suspicious": "how many of 5 % flipped labels stand in the top tenth of the suspicious ones",
    "unlike": "how surely what a model was never shown scores as unlike",
    "whole_processes": "seconds of `handlens new` and `handlens train --preset quick`, against a bare script",
    "window": "seconds to the first window, and how smoothly it runs while a training goes on",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(NAMES))
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.name is None:
        for name, what in NAMES.items():
            print(f"{name:15s} {what}")
        return 0
    return int(importlib.import_module(f"tests.benchmarks.{arguments.name}").main(arguments.rest))


if __name__ == "__main__":
    sys.exit(main())
