"""The Data page: copies that are labelled differently stay listed, and the cache can be cleared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fabricate import image_folder, log_folder, project_of
from PIL import Image
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop import settings
from desktop.dialogs.items import ItemsDialog
from desktop.pages.data import DataPage
from desktop.session import open_session
from ml.api import KindName, Project, ScanJob, Scanned, cache_bytes, plan_split, shrink_cache
from ml.core.jobs import NeverStop
from ml.project.scan.scan import scan
from tests.desktop.conftest import Opener


@pytest.mark.parametrize("kind", ["images", "sensors"])
def test_copies_with_different_labels_are_listed_until_they_are_mended(
    qtbot: QtBot, tmp_path: Path, kind: KindName
) -> None:
    folder = image_folder(tmp_path / "things") if kind == "images" else log_folder(tmp_path / "things")
    first, second = sorted(place for place in folder.iterdir() if place.is_dir())[:2]
    original = min(first.iterdir())
    shutil.copy(original, second / f"copy{original.suffix}")
    shutil.copy(original, first / f"harmless{original.suffix}")
    project_of(folder, tmp_path / "things.handlens", kind=kind).close()
    session = open_session(tmp_path / "things.handlens")
    page = DataPage()
    qtbot.addWidget(page)
    page.set_session(session)
    page.show()
    page.opened()
    thing = "picture" if kind == "images" else "measurement"
    assert page.copies_label.isVisible()
    assert page.copies_label.text() == f"1 {thing} exists more than once, with different labels."
    qtbot.mouseClick(page.copies_button, Qt.MouseButton.LeftButton)
    dialog = page.findChild(ItemsDialog)
    assert dialog is not None
    assert {name for _path, name in dialog.rows()} == {first.name, second.name}
    assert f"{second.name}/copy{original.suffix}" in {path for path, _name in dialog.rows()}
    dialog.close()
    wrong = next(sample for sample in session.samples if sample.path == f"{second.name}/copy{original.suffix}")
    session.restore_labels([(wrong.id, (0,))])
    assert not page.copies_label.isVisible() and not page.copies_button.isVisible()
    page.shutdown()
    session.close()


def _fill_cache(project: Path) -> None:
    for name, size in (("grids-net-1", 3_000_000), ("embeddings-net-1", 400_000), ("decoded-1", 2_000_000)):
        (project / "cache" / name).mkdir(parents=True)
        (project / "cache" / name / "a.npy").write_bytes(bytes(size))


def test_the_cache_is_measured_and_cleared(qtbot: QtBot, open_project: Opener) -> None:
    session = open_project()
    _fill_cache(session.project.path)
    page = DataPage()
    qtbot.addWidget(page)
    page.set_session(session)
    page.show()
    page.opened()
    qtbot.waitUntil(lambda: "takes 5 MB" in page.cache_label.text())
    lock = session.project.lock("train")
    page.clear_cache()
    qtbot.waitUntil(lambda: "is being trained" in page.cache_label.text())
    lock.release()
    page.clear_cache()
    qtbot.waitUntil(lambda: "takes 0 MB" in page.cache_label.text() and not page.cache_button.isVisible())
    assert cache_bytes(session.project.path) == 0
    assert session.predictions() is not None, "the run is untouched"
    page.shutdown()


def test_a_limit_removes_the_large_parts_first(qtbot: QtBot, open_project: Opener) -> None:
    session = open_project()
    _fill_cache(session.project.path)
    assert shrink_cache(session.project, most=2_500_000) == 3_000_000
    assert shrink_cache(session.project, most=500_000) == 2_000_000
    assert [each.name for each in (session.project.path / "cache").iterdir()] == ["embeddings-net-1"]
    settings.set_value(settings.CACHE_LIMIT, 1)
    page = DataPage()
    qtbot.addWidget(page)
    page.set_session(session)
    qtbot.waitUntil(lambda: "takes 0 MB" in page.cache_label.text())
    assert cache_bytes(session.project.path) == 400_000, "below the limit nothing is removed"
    page.shutdown()


def test_what_was_found_in_the_files_stays_on_the_page(qtbot: QtBot, tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "things")
    name = min(place.name for place in folder.iterdir())
    Image.new("RGB", (40, 40), (90, 90, 90)).save(folder / name / "blank.png")
    last = list(scan(ScanJob(folder=folder, kind="images", new=True), NeverStop()))[-1]
    assert isinstance(last, Scanned)
    report = last.report
    path = tmp_path / "things.handlens"
    Project.create(path, name="things", report=report, plan=plan_split(report)).close()
    session = open_session(path)
    page = DataPage()
    qtbot.addWidget(page)
    page.set_session(session)
    page.show()
    assert page.findings.isVisible()
    qtbot.mouseClick(page.findings.buttons[0], Qt.MouseButton.LeftButton)
    dialog = page.findChild(ItemsDialog)
    assert dialog is not None
    assert list(dialog.rows()) == [(f"{name}/blank.png", name)]
    dialog.close()
    page.shutdown()
    session.close()
