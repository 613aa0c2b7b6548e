"""The table of `handlens predict --csv` when the work is broken off."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tiny_model import COLOURS, tiny_info

from ml.commands.table import AnswerTable
from ml.errors import HandlensError

ROW = {"path": "a.png", "label": "red", "probability": 0.9, "unlike": 0.1, "decision": "accept"}
ROW["top"] = [["red", 0.9], ["green", 0.06], ["blue", 0.04]]


def test_answers_so_far_are_kept(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "answers.csv"
    with pytest.raises(KeyboardInterrupt), AnswerTable(target, tiny_info(classes=COLOURS)) as table:
        table.add(ROW)
        assert not target.exists(), "nobody takes half a table for the whole one"
        raise KeyboardInterrupt
    lines = list(csv.DictReader(target.read_text(encoding="utf-8-sig").splitlines()))
    assert [(line["path"], line["label"], line["label_2"], line["probability_3"]) for line in lines] == [
        ("a.png", "red", "green", "0.04")
    ]
    assert [path.name for path in target.parent.iterdir()] == ["answers.csv"]


def test_an_older_table_is_not_lost_to_nothing(tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    for path in ("older.png", "newer.png"):
        with AnswerTable(target, tiny_info(classes=COLOURS)) as table:
            table.add(ROW | {"path": path})
    with pytest.raises(KeyboardInterrupt), AnswerTable(target, tiny_info(classes=COLOURS)):
        raise KeyboardInterrupt
    assert "newer.png" in target.read_text() and "older.png" not in target.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]


@pytest.mark.parametrize("what", [b"file,label\na.png,red\n", b"\xff\xd8\xff\xe0"])
def test_no_other_file_is_written_over(tmp_path: Path, what: bytes) -> None:
    """The labels, or the very picture that is asked about."""
    target = tmp_path / "labels.csv"
    target.write_bytes(what)
    with pytest.raises(HandlensError, match="is no table of answers; give another name"):
        AnswerTable(target, tiny_info(classes=COLOURS))
    with pytest.raises(HandlensError, match="is a folder"):
        AnswerTable(tmp_path, tiny_info(classes=COLOURS))
    assert target.read_bytes() == what
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def test_a_place_that_cannot_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HandlensError, match=r"answers\.csv could not be written"):
        AnswerTable(tmp_path / "file" / "answers.csv", tiny_info(classes=COLOURS))
