"""Pictures that are written for people: what is marked, what is painted, what is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ml.core.errors import HandlensError
from ml.core.types import Windowing
from ml.inference.overlays import stitched
from ml.media.mel import mel_rgb, settings_for
from ml.pictures.axes import BAD, font_for, save_png
from ml.pictures.contact_sheet import (
    SheetTile,
    Verdict,
    contact_sheet,
    overlay_picture,
    overlay_spectrogram,
    with_overlay,
)
from ml.runtime.folder import WindowPrediction

GREY = np.full((60, 80, 3), 128, dtype=np.uint8)


def corner_maps() -> NDArray[np.float32]:
    """Two classes; the first was seen in the upper left corner, the second nowhere."""
    maps = np.full((2, 7, 7), -1.0, dtype=np.float32)
    maps[0, 0, 0] = 2.0
    return maps


def tile(*, right: bool) -> SheetTile:
    return SheetTile(
        picture=GREY,
        maps=corner_maps(),
        shown=(0,),
        label="plate" if right else "slope",
        predicted="plate",
        probability=0.9,
    )


def has_colour(image: Image.Image, colour: str) -> bool:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return bool((np.asarray(image) == wanted).all(axis=-1).any())


def test_an_overlay_paints_only_where_the_network_looked() -> None:
    painted = np.asarray(with_overlay(GREY, corner_maps(), [0], size=(70, 70))).astype(int)
    assert np.abs(painted[:8, :8] - 128).max() > 40
    assert (painted[30:, 30:] == 128).all()
    assert (np.asarray(with_overlay(GREY, corner_maps(), [1], size=(70, 70))) == 128).all()


def test_wrong_predictions_are_marked_on_the_sheet() -> None:
    assert not has_colour(contact_sheet([tile(right=True)] * 5, title="t", subtitle="s"), BAD)
    assert has_colour(contact_sheet([tile(right=True), tile(right=False)], title="t", subtitle="s"), BAD)


def test_the_sheet_grows_by_rows() -> None:
    heights = [contact_sheet([tile(right=True)] * count, title="t", subtitle="s").height for count in (1, 4, 5, 8)]
    assert heights[0] == heights[1] < heights[2] == heights[3]


def test_an_overlay_picture_keeps_the_shape_of_the_picture() -> None:
    wide = overlay_picture(GREY, corner_maps(), {0: ""}, Verdict(top=(("plate", 0.9), ("slope", 0.1))))
    tall = overlay_picture(
        GREY.transpose(1, 0, 2), corner_maps(), {0: ""}, Verdict(top=(("plate", 0.9), ("slope", 0.1)))
    )
    assert wide.width > tall.width
    assert wide.height < tall.height


def test_several_classes_are_drawn_each_under_its_own_map() -> None:
    maps = corner_maps()
    maps[1, -1, -1] = 2.0  # the second was seen in the lower right corner

    def drawn(*present: int) -> NDArray[np.int64]:
        names = ("plate", "slope")
        verdict = Verdict(top=(("plate", 0.9), ("slope", 0.8)), present=tuple(names[index] for index in present))
        sheet = overlay_picture(GREY, maps, {index: f"{names[index]}, 90 % sure" for index in present}, verdict)
        return np.ptp(np.asarray(sheet).astype(int)[:, 32:672], axis=2)

    one, both, none = drawn(0), drawn(0, 1), drawn()
    assert len(both) > len(one) >= len(none)
    height = 480  # of one picture: 640 pixels wide, in the shape of the grey one
    assert one[62 : 62 + 60, :80].max() > 40 and one[62 + height - 60 : 62 + height, -80:].max() < 12
    second = 62 + height + 16 + 30
    assert both[second : second + 60, :80].max() < 12 and both[second + height - 60 : second + height, -80:].max() > 40
    assert none[32 : 32 + height].max() < 12, "where nothing is said to be there, nothing is painted"


def test_maps_laid_over_together_keep_one_scale() -> None:
    maps = corner_maps()
    maps[1, -1, -1] = 0.5
    together = np.asarray(with_overlay(GREY, maps, [0, 1], size=(70, 70))).astype(int)
    alone = np.asarray(with_overlay(GREY, maps, [1], size=(70, 70))).astype(int)
    assert np.abs(together[:8, :8] - 128).max() > 40
    assert np.array_equal(together[-8:, -8:], alone[-8:, -8:])


def test_low_notes_are_below_in_a_spectrogram() -> None:
    mel = np.zeros((8, 10), dtype=np.float32)
    mel[0] = 1.0
    picture = mel_rgb(mel)
    assert picture[-1].mean() < picture[0].mean()
    settings = settings_for(Windowing(rate=16000, seconds=2.0, step=2.0))
    sheet = overlay_spectrogram(
        mel, corner_maps(), {0: ""}, Verdict(top=(("a", 1.0),)), settings=settings, seconds=(0.0, 2.0)
    )
    columns = np.asarray(sheet).astype(int)[:, 88:200]  # map row 0 is the lowest notes, so its colour lies below
    colourful = np.ptp(columns, axis=2).max(axis=1)
    assert colourful[300:350].max() > 40
    assert colourful[33:200].max() < 12


def test_maps_of_neighbouring_windows_become_one() -> None:
    windowing = Windowing(rate=8000, seconds=1.0, step=0.5)
    windows = []
    for start, value in ((0.0, 1.0), (0.5, 3.0), (1.0, 2.0)):
        maps = np.full((2, 3, 4), value, dtype=np.float32)
        windows.append(
            WindowPrediction(start=start, end=start + 1.0, probabilities=np.array([1.0, 0.0], np.float32), maps=maps)
        )
    whole = stitched(tuple(windows), windowing)
    assert whole.shape == (2, 3, 16)
    assert whole[0, 0].tolist() == [1.0] * 4 + [3.0] * 8 + [2.0] * 4


def test_a_padded_window_is_cut_at_the_end_of_the_recording() -> None:
    maps = np.arange(8, dtype=np.float32).reshape(1, 1, 8)
    window = WindowPrediction(start=0.0, end=0.5, probabilities=np.array([1.0], np.float32), maps=maps)
    whole = stitched((window,), Windowing(rate=8000, seconds=1.0, step=1.0))
    assert whole[0, 0].tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("name", ["plate", "Löwenzahn", "żółw", "лягушка"])
def test_names_in_other_scripts_can_be_written(name: str) -> None:
    font, text = font_for(name, 18)
    assert text
    assert font.getlength(text) > 0


def test_a_picture_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(HandlensError, match="could not be written"):
        save_png(Image.new("RGB", (4, 4)), tmp_path / "file" / "a.png")
    save_png(Image.new("RGB", (4, 4)), tmp_path / "new" / "a.png")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]
