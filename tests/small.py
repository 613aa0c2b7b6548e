"""Small real folders and projects for tests: coloured shapes and tones, scanned and split as a user's would be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image, ImageDraw

from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.types import KindName
from ml.project.project import Project
from ml.project.scan.scan import scan
from ml.project.split.plan import plan_split

SHAPES = {"disc": (200, 60, 50), "square": (60, 120, 200), "bar": (80, 160, 70)}


def picture_folder(folder: Path, *, each: int = 8, classes: int = 2) -> Path:
    """`each` pictures, 96 × 72, of each of up to three shapes on grey noise."""
    rng = np.random.default_rng(5)
    for name in list(SHAPES)[:classes]:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            picture = Image.fromarray(rng.integers(90, 160, (72, 96, 3), dtype=np.uint8))
            x, y = (int(value) for value in rng.integers(4, 36, 2))
            draw = ImageDraw.Draw(picture)
            box = (x, y, x + 34, y + 30)
            if name == "disc":
                draw.ellipse(box, fill=SHAPES[name])
            elif name == "square":
                draw.rectangle(box, fill=SHAPES[name])
            else:
                draw.rectangle((x, 0, x + 8, 72), fill=SHAPES[name])
            picture.save(folder / name / f"{name}-{number:02d}.png")
    return folder


def sound_folder(folder: Path, *, each: int = 8, rate: int = 8000) -> Path:
    """`each` clips of 0.5 s: a steady tone, or clicks."""
    rng = np.random.default_rng(6)
    t = np.arange(rate // 2) / rate
    for name in ("clicks", "tone"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            wave = rng.normal(0, 0.01, len(t))
            if name == "tone":
                wave += 0.4 * np.sin(2 * np.pi * rng.uniform(400, 1800) * t)
            else:
                wave[:: int(rng.integers(300, 600))] += 0.8
            soundfile.write(folder / name / f"{name}-{number:02d}.wav", wave, rate)
    return folder


def log_folder(folder: Path, *, each: int = 8) -> Path:
    """`each` logs of 2.4 s at 50 Hz with columns time, x, y and a word, of a machine that shakes or stands still."""
    rng = np.random.default_rng(7)
    for name in ("shaking", "still"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            t = np.arange(120) / 50
            x, y = rng.normal(0, 0.05, (2, 120)) + np.array([[0.0], [9.8]])
            if name == "shaking":
                x += 0.5 * np.sin(2 * np.pi * rng.uniform(8, 12) * t)
            rows = "".join(f"{when:.2f},{a:.4f},{b:.4f},ok\n" for when, a, b in zip(t, x, y, strict=True))
            (folder / name / f"{name}-{number:02d}.csv").write_text(f"time,x,y,state\n{rows}")
    return folder


def create(folder: Path, place: Path, *, kind: KindName = "images") -> Project:
    """A project at `place` over `folder`, the way `handlens new` makes one."""
    last = list(scan(ScanJob(folder=folder, kind=kind), NeverStop()))[-1]
    assert isinstance(last, Scanned), last
    return Project.create(place, name=place.stem, report=last.report, plan=plan_split(last.report))
