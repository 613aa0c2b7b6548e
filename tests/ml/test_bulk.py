"""Answers about very many files: found in order, written down one by one, continued, and sorted into folders."""

from __future__ import annotations

import csv
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_model import COLOURS, tiny_info, write_colour_model

from ml.commands import predict as command
from ml.core.errors import HandlensError
from ml.inference.bulk import AnswerList, Work
from ml.inference.sorting import ClassFolders, folder_names
from ml.inference.tables import ExcelTable, ParquetTable
from ml.project.scan import folder as search
from ml.runtime.folder import count_inputs, find_inputs
from tests.ml.terminal import Handlens

WORK = Work("0" * 64, ("/pictures",))


def paths_of(table: Path) -> list[str]:
    with table.open(encoding="utf-8-sig", newline="") as stream:
        return [Path(row["path"]).name for row in csv.DictReader(stream)]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def row_about(path: Path | str) -> dict[str, Any]:
    return {"path": str(path), "label": "red", "decision": "accept", "top": []}


def test_a_search_is_sorted_though_few_names_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["b.png", "a/z.png", "a-b.png", "a.png", "a/b/c.png", "aa/1.png", *(f"n{n}.png" for n in range(20))]
    for name in names:
        touch(tmp_path / name)
    (tmp_path / "self.png").symlink_to("self.png")
    monkeypatch.setattr(search, "NAMES_AT_ONCE", 3)
    found = find_inputs([tmp_path], tiny_info())
    assert [str(path) for path in found] == sorted(str(tmp_path / name) for name in [*names, "self.png"])
    assert count_inputs([tmp_path], tiny_info()) == len(found)


def test_a_torn_line_is_answered_again(tmp_path: Path) -> None:
    target = tmp_path / "answers.csv.unfinished"
    with AnswerList(target, WORK) as answers:
        answers.add(row_about("/pictures/a.png"))
        answers.add(row_about("/pictures/b.png"))
    torn = target.read_bytes()[:-5]
    target.write_bytes(torn)
    files = [Path(f"/pictures/{name}.png") for name in "abc"]
    with AnswerList(target, WORK, resume=True) as answers:
        assert answers.answered == 1
        assert list(answers.unanswered(lambda: iter(files))) == files[1:]
        answers.add(row_about("/pictures/b.png"))
        assert [row["path"][-5] for row in answers.rows()] == ["a", "b"]


def test_files_that_came_or_went_since_are_no_trouble(tmp_path: Path) -> None:
    undecodable = os.fsdecode(b"/pictures/caf\xe9.png")
    with AnswerList(tmp_path / "list", WORK) as answers:
        for name in ("/pictures/b.png", undecodable, "/pictures/d.png"):
            answers.add(row_about(name))
    now = [Path(name) for name in ("/pictures/a.png", "/pictures/b.png", undecodable, "/pictures/e.png")]
    with AnswerList(tmp_path / "list", WORK, resume=True) as answers:
        assert list(answers.unanswered(lambda: iter(now))) == [now[0], now[3]]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (Work("1" * 64, WORK.inputs), "begun with another model"),
        (Work(WORK.model, ("/sounds",)), "begun with other files or folders"),
        (None, "is damaged or not a list of answers"),
    ],
)
def test_other_work_is_not_continued(tmp_path: Path, other: Work | None, sentence: str) -> None:
    target = tmp_path / "list"
    with AnswerList(target, WORK) as answers:
        answers.add(row_about("a.png"))
    if other is None:
        target.write_bytes(b"path,label\na.png,red\n")
    before = target.read_bytes()
    with pytest.raises(HandlensError, match=sentence):
        AnswerList(target, other or WORK, resume=True)
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["list"]


def test_an_unfinished_list_is_lost_to_nobody(tmp_path: Path) -> None:
    with AnswerList(tmp_path / "list", WORK) as answers:
        answers.add(row_about("a.png"))
        with pytest.raises(HandlensError, match="Another process is writing"):
            AnswerList(tmp_path / "list", WORK, resume=True)
    with pytest.raises(HandlensError, match="Add --resume to continue it"):
        AnswerList(tmp_path / "list", WORK)


def test_a_run_that_is_interrupted_continues(
    handlens: Handlens, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    work = ("predict", model, folder, "--csv", tmp_path / "t.csv")
    answer = command.predict_files

    def interrupted(*given: Any, **more: Any) -> Iterator[Any]:
        for number, result in enumerate(answer(*given, **more)):
            if number == 12:
                raise KeyboardInterrupt
            yield result

    with monkeypatch.context() as patch:
        patch.setattr(command, "predict_files", interrupted)
        assert handlens(*work).code == 130
    first = paths_of(tmp_path / "t.csv")
    assert len(first) == 12
    done = handlens(*work)
    assert (done.code, done.err.count("\n")) == (1, 1) and "Add --resume to continue it" in done.err
    done = handlens(*work, "--resume", "--json")
    assert len(done.lines) == 30 - 12
    assert done.err.endswith("1 of 31 files could not be read. The reasons are in the table.\n")
    rows = paths_of(tmp_path / "t.csv")
    assert (rows[:12], len(rows)) == (first, 31)
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "pictures", "t.csv"}
    done = handlens(*work, "--resume")
    assert (done.code, done.out) == (0, "") and "is complete" in done.err
    assert handlens("predict", model, folder, "--resume").code == 2


def test_files_are_copied_into_folders_of_their_classes(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    Image.new("RGB", (40, 40), "#808080").save(folder / "red" / "grey.png")
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    for _ in range(2):
        done = handlens("predict", model, folder, "--sort-into", tmp_path / "sorted")
        assert f"31 copies, sorted into folders: {tmp_path / 'sorted'}\n" in done.out
        names = {str(path.relative_to(tmp_path / "sorted")) for path in (tmp_path / "sorted").rglob("*.png")}
        assert names == {f"{name}/{n}.png" for name in COLOURS for n in range(10)} | {"set aside/grey.png"}
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before
    for inside in (folder, folder / "new", tmp_path):
        done = handlens("predict", model, folder, "--sort-into", inside)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert "or around it" in done.err
    assert not (folder / "new").exists()


def test_no_copy_takes_the_place_of_another_file(tmp_path: Path) -> None:
    sources = [tmp_path / name / "1.png" for name in ("a", "b", "c")]
    for source, content in zip(sources, (b"one", b"two", b"one"), strict=True):
        touch(source).write_bytes(content)
    touch(tmp_path / "sorted" / "red" / "1.png").write_bytes(b"the user's")
    folders = ClassFolders(tmp_path / "sorted", COLOURS, [tmp_path / "a"])
    copies = [folders.copy(row_about(source))[0].name for source in sources]
    assert copies == ["1-2.png", "1-3.png", "1-2.png"]
    assert (tmp_path / "sorted" / "red" / "1.png").read_bytes() == b"the user's"


def test_any_class_has_a_folder(tmp_path: Path) -> None:
    classes = ("Rose", "rose", "..", "a/b", "a\\b", "CON", "con.txt", " x. ", "\x1b[31m", "é" * 200, "", ".hidden")
    names = folder_names(classes)
    assert len({name.casefold() for name in names.values()}) == len(classes)
    for name in names.values():
        (tmp_path / name).mkdir()
        assert (tmp_path / name).parent == tmp_path and (tmp_path / name).resolve().parent == tmp_path.resolve()
        assert name.isprintable() and not set(name) & set('<>:"/\\|?*') and not name.startswith(".")
    assert names["CON"] == "_CON"


def test_text_in_excel_is_no_formula_and_nothing_else_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "answers.xlsx"
    for _ in range(2):
        with ExcelTable(target, tiny_info(classes=("=1+1", "b"))) as table:
            table.add(row_about("=cmd|' /C calc'!A0.png") | {"label": "=1+1", "probability": 0.5})
            table.add(row_about(os.fsdecode(b"caf\xe9\x1b.png")))
    with zipfile.ZipFile(target) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet and "=cmd|" in sheet and "caf\\udce9\\x1b.png" in sheet
    for other in (b"PK\x03\x04 of the user's", b"text"):
        target.write_bytes(other)
        with pytest.raises(HandlensError, match="is not a table of answers"):
            ExcelTable(target, tiny_info())
        assert target.read_bytes() == other


def test_parquet_has_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    target = tmp_path / "answers.parquet"
    for _ in range(2):
        with ParquetTable(target, tiny_info()) as table:
            table.add(row_about("a.png") | {"probability": 0.5, "unlike": 0.1, "top": [["red", 0.5], ["blue", 0.25]]})
            table.add({"path": "b.png", "decision": "unreadable", "reason": "no picture"})
    found = parquet.read_table(target).to_pydict()
    assert (found["path"], found["probability"], found["probability_2"], found["label_2"], found["reason"]) == (
        ["a.png", "b.png"],
        [0.5, None],
        [0.25, None],
        ["blue", None],
        [None, "no picture"],
    )
    shutil.copy(__file__, target)
    with pytest.raises(HandlensError, match="is not a table of answers"):
        ParquetTable(target, tiny_info())


def test_parquet_without_its_library_is_one_sentence(
    handlens: Handlens, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    model = write_colour_model(tmp_path / "model.onnx")
    done = handlens("predict", model, folder, "--parquet", tmp_path / "t.parquet")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert 'pip install "handlens[parquet]"' in done.err
