"""Folders and files that keep a careless program busy for ever, or that fill its memory."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image


def hostile_folders(base: Path) -> Iterator[tuple[str, Path]]:
    """Make each kind of hostile folder below `base` and yield its name and path. Every one has two good classes too."""
    makers = [absurd_rate, endless_line, long_table]
    if sys.platform != "win32":
        makers += [circle, everything, pipes]
    for maker in makers:
        folder = base / maker.__name__
        for name in ("cats", "dogs"):
            for number in range(4):
                picture(folder / name / f"{number}.png", seed=number + len(name) * (name == "dogs"))
        maker(folder)
        yield maker.__name__, folder


def picture(path: Path, *, seed: int = 0) -> None:
    """A small picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)


def circle(folder: Path) -> None:
    """Links that lead back to the folder, to each other and to themselves."""
    (folder / "cats/again").symlink_to(folder)
    (folder / "dogs/again").symlink_to("../cats")
    (folder / "dogs/self.png").symlink_to("self.png")


def everything(folder: Path) -> None:
    """Links to the whole machine, as a folder and as a file."""
    (folder / "cats/machine").symlink_to("/")
    if Path("/proc").is_dir():
        (folder / "dogs/proc").symlink_to("/proc")
    (folder / "dogs/outside.png").symlink_to(sys.executable)


def pipes(folder: Path) -> None:
    """A pipe, a socket and a device with the names of pictures and tables."""
    os.mkfifo(folder / "cats/pipe.png")
    os.mkfifo(folder / "labels.csv")
    here = Path.cwd()
    os.chdir(folder)  # the path of a socket may not be longer than 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.png")
    finally:
        os.chdir(here)
    (folder / "cats/zero.png").symlink_to("/dev/zero")


def absurd_rate(folder: Path) -> None:
    """Recordings that claim to last for hours, because of their sample rate."""
    for rate in (1, 2_000_000_000):
        soundfile.write(folder / f"rate{rate}.wav", np.zeros(4000, dtype=np.float32), rate)


def long_table(folder: Path, *, rows: int = 200_000) -> None:
    """A table whose rows are of other folders."""
    with (folder / "labels.csv").open("w", encoding="utf-8") as table:
        table.write("file,label\ncats/0.png,cat\ndogs/0.png,dog\n")
        table.writelines(f"elsewhere/{number}.png,cat\n" for number in range(rows))


def endless_line(folder: Path, *, megabytes: int = 8) -> None:
    """A table with one line that has no end."""
    with (folder / "labels.csv").open("w", encoding="utf-8") as table:
        table.write("file,label\ncats/0.png,cat\n")
        table.writelines("x" * (1 << 20) for _ in range(megabytes))
