"""Pictures that show none, one or two of three shapes; a copy of each in the folder of every class it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from small import SHAPES

NEGATIVE = "none"


def mixture_folder(folder: Path, *, count: int = 40, seed: int = 8) -> Path:
    """`count` different pictures, 96 × 72, on grey noise."""
    rng = np.random.default_rng(seed)
    names = list(SHAPES)
    for number in range(count):
        shown = sorted(int(place) for place in rng.permutation(3)[: number % 3])
        picture = Image.fromarray(rng.integers(90, 160, (72, 96, 3), dtype=np.uint8))
        for half, place in enumerate(shown):
            _draw(picture, names[place], left=48 * half, rng=rng)
        for name in [names[place] for place in shown] or [NEGATIVE]:
            (folder / name).mkdir(parents=True, exist_ok=True)
            picture.save(folder / name / f"{number:03d}.png")
    return folder


def _draw(picture: Image.Image, name: str, *, left: int, rng: np.random.Generator) -> None:
    x, y = left + int(rng.integers(2, 16)), int(rng.integers(4, 36))
    draw = ImageDraw.Draw(picture)
    if name == "disc":
        draw.ellipse((x, y, x + 28, y + 28), fill=SHAPES[name])
    elif name == "square":
        draw.rectangle((x, y, x + 28, y + 28), fill=SHAPES[name])
    else:
        draw.rectangle((x, 0, x + 8, 72), fill=SHAPES[name])
