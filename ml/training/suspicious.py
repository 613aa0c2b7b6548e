"""Labels that are probably wrong, as they are now: every sample judged by a model that never saw it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.errors import HandlensError
from ml.events import Event, Progress, StageStarted, Stopped, Suspected
from ml.insight.sources import folds_of
from ml.jobs import Stop, SuspectJob
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.project.samples import Sample
from ml.training.decode import key_of
from ml.training.label_quality import from_the_others, suspicion

FEWEST = 10


def suspicious(job: SuspectJob, stop: Stop) -> Iterator[Event]:
    """Rank the labels by how probably they are wrong. Ends with `events.Suspected`, or `events.Stopped`.

    Raises HandlensError where nothing can be said.
    """
    with Project.open(job.project) as project:
        if project.task == "multi":
            raise HandlensError(
                "Suspicious labels are found where each sample has one class; here more than one may be present."
            )
        run = project.runs.finished(job.run).number
        stored = project.predictions(run)
        rows = {int(sample_id): row for row, sample_id in enumerate(stored.sample_ids)}
        samples = [sample for sample in project.samples() if sample.label is not None and sample.id in rows]
        # Cleanlab needs every class to have a sample: number only those that have.
        present, labels = np.unique([sample.label for sample in samples], return_inverse=True)
        if len(samples) < FEWEST or len(present) < 2:
            raise HandlensError(
                "There are too few labels to find wrong ones among them; label at least ten samples of two classes."
            )
        yield StageStarted(stage="predict", sentence="Now every label is judged by a model that never saw its sample.")
        embeddings = _pretrained(project.path / "cache", samples)
        if embeddings is None:
            embeddings = _of_run(stored, [rows[sample.id] for sample in samples])
        # A file and its copies are judged by what was learned without any of them.
        folds = folds_of([sample.digest or sample.path for sample in samples])
        told = np.zeros((len(samples), len(present)))
        each = np.unique(folds)
        for done, fold in enumerate(each):
            yield Progress(stage="predict", done=done, total=len(each))
            if stop.requested():
                yield Stopped()
                return
            told[folds == fold] = from_the_others(embeddings, labels, folds == fold, classes=len(present))
        found = suspicion(labels, told)
        order = np.argsort(-found.score, kind="stable")
        # Who was asked and said that a label is right need not be asked again.
        asked = np.array([sample.set_by == "confirmed" for sample in samples])
        order = order[~asked[order]]
        yield Suspected(
            run=run,
            sample_ids=tuple(samples[place].id for place in order),
            labels=tuple(int(present[labels[place]]) for place in order),
            suggested=tuple(int(present[found.suggested[place]]) for place in order),
            scores=tuple(float(found.score[place]) for place in order),
            flagged=int(found.flagged[order].sum()),
            confirmed=int(asked.sum()),
        )


def _pretrained(cache: Path, samples: Sequence[Sample]) -> NDArray[np.float32] | None:
    """What the pretrained network sees in each sample, if it is still in the cache.

    A fine-tuned network has learned wrong labels along with the right ones; the pretrained one never saw any.
    """
    wanted = {key_of(sample): None for sample in samples}
    for folder in sorted([*cache.glob("grids-*"), *cache.glob("embeddings-*")]):
        known: dict[str, NDArray[np.float32]] = {}
        for keys_path in sorted(folder.glob("*.keys.npy")):
            values = keys_path.with_name(keys_path.name.replace(".keys.npy", ".embedding.npy"))
            try:
                keys = np.load(keys_path, allow_pickle=False)
                rows = np.load(values, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError):
                continue  # a damaged part of a cache: what it held is missing, which is seen below
            for key, row in zip(keys, rows, strict=False):
                name = key.decode()
                if name in wanted:
                    known[name] = row
        if len(known) == len(wanted):
            return np.stack([known[key_of(sample)] for sample in samples]).astype(np.float32)
    return None


def _of_run(stored: Predictions, rows: Sequence[int]) -> NDArray[np.float32]:
    return np.asarray(stored.embeddings[rows], dtype=np.float32)
