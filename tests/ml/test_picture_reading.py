"""The range and the bands of deep pictures: what the scan proposes, what a person chooses, what reaches the model."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiny_model import tiny_info

from ml.core.errors import UnreadableError
from ml.core.events import Failed, Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english
from ml.core.scan_report import ScanReport
from ml.core.types import PictureReading
from ml.media.images import load_image, sample_values
from ml.media.scenes import open_scene
from ml.project.project import Project
from ml.project.scan.checks import findings
from ml.project.scan.reading import common_bands, has_windows, proposed_range, read_otherwise, reading_sentences
from ml.project.scan.scan import scan
from ml.runtime.contract import ModelInfo
from tests.ml.terminal import Handlens
from tests.ml.test_picture_formats import dicom

pytest.importorskip("tifffile", reason="comes with handlens[media]")
tifffile = importlib.import_module("tifffile")

INFRARED = 20_000


def five_bands(folder: Path, *, dtype: type[np.generic] = np.uint16, count: int = 3) -> Path:
    """Pictures of two classes with five bands of rising brightness; the fifth is infrared."""
    rng = np.random.default_rng(3)
    for name in ("water", "wood"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            values = rng.integers(0, 100, (24, 24, 5)) + np.array([0, 1000, 2000, 3000, INFRARED])
            tifffile.imwrite(
                folder / name / f"{number}.tif",
                (values if dtype == np.uint16 else values // 100).astype(dtype),
                photometric="minisblack",
                planarconfig="contig",
                extrasamples=["unspecified"] * 4,
            )
    return folder


def deep(folder: Path, *, low: int = 1000, high: int = 3000) -> Path:
    rng = np.random.default_rng(5)
    for name in ("left", "right"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            values = rng.integers(low, high, (32, 32)).astype(np.uint16)
            Image.fromarray(values).save(folder / name / f"{number}.png")
    return folder


def scanned(folder: Path, **choices: object) -> ScanReport:
    *_, last = scan(ScanJob(folder=folder, kind="images", **choices), NeverStop())  # type: ignore[arg-type]
    assert isinstance(last, Scanned), last
    return last.report


def refused(folder: Path, **choices: object) -> str:
    *_, last = scan(ScanJob(folder=folder, kind="images", **choices), NeverStop())  # type: ignore[arg-type]
    assert isinstance(last, Failed), last
    return english(last.message)


def colours(path: Path, reading: PictureReading | None) -> NDArray[np.float64]:
    return np.asarray(load_image(path, reading).mean(axis=(0, 1)), dtype=np.float64)


def test_the_first_three_bands_are_used_and_said(tmp_path: Path) -> None:
    report = scanned(five_bands(tmp_path / "fields"))
    assert common_bands(report) == 5
    assert any("have more than three bands; bands 1, 2 and 3 are used" in english(f.sentence) for f in findings(report))
    assert report.picture_reading is not None
    assert 2000 < report.picture_reading.high < 2300


def test_other_bands_have_their_own_range(tmp_path: Path) -> None:
    folder = five_bands(tmp_path / "fields")
    report = scanned(folder, bands=(5, 3, 1))
    reading = report.picture_reading
    assert reading is not None
    assert reading.bands == (5, 3, 1)
    assert reading.high > INFRARED
    red, green, blue = colours(folder / "wood" / "0.tif", reading)
    assert red > 220
    assert red > green > blue
    assert proposed_range(scanned(folder), (5, 3, 1)) == (reading.low, reading.high)


def test_bands_of_8_bit_pictures_can_be_chosen_too(tmp_path: Path) -> None:
    folder = five_bands(tmp_path / "fields", dtype=np.uint8)
    assert colours(folder / "wood" / "0.tif", None) == pytest.approx([0, 10, 20], abs=1)
    reading = scanned(folder, bands=(5, 5, 4)).picture_reading
    assert colours(folder / "wood" / "0.tif", reading) == pytest.approx([200, 200, 30], abs=1)


def test_a_picture_without_the_chosen_band_is_left_out_with_the_reason(tmp_path: Path) -> None:
    folder = five_bands(tmp_path / "fields")
    four = np.full((24, 24, 4), 900, dtype=np.uint16)
    tifffile.imwrite(folder / "wood" / "four.tif", four, photometric="minisblack", extrasamples=["unspecified"] * 3)
    report = scanned(folder, bands=(5, 2, 1))
    assert [item.path for item in report.unreadable] == ["wood/four.tif"]
    assert "only 4 bands, but band 5" in english(report.unreadable[0].reason)
    with pytest.raises(UnreadableError):
        load_image(folder / "wood" / "four.tif", PictureReading(bands=(5, 2, 1)))


def test_a_range_that_a_person_chose_holds(tmp_path: Path) -> None:
    folder = deep(tmp_path / "cells")
    report = scanned(folder, value_range=(2000.0, 3000.0))
    reading = report.picture_reading
    assert reading == PictureReading(low=2000.0, high=3000.0)
    greys = load_image(folder / "left" / "0.png", reading)[..., 0]
    assert (greys == 0).mean() == pytest.approx(0.5, abs=0.06)
    assert read_otherwise(scanned(folder), reading) == report


def test_choices_that_fit_no_picture_are_refused(tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    for name in ("a", "b"):
        (flat / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (90, 20, 30)).save(flat / name / "one.png")
    assert "more than 8 bits" in refused(flat, value_range=(0.0, 9.0))
    assert "more than three bands" in refused(flat, bands=(3, 2, 1))


def test_the_values_of_a_picture_are_sampled_as_they_are_in_the_file(tmp_path: Path) -> None:
    cells = deep(tmp_path / "cells")
    values = sample_values(cells / "left" / "0.png")
    assert values.min() >= 1000
    assert values.max() < 3000
    fields = five_bands(tmp_path / "fields")
    assert sample_values(fields / "wood" / "0.tif", PictureReading(bands=(5, 5, 5))).min() >= INFRARED
    Image.new("RGB", (8, 8)).save(tmp_path / "flat.png")
    assert sample_values(tmp_path / "flat.png").size == 0


def test_the_page_that_is_used_sets_the_range(tmp_path: Path) -> None:
    dark, bright = np.full((16, 16), 50, dtype=np.uint16), np.full((16, 16), 4000, dtype=np.uint16)
    bright[:8] = 3000
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "stack.tif", np.stack([dark, bright]), photometric="minisblack")
    reading = scanned(tmp_path, page="middle").picture_reading
    assert reading is not None
    assert reading.low > 2000


def test_a_model_keeps_the_bands_and_earlier_versions_the_range(tmp_path: Path) -> None:
    chosen = PictureReading(low=100, high=200, bands=(4, 3, 2))
    info = replace(tiny_info(), picture_reading=chosen)
    assert ModelInfo.from_json(info.to_json()).picture_reading == chosen
    plain = replace(tiny_info(), picture_reading=PictureReading(low=100, high=200))
    assert "bands" not in json.loads(plain.to_json())["picture_reading"]


@pytest.mark.parametrize("bands", [[1, 2], [0, 1, 2], ["1", 2, 3], [1, 2, 3, 4], 7])
def test_bands_that_are_none_are_refused(bands: object) -> None:
    values = json.loads(replace(tiny_info(), picture_reading=PictureReading(bands=(4, 3, 2))).to_json())
    values["picture_reading"]["bands"] = bands
    with pytest.raises(ValueError, match="bands"):
        ModelInfo.from_json(json.dumps(values))


def windowed_dicoms(folder: Path) -> Path:
    pytest.importorskip("pydicom", reason="comes with handlens[media]")
    values = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 4
    for name in ("left", "right"):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            dicom(folder / name / f"{number}.dcm", values + np.uint16(number), WindowCenter=1000, WindowWidth=200)
    return folder


def test_the_window_of_a_dicom_file_holds_until_a_person_chooses_a_range(tmp_path: Path) -> None:
    folder = windowed_dicoms(tmp_path / "scans")
    report = scanned(folder)
    assert report.picture_reading is None
    assert has_windows(report)
    assert any("through the windows of values" in english(finding.sentence) for finding in findings(report))
    greys = load_image(folder / "left" / "0.dcm")[..., 0]
    assert (greys == 255).mean() > 0.5
    low, high = proposed_range(report, (), windows=False) or (0.0, 0.0)
    assert (low, high) == pytest.approx((-205, 4297), abs=12)
    chosen = scanned(folder, value_range=(0.0, 4095.0))
    reading = chosen.picture_reading
    assert reading == PictureReading(low=0, high=4095, windows=False)
    assert load_image(folder / "left" / "0.dcm", reading)[..., 0].mean() == pytest.approx(127, abs=2)
    assert any("have more than 8 bits" in english(finding.sentence) for finding in findings(chosen))
    kept = replace(tiny_info(), picture_reading=reading)
    assert ModelInfo.from_json(kept.to_json()).picture_reading == reading


def test_a_scene_is_read_in_the_range_and_the_bands_of_the_model(tmp_path: Path) -> None:
    pytest.importorskip("rasterio", reason="comes with handlens[geo]")
    path = five_bands(tmp_path / "fields") / "wood" / "0.tif"
    chosen = PictureReading(low=0, high=40_000, bands=(5, 4, 1))
    with open_scene(path, chosen) as scene:
        pixels, _valid = scene.rows(0, 24)
    assert pixels.mean(axis=(0, 1)) == pytest.approx([127, 19, 0], abs=1.5)
    with pytest.raises(UnreadableError), open_scene(path, replace(chosen, bands=(6, 1, 1))):
        pass


def test_how_pictures_are_read_is_said_in_sentences() -> None:
    reading = PictureReading(low=100, high=4000, page="sharpest", bands=(4, 3, 2))
    whole = " ".join(map(english, reading_sentences(reading)))
    assert "from 100 to 4,000" in whole
    assert "Red is band 4" in whole
    assert "the sharpest" in whole
    assert reading_sentences(PictureReading()) == []


def test_the_command_line_chooses_range_and_bands(handlens: Handlens, tmp_path: Path) -> None:
    folder, place = five_bands(tmp_path / "fields"), tmp_path / "fields.handlens"
    asked = ("new", place, "--from", folder)
    done = handlens(*asked, "--range", "-5", "25000", "--bands", "5, 3,2", "--json")
    assert done.code == 0, done.err
    assert done.lines[-1]["picture_reading"] == {"low": -5.0, "high": 25000.0, "page": "first", "bands": [5, 3, 2]}
    with Project.open(place) as project:
        assert project.picture_reading == PictureReading(low=-5, high=25000, bands=(5, 3, 2))
    assert handlens(*asked, "--range", "-5", "25000").code == 0
    again = handlens(*asked, "--bands", "1,2,3")
    assert again.code == 1
    assert "cannot change" in again.err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--bands", "4,3"), "three bands"),
        (("--bands", "0,1,2"), "three bands"),
        (("--bands", "red,2,1"), "three bands"),
        (("--range", "9", "9"), "smaller first"),
        (("--range", "nan", "9"), "smaller first"),
        (("--kind", "recordings", "--bands", "3,2,1"), "Only pictures"),
    ],
)
def test_wrong_ranges_and_bands_are_wrong_usage(
    handlens: Handlens, tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    folder = deep(tmp_path / "cells")
    done = handlens("new", tmp_path / "p", "--from", folder, *options)
    assert done.code == 2
    assert reason in " ".join(done.err.split())
