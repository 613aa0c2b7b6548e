"""Pictures of every format keep what there is to see: deep values, rasters, stacks, cut-outs, HEIC, DICOM, raw."""

from __future__ import annotations

import importlib
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiny_model import tiny_info

from ml.core.errors import UnreadableError
from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english
from ml.core.scan_report import ScanReport
from ml.core.types import PageChoice, PictureReading
from ml.media.images import image_facts, load_image, load_squashed
from ml.media.kinds import kind_named
from ml.project.project import Project
from ml.project.scan.checks import findings
from ml.project.scan.scan import scan
from ml.project.split.plan import plan_split
from ml.runtime.contract import ModelInfo


def scanned(folder: Path, page: PageChoice = "first") -> ScanReport:
    *_, last = scan(ScanJob(folder=folder, kind="images", page=page), NeverStop())
    assert isinstance(last, Scanned), last
    return last.report


def reading_of(folder: Path) -> PictureReading:
    reading = scanned(folder).picture_reading
    assert reading is not None
    return reading


def said(report: ScanReport) -> str:
    return " ".join(english(finding.sentence) for finding in findings(report))


def greys(path: Path, reading: PictureReading | None = None) -> NDArray[np.uint8]:
    return load_squashed(path, 64, reading)[..., 0]


def needs(name: str) -> None:
    pytest.importorskip(name, reason="comes with handlens[media]")


def test_one_stuck_pixel_darkens_no_picture(case: Callable[[str], Path]) -> None:
    folder = case("02")
    reading = reading_of(folder / "cells")
    assert -250 < reading.low < 300
    assert 3000 < reading.high < 4200
    for clean in sorted((folder / "clean").rglob("*.png"))[::7]:
        hot = folder / "hot" / clean.relative_to(folder / "clean")
        difference = np.abs(greys(hot, reading).astype(int) - greys(clean, reading))
        assert (difference > 6).mean() < 0.005
    hot = reading_of(folder / "hot")
    assert abs(hot.high - reading_of(folder / "clean").high) < 100


def test_few_of_many_values_become_all_greys(tmp_path: Path, case: Callable[[str], Path]) -> None:
    folder = case("02")
    report = scanned(folder / "thermal")
    reading = report.picture_reading
    assert reading is not None
    assert "more than 8 bits" in said(report)
    for path in sorted((folder / "thermal").rglob("*.tiff"))[::12]:
        by_hand = folder / "thermal8" / path.relative_to(folder / "thermal").with_suffix(".png")
        found, wanted = greys(path, reading), greys(by_hand)
        assert len(np.unique(found)) > 60
        assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("kind", ["lowest", "lowest_far", "9999", "nan", "plain", "faint"])
def test_what_was_not_measured_hides_no_height(case: Callable[[str], Path], kind: str) -> None:
    folder = case("03")
    reading = reading_of(folder / kind)
    least, most = {"faint": (402, 408)}.get(kind, (385, 425))
    assert least < reading.low < reading.high < most
    control = folder / ("nan" if kind != "faint" else "faint8")
    for path in sorted((folder / kind).rglob("*.tif"))[::11]:
        found = greys(path, reading)
        wanted = greys(control / path.relative_to(folder / kind), reading)
        if kind == "lowest_far":
            wanted = wanted[::-1, ::-1]
        assert len(np.unique(found)) > 60
        if kind != "plain":
            assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.98
        load_image(path)  # without a project, too


def test_the_range_is_kept_in_the_project(tmp_path: Path, case: Callable[[str], Path]) -> None:
    report = scanned(case("02") / "cells")
    place = tmp_path / "cells.handlens"
    with Project.create(place, name="cells", report=report, plan=plan_split(report)) as project:
        assert project.reading == report.picture_reading
    with Project.open(place) as project:
        assert project.picture_reading == report.picture_reading


def test_a_model_reads_pictures_in_its_range(tmp_path: Path) -> None:
    info = replace(tiny_info(), picture_reading=PictureReading(low=100, high=200))
    again = ModelInfo.from_json(info.to_json())
    assert again == info
    Image.fromarray(np.full((8, 8), 150, dtype=np.uint16)).save(tmp_path / "a.png")
    pixels = kind_named(again.kind).load_input(tmp_path / "a.png", [0.0], windowing=again.reading, size=8)
    assert (pixels.min(), pixels.max()) == (128, 128)


def test_stacks_are_said_and_another_page_can_be_used(case: Callable[[str], Path]) -> None:
    folder = case("04") / "z"
    assert "48 pictures have several pages" in said(scanned(folder))
    for page in ("sharpest", "middle"):
        report = scanned(folder, page)
        assert "several pages" in said(report)
        for path in sorted(folder.rglob("*.tif"))[::9]:
            found = load_image(path, report.picture_reading)[..., 0]
            with Image.open(path) as stack:
                stack.seek(3)
                assert np.array_equal(found, np.asarray(stack))


def test_white_on_nothing_is_seen_on_black(tmp_path: Path, case: Callable[[str], Path]) -> None:
    folder = case("05")
    for path in sorted((folder / "clear").rglob("*.png"))[::5]:
        on_black = folder / "black" / path.relative_to(folder / "clear")
        assert greys(path).astype(int) == pytest.approx(greys(on_black).astype(int), abs=3)
    assert "48 pictures show something white on a transparent ground" in said(scanned(folder / "clear"))
    dark = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    dark.paste((10, 10, 10, 255), (8, 8, 16, 16))
    dark.save(tmp_path / "dark.png")
    assert load_image(tmp_path / "dark.png")[0, 0].tolist() == [255, 255, 255]


RAMP = np.linspace(0, 4000, 64 * 64).reshape(64, 64)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rgb16", {"photometric": "rgb"}),
        ("rgb16_lzw", {"photometric": "rgb", "compression": "lzw", "predictor": True}),
        ("planar", {"photometric": "rgb", "planarconfig": "separate"}),
        ("bands5", {"photometric": "minisblack", "planarconfig": "contig"}),
        ("grey16_zstd", {"compression": "zstd"}),
        ("grey16_big", {"bigtiff": True}),
        ("grey32", {}),
        ("float_deflate", {"compression": "zlib", "predictor": True}),
        ("jxl", {"compression": "jpegxl"}),
        ("tiled_j2k", {"compression": "jpeg2000", "tile": (32, 32)}),
        ("ome", {"ome": True}),
        ("inverted", {"photometric": "miniswhite"}),
    ],
)
def test_tiffs_of_every_kind_are_read(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    needs("tifffile")
    needs("imagecodecs")
    tifffile = importlib.import_module("tifffile")
    kind = {"grey32": np.uint32, "float_deflate": np.float32}.get(name, np.uint16)
    values = RAMP.astype(kind)
    if name.startswith(("rgb", "bands")):
        values = np.stack([values, values[::-1], values.T, values, values][: 5 if "bands" in name else 3], axis=-1)
    if name == "planar":
        values = np.stack([values, values[::-1], values.T])
    path = tmp_path / f"{name}.tif"
    tifffile.imwrite(path, values, **options)
    facts = image_facts(path)
    assert (facts.width, facts.height) == (64, 64)
    assert facts.levels is not None
    assert facts.levels == pytest.approx((0, 4000), abs=30)
    pixels = load_image(path, PictureReading(low=0, high=4000))
    wanted = np.clip(RAMP / 4000 * 255, 0, 255)
    assert pixels[..., 0].astype(float) == pytest.approx(255 - wanted if name == "inverted" else wanted, abs=2)
    if name.startswith(("rgb", "bands", "planar")):
        assert pixels[..., 2].astype(float) == pytest.approx(wanted.T, abs=2)


def test_a_fourth_band_is_no_transparency(tmp_path: Path) -> None:
    needs("tifffile")
    tifffile = importlib.import_module("tifffile")
    values = np.zeros((16, 16, 4), dtype=np.uint8)
    values[..., 0], values[..., 3] = 200, 10
    path = tmp_path / "infrared.tif"
    tifffile.imwrite(path, values, photometric="rgb", extrasamples=["unspecified"])
    assert load_image(path)[0, 0].tolist() == [200, 0, 0]


HEIC = b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAa1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAA"
    "AAAAACAAAAEGlkYXQAAAAAAEAAMAAAADhpbG9jAQAAAERAAAIAAQAAAAAAAAHRAAEAAAAAAAAAXQACAAEAAAAAAAAAAQAAAAAAAAAIAAAAOGlp"
    "bmYAAAAAAAIAAAAVaW5mZQIAAAEAAQAAaHZjMQAAAAAVaW5mZQIAAAAAAgAAZ3JpZAAAAADYaXBycAAAALZpcGNvAAAAdmh2Y0MBA3AAAAAAAA"
    "AAAAAe8AD8/fj4AAAPAyAAAQAYQAEMAf//A3AAAAMAkAAAAwAAAwAeugJAIQABACpCAQEDcAAAAwCQAAADAAADAB6gIIEFlurkprm4EBAwIAAA"
    "AwAgAAADACEiAAEABkQBwXPAiQAAABRpc3BlAAAAAAAAAEAAAABAAAAAFGlzcGUAAAAAAAAAQAAAADAAAAAQcGl4aQAAAAADCAgIAAAAGmlwbW"
    "EAAAAAAAAAAgABAoECAAICA4QAAAAaaXJlZgAAAAAAAAAOZGltZwACAAEAAQAAAGVtZGF0AAAAWSgBrxOA+BDhp//7yKP/uDzw+/Y2YlW9YDj/"
    "k+j/9WGg7u9t5uZHNTV3UCf7iRS9sIVVpJpn8H0/YgLRACgAbxarCPlt6ePRJ8lsS2XE2uyDlrXR4qsvkqTb"
)
"""64 × 48 points, the left half red, the right half green; made with heif-enc."""


def test_heic_and_avif_are_read_under_any_name(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (200, 30, 60)).save(tmp_path / "a.avif")
    assert load_image(tmp_path / "a.avif")[5, 5].astype(int) == pytest.approx([200, 30, 60], abs=6)
    needs("pi_heif")
    for name in ("a.heic", "a.jpg"):
        path = tmp_path / name
        path.write_bytes(HEIC)
        pixels = load_image(path).astype(int)
        assert pixels.shape == (48, 64, 3)
        assert pixels[5, 5] == pytest.approx([200, 30, 60], abs=8)
        assert pixels[5, 60] == pytest.approx([20, 160, 60], abs=8)


def dicom(path: Path, values: NDArray[np.uint16], **more: object) -> None:
    pydicom = importlib.import_module("pydicom")
    data = importlib.import_module("pydicom.dataset")
    uid = importlib.import_module("pydicom.uid")
    meta = data.FileMetaDataset()
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    file = data.FileDataset(path, {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3.4"
    file.Rows, file.Columns = values.shape[-2:]
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 0
    for name, value in more.items():
        setattr(file, name, value)
    file.PixelData = values.tobytes()
    assert pydicom is not None
    file.save_as(path, enforce_file_format=True)


def test_dicom_is_shown_through_its_window_or_in_the_range_of_the_project(tmp_path: Path) -> None:
    needs("pydicom")
    values, wanted = RAMP.astype(np.uint16), np.clip(RAMP / 4000 * 255, 0, 255)
    path = tmp_path / "a.dcm"
    dicom(path, values)
    facts = image_facts(path)
    assert facts.levels == pytest.approx((0, 4000), abs=30)
    reading = PictureReading(low=0, high=4000)
    assert load_image(path, reading)[..., 0].astype(float) == pytest.approx(wanted, abs=2)
    dicom(path, values, PhotometricInterpretation="MONOCHROME1")
    assert load_image(path, reading)[..., 0].astype(float) == pytest.approx(255 - wanted, abs=2)
    dicom(path, values, WindowCenter=1000, WindowWidth=200)
    windowed = load_image(path, reading)[..., 0]
    assert windowed[RAMP < 890].max() == 0
    assert windowed[RAMP > 1110].min() == 255
    dicom(path, np.stack([values, values]), NumberOfFrames=2)
    assert image_facts(path).remarks == ("deep", "pages")


def test_raw_pictures_of_cameras_are_developed(tmp_path: Path) -> None:
    needs("rawpy")
    needs("tifffile")
    tifffile = importlib.import_module("tifffile")
    mosaic = np.full((128, 192), 4000, dtype=np.uint16)
    mosaic[:, 96:] = 30000
    path = tmp_path / "a.dng"
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True), (50708, "s", 0, "Handlens Test", True), (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, (0, 1, 1, 2), True), (50717, "I", 1, 65535, True), (50714, "I", 1, 0, True),
        (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True), (50778, "H", 1, 21, True),
    ]  # fmt: skip
    tifffile.imwrite(path, mosaic, photometric=32803, extratags=tags, metadata=None)
    pixels = load_image(path)
    assert pixels.shape == (128, 192, 3)
    assert int(pixels[60, 150].min()) > int(pixels[60, 40].max()) + 40


@pytest.mark.parametrize(
    ("name", "content", "library", "package"),
    [
        ("phone.heic", b"\0\0\0\x18ftypheic", "pi_heif", "pi-heif"),
        ("phone.jpg", b"\0\0\0\x18ftypheic", "pi_heif", "pi-heif"),
        ("scan.dcm", bytes(128) + b"DICM", "pydicom", "pydicom"),
        ("night.nef", b"II*\0" + bytes(100), "rawpy", "rawpy"),
        ("a.jxl", b"\xff\x0a" + bytes(100), "imagecodecs", "imagecodecs"),
        ("a.tif", b"II+\0" + bytes(100), "tifffile", "tifffile"),
    ],
)
def test_a_missing_library_costs_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, library: str, package: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, library, None)
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableError) as caught:
        image_facts(path)
    message = english(caught.value.message)
    assert package in message
    assert "handlens[media]" in message
