"""Large pictures are answered tile by tile: the map, its areas, its place on earth."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import Affine

from ml.core.errors import HandlensError
from ml.inference.scene_files import write_scene
from ml.inference.scenes import NO_DATA, UNSURE, SceneMap, map_scene, usual_edge
from ml.media.images import load_image
from ml.media.scenes import scene_size
from ml.pictures.class_colours import class_colours
from ml.runtime.model import ReleasedModel
from tests.fabricate import image_folder, project_of
from tests.ml.terminal import Handlens
from tests.tiny_model import COLOURS, write_colour_model

WIDTH, HEIGHT = 900, 610
COLOURED = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
COLOURED[:, :300, 0] = COLOURED[:, 300:600, 1] = COLOURED[:, 600:, 2] = 255


@pytest.fixture
def model(tmp_path: Path) -> ReleasedModel:
    """Names the strongest of red, green and blue."""
    return ReleasedModel.open(write_colour_model(tmp_path / "m.onnx", reject_below=0.4), many=True)


def write_tiff(path: Path, pixels: NDArray[np.generic], **more: object) -> Path:
    """Write a GeoTIFF with pixels of 10 m in UTM 34N, unless other settings are given."""
    profile = {"crs": "EPSG:32634", "transform": Affine(10, 0, 500_000, 0, -10, 6_000_000), **more}
    height, width, bands = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=bands, dtype=pixels.dtype, **profile
    ) as dataset:
        dataset.write(np.moveaxis(pixels, -1, 0))
    return path


def shares(scene: SceneMap) -> dict[str, float]:
    return {area.name: area.share for area in scene.areas}


def test_a_scene_becomes_a_map_with_areas(model: ReleasedModel, tmp_path: Path) -> None:
    Image.fromarray(COLOURED).save(tmp_path / "field.png")
    scene = map_scene(model, tmp_path / "field.png", tile=60)
    assert scene.index.shape == (-(-HEIGHT // scene.cell), -(-WIDTH // scene.cell)) and scene.geo is None
    middle = scene.index[len(scene.index) // 2]
    thirds = [middle[: 290 // scene.cell], middle[310 // scene.cell : 590 // scene.cell], middle[610 // scene.cell :]]
    assert [set(part.tolist()) for part in thirds] == [{0}, {1}, {2}]
    assert not (scene.index == NO_DATA).any()
    found = shares(scene)
    assert set(found) >= set(COLOURS) and all(found[name] == pytest.approx(1 / 3, abs=0.03) for name in COLOURS)
    assert sum(area.pixels for area in scene.areas) == pytest.approx(WIDTH * HEIGHT, abs=2)
    assert scene.picture.shape[:2] == (HEIGHT, WIDTH)


@pytest.mark.parametrize("tile", [40, 56, 305, 610, 5_000])
def test_tiles_of_any_size_cover_the_whole_scene(model: ReleasedModel, tmp_path: Path, tile: int) -> None:
    Image.fromarray(COLOURED[:, :, [0, 0, 0]] // 2 + np.array([120, 0, 0], dtype=np.uint8)).save(tmp_path / "red.png")
    scene = map_scene(model, tmp_path / "red.png", tile=tile)
    assert (scene.index == 0).all() and scene.areas[0].pixels == WIDTH * HEIGHT


def test_hectares_follow_the_place_and_pixels_without_data_do_not_count(model: ReleasedModel, tmp_path: Path) -> None:
    pixels = COLOURED.copy()
    pixels[:, :300] = 0  # nothing was recorded here
    path = write_tiff(tmp_path / "field.tif", pixels, nodata=0)
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = None
        dataset.write_mask((np.arange(WIDTH) >= 300)[None].repeat(HEIGHT, axis=0).astype(np.uint8) * 255)
    assert scene_size(path) == "scene"
    scene = map_scene(model, path, tile=60)
    assert (scene.index[:, : 280 // scene.cell] == NO_DATA).all()
    by_name = {area.name: area for area in scene.areas}
    assert by_name["green"].hectares == pytest.approx(300 * HEIGHT * 0.01, rel=0.06)
    assert by_name["green"].share == pytest.approx(0.5, abs=0.04) and "red" not in by_name


def test_degrees_become_hectares_of_the_ellipsoid(model: ReleasedModel, tmp_path: Path) -> None:
    degrees = {"crs": "EPSG:4326", "transform": Affine(0.001, 0, 20, 0, -0.001, 60)}
    scene = map_scene(model, write_tiff(tmp_path / "d.tif", COLOURED, **degrees), tile=60)
    # 0.9° × 0.61° south of 60° N: 111.4 km × cos(59.7°) × 0.9 by 111.4 km × 0.61
    total = sum(area.hectares or 0.0 for area in scene.areas)
    assert total == pytest.approx(111.4 * np.cos(np.radians(59.695)) * 0.9 * 111.4 * 0.61 * 100, rel=0.005)


def test_a_deep_picture_is_stretched_and_the_map_keeps_its_place(model: ReleasedModel, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "deep.tif", COLOURED.astype(np.uint16) * 30)
    scene = map_scene(model, path, tile=60)
    assert scene.index[5, 5] == 0 and scene.index[5, -5] == 2
    write_scene(scene, tmp_path / "map.tif", class_colours(3))
    with rasterio.open(tmp_path / "map.tif") as written, rasterio.open(path) as original:
        assert written.crs == original.crs and written.transform.c == original.transform.c
        assert written.transform.a == 10 * scene.cell and written.bounds.top == original.bounds.top
        values = written.read(1)
        assert values[5, 5] == 0 and values[5, -5] == 2 and written.tags()["CLASS_2"] == "blue"
        assert written.colormap(1)[0][:3] == class_colours(1)[0]


def test_map_and_areas_are_written_for_people(model: ReleasedModel, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "field.tif", COLOURED)
    scene = map_scene(model, path, tile=60)
    write_scene(scene, tmp_path / "map.png", class_colours(3))
    with Image.open(tmp_path / "map.png") as sheet:
        assert sheet.width > WIDTH and sheet.height == HEIGHT
        red, _green, blue = sheet.convert("RGB").getpixel((100, 300))  # type: ignore[misc]
        assert red > 200 and blue < 60
    write_scene(scene, tmp_path / "areas.csv", class_colours(3))
    with (tmp_path / "areas.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["class"] for row in rows} >= set(COLOURS)
    assert sum(float(row["hectares"]) for row in rows) == pytest.approx(WIDTH * HEIGHT * 0.01, rel=0.001)
    with pytest.raises(HandlensError, match="Maps are written as"):
        write_scene(scene, tmp_path / "map.jpg", class_colours(3))


def test_what_the_model_is_not_sure_of_has_no_class(tmp_path: Path) -> None:
    model = ReleasedModel.open(write_colour_model(tmp_path / "m.onnx", reject_below=0.9), many=True)
    grey = COLOURED.copy()
    grey[:, 300:600] = 90
    Image.fromarray(grey).save(tmp_path / "field.png")
    scene = map_scene(model, tmp_path / "field.png", tile=60)
    assert scene.index[20, len(scene.index[0]) // 2] == UNSURE and scene.areas[-1].index == UNSURE


def test_without_rasterio_a_sentence_says_what_is_missing(
    model: ReleasedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiff(tmp_path / "field.tif", COLOURED)
    monkeypatch.setitem(sys.modules, "rasterio", None)
    scene = map_scene(model, path, tile=60)
    assert scene.geo is None and scene.areas[0].hectares is None
    with pytest.raises(HandlensError, match="handlens\\[geo\\]"):
        write_scene(scene, tmp_path / "map.tif", class_colours(3))


def test_a_damaged_scene_is_unreadable_in_one_sentence(model: ReleasedModel, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "field.tif", COLOURED)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(HandlensError):
        map_scene(model, path, tile=60)
    (tmp_path / "text.tif").write_text("no picture")
    assert scene_size(tmp_path / "text.tif") == "ordinary"
    with pytest.raises(HandlensError):
        map_scene(model, tmp_path / "text.tif", tile=60)


def test_the_terminal_says_how_much_each_class_covers(handlens: Handlens, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "field.tif", COLOURED)
    model = write_colour_model(tmp_path / "m.onnx", reject_below=0.4)
    done = handlens(
        "predict", model, path, "--map", tmp_path / "map.tif", "--map", tmp_path / "map.png", "--tile", "60"
    )
    assert done.code == 0, done.err
    assert "red: 3" in done.out and " ha" in done.out and (tmp_path / "map.png").is_file()
    done = handlens("predict", model, path, "--scene", "--json")
    assert {area["class"] for area in done.lines[0]["areas"]} >= set(COLOURS)
    assert handlens("predict", model, path, "--scene", "--csv", tmp_path / "a.csv").code == 2


def test_tiles_are_as_large_as_the_training_pictures(tmp_path: Path) -> None:
    with project_of(image_folder(tmp_path / "fruit", each=5), tmp_path / "Fruit.handlens") as project:
        picture = load_image(project.file(project.samples()[0].path))
        assert usual_edge(project) == max(16, min(picture.shape[:2]))
