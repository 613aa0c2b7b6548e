"""How long fastai takes for `fine_tune(5)`, and how long Handlens takes to be as good on the same pictures and split.

Both start from the same weights of the same network, learn from the same training and validation splits, and are
scored on the same test split. `pip install fastai` first; nothing else here needs it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ml.core.events import Failed, Finished, ProbeDone, Scanned
from ml.core.jobs import NeverStop, ScanJob, TrainJob
from ml.core.types import Preset
from ml.pipeline.dispatch import run
from ml.project.project import Project
from ml.project.split.plan import plan_split

SETS = Path(__file__).parents[3] / "shared" / "data" / "images"
NAMES = ("flowers", "trashnet", "eurosat")

_FASTAI = """
import json, sys, time
import pandas, timm
from fastai.vision.all import *
from ml.graphs.pretrained import lite0_path
from ml.networks.weights.load import load_in_order

def lite0(pretrained=True):
    model = timm.create_model("tf_efficientnet_lite0")
    load_in_order(model, lite0_path())
    return model

set_seed(int(sys.argv[2]), reproducible=True)
rows = json.loads(open(sys.argv[1]).read())
frame = pandas.DataFrame([row for row in rows if row["split"] != "test"])
frame["is_valid"] = frame["split"] == "valid"
began = time.monotonic()
data = ImageDataLoaders.from_df(
    frame, path="/", fn_col="path", label_col="label", valid_col="is_valid", item_tfms=Resize(256), bs=32,
    batch_tfms=[*aug_transforms(size=224), Normalize.from_stats([0.5] * 3, [0.5] * 3)], device="cpu",
)
learner = vision_learner(data, lite0, metrics=accuracy)
with learner.no_bar(), learner.no_logging():
    learner.fine_tune(5)
seconds = time.monotonic() - began
test = pandas.DataFrame([row for row in rows if row["split"] == "test"])
with learner.no_bar():
    guesses, _ = learner.get_preds(dl=data.test_dl(test["path"].tolist()))
names = [data.vocab[int(guess)] for guess in guesses.argmax(dim=1)]
right = sum(name == label for name, label in zip(names, test["label"]))
print(json.dumps({"seconds": seconds, "accuracy": right / len(test)}))
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks against_fastai", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of class folders; three real sets if not given")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    if importlib.util.find_spec("fastai") is None:
        print("fastai is not installed here; `pip install fastai` and run this again.")
        return 1
    print("set        | fastai fine_tune(5) | handlens, first model | handlens, standard    | as good sooner by")
    for folder in given.folders or [SETS / name for name in NAMES]:
        with tempfile.TemporaryDirectory() as scratch:
            _compare(folder, Path(scratch), given.seed)
    return 0


def _compare(folder: Path, scratch: Path, seed: int) -> None:
    project = scratch / "bench.handlens"
    began = time.monotonic()
    for event in run(ScanJob(folder=folder, kind="images"), NeverStop()):
        if isinstance(event, Scanned):
            plan = plan_split(event.report, seed=seed)
            Project.create(project, name="bench", report=event.report, plan=plan).close()
    scanned = time.monotonic() - began
    # The first model is the quick preset's; its test score comes with the finished run, its time with the probe.
    probe_seconds, _, probe = _train(project, "quick", seed)
    theirs = _fastai(project, folder, scratch, seed)
    row = f"{folder.name:10s} | {theirs['accuracy']:.3f} in {theirs['seconds']:6.0f} s   | "
    row += f"{probe:.3f} in {probe_seconds + scanned:6.0f} s     | "
    if probe >= theirs["accuracy"]:
        row += f"not needed            | {theirs['seconds'] / (probe_seconds + scanned):.1f} x"
    else:
        _, seconds, tuned = _train(project, "standard", seed)
        row += f"{tuned:.3f} in {seconds + scanned:6.0f} s     | "
        sooner = f"{theirs['seconds'] / (seconds + scanned):.1f} x"
        row += sooner if tuned >= theirs["accuracy"] else "never as good"
    print(row, flush=True)


def _train(project: Path, preset: Preset, seed: int) -> tuple[float, float, float]:
    """Seconds to the probe, seconds to the finished run, its test accuracy."""
    probe = 0.0
    for event in run(TrainJob(project=project, preset=preset, seed=seed, device="cpu"), NeverStop()):
        if isinstance(event, ProbeDone):
            probe = event.seconds
        if isinstance(event, Finished):
            return probe, event.seconds, event.test_accuracy or 0.0
        if isinstance(event, Failed):
            raise SystemExit(event.message)
    raise SystemExit("the training ended without a result")


def _fastai(project: Path, folder: Path, scratch: Path, seed: int) -> dict[str, float]:
    with Project.open(project) as opened:
        names = [item.name for item in opened.classes()]
        rows = [
            {"path": str(folder / sample.path), "label": names[sample.labels[0]], "split": sample.split}
            for sample in opened.samples()
            if sample.labelled
        ]
    table = scratch / "rows.json"
    table.write_text(json.dumps(rows), encoding="utf-8")
    said = subprocess.run(
        [sys.executable, "-c", _FASTAI, str(table), str(seed)], capture_output=True, text=True, check=False
    )
    if said.returncode:
        raise SystemExit(said.stderr[-2000:])
    answer: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
