"""Measure predictions over very many files: `python -m tests.benchmarks bulk --files 20000`.

Hard links to a few hundred real pictures, answered by a network of a few operators, so that what is measured is what
Handlens does around the network. The process is killed with SIGKILL several times; each file must have one answer.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from tests.process.bulk_kills import Ended, link_files, predict, predict_with_kills, times_answered
from tests.tiny_model import write_colour_model

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "images"
SOURCES = 300
SIDE = 64


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks bulk", description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--model", type=Path, help="a released model for pictures instead of the little one")
    parser.add_argument("--folder", type=Path, help="where to make the links; a temporary folder if not given")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        return _measure(Path(place), options.files, options.kills, options.model)


def _measure(place: Path, files: int, kills: int, model: Path | None) -> int:
    model = write_colour_model(place / "model.onnx") if model is None else model
    sources = _small_pictures(place / "sources")
    few = place / "few"
    link_files(sources, few, files // 4)
    _report(f"{files // 4} files", [predict(model, few, place / "few.csv")], files // 4)
    shutil.rmtree(few)
    links = link_files(sources, place / "many", files)
    rng = random.Random(0)
    after = [rng.randrange(1, files // (kills + 1)) for _ in range(kills)]
    table = place / "many.csv"
    ends = list(predict_with_kills(model, place / "many", table, after))
    _report(f"{files} files, killed {sum(end.killed for end in ends)} times", ends, files)
    answered = times_answered(table)
    lost = sum(not answered[str(link)] for link in links)
    twice = sum(times > 1 for times in answered.values())
    print(f"  {len(answered)} files answered, {lost} lost, {twice} answered twice")
    return int(lost > 0 or twice > 0 or len(answered) != files)


def _small_pictures(folder: Path) -> list[Path]:
    """Small copies of the first real pictures, as JPEG."""
    folder.mkdir()
    found = sorted(path for path in DATA.rglob("*.jpg") if path.is_file())[:SOURCES]
    copies = []
    for number, path in enumerate(found):
        copies.append(folder / f"{number}.jpg")
        with Image.open(path) as picture:
            picture.convert("RGB").resize((SIDE, SIDE)).save(copies[-1])
    return copies


def _report(what: str, ends: list[Ended], files: int) -> None:
    wall, cpu = sum(end.wall_seconds for end in ends), sum(end.cpu_seconds for end in ends)
    peak = max(end.peak_bytes for end in ends) / 1e6
    print(f"{what}: {files / wall:.0f} files/s, {1000 * cpu / files:.2f} ms of CPU per file, peak {peak:.0f} MB")
