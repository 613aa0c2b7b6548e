"""How much labels are worth that the Label page asks for, and how many keys its suggestions save.

The features and the fit are those of the page. First comes the accuracy on held-out samples after ten labels per class,
taken by “most useful next” and at random. Then a scripted person, who never errs, labels every tile of eurosat with the
keys of the page: N and a digit for each useful sample, later G, a click on each sample that does not belong, a digit.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.events import FeaturesReady
from ml.core.jobs import FeaturesJob, NeverStop, ScanJob
from ml.features.features import embeddings_in
from ml.pipeline.dispatch import run
from ml.probe.few_shot import FewShot
from ml.probe.next_samples import all_like, most_useful, reduced, uncertainty
from ml.project.project import Project
from ml.project.split.plan import plan_split
from ml.scoring.tasks import task_named
from tests.benchmarks.projects import PLACES, parser_for

SETS = ("eurosat", "flowers", "esc10")
PER_CLASS = 10
AT_ONCE = 10
"""Labels between two looks at “most useful next”."""
GROUP = 60
"""Samples that G selects at most."""
KEY_SECONDS, ALONE_SECONDS, GROUP_SECONDS = 0.4, 1.0, 0.25
"""Assumed: to press a key or click, to recognise one sample, and to check one of a group that looks alike."""

Choose = Callable[[FewShot, NDArray[np.int64], int], NDArray[np.int64]]


def main(arguments: list[str]) -> int:
    parser = parser_for("labelling", __doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=sorted(PLACES))
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.sets:
            features, truth = _features(given.data, name, given.keep or Path(scratch))
            _compare(name, features, truth, given.seeds)
            if name == "eurosat":
                for seed in range(given.seeds):
                    _label_all(features, truth, seed)
    return 0


def _features(data: Path, name: str, place: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return what the page learns from (n, width), and the true classes (n,); whole recordings count once."""
    kind, below = PLACES[name]
    path = place / f"{name}-labelling.handlens"
    if not path.exists():
        scanned = list(run(ScanJob(folder=data / below, kind=kind), NeverStop()))[-1]
        Project.create(path, name=name, report=scanned.report, plan=plan_split(scanned.report)).close()
    ready = list(run(FeaturesJob(project=path), NeverStop()))[-1]
    assert isinstance(ready, FeaturesReady), ready
    with Project.open(path) as project:
        known = {sample.id: sample for sample in project.samples()}
    samples = [known[each] for each in ready.sample_ids if known[each].labelled and not known[each].start]
    features = embeddings_in(path / "cache" / ready.folder, samples)
    assert features is not None
    return reduced(features), np.array([sample.labels[0] for sample in samples])


def _compare(name: str, features: NDArray[np.float32], truth: NDArray[np.int64], seeds: int) -> None:
    classes = int(truth.max()) + 1
    scores: dict[str, list[float]] = {"most useful next": [], "random": []}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(truth))
        test, pool = order[: len(order) // 4], order[len(order) // 4 :]
        first = [int(pool[truth[pool] == index][0]) for index in range(classes)]
        for way, choose in (("most useful next", _useful), ("random", _random(rng))):
            few = FewShot(features, classes=classes, whiten=False)
            few.set_labels({row: int(truth[row]) for row in first})
            while len(known := few.labelled_rows()) < PER_CLASS * classes:
                free = np.setdiff1d(pool, known)
                count = min(AT_ONCE, PER_CLASS * classes - len(known))
                few.set_labels({int(row): int(truth[row]) for row in choose(few, free, count)})
            scores[way].append(float((few.probabilities()[test].argmax(axis=1) == truth[test]).mean()))
    for way, values in scores.items():
        each = " ".join(f"{value:.3f}" for value in values)
        print(f"{name}: {PER_CLASS} labels per class by {way}: {np.mean(values):.3f} ({each})", flush=True)


def _useful(few: FewShot, free: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    doubt = uncertainty(few.probabilities(), task_named("single"))
    return most_useful(few.features, doubt, free, known=few.labelled_rows(), count=count)


def _random(rng: np.random.Generator) -> Choose:
    return lambda _few, free, count: rng.choice(free, min(count, len(free)), replace=False)


def _label_all(features: NDArray[np.float32], truth: NDArray[np.int64], seed: int) -> None:
    """Label every sample as a person who never errs would, and count keys and clicks."""
    rng, classes = np.random.default_rng(seed), int(truth.max()) + 1
    few = FewShot(features, classes=classes, whiten=False)
    few.set_labels({int(rng.choice(np.flatnonzero(truth == index))): index for index in range(classes)})
    keys, alone, in_groups, waited, updates = classes, classes, 0, 0.0, 0
    while len(few.labelled_rows()) < len(truth):
        began = time.perf_counter()
        probabilities, known = few.probabilities(), few.labelled_rows()
        waited, updates = waited + time.perf_counter() - began, updates + 1
        free = np.setdiff1d(np.arange(len(truth)), known)
        if len(known) < PER_CLASS * classes:
            doubt = uncertainty(probabilities, task_named("single"))
            rows = most_useful(few.features, doubt, free, known=known, count=AT_ONCE)
            keys, alone = keys + 1 + len(rows), alone + len(rows)
        else:
            first = int(free[probabilities[free].max(axis=1).argmax()])
            group = all_like(few.features, probabilities, first, free, count=GROUP)
            rows = group[truth[group] == truth[first]]
            in_groups += len(group)
            keys += 1 + len(group) if len(group) < 3 else 2 + len(group) - len(rows)
        few.set_labels({int(row): int(truth[row]) for row in rows})
    minutes = (keys * KEY_SECONDS + alone * ALONE_SECONDS + in_groups * GROUP_SECONDS) / 60
    plain = len(truth) * (KEY_SECONDS + ALONE_SECONDS) / 60
    print(
        f"eurosat, seed {seed}: {len(truth)} tiles in {keys} keys and clicks, about {minutes:.1f} minutes, against "
        f"{len(truth)} keys and {plain:.1f} minutes; new suggestions after {1000 * waited / updates:.0f} ms",
        flush=True,
    )
