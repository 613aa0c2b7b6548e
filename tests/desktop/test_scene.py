"""A large picture on the Use page: a map of classes over it, its legend with areas, and exports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from rasterio.transform import Affine
from tiny_model import write_colour_model

from desktop.dialogs.folder import FileSaver
from desktop.pages.use.page import UsePage
from desktop.pages.use.scene_panel import ScenePanel

SLOW = 60_000


@pytest.fixture
def page(studio: QApplication, qtbot: QtBot, tmp_path: Path) -> Iterator[UsePage]:
    page = UsePage()
    page.resize(1286, 700)
    page.set_model_file(write_colour_model(tmp_path / "fields.onnx", reject_below=0.4))
    page.show()
    page.opened()
    qtbot.waitUntil(lambda: page.model is not None, timeout=SLOW)
    yield page
    page.shutdown()
    page.deleteLater()


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """A GeoTIFF of 300 × 200 m, its left half red and its right half green."""
    pixels = np.zeros((3, 200, 300), dtype=np.uint8)
    pixels[0, :, :150] = pixels[1, :, 150:] = 255
    profile = {"crs": "EPSG:32634", "transform": Affine(1, 0, 500_000, 0, -1, 6_000_000)}
    with rasterio.open(
        tmp_path / "field.tif", "w", driver="GTiff", width=300, height=200, count=3, dtype="uint8", **profile
    ) as dataset:
        dataset.write(pixels)
    return tmp_path / "field.tif"


def legend(panel: ScenePanel) -> list[str]:
    return [panel.legend.item(row).text() for row in range(panel.legend.count())]


def test_a_georeferenced_picture_becomes_a_map_with_hectares(
    page: UsePage, field: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.add((field,))
    panel = page.scene_panel
    assert page.pages.currentWidget() is panel
    qtbot.waitUntil(panel.export_button.isEnabled, timeout=SLOW)
    lines = legend(panel)
    assert len(lines) >= 2 and all(" ha" in line for line in lines)
    assert {line.split(":")[0] for line in lines} >= {"red", "green"}
    assert panel.view.has_picture() and panel.view.has_overlay()
    panel.opacity.setValue(20)
    assert panel.view.opacity() == pytest.approx(0.2)
    panel.tile_box.setValue(40)
    panel.again_button.click()
    qtbot.waitUntil(lambda: page.scenes.scene is not None and page.scenes.scene.tile == 40, timeout=SLOW)
    for suffix in (".png", ".tif", ".csv"):
        target = tmp_path / f"map{suffix}"
        monkeypatch.setattr(FileSaver, "ask", lambda *_args, chosen=target, **_more: chosen)
        panel.export_pressed.emit(suffix)
        qtbot.waitUntil(lambda target=target: str(target) in panel.saved.text(), timeout=SLOW)  # type: ignore[misc]
        assert target.is_file()
    panel.back_button.click()
    assert page.pages.currentWidget() is page.view


def test_a_photograph_is_answered_whole_and_can_be_answered_tile_by_tile(
    page: UsePage, tmp_path: Path, qtbot: QtBot
) -> None:
    Image.new("RGB", (4200, 300), "red").save(tmp_path / "photo.png")
    Image.new("RGB", (300, 300), "red").save(tmp_path / "small.png")
    page.add((tmp_path / "photo.png",))
    qtbot.waitUntil(page.view.panel.scene_button.isVisible, timeout=SLOW)
    page.view.panel.scene_button.click()
    qtbot.waitUntil(page.scene_panel.export_button.isEnabled, timeout=SLOW)
    assert legend(page.scene_panel) == ["red: 100 %"]
    page.scene_panel.back_button.click()
    page.add((tmp_path / "small.png",))
    qtbot.waitUntil(lambda: len(page.answers.answers) == 2, timeout=SLOW)
    page.list.table.selectRow(1 if "small" in str(page.answers.answer(1).path) else 0)
    assert not page.view.panel.scene_button.isVisible()


def test_answering_can_be_stopped_and_damage_is_told(page: UsePage, field: Path, tmp_path: Path, qtbot: QtBot) -> None:
    page.add((field,))
    page.scene_panel.stop_button.click()
    assert not page.scenes.busy() and not page.scene_panel.export_button.isEnabled()
    field.write_bytes(field.read_bytes()[:2_000])
    page.scene_panel.again_button.click()
    qtbot.waitUntil(lambda: bool(page.scene_panel.problem.text()), timeout=SLOW)
    assert "damaged" in page.scene_panel.problem.text()
