"""Kill Handlens while it works, give it hostile projects, models, folders and names, and label in a hurry."""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.benchmarks import busy
from tests.children import ENDINGS, GOOD, Ended, run_child
from tests.fabricate import add_run, image_folder, project_of
from tests.hostile import SILENT_RUN_FAULTS, copies, hostile_models, hostile_projects, hostile_runs
from tests.hostile_folders import hostile_folders
from tests.hostile_names import FORGED, NAMES, hostile_folder
from tests.process.kills import has_interrupted, lost_labels, train, work_and_kill
from tests.small import create, picture_folder
from tests.tiny_model import SIZE, write_colour_model

LIMIT_SECONDS = 30.0
"""Of processor time."""
TRAINING_LIMIT_SECONDS = 300.0
PRELOADED = ("ml.commands.evaluate", "ml.commands.predict", "ml.commands.projects", "sklearn.metrics", "onnxruntime")
"""What the forked commands need, loaded once."""


@dataclass(frozen=True)
class Case:
    """A command on something hostile.

    `refused` tells whether it has to end with a message; None allows both. `each_file`: it has one line for each file
    that it could not read.
    """

    name: str
    arguments: tuple[object, ...]
    refused: bool | None = None
    limit: float = LIMIT_SECONDS
    forked: bool = False
    each_file: bool = False


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks abuse", description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be given several times")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--samples", type=int, default=5000, help="the size of the project of the part “busy”")
    options = parser.parse_args(arguments)
    faults = 0
    for module in PRELOADED:
        importlib.import_module(module)
    for name in options.part or PARTS:
        print(f"\n{name}", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            faults += PARTS[name](Path(scratch), options)
    print(f"\nfaults: {faults}")
    return int(faults > 0)


# -- kills -------------------------------------------------------------------------------------------------------------


def kills(scratch: Path, options: argparse.Namespace) -> int:
    """Kill whatever labels and trains; the faults found."""
    if os.name != "posix":
        print("not on this system: it kills process groups")
        return 0
    place, quick = scratch / "shapes.handlens", scratch / "quick.handlens"
    for project in (place, quick):
        create(picture_folder(scratch / "pictures", each=12), project).close()
    return _kill_labeller(place, options.kills) + _kill_quick_training(quick, options.kills // 4 or 1)


def _kill_labeller(place: Path, count: int) -> int:
    chance = random.Random(20)
    acknowledged: dict[int, int] = {}
    lost: list[str] = []
    survived = labels = epochs = 0
    for number in range(count):
        lines, passes = (chance.randrange(1, 30), 0) if number % 2 else (0, chance.randrange(1, 3))
        try:
            done = work_and_kill(place, acknowledged, lines=lines, epochs=passes, resume=has_interrupted(place))
            missing = lost_labels(place, acknowledged)
        except Exception as error:  # whatever a kill left behind, the other kills still count
            print(f"  kill {number + 1}: {type(error).__name__}: {error}")
            continue
        survived += not missing
        lost += missing
        labels, epochs = labels + done.labels, epochs + done.epochs
    print(f"kills while labelling and training: {count}, survived: {survived}")
    print(f"labels acknowledged: {labels}, lost: {len(lost)}; epochs trained between the kills: {epochs}", flush=True)
    for line in lost:
        print(f"  {line}")
    return count - survived


def _kill_quick_training(place: Path, count: int) -> int:
    """Kill quick trainings, then let one end: it has to finish."""
    chance = random.Random(21)
    for _ in range(count):
        wait = chance.randrange(1, 12)
        seen = iter(range(wait))
        train(place, "--preset", "quick", kill_at=lambda _event, seen=seen: next(seen, None) is None)
    events = train(place, *(("--resume",) if has_interrupted(place) else ("--preset", "quick")))
    last = events[-1] if events else {"event": "nothing"}
    finished = last["event"] == "finished"
    print(f"quick trainings killed: {count}; the next one ended with: {last['event']}")
    return int(not finished)


# -- hostile inputs ----------------------------------------------------------------------------------------------------


def projects(scratch: Path, _options: argparse.Namespace) -> int:
    """Try projects that a stranger crafted or a failing disk left."""
    made = project_of(image_folder(scratch / "fruit", each=5), scratch / "Fruit.handlens")
    add_run(made)
    made.close()

    def cases() -> Iterator[Case]:
        for name, crafted in hostile_projects(made.path):
            yield Case(f"runs: {name}", ("runs", crafted), refused=True, forked=True)
            yield Case(f"evaluate: {name}", ("evaluate", crafted, "--json"), refused=True, forked=True)
        for name, crafted in hostile_runs(made.path):
            yield Case(f"evaluate: {name}", ("evaluate", crafted), refused=True, forked=True)
        for name, crafted in copies(made.path, SILENT_RUN_FAULTS):
            yield Case(f"evaluate: {name}", ("evaluate", crafted), refused=False, forked=True)

    return _try(cases())


def models(scratch: Path, _options: argparse.Namespace) -> int:
    """Try model files that do not keep what they promise."""
    model = write_colour_model(scratch / "model.onnx")
    Image.new("RGB", (SIZE, SIZE), "red").save(scratch / "red.png")

    def cases() -> Iterator[Case]:
        for name, crafted in hostile_models(model):
            yield Case(f"predict: {name}", ("predict", crafted, scratch / "red.png"), refused=True, forked=True)

    return _try(cases())


def folders(scratch: Path, _options: argparse.Namespace) -> int:
    """Import folders that keep a careless program busy, and predict what is in them."""
    model = write_colour_model(scratch / "model.onnx")

    def cases() -> Iterator[Case]:
        for name, folder in hostile_folders(scratch / "hostile"):
            yield Case(f"new: {name}", ("new", scratch / f"{name}.handlens", "--from", folder, "--json"))
            yield Case(f"predict: {name}", ("predict", model, folder, "--json"), each_file=True)

    return _try(cases())


def names(scratch: Path, _options: argparse.Namespace) -> int:
    """Run every command on a project whose files, classes and folders have hostile names."""
    base = scratch / f"base{FORGED}"
    base.mkdir()
    originals = hostile_folder(base / "originals")
    made = project_of(originals, base / "Fruit.handlens")
    add_run(made)
    made.close()
    trained = made.path
    model = write_colour_model(base / f"{FORGED}.onnx", classes=tuple(NAMES.values()))
    moved = base / f"moved{FORGED}"
    shutil.copytree(originals, moved)
    missing = base / f"gone{FORGED}"
    new = base / f"new{FORGED}.handlens"
    commands: list[tuple[object, ...]] = [
        ("new", new, "--from", originals),
        ("train", new, "--preset", "quick", "--device", "cpu"),
        ("export", new, "--to", base / f"exported{FORGED}.onnx"),
        ("evaluate", new),
        ("evaluate", new, "--on", originals),
        ("suspicious", trained),
        ("suspicious", trained, "--json"),
        ("runs", trained),
        ("relink", trained, "--to", moved),
        ("restore", trained),
        ("predict", model, originals, "--json"),
        ("predict", model, originals, "--overlays", base / f"seen{FORGED}", "--csv", base / f"{FORGED}.csv"),
        ("predict", model, missing),
        ("evaluate", missing),
        ("relink", trained, "--to", missing),
        ("train", trained, "--resume"),
        ("export", trained, "--to", base / f"{FORGED}.onnx"),
    ]
    limit = TRAINING_LIMIT_SECONDS
    return _try(
        Case(
            " ".join(str(word) if place == 0 else ascii(Path(str(word)).name) for place, word in enumerate(line)),
            line,
            limit=limit,
            each_file=line[0] == "predict",
        )
        for line in commands
    )


def _try(cases: Iterable[Case]) -> int:
    """Run each case, print how many ended how, and each bad one by name; the number of bad ones."""
    counts: Counter[str] = Counter()
    slowest, largest = 0.0, 0
    bad: list[tuple[str, str, Ended]] = []
    for case in cases:
        ended = run_child(case.arguments, limit=case.limit, forked=case.forked)
        counts[ended.ending] += 1
        slowest, largest = max(slowest, ended.seconds), max(largest, ended.most_bytes)
        unexpected = case.refused is not None and (ended.ending == "worked") == case.refused
        good = ended.ending in GOOD or (case.each_file and ended.ending == "several lines")
        if unexpected or not good:
            bad.append((case.name, ended.ending if not good else f"{ended.ending}, which it must not", ended))
    print(f"tried: {counts.total()}; " + "; ".join(f"{ending}: {counts[ending]}" for ending in ENDINGS))
    print(f"slowest: {slowest:.1f} s; most memory: {largest / 2**20:.0f} MB")
    for name, what, ended in bad:
        print(f"  {name}: {what} ({ended.seconds:.1f} s, {ended.most_bytes / 2**20:.0f} MB)")
        print("    " + ascii(ended.err[-600:]))
    return len(bad)


# -- haste -------------------------------------------------------------------------------------------------------------


def hurry(_scratch: Path, options: argparse.Namespace) -> int:
    """Print the gaps of a timer in the window, and the labels a second."""
    return busy.main(["--samples", str(options.samples)])


PARTS: dict[str, Callable[[Path, argparse.Namespace], int]] = {
    "kills": kills,
    "projects": projects,
    "models": models,
    "folders": folders,
    "names": names,
    "busy": hurry,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
