"""Pictures are found by their colours, from what a training has decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.api import COLOURS, Sample, cached_colours
from ml.features.colours import colour_shares
from ml.features.decode import DECODER_VERSION
from ml.features.row_cache import RowCache

KNOWN = {
    "red": (210, 20, 25),
    "orange": (245, 140, 20),
    "yellow": (240, 220, 40),
    "green": (40, 140, 50),
    "cyan": (40, 200, 210),
    "blue": (30, 60, 200),
    "purple": (110, 40, 170),
    "pink": (250, 150, 180),
    "brown": (110, 70, 30),
    "black": (12, 12, 14),
    "grey": (130, 130, 128),
    "white": (250, 250, 248),
}


@pytest.mark.parametrize("name", COLOURS)
def test_each_colour_is_known_by_its_name(name: str) -> None:
    picture = np.full((1, 64, 64, 3), KNOWN[name], dtype=np.uint8)
    assert COLOURS[int(colour_shares(picture)[0].argmax())] == name


def test_the_middle_counts_more_than_the_edge(tmp_path: Path) -> None:
    picture = np.full((1, 64, 64, 3), KNOWN["green"], dtype=np.uint8)
    picture[:, 20:44, 20:44] = KNOWN["purple"]
    share = float(colour_shares(picture)[0, COLOURS.index("purple")])
    assert share > (24 * 24) / (64 * 64)


def test_shares_come_from_decoded_pictures_and_are_kept(tmp_path: Path) -> None:
    samples = [Sample(n, n, f"{n}.png", (0,), "train", digest=f"d{n}") for n in range(3)]
    assert cached_colours(tmp_path, samples) is None
    rows = RowCache(tmp_path / f"pixels-{DECODER_VERSION}-64", {"data": ((64, 64, 3), np.uint8)})
    pictures = np.stack([np.full((64, 64, 3), KNOWN[name], dtype=np.uint8) for name in ("red", "blue")])
    rows.append(["d0", "d1"], data=pictures)
    found = cached_colours(tmp_path, samples)
    assert found is not None and found[0, 0] > 0.99 and found[1, COLOURS.index("blue")] > 0.99
    assert not found[2].any(), "it was not decoded"
    again = cached_colours(tmp_path, samples)
    assert np.array_equal(found, np.asarray(again)) and (tmp_path / "colours-1").is_dir()
