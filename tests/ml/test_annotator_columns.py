"""Label tables with a column for each person: the majority counts, ties stay without a label, and both are said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.core.errors import HandlensError
from ml.core.messages import english
from ml.core.scan_report import LabelIssue
from ml.project.labelfiles.read import read_labels
from ml.project.labelfiles.types import LabelReading
from tests.ml.terminal import Handlens


def read(folder: Path, content: str, paths: list[str]) -> LabelReading:
    (folder / "t.csv").write_text(content, encoding="utf-8")
    return read_labels([folder / "t.csv"], folder, paths, timed=False)


def classes(reading: LabelReading) -> dict[str, tuple[str, ...]]:
    return {path: tuple(labels.classes) for path, labels in reading.by_path.items()}


def issues(reading: LabelReading) -> dict[str, LabelIssue]:
    return {issue.kind: issue for issue in reading.issues}


THREE = "file,anna,ben,carl\na.jpg,cat,cat,dog\nb.jpg,dog,dog,dog\nc.jpg,cat,dog,\nd.jpg,cat,cat,cat\ne.jpg,,,dog\n"
PATHS = [f"{letter}.jpg" for letter in "abcde"]


def test_the_majority_of_three_columns_counts(tmp_path: Path) -> None:
    reading = read(tmp_path, THREE, PATHS)
    assert classes(reading) == {
        "a.jpg": ("cat",), "b.jpg": ("dog",), "c.jpg": (), "d.jpg": ("cat",), "e.jpg": ("dog",),
    }  # fmt: skip
    found = issues(reading)
    assert found["torn"].paths == ("c.jpg",)
    assert (found["disagreed"].count, found["disagreed"].total) == (2, 4)
    assert "73 % of their answers" in english(found["disagreed"].first)
    assert "what each person says in “anna”, “ben” and “carl”" in english(reading.tables[0])
    assert reading.several_in_row == 0
    assert reading.rows == 5


def test_two_people_who_disagree_leave_the_file_without_a_label(tmp_path: Path) -> None:
    rows = "".join(f"{letter}.jpg,cat,{'dog' if letter == 'b' else 'cat'}\n" for letter in "abc")
    rows += "d.jpg,dog,dog\ne.jpg,dog,dog\n"
    reading = read(tmp_path, "image,first look,second look\n" + rows, PATHS)
    assert classes(reading)["b.jpg"] == ()
    assert issues(reading)["torn"].paths == ("b.jpg",)


def test_grades_count_as_classes_where_columns_are_named_after_people(tmp_path: Path) -> None:
    rows = "a.jpg,0,0,1\nb.jpg,1,1,1\nc.jpg,0,1,1\nd.jpg,0,0,0\n"
    reading = read(tmp_path, "file,rater1,rater2,rater3\n" + rows, PATHS)
    assert classes(reading) == {"a.jpg": ("0",), "b.jpg": ("1",), "c.jpg": ("1",), "d.jpg": ("0",)}


def test_a_person_may_be_called_what_a_column_of_people_is(tmp_path: Path) -> None:
    rows = "a.jpg,cat,cat\nb.jpg,dog,dog\nc.jpg,cat,dog\nd.jpg,cat,cat\n"
    reading = read(tmp_path, "file,expert,volunteer\n" + rows, PATHS)
    assert classes(reading) == {"a.jpg": ("cat",), "b.jpg": ("dog",), "c.jpg": (), "d.jpg": ("cat",)}


def test_none_can_be_a_class_that_people_agree_on(tmp_path: Path) -> None:
    rows = "a.jpg,none,none,bird\nb.jpg,bird,bird,bird\nc.jpg,none,none,none\nd.jpg,bird,bird,none\n"
    reading = read(tmp_path, "file,anna,ben,carl\n" + rows, PATHS)
    assert classes(reading) == {"a.jpg": ("none",), "b.jpg": ("bird",), "c.jpg": ("none",), "d.jpg": ("bird",)}


@pytest.mark.parametrize(
    "content",
    [
        "file,left,right\na.jpg,good,bad\nb.jpg,bad,good\nc.jpg,good,bad\nd.jpg,bad,bad\n",  # two sides of a thing
        "file,colour,shape\na.jpg,red,round\nb.jpg,blue,square\nc.jpg,red,round\n",
        "file,width mm,depth mm\na.jpg,1,1\nb.jpg,2,2\nc.jpg,1,1\nd.jpg,2,2\n",
        "file,remark one,remark two\na.jpg,seen at dawn,seen at dawn\nb.jpg,wet,wet\nc.jpg,far,far\n",
    ],
)
def test_columns_that_are_no_people_are_asked_about_as_before(tmp_path: Path, content: str) -> None:
    with pytest.raises(HandlensError) as caught:
        read(tmp_path, content, PATHS)
    assert "not clear which other column contains the class" in english(caught.value.message)


def test_a_column_of_the_class_goes_before_the_people(tmp_path: Path) -> None:
    rows = "a.jpg,cat,cat,dog\nb.jpg,dog,dog,cat\nc.jpg,cat,dog,dog\n"
    reading = read(tmp_path, "file,label,anna,ben\n" + rows, PATHS)
    assert classes(reading) == {"a.jpg": ("cat",), "b.jpg": ("dog",), "c.jpg": ("cat",)}
    assert "disagreed" not in issues(reading)


def test_columns_of_yes_and_no_stay_classes_of_their_own(tmp_path: Path) -> None:
    reading = read(tmp_path, "file,wings,tail\na.jpg,1,1\nb.jpg,0,1\nc.jpg,1,0\n", PATHS)
    assert classes(reading) == {"a.jpg": ("wings", "tail"), "b.jpg": ("tail",), "c.jpg": ("wings",)}


def test_the_project_has_the_majority_and_the_terminal_says_who_disagrees(handlens: Handlens, tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    for number, path in enumerate(PATHS):
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pics" / path)
    (tmp_path / "labels.csv").write_text(THREE, encoding="utf-8")
    done = handlens("new", tmp_path / "p", "--from", tmp_path / "pics", "--labels", tmp_path / "labels.csv", "--json")
    assert done.code == 0, done.err
    created = json.loads(done.out.splitlines()[-1])
    assert created["classes"] == {"cat": 2, "dog": 2}
    assert any("People disagree on 2 of 4 pictures" in str(finding) for finding in created["findings"])
