"""Small projects with a finished run, made without torch: pictures or sounds, labels, and plausible predictions."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ml.api import SPLIT_CODES, FoundFile, KindName, Project, RunInfo, Sample, ScanReport, Split, SplitPlan, Windowing
from ml.project.predictions import PredictionWriter

CLASSES = ("apple", "pear", "plum")
COLOURS = {"apple": (196, 40, 36), "pear": (168, 190, 60), "plum": (92, 40, 120)}
MAP = (7, 7)
SOUNDS = Windowing(rate=16_000, seconds=1.0, step=1.0)
LOGS = Windowing(rate=50.0, seconds=2.4, step=2.4, columns=("x", "y"), ranges=((-0.6, 0.6), (9.5, 10.1)))
"""As a scan of `log_folder` finds them."""
CUTS: dict[KindName, Windowing | None] = {"images": None, "recordings": SOUNDS, "sensors": LOGS}


def image_folder(folder: Path, *, each: int = 10) -> Path:
    """`each` pictures of three fruits, every one different."""
    rng = np.random.default_rng(1)
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            picture = Image.new("RGB", (160, 120), tuple(int(v) for v in rng.integers(180, 240, 3)))
            x, y = (int(v) for v in rng.integers(10, 60, 2))
            ImageDraw.Draw(picture).ellipse((x, y, x + 56, y + 48), fill=COLOURS[name])
            picture.save(folder / name / f"{name} {number}.png")
    return folder


def sound_folder(folder: Path, *, each: int = 4, rate: int = 16_000) -> Path:
    """One second of a rising tone per class, at another pitch each."""
    rng = np.random.default_rng(2)
    for place, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            t = np.arange(rate) / rate
            tone = np.sin(2 * np.pi * (400 * (place + 1) * t + 300 * t**2)) * 0.4
            soundfile.write(folder / name / f"{name} {number}.wav", tone + rng.normal(0, 0.01, rate), rate)
    return folder


def log_folder(folder: Path, *, each: int = 5) -> Path:
    """`each` logs of 2.4 s at 50 Hz with columns time, x, y for each class, which shakes at a rate of its own."""
    rng = np.random.default_rng(7)
    for place, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            t = np.arange(120) / 50
            x, y = rng.normal(0, 0.05, (2, 120)) + np.array([[0.0], [9.8]])
            x += 0.5 * np.sin(2 * np.pi * 4 * place * t)
            rows = "".join(f"{when:.2f},{a:.4f},{b:.4f}\n" for when, a, b in zip(t, x, y, strict=True))
            (folder / name / f"{name} {number}.csv").write_text(f"time,x,y\n{rows}", encoding="utf-8")
    return folder


def project_of(folder: Path, place: Path, *, kind: KindName = "images") -> Project:
    """A project over `folder`, from a report written by hand: a real scan starts processes and takes seconds."""
    files = tuple(found_file(path, folder, kind) for path in sorted(folder.rglob("*.*")))
    report = ScanReport(folder=str(folder), kind=kind, files=files, windowing=CUTS[kind])
    splits: tuple[Split, ...] = ("train", "train", "train", "valid", "test")
    plan = SplitPlan(
        split_by="auto", splits={file.path: splits[place % len(splits)] for place, file in enumerate(files)}
    )
    return Project.create(place, name=place.stem, report=report, plan=plan)


def found_file(path: Path, folder: Path, kind: KindName) -> FoundFile:
    """What a scan would say of one good file."""
    facts: dict[str, object] = {"width": 160, "height": 120}
    if kind != "images":
        cut = CUTS[kind]
        assert cut is not None
        seconds = soundfile.info(path).duration if kind == "recordings" else cut.seconds
        facts = {"duration": seconds, "rate": cut.rate, "channels": max(1, len(cut.columns))}
    return FoundFile(
        path=path.relative_to(folder).as_posix(),
        size=path.stat().st_size,
        mtime_ns=path.stat().st_mtime_ns,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        class_name=path.parent.name,
        **facts,  # type: ignore[arg-type]
    )


def add_run(project: Project, *, wrong: tuple[int, ...] = (), accuracy: float = 0.9) -> RunInfo:
    """A finished run that is right on all but the samples with ids in `wrong`: these it calls the next class."""
    names = tuple(item.name for item in project.classes())
    run = project.runs.begin(preset="quick", seed=0, class_names=names)
    samples = project.samples()
    writer = PredictionWriter(
        project.runs.folder(run.number) / "predictions",
        samples=len(samples),
        classes=len(names),
        embedding=4,
        map_size=MAP,
    )
    writer.write(**_columns(samples, len(names), wrong))
    writer.close()
    project.runs.update(
        run.number, state="finished", seconds=12.0, valid_accuracy=accuracy, test_accuracy=accuracy, probe_accuracy=0.8
    )
    return project.runs.finished(run.number)


def _columns(samples: tuple[Sample, ...], classes: int, wrong: tuple[int, ...]) -> dict[str, NDArray[np.generic]]:
    rng = np.random.default_rng(3)
    labels = np.array([-1 if s.label is None else s.label for s in samples], dtype=np.int64)
    said = np.where(labels < 0, 0, labels)
    multilabel_confusion = np.isin([s.id for s in samples], wrong)
    said = np.where(multilabel_confusion, (said + 1) % classes, said)
    lead = np.linspace(0.6, 0.97, len(samples))
    probabilities = np.repeat(((1 - lead) / max(1, classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(len(samples)), said] = lead
    maps = rng.normal(0, 0.2, (len(samples), classes, *MAP))
    maps[np.arange(len(samples)), said, 2:4, 1:4] += 3.0
    return {
        "sample_ids": np.array([s.id for s in samples], dtype=np.int64),
        "labels": labels,
        "splits": np.array([SPLIT_CODES.index(s.split or "none") for s in samples], dtype=np.uint8),
        "probabilities": probabilities.astype(np.float32),
        "embeddings": rng.normal(0, 1, (len(samples), 4)).astype(np.float16),
        "maps": maps.astype(np.float16),
    }
