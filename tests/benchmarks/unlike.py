"""Whether what a model was never shown scores as unlike: AUROC against held-out samples of what it knows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ml.evaluation.ood_probes import ood_images, ood_sounds
from ml.project.predictions import SPLIT_CODES
from ml.project.project import Project
from ml.runtime.folder import FilePrediction, find_inputs, predict_files
from ml.runtime.model import ReleasedModel
from tests.benchmarks.projects import PLACES, parser_for, trained

MOST_FILES = 200
SEEDS = 8
"""Of nonsense that is made up, eight of each kind per seed."""
FOREIGN = {"trashnet": ("eurosat", "flowers"), "esc10": ("spoken-digits",)}


def main(arguments: list[str]) -> int:
    given = parser_for("unlike", __doc__).parse_args(arguments)
    with ExitStack() as stack:
        place = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, foreign in FOREIGN.items():
            project = trained(given.data, name, place)
            with Project.open(project) as opened:
                run = opened.runs.finished()
                stored = opened.predictions(run.number)
                assert stored.unlike is not None
                known = np.array(stored.unlike[np.asarray(stored.splits) == SPLIT_CODES.index("test")])
                model = ReleasedModel.open(opened.runs.folder(run.number) / "model.onnx")
            limit = model.info.unlike_above
            print(f"{name}: {len(known)} known samples, {np.mean(known > limit):.2f} of them set aside as unlike")
            for what, scores in _strangers(model, given.data, foreign):
                print(
                    f"  {what:18s} n {len(scores):4d}  AUROC {_auroc(scores, known):.3f}  "
                    f"set aside {np.mean(scores > limit):.2f}",
                    flush=True,
                )
    return 0


def _strangers(model: ReleasedModel, data: Path, foreign: tuple[str, ...]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Unlike scores by what was shown."""
    for name in foreign:
        files = find_inputs([data / PLACES[name][1]], model.info)
        chosen = np.random.default_rng(0).permutation(len(files))[:MOST_FILES]
        said = predict_files(model, [files[place] for place in sorted(chosen)])
        yield name, np.array([item.unlike for item in said if isinstance(item, FilePrediction)], dtype=np.float32)
    windowing = model.info.windowing
    made: dict[str, list[NDArray[np.float32]]] = {}
    for seed in range(SEEDS):
        odd = ood_images(model.info.size, seed=seed) if windowing is None else ood_sounds(windowing, seed=seed)
        for what, rows in odd.items():
            made.setdefault(what, []).append(model.predict(rows).unlike)
        if windowing is not None:
            white = np.random.default_rng(seed).normal(0, 0.1, (8, windowing.frames)).astype(np.float32)
            made.setdefault("white noise", []).append(model.predict(white).unlike)
    for what, parts in made.items():
        yield what, np.concatenate(parts)


def _auroc(strangers: NDArray[np.floating], known: NDArray[np.floating]) -> float:
    """How often a stranger scores higher than something known; ties count half."""
    ranks = rankdata(np.concatenate([strangers, known]))[: len(strangers)]
    n, m = len(strangers), len(known)
    return float((ranks.sum() - n * (n + 1) / 2) / (n * m))
