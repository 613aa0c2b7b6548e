"""Whole projects are renamed, duplicated and archived."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from fabricate import add_run, image_folder, project_of

from ml.api import HandlensError, Project, archive_project, duplicate_project, rename_project, unused_project_name
from tests.ml.terminal import Handlens


@pytest.fixture
def made(tmp_path: Path) -> Path:
    with project_of(image_folder(tmp_path / "fruit", each=5), tmp_path / "Fruit.handlens") as project:
        add_run(project)
        (project.path / "cache").mkdir()
        (project.path / "cache" / "decoded.npy").write_bytes(b"much")
    return tmp_path / "Fruit.handlens"


def test_a_project_and_its_folder_get_another_name(made: Path) -> None:
    path = rename_project(made, "Harvest 2026")
    assert path == made.with_name("Harvest 2026.handlens") and not made.exists()
    with Project.open(path) as project:
        assert project.name == "Harvest 2026" and len(project.predictions(1)) == 15
        assert project.file(project.samples()[0].path).is_file()


@pytest.mark.parametrize("name", ["", " ", "a/b", ".hidden", "x" * 300, "tab\there"])
def test_what_no_folder_can_be_called_is_refused(made: Path, name: str) -> None:
    with pytest.raises(HandlensError):
        rename_project(made, name)
    with pytest.raises(HandlensError):
        duplicate_project(made, name)
    assert made.is_dir()


def test_a_copy_has_labels_and_runs_of_its_own(made: Path) -> None:
    path = duplicate_project(made, unused_project_name(made, "Fruit"))
    assert path.name == "Fruit 2.handlens" and not (path / "cache").exists()
    with Project.open(path) as copy, Project.open(made) as original:
        assert copy.name == "Fruit 2" and len(copy.predictions(1)) == 15
        sample = copy.samples()[0]
        copy.set_labels([sample.id], [2])
        assert original.samples()[0].label == sample.label != 2
    with pytest.raises(HandlensError, match="already exists"):
        duplicate_project(made, "Fruit 2")


def test_an_open_project_is_left_alone(made: Path, tmp_path: Path) -> None:
    with Project.open(made) as project, project.lock("studio"):
        for act in (
            lambda: rename_project(made, "Other"),
            lambda: duplicate_project(made, "Other"),
            lambda: archive_project(made, tmp_path / "a.zip", with_sources=False),
        ):
            with pytest.raises(HandlensError, match="in use"):
                act()
    assert made.is_dir() and not (tmp_path / "a.zip").exists()


def test_an_archive_with_sources_is_complete_on_another_machine(made: Path, tmp_path: Path, handlens: Handlens) -> None:
    (tmp_path / "fruit" / "pear" / "pear 0.png").unlink()
    done = handlens("archive", made, "--to", tmp_path / "all.zip", "--with-sources", "--json")
    assert done.lines == [{"event": "archived", "path": str(tmp_path / "all.zip"), "files": 14, "missing": 1}]
    elsewhere = tmp_path / "elsewhere"
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert not any("cache" in name or name.endswith(".lock") for name in archive.namelist())
        archive.extractall(elsewhere)
    shutil.rmtree(tmp_path / "fruit")
    shutil.rmtree(made)
    with Project.open(elsewhere / "Fruit.handlens") as project:
        there = [project.file(sample.path).is_file() for sample in project.samples()]
        assert there.count(False) == 1 and len(project.predictions(1)) == 15


def test_an_archive_without_sources_is_small(made: Path, tmp_path: Path) -> None:
    archive_project(made, tmp_path / "small.zip", with_sources=False)
    with zipfile.ZipFile(tmp_path / "small.zip") as archive:
        names = archive.namelist()
    assert "Fruit.handlens/project.db" in names and not any(name.endswith(".png") for name in names)
    with pytest.raises(HandlensError, match="inside"):
        archive_project(made, made / "in.zip", with_sources=False)
