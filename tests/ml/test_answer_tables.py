"""The table of `handlens predict --csv` when the work is broken off."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from tiny_model import COLOURS, tiny_info

from ml.core.errors import HandlensError
from ml.inference.tables import CsvTable

ROW = {"path": "a.png", "label": "red", "probability": 0.9, "unlike": 0.1, "decision": "accept"}
ROW["top"] = [["red", 0.9], ["green", 0.06], ["blue", 0.04]]


def test_answers_so_far_are_kept(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "answers.csv"
    with pytest.raises(KeyboardInterrupt), CsvTable(target, tiny_info(classes=COLOURS)) as table:
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
        with CsvTable(target, tiny_info(classes=COLOURS)) as table:
            table.add(ROW | {"path": path})
    with pytest.raises(KeyboardInterrupt), CsvTable(target, tiny_info(classes=COLOURS)):
        raise KeyboardInterrupt
    assert "newer.png" in target.read_text() and "older.png" not in target.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]


@pytest.mark.parametrize("what", [b"file,label\na.png,red\n", b"\xff\xd8\xff\xe0"])
def test_no_other_file_is_written_over(tmp_path: Path, what: bytes) -> None:
    """The labels, or the very picture that is asked about."""
    target = tmp_path / "labels.csv"
    target.write_bytes(what)
    with pytest.raises(HandlensError, match=r"is not a table of answers\. Give another name"):
        CsvTable(target, tiny_info(classes=COLOURS))
    with pytest.raises(HandlensError, match="is a folder"):
        CsvTable(tmp_path, tiny_info(classes=COLOURS))
    assert target.read_bytes() == what
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def test_a_place_that_cannot_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HandlensError, match=r"answers\.csv could not be written"):
        CsvTable(tmp_path / "file" / "answers.csv", tiny_info(classes=COLOURS))


def test_answers_get_another_name_where_theirs_cannot_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows no file is replaced that a spreadsheet has open."""
    target = tmp_path / "answers.csv"
    (tmp_path / "answers-2.csv").write_text("of yesterday", encoding="utf-8")
    replace = Path.replace

    def held(self: Path, other: Path) -> Path:
        if Path(other) == target:
            raise PermissionError(13, "Permission denied")
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", held)
    table = CsvTable(target, tiny_info(classes=COLOURS))
    with pytest.raises(HandlensError, match=r"open in another program\. The answers are in .*answers-3\.csv\."), table:
        table.add(ROW)
    assert "a.png" in (tmp_path / "answers-3.csv").read_text(encoding="utf-8-sig")
    assert (tmp_path / "answers-2.csv").read_text(encoding="utf-8") == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers-2.csv", "answers-3.csv"]


def test_answers_are_kept_on_drives_that_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some know nothing of rights, some let nothing be renamed: then the sentence says where the answers are."""

    def refused(*_anything: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    target = tmp_path / "answers.csv"
    monkeypatch.setattr(Path, "chmod", refused)
    with CsvTable(target, tiny_info(classes=COLOURS)) as table:
        table.add(ROW)
    assert "a.png" in target.read_text(encoding="utf-8-sig")
    monkeypatch.setattr(Path, "replace", refused)
    monkeypatch.setattr(Path, "rename", refused)
    table = CsvTable(target, tiny_info(classes=COLOURS))
    with pytest.raises(HandlensError, match=r"The answers are in (.*)\.$") as told, table:
        table.add(ROW | {"path": "b.png"})
    (kept,) = [path for path in tmp_path.iterdir() if path != target]
    assert str(kept) in str(told.value)
    assert "b.png" in kept.read_text(encoding="utf-8-sig")


def test_a_table_that_somebody_holds_is_named_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "answers.csv"
    with CsvTable(target, tiny_info(classes=COLOURS)) as table:
        table.add(ROW)
    opened = Path.open

    def held(self: Path, mode: str = "r", **more: object) -> object:
        if self == target and "+" in mode:
            raise PermissionError(13, "Permission denied")
        return opened(self, mode, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", held)
    with pytest.raises(HandlensError, match=r"answers\.csv could not be written: permission denied"):
        CsvTable(target, tiny_info(classes=COLOURS))


def test_answers_are_kept_where_the_disk_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "answers.csv"
    table = CsvTable(target, tiny_info(classes=COLOURS))
    close = table._stream.close

    def full() -> None:
        close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table._stream, "close", full)
    with pytest.raises(HandlensError, match="the disk is full"), table:
        table.add(ROW)
    assert "a.png" in target.read_text(encoding="utf-8-sig")


def test_any_name_can_stand_in_the_table_and_none_is_a_formula(tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    paths = [os.fsdecode(b"caf\xe9.png"), "=cmd|' /C calc'!A0.png", "-1.png", "plain.png"]
    classes = ("=1+1", "-1", "+x")
    with CsvTable(target, tiny_info(classes=classes)) as table:
        for path in paths:
            table.add(ROW | {"path": path, "label": "=1+1", "top": [["=1+1", 0.9], ["-1", 0.06], ["+x", 0.04]]})
    lines = list(csv.DictReader(target.read_text(encoding="utf-8-sig").splitlines()))
    assert [line["path"] for line in lines] == [
        "caf\\udce9.png",
        "./=cmd|' /C calc'!A0.png",
        "./-1.png",
        "plain.png",
    ]
    assert (lines[0]["label"], lines[0]["label_2"], lines[0]["label_3"]) == ("'=1+1", "-1", "'+x")
