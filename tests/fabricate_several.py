"""A small multi-label project with a finished run, made without torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from fabricate import CLASSES, MAP, found_file, image_folder

from ml.api import SPLIT_CODES, Project, RunInfo, ScanReport, Split, SplitPlan
from ml.project.predictions import PredictionWriter, write_thresholds

THRESHOLDS = np.array([0.5, 0.3, 0.6], dtype=np.float32)


def mixed_project(place: Path, *, each: int = 10) -> Project:
    """`each` pictures thrice: by turns one class, that and the next one, and none of them. A third is for testing."""
    folder = image_folder(place.with_suffix(""), each=each)
    files = []
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        file = found_file(path, folder, "images")
        assert file.class_name is not None
        if number % 3 == 1:
            file = dataclasses.replace(file, also=(CLASSES[(CLASSES.index(file.class_name) + 1) % 3],))
        elif number % 3 == 2:
            file = dataclasses.replace(file, class_name=None, negative=True)
        files.append(file)
    splits: tuple[Split, ...] = ("train", "valid", "test", "test")
    plan = SplitPlan(split_by="auto", splits={file.path: splits[at % 4] for at, file in enumerate(files)})
    report = ScanReport(folder=str(folder), kind="images", files=tuple(files), task="multi")
    return Project.create(place, name=place.stem, report=report, plan=plan)


def add_run_of_several(
    project: Project, *, wrong: dict[int, tuple[int, ...]] | None = None, telling: bool = False
) -> RunInfo:
    """A finished run that says exactly what is so, but of the samples in `wrong` what that says. `telling`: what it
    saw in a sample tells the classes apart; else that is chance."""
    names = tuple(item.name for item in project.classes())
    run = project.runs.begin(preset="quick", seed=0, class_names=names)
    folder = project.runs.folder(run.number) / "predictions"
    samples = project.samples()
    writer = PredictionWriter(
        folder, samples=len(samples), classes=len(names), embedding=4, map_size=MAP, with_targets=True
    )
    rng = np.random.default_rng(4)
    truth, said = np.zeros((2, len(samples), len(names)), dtype=np.bool_)
    for row, sample in enumerate(samples):
        truth[row, list(sample.labels)] = True
        said[row, list((wrong or {}).get(sample.id, sample.labels))] = True
    sure = rng.uniform(0.05, 0.2, said.shape)
    writer.write(
        sample_ids=np.array([sample.id for sample in samples], dtype=np.int64),
        labels=np.array([sample.labels[0] if sample.labels else -1 for sample in samples], dtype=np.int64),
        splits=np.array([SPLIT_CODES.index(sample.split or "none") for sample in samples], dtype=np.uint8),
        probabilities=np.where(said, THRESHOLDS + 0.3 + sure / 4, THRESHOLDS * sure).astype(np.float32),
        embeddings=(rng.normal(0, 1, (len(samples), 4)) + telling * 12.0 * np.pad(truth, ((0, 0), (0, 1)))).astype(
            np.float16
        ),
        maps=rng.normal(0, 1, (len(samples), len(names), *MAP)).astype(np.float16),
        targets=truth.astype(np.uint8),
    )
    writer.close()
    write_thresholds(folder, THRESHOLDS)
    project.runs.update(run.number, state="finished", seconds=9.0, valid_accuracy=0.9, test_accuracy=0.86)
    return project.runs.finished(run.number)
