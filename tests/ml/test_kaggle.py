"""`handlens export --to FILE.csv`: tables in the shapes of Kaggle's competitions."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ml.project.project import Project
from tests.ml.terminal import Handlens


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_folder_in_both_plain_shapes(handlens: Handlens, trained: Path, folder: Path, tmp_path: Path) -> None:
    done = handlens("export", trained, "--to", tmp_path / "a.csv", "--on", folder / "green", "--json")
    assert (done.code, done.lines[0]["lines"]) == (0, 10)
    assert read(tmp_path / "a.csv") == [["id", "label"], *([f"{n}.png", "green"] for n in range(10))]
    done = handlens("export", trained, "--to", tmp_path / "b.csv", "--on", folder, "--probabilities")
    assert done.code == 1 and done.err.endswith("1 of 31 files could not be read. The reasons are above.\n")
    rows = read(tmp_path / "b.csv")
    assert (rows[0], len(rows), rows[1][0]) == (["id", "red", "green", "blue"], 31, "blue/0.png")
    assert all(sum(map(float, row[1:])) == pytest.approx(1, abs=1e-4) for row in rows[1:])
    assert max(zip(rows[1][1:], rows[0][1:], strict=True))[1] == "blue"


def test_the_lines_and_columns_of_a_sample(handlens: Handlens, trained: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "red" / "broken.png").unlink()
    sample = tmp_path / "sample_submission.csv"
    sample.write_text("image_id,blue,red,green\n7,0,0,0\n2.png,0,0,0\n", encoding="utf-8")
    work = ("export", trained, "--to", tmp_path / "a.csv", "--on", folder / "red", "--like", sample)
    assert handlens(*work).code == 0
    rows = read(tmp_path / "a.csv")
    assert rows[0] == ["image_id", "blue", "red", "green"] and [row[0] for row in rows[1:]] == ["7", "2.png"]
    assert all(float(row[2]) > 0.5 for row in rows[1:])
    sample.write_text("image_id,blue,red,green\n7,0,0,0\nabsent,0,0,0\n", encoding="utf-8")
    done = handlens(*work)
    assert done.code == 1 and "1 line of sample_submission.csv has no answer, e.g. absent." in done.err
    sample.write_text("image_id,blue,red,rose\n7,0,0,0\n", encoding="utf-8")
    done = handlens(*work)
    assert done.code == 1 and "These differ: green and rose." in done.err


def test_the_test_samples_without_a_folder(handlens: Handlens, trained: Path, tmp_path: Path) -> None:
    assert handlens("export", trained, "--to", tmp_path / "a.csv").code == 0
    with Project.open(trained, to_read=True) as opened:
        classes = [item.name for item in opened.classes()]
        test = {s.path: classes[s.label] for s in opened.samples() if s.split == "test" and s.label is not None}
    assert dict(read(tmp_path / "a.csv")[1:]) == test
    (tmp_path / "labels.csv").write_text("file,class\na.png,red\n", encoding="utf-8")
    done = handlens("export", trained, "--to", tmp_path / "labels.csv")
    assert done.code == 1 and "is another table" in done.err
    assert handlens("export", trained, "--to", tmp_path / "a.onnx", "--on", tmp_path).code == 2
