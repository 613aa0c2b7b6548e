"""Names that a file system allows and that would do something if anybody obeyed them."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fabricate import CLASSES, image_folder

IMAGE = "<img src=secret>"
"""Qt would open the file, or call the host."""
BOLD = "<b>A&B & [red]$x^{%s"
"""Markup of Qt and rich, a mark for a key, mathematics, and formats."""
FORGED = "\x1b[2J\u202egpj\n✓ done\x9b1m\r" if sys.platform != "win32" else "\u202egpj\u2066"
"""Clears a terminal, turns the reading order and begins a line of its own."""
NAMES = dict(zip(CLASSES, (IMAGE, BOLD, FORGED), strict=True))


def hostile_folder(folder: Path) -> Path:
    """Pictures of three classes; folders and files have such names."""
    image_folder(folder)
    for name, hostile in NAMES.items():
        for number, path in enumerate(sorted((folder / name).iterdir())):
            path.rename(path.with_name(f"{hostile} {number}.png"))
        (folder / name).rename(folder / hostile)
    return folder
