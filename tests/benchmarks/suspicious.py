"""How many labels that were made wrong on purpose stand in the top tenth of the list of suspicious labels."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ml.core.events import Failed, Suspected
from ml.core.jobs import NeverStop, SuspectJob
from ml.pipeline.dispatch import run
from ml.project.project import Project
from tests.benchmarks.projects import parser_for, trained

SETS = ("flowers", "trashnet", "eurosat")
SHARE = 0.05


def main(arguments: list[str]) -> int:
    parser = parser_for("suspicious", __doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        place = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in given.sets:
            project = trained(given.data, name, place)
            shares = [_found(project, seed) for seed in range(given.seeds)]
            told = " ".join(f"{share:.2f}" for share in shares)
            print(f"{name:10s} wrong labels in the top tenth: {np.mean(shares):.3f} (by seed {told})", flush=True)
    return 0


def _found(place: Path, seed: int) -> float:
    """Flip 5 % of the labels, ask, and put them back. The pretrained features the judge uses know no labels."""
    rng = np.random.default_rng(seed)
    with Project.open(place) as project:
        samples, classes = project.samples(), len(project.classes())
        rows = rng.permutation(len(samples))[: round(SHARE * len(samples))]
        right = [(samples[row].id, samples[row].labels) for row in rows]
        project.restore_labels(
            [(sample, ((labels[0] + int(rng.integers(1, classes))) % classes,)) for sample, labels in right]
        )
    last = list(run(SuspectJob(project=place), NeverStop()))[-1]
    with Project.open(place) as project:
        project.restore_labels(right)
    if isinstance(last, Failed):
        raise SystemExit(last.message)
    assert isinstance(last, Suspected)
    top = set(last.sample_ids[: len(last.sample_ids) // 10])
    return float(np.mean([sample in top for sample, _ in right]))
