"""Range, bands and page of pictures in the wizard: shown where there is a choice, and what is chosen is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from desktop.pages.data import DataPage
from desktop.pages.wizard.picture_reading import PictureReadingChoice
from desktop.pages.wizard.wizard import NewProjectWizard
from desktop.widgets.value_histogram import ValueHistogram
from ml.api import Event, Job, PictureReading, Project, ScanJob, Scanned, Stop, plan_split
from ml.core.jobs import NeverStop
from ml.project.scan.scan import scan
from tests.desktop.conftest import Opener
from tests.desktop.wizards import FINISH, NEXT, Look, Maker, click, texts, to_the_last_page
from tests.ml.test_picture_reading import windowed_dicoms


def really_scan(job: Job, stop: Stop) -> Iterator[Event]:
    yield from scan(job, stop) if isinstance(job, ScanJob) else Look()(job, stop)


def deep(folder: Path, *, high: int = 3000) -> Path:
    rng = np.random.default_rng(5)
    for name in ("left", "right"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(rng.integers(1000, high, (32, 32)).astype(np.uint16)).save(folder / name / f"{number}.png")
    return folder


def tiffs(folder: Path, values: np.ndarray, **more: object) -> Path:
    tifffile = pytest.importorskip("tifffile", reason="comes with handlens[media]")
    for name in ("left", "right"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            tifffile.imwrite(folder / name / f"{number}.tif", values + number, photometric="minisblack", **more)
    return folder


def shown(qtbot: QtBot, wizard: NewProjectWizard) -> PictureReadingChoice:
    choice = wizard.found_page.result.reading
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    qtbot.waitUntil(lambda: bool(choice.preview.images()))
    return choice


def brightness(choice: PictureReadingChoice) -> float:
    image = choice.preview.images()[0]
    return float(np.frombuffer(bytes(image.convertToFormat(image.Format.Format_Grayscale8).constBits()), "u1").mean())


def test_a_range_is_chosen_over_its_histogram_and_reaches_the_project(
    make_wizard: Maker, tmp_path: Path, qtbot: QtBot
) -> None:
    wizard = make_wizard(really_scan, kind="images", folder=deep(tmp_path / "cells"))
    choice = shown(qtbot, wizard)
    qtbot.waitUntil(lambda: bool(choice.histogram.bars()))
    assert choice.low_field.value() == pytest.approx(900, abs=30)
    assert choice.high_field.value() == pytest.approx(3100, abs=30)
    assert not choice.bands_row.isVisible()
    assert not choice.pages_row.isVisible()
    before = brightness(choice)
    choice.high_field.setValue(2000)
    qtbot.waitUntil(lambda: brightness(choice) > before + 40)
    qtbot.waitUntil(lambda: "to 2,000 are used" in texts(wizard.found_page))
    qtbot.waitUntil(lambda: "50 % of the values become plain black or white." in texts(choice))
    choice.low_field.setValue(1500)
    to_the_last_page(qtbot, wizard)  # a change in the last moment counts
    with qtbot.waitSignal(wizard.created) as created:
        click(qtbot, wizard, FINISH)
    with Project.open(created.args[0]) as project:
        assert project.picture_reading == PictureReading(low=1500, high=2000)


def test_what_was_proposed_comes_back(make_wizard: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(really_scan, kind="images", folder=deep(tmp_path / "cells"))
    choice = shown(qtbot, wizard)
    proposed = choice.histogram.edges()
    choice.high_field.setValue(2000)
    choice.propose_button.click()
    assert choice.histogram.edges() == proposed


def test_plain_pictures_have_nothing_to_choose(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(really_scan, kind="images", folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    assert not wizard.found_page.result.reading.isVisible()


def test_bands_are_chosen_with_their_own_range(make_wizard: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    values = np.zeros((24, 24, 5), dtype=np.uint16) + np.array([0, 100, 200, 300, 20_000], dtype=np.uint16)
    values[:12] += 50
    folder = tiffs(tmp_path / "fields", values, planarconfig="contig", extrasamples=["unspecified"] * 4)
    wizard = make_wizard(really_scan, kind="images", folder=folder)
    choice = shown(qtbot, wizard)
    assert [box.currentText() for box in choice.band_boxes] == ["band 1", "band 2", "band 3"]
    assert choice.band_boxes[0].count() == 5
    choice.band_boxes[0].setCurrentIndex(4)
    choice.band_boxes[0].activated.emit(4)
    qtbot.waitUntil(lambda: "Red is band 5, green is band 2, blue is band 3" in texts(wizard.found_page))
    assert choice.high_field.value() > 20_000


def test_the_windows_of_dicom_files_can_be_switched_off(make_wizard: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(really_scan, kind="images", folder=windowed_dicoms(tmp_path / "scans"))
    choice = shown(qtbot, wizard)
    assert choice.windows_box.isChecked()
    assert not choice.range_row.isVisible()
    before = brightness(choice)
    choice.windows_box.setChecked(False)
    qtbot.waitUntil(lambda: bool(choice.histogram.bars()) and brightness(choice) < before - 30)
    assert choice.high_field.value() == pytest.approx(4297, abs=12)
    qtbot.waitUntil(lambda: "have more than 8 bits" in texts(wizard.found_page))
    choice.windows_box.setChecked(True)
    qtbot.waitUntil(lambda: "through the windows of values" in texts(wizard.found_page))
    assert not choice.range_row.isVisible()


def test_another_page_is_looked_at_anew(make_wizard: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    dark = np.full((16, 16), 50, dtype=np.uint16)
    dark[:4] = 90
    folder = tiffs(tmp_path / "stacks", np.stack([dark, dark * 50, dark * 20]))
    wizard = make_wizard(really_scan, kind="images", folder=folder)
    choice = shown(qtbot, wizard)
    assert choice.high_field.value() < 100
    assert "What the other pages show is not used." in choice.page_hint.text()
    choice.page_box.setCurrentIndex(1)
    choice.page_box.activated.emit(1)
    qtbot.waitUntil(lambda: choice.high_field.value() > 4000)
    assert "The one in the middle of each is used." in texts(wizard.found_page)


def test_the_data_page_says_how_pictures_are_read(tmp_path: Path, qtbot: QtBot, open_project: Opener) -> None:
    *_, last = scan(ScanJob(folder=deep(tmp_path / "cells"), kind="images", value_range=(0, 4000)), NeverStop())
    assert isinstance(last, Scanned)
    made = Project.create(tmp_path / "p.handlens", name="p", report=last.report, plan=plan_split(last.report))
    page = DataPage()
    qtbot.addWidget(page)
    page.set_session(open_project(made))
    assert "Values from 0 to 4,000 go from black to white" in page.reading_label.text()
    page.shutdown()


def test_an_edge_is_dragged_but_never_past_the_other(qtbot: QtBot) -> None:
    histogram = ValueHistogram()
    qtbot.addWidget(histogram)
    histogram.resize(400, histogram.height())
    histogram.set_values(np.linspace(0, 1000, 5000, dtype=np.float32))
    histogram.set_edges(100, 900)
    histogram.show()
    moved: list[tuple[float, float]] = []
    histogram.edges_changed.connect(lambda low, high: moved.append((low, high)))

    def drag(start: float, end: float) -> None:
        places = [QPoint(round(histogram.x_of(value)), 20) for value in (start, end)]
        qtbot.mousePress(histogram, Qt.MouseButton.LeftButton, pos=places[0])
        qtbot.mouseMove(histogram, places[1])
        qtbot.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=places[1])

    drag(900, 600)
    assert moved[-1] == pytest.approx((100, 600), abs=4)
    drag(100, 800)
    low, high = histogram.edges()
    assert 580 < low < high
    drag(350, 400)  # away from both
    assert histogram.edges() == (low, high)
