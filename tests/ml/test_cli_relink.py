"""`handlens relink`: a source folder that was moved is found again, and no other is taken for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from tiny_model import SIZE

from ml.project.project import Project
from tests.ml.terminal import Handlens


def test_a_moved_source_folder_is_found_again(handlens: Handlens, trained: Path, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "moved")
    told = handlens("train", trained)
    assert told.code == 1 and told.err.endswith(f'The command: handlens relink "{trained}" --to FOLDER\n')
    with Project.open(trained) as opened:
        assert len(opened.runs.all()) == 1, "no run was begun"
    assert handlens("relink", trained, "--to", tmp_path).code == 1
    assert handlens("relink", trained, "--to", tmp_path / "moved").code == 0
    with Project.open(trained) as opened:
        assert opened.source_folder == tmp_path / "moved"
    few = tmp_path / "few" / "red"
    few.mkdir(parents=True)
    shutil.copy(tmp_path / "moved" / "red" / "0.png", few)
    done = handlens("relink", trained, "--to", few.parent)
    assert done.code == 0
    assert done.err == "29 of its 30 files are missing. If this is the wrong folder, run handlens relink again.\n"


def test_other_files_of_the_same_names_are_no_originals(
    handlens: Handlens, project: Path, folder: Path, tmp_path: Path
) -> None:
    other, changed = tmp_path / "other", tmp_path / "changed"
    shutil.copytree(folder, other)
    shutil.copytree(folder, changed)
    for number, path in enumerate(sorted(other.rglob("*.png"))):
        Image.new("RGB", (SIZE, SIZE), (number, 0, 0)).save(path)
    (changed / "red" / "1.png").write_bytes(b"more than there was" * 200)
    told = handlens("relink", project, "--to", other)
    assert told.code == 1
    assert told.err.endswith("but different contents. Choose the folder with the originals.\n")
    with Project.open(project) as opened:
        assert opened.source_folder == folder
    told = handlens("relink", project, "--to", changed)
    assert told.code == 0
    assert told.err.startswith("At least 1 of its 30 files differs from the original of the same name.")
    assert handlens("relink", project, "--to", folder, "--json").lines[-1]["changed"] == 0


def test_other_recordings_of_the_same_length_are_no_originals(handlens: Handlens, tmp_path: Path) -> None:
    """They have the same size, too."""
    for place in ("sounds", "others"):
        for name in ("wind", "owl"):
            (tmp_path / place / name).mkdir(parents=True)
            for number in range(3):
                noise = np.random.default_rng(list(f"{place}{name}{number}".encode())).normal(0, 0.1, 8000)
                soundfile.write(tmp_path / place / name / f"{number}.wav", noise, 8000)
    assert handlens("new", tmp_path / "p", "--from", tmp_path / "sounds").code == 0
    assert "but different contents" in handlens("relink", tmp_path / "p", "--to", tmp_path / "others").err
