"""Render one sample as a picture for people: the same in the window, on contact sheets and in the wizard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.core.types import KindName, Reading
from ml.media.kinds import kind_named


def render_sample(
    kind: KindName,
    path: Path,
    *,
    windowing: Reading | None,
    start: float = 0.0,
    size: tuple[int, int],
    dark: bool = False,
) -> NDArray[np.uint8]:
    """Return the sample of a file from `start` seconds on as RGB (height, width, 3). Raises UnreadableError.

    Pictures keep their shape and lie within `size` (width, height); what is drawn of other samples fills it. `dark` is
    for the screen.
    """
    sample_kind = kind_named(kind)
    original = sample_kind.original(path, windowing=windowing, start=start, edge=max(size))
    picture = sample_kind.draw(original, windowing=windowing, size=size, dark=dark)
    if sample_kind.input_name == "pixels" or picture.shape[:2] == size[::-1]:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR), dtype=np.uint8)
