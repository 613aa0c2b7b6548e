"""The export dialog: every form in which a run can be handed on."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtPdf import QPdfDocument
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.dialogs.export import ExportDialog
from desktop.session import Session
from ml.api import Project, open_model
from ml.pipeline.dispatch import run as run_here
from ml.release import web_runtime

RELEASED = Path(__file__).parents[1] / "fixtures" / "released_0_1"
SLOW = 30_000


def _session(name: str, folder: Path) -> Session:
    shutil.copytree(RELEASED / "projects" / name, folder / name)
    project = Project.open(folder / name)
    project.relink(RELEASED / "sources" / name)
    return Session(project)


@pytest.fixture
def session(studio: QApplication, tmp_path: Path) -> Iterator[Session]:
    session = _session("images", tmp_path)
    yield session
    session.close()


@pytest.fixture
def dialog(session: Session, qtbot: QtBot) -> Iterator[ExportDialog]:
    dialog = ExportDialog(session, 1, runner=run_here)
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.shut()


def export(dialog: ExportDialog, target: Path, qtbot: QtBot) -> str:
    dialog.choose(target.suffix)
    dialog.export_to(target)
    qtbot.waitUntil(lambda: not dialog.busy(), timeout=SLOW)
    return dialog.sentence.text()


def test_a_run_becomes_report_document_table_and_notebook(dialog: ExportDialog, tmp_path: Path, qtbot: QtBot) -> None:
    for name in ("r.html", "r.pdf", "r.csv", "r.ipynb"):
        assert str(tmp_path / name) in export(dialog, tmp_path / name, qtbot)
        assert dialog.show_button.isVisible()
    assert "<details" in (tmp_path / "r.html").read_text(encoding="utf-8")
    document = QPdfDocument(dialog)
    assert document.load(str(tmp_path / "r.pdf")) == QPdfDocument.Error.None_
    words = "".join(document.getAllText(page).text() for page in range(document.pageCount()))
    assert "How good it is" in words and "What it is most certain of" in words
    document.close()
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "label"] and len(rows) == 7
    assert json.loads((tmp_path / "r.ipynb").read_text(encoding="utf-8"))["nbformat"] == 4


def test_whole_numbers_come_with_both_accuracies_sizes_and_speeds(
    dialog: ExportDialog, tmp_path: Path, qtbot: QtBot
) -> None:
    dialog.int8_box.setChecked(True)
    first, second, last = export(dialog, tmp_path / "r.handlensmodel", qtbot).splitlines()
    assert first.startswith("float32: ") and second.startswith("int8: ") and "6 pictures" in first
    assert last.startswith("Run 1 is in")
    assert open_model(tmp_path / "r.handlensmodel").info.classes == ("blue", "green", "red")


def test_an_export_can_be_cancelled(dialog: ExportDialog, tmp_path: Path, qtbot: QtBot) -> None:
    dialog.choose(".onnx")
    dialog.int8_box.setChecked(True)
    dialog.export_to(tmp_path / "r.onnx")
    assert dialog.busy() and not dialog.export_button.isEnabled()
    dialog.cancel_button.click()
    qtbot.waitUntil(lambda: not dialog.busy(), timeout=SLOW)
    assert dialog.sentence.text() == "Cancelled. No file was written."
    assert list(tmp_path.glob("*.onnx")) == []


def test_a_page_for_a_phone_asks_before_it_downloads(
    dialog: ExportDialog, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_runtime, "cache_folder", lambda: tmp_path / "cache")
    dialog.choose(".web")
    assert dialog.download_box.isVisible()
    dialog.export_button.click()
    assert "Allow the download" in dialog.sentence.text() and not dialog.busy()
    runtime = tmp_path / "cache" / f"{web_runtime.NAME}-{web_runtime.VERSION}"
    runtime.mkdir(parents=True)
    for name in web_runtime.FILES:
        (runtime / name).write_bytes(b"runtime")
    dialog.choose(".web")
    assert not dialog.download_box.isVisible()
    assert "handlens serve" in export(dialog, tmp_path / "r.web", qtbot)
    assert {"index.html", "model.onnx", web_runtime.FILES[0]} <= {path.name for path in (tmp_path / "r.web").iterdir()}


def test_a_form_that_does_not_fit_says_why(studio: QApplication, tmp_path: Path, qtbot: QtBot) -> None:
    session = _session("recordings", tmp_path)
    dialog = ExportDialog(session, 1, runner=run_here)
    qtbot.addWidget(dialog)
    page = next(button for button in dialog.forms.buttons() if button.text().startswith("Page"))
    assert not page.isEnabled() and page.accessibleDescription() == "Only for models that read pictures."
    session.close()
