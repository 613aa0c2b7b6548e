"""A run can be released: it is what predictions and exports use until another one is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fabricate import CLASSES, add_run, image_folder, project_of
from tiny_model import write_colour_model

from ml.api import HandlensError, Project
from ml.core.errors import DamagedProjectError
from tests.ml.terminal import Handlens


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two finished runs, each with a model."""
    with project_of(image_folder(tmp_path / "fruit", each=5), tmp_path / "Fruit.handlens") as made:
        for number, threshold in ((1, 0.1), (2, 0.99)):
            add_run(made)
            write_colour_model(
                made.runs.folder(number) / "model.onnx", classes=CLASSES, reject_below=threshold, unlike_above=1.0
            )
    return tmp_path / "Fruit.handlens"


def test_the_newest_run_is_in_use_until_one_is_released(project: Path) -> None:
    with Project.open(project) as opened:
        assert opened.released() is None and opened.run_in_use().number == 2
        opened.release(1, name="Harvest 2026", reason="Checked in the field")
    with Project.open(project) as again:
        released = again.released()
        assert released is not None
        assert (released.run, released.name, released.reason) == (1, "Harvest 2026", "Checked in the field")
        assert again.run_in_use().number == 1 and again.run_in_use(2).number == 2
        with pytest.raises(HandlensError, match="no finished run 3"):
            again.release(3)


def test_a_released_run_that_is_gone_is_not_used(project: Path) -> None:
    with Project.open(project) as opened:
        opened.release(1)
        opened.runs.discard(1)
        assert opened.released() is None and opened.run_in_use().number == 2


def test_predict_export_and_runs_follow_the_release(project: Path, tmp_path: Path, handlens: Handlens) -> None:
    picture = next((project.parent / "fruit").rglob("*.png"))
    assert handlens("predict", project, picture, "--json").lines[0]["decision"] == "reject"
    with Project.open(project) as opened:
        opened.release(1, name="Harvest", reason="It was checked")
    said = handlens("runs", project).out
    assert "Run 1 is in use since" in said and "Harvest" in said and "It was checked" in said
    rows = handlens("runs", project, "--json").lines
    assert [row.get("released", {}).get("name") for row in rows] == ["Harvest", None]
    assert handlens("export", project, "--to", tmp_path / "out.onnx", "--json").lines[0]["run"] == 1
    assert handlens("predict", project, picture, "--json").lines[0]["decision"] == "accept"


def test_a_project_with_damaged_releases_is_refused(project: Path) -> None:
    with closing(sqlite3.connect(project / "project.db")) as database, database:
        database.execute("INSERT INTO meta VALUES ('releases', '[{\"run\": -1}]')")
    with pytest.raises(DamagedProjectError):
        Project.open(project)
