"""The Data page: copies that are labelled differently stay listed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fabricate import image_folder, log_folder, project_of
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.dialogs.items import ItemsDialog
from desktop.pages.data import DataPage
from desktop.session import open_session
from ml.api import KindName


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
