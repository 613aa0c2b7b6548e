"""Kill `handlens predict` while it answers about many files, continue it, and see what its table says at the end."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PER_FOLDER = 5_000


@dataclass(frozen=True, slots=True)
class Ended:
    """How one process ended: `lines` it printed, its largest memory and its times."""

    killed: bool
    lines: int
    peak_bytes: int
    cpu_seconds: float
    wall_seconds: float


def link_files(sources: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Make `count` hard links to `sources` in sub-folders of `folder`."""
    links = []
    for number in range(count):
        below = folder / f"{number // PER_FOLDER:04d}"
        below.mkdir(parents=True, exist_ok=True)
        source = sources[number % len(sources)]
        links.append(below / f"{number:07d}{source.suffix}")
        os.link(source, links[-1])
    return links


def predict(model: Path, folder: Path, table: Path, *, resume: bool = False, kill_after: int | None = None) -> Ended:
    """Run `handlens predict` as a process of its own, killed when it has printed `kill_after` answers."""
    command = [sys.executable, "-m", "ml.cli", "predict", str(model), str(folder), "--csv", str(table), "--json"]
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, *(["--resume"] if resume else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    lines, killed = 0, False
    with process.stdout:
        for _line in process.stdout:
            lines += 1
            if lines == kill_after:
                process.kill()
                killed = True
                break
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return Ended(
        killed=killed,
        lines=lines,
        peak_bytes=used.ru_maxrss * unit,
        cpu_seconds=used.ru_utime + used.ru_stime,
        wall_seconds=time.monotonic() - began,
    )


def predict_with_kills(model: Path, folder: Path, table: Path, kills: Sequence[int]) -> Iterator[Ended]:
    """Run it once for each of `kills`, the answers after which it is killed, and then to its end."""
    for number, kill_after in enumerate([*kills, None]):
        yield predict(model, folder, table, resume=number > 0, kill_after=kill_after)


def times_answered(table: Path) -> Counter[str]:
    """How many lines the table has for each path."""
    with table.open(encoding="utf-8-sig", newline="") as stream:
        return Counter(row["path"] for row in csv.DictReader(stream))
