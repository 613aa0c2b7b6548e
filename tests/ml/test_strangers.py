"""A stranger's project folder and model file end in one sentence that names the file, and change nothing outside."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnx
import pytest
from fabricate import add_run, image_folder, project_of
from hostile import (
    HUGE,
    MODEL_FAULTS,
    PROJECT_FAULTS,
    RUN_FAULTS,
    SILENT_RUN_FAULTS,
    hostile_models,
    hostile_projects,
    hostile_runs,
)
from onnx import numpy_helper
from PIL import Image
from small import create
from tiny_model import COLOURS, SIZE, write_colour_model

from ml.core.errors import DamagedProjectError, HandlensError
from ml.core.untrusted import parse_json
from ml.evaluation.findings_file import read_findings
from ml.project.backup import COPIES, backups
from ml.project.estimate import estimate_seconds
from ml.project.project import Project
from ml.runtime.graph_check import check_graph
from ml.runtime.model import ReleasedModel
from ml.runtime.session import most_memory
from tests.ml.terminal import Done, Handlens


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A small project with a finished run, closed."""
    made = project_of(image_folder(tmp_path / "fruit", each=5), tmp_path / "Fruit.handlens")
    add_run(made)
    made.close()
    return made.path


def _refused(done: Done, *names: str) -> str:
    """The one sentence (and what to do) that a refusal prints, which is no fault of Handlens and names a file."""
    assert done.code == 1
    assert len(done.err.splitlines()) == 1 and len(done.err) < 1000, done.err
    assert not any(words in done.err for words in ("nternal error", "fault in Handlens", "HANDLENS_DEBUG")), done.err
    assert any(name in done.err for name in names), done.err
    return done.err


def test_every_crafted_project_is_refused_in_a_sentence(handlens: Handlens, base: Path) -> None:
    tried = []
    for name, crafted in hostile_projects(base):
        tried.append(name)
        before = _listing(crafted)
        said = _refused(handlens("runs", crafted), "project.db", "cache", "runs", "backups", ".studio.lock")
        assert crafted.name in said, name
        _refused(handlens("evaluate", crafted, "--json"), crafted.name)
        assert _listing(crafted) - before <= {"project.db-wal", "project.db-shm"}, name
    assert len(tried) == len(PROJECT_FAULTS) >= 40
    outside = base.with_name("outside")
    assert not list(outside.iterdir()) and outside.with_name("outside.txt").read_text() == "precious"


def _listing(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def test_every_crafted_run_is_refused_in_a_sentence(handlens: Handlens, base: Path) -> None:
    tried = [name for name, crafted in hostile_runs(base) if _refused(handlens("evaluate", crafted), "predictions")]
    assert len(tried) == len(RUN_FAULTS)


@pytest.mark.parametrize("name", SILENT_RUN_FAULTS)
def test_what_only_adds_to_a_run_may_be_damaged(handlens: Handlens, base: Path, name: str) -> None:
    SILENT_RUN_FAULTS[name](base)
    assert handlens("evaluate", base, "--json").code == 0
    with Project.open(base, to_read=True) as project:
        assert estimate_seconds(project, "quick") > 0
        assert project.runs.target_error(1) is None
        assert read_findings(project.runs.folder(1)) == ()
        for epoch in project.runs.history(1):
            assert epoch.train_loss is None and epoch.valid_loss is None and epoch.accuracy is None


def test_every_crafted_model_is_refused_in_a_sentence(handlens: Handlens, tmp_path: Path) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    Image.new("RGB", (SIZE, SIZE), "red").save(tmp_path / "red.png")
    assert handlens("predict", model, tmp_path / "red.png").code == 0
    tried = []
    for name, crafted in hostile_models(model):
        tried.append(name)
        said = handlens("predict", crafted, tmp_path / "red.png")
        _refused(said, "“odd”" if name == "unknown task" else crafted.name)
    assert len(tried) == len(MODEL_FAULTS) >= 30


def test_a_folder_with_the_name_of_a_model_is_refused_in_a_sentence(handlens: Handlens, tmp_path: Path) -> None:
    folder = tmp_path / "x.onnx"
    folder.mkdir()
    said = _refused(handlens("predict", folder, tmp_path), str(folder))
    assert said == f"{folder} is a folder and not a model. Choose the file of a model.\n"
    _refused(handlens("evaluate", folder), str(folder))


def test_a_graph_cannot_use_all_of_the_memory() -> None:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert most_memory() <= max(physical // 2, 4 << 30)


def test_a_graph_that_fails_writes_nothing_of_its_own_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_colour_model(tmp_path / "model.onnx")
    for name, crafted in hostile_models(tmp_path / "model.onnx"):
        if name == "tensor of 360 GB":
            with pytest.raises(HandlensError, match="could not be run"):
                ReleasedModel.open(crafted).predict(np.zeros((1, SIZE, SIZE, 3), dtype=np.uint8))
    assert capfd.readouterr() == ("", "")


def test_a_graph_in_an_attribute_is_looked_through_as_well(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(np.zeros(3, dtype=np.float32), "far")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    inner = onnx.helper.make_graph([], "inner", [], [], [tensor])
    node = onnx.helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "outer", [], []))
    with pytest.raises(ValueError, match="another file"):
        check_graph(model.SerializeToString())


def test_json_that_is_deep_long_or_cut_off_is_refused_at_once() -> None:
    for text in ("[" * 200_000, '{"a":' * 200_000, '"' + '\\"' * 1_000_000, " " * HUGE, "[1,"):
        with pytest.raises(ValueError, match=r".+"):
            parse_json(text)
    assert parse_json('{"a": "' + "[" * 42 + '"}') == {"a": "[" * 42}


# -- backups -----------------------------------------------------------------------------------------------------------


def _spoil(project: Path) -> None:
    (project / "project.db").write_bytes(b"noise" * 4000)


def test_a_project_is_backed_up_once_a_day_and_three_copies_are_kept(base: Path) -> None:
    (today,) = backups(base)
    stamp = today.stat().st_mtime_ns
    Project.open(base).close()
    assert [path.stat().st_mtime_ns for path in backups(base)] == [stamp]
    for days in range(1, 6):
        earlier = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
        shutil.copyfile(today, today.with_name(f"project-{earlier}.db"))
    today.unlink()
    Project.open(base).close()
    assert len(backups(base)) == COPIES
    assert backups(base)[0] == today
    assert _listing(base / "backups") == {path.name for path in backups(base)}


def test_reading_a_project_makes_no_backup(base: Path) -> None:
    shutil.rmtree(base / "backups")
    Project.open(base, to_read=True).close()
    assert not (base / "backups").exists()


def test_a_damaged_project_is_restored_from_its_backup(handlens: Handlens, base: Path) -> None:
    (backup,) = backups(base)
    day = backup.stem.removeprefix("project-")
    _spoil(base)
    said = _refused(handlens("runs", base), "project.db")
    assert day in said and f'handlens restore "{base}"' in said
    with pytest.raises(DamagedProjectError) as raised:
        Project.open(base)
    assert raised.value.backup == day

    done = handlens("restore", base, "--json")
    assert done.code == 0
    (event,) = done.lines
    assert event["event"] == "restored" and event["day"] == day
    assert Path(event["damaged"]).read_bytes() == b"noise" * 4000
    with Project.open(base) as project:
        assert [item.name for item in project.classes()] == ["apple", "pear", "plum"]
        assert len(project.samples()) == 15


def test_without_a_backup_there_is_nothing_to_restore(handlens: Handlens, base: Path) -> None:
    shutil.rmtree(base / "backups")
    _spoil(base)
    assert "handlens restore" not in _refused(handlens("runs", base), "project.db")
    assert "no sound backup" in _refused(handlens("restore", base), base.name)
    assert (base / "project.db").read_bytes() == b"noise" * 4000


def test_a_damaged_backup_is_passed_over(handlens: Handlens, base: Path) -> None:
    (today,) = backups(base)
    earlier = today.with_name(f"project-{(datetime.now(UTC) - timedelta(days=1)).date().isoformat()}.db")
    shutil.copyfile(today, earlier)
    today.write_bytes(b"noise" * 1000)
    _spoil(base)
    assert handlens("restore", base, "--json").lines[0]["day"] in earlier.name


def test_a_project_in_use_is_not_restored(handlens: Handlens, base: Path) -> None:
    with Project.open(base) as project, project.lock("studio"):
        assert "in use" in _refused(handlens("restore", base), base.name)


def test_changes_that_are_not_yet_in_the_file_are_in_the_backup(base: Path) -> None:
    shutil.rmtree(base / "backups")
    with Project.open(base, to_read=True) as reader:
        reader.samples()
        with closing(sqlite3.connect(base / "project.db")) as writer, writer:
            writer.execute("INSERT INTO class VALUES (3, 'quince')")
        assert (base / "project.db-wal").stat().st_size > 0
        Project.open(base).close()
    with closing(sqlite3.connect(backups(base)[0])) as copy:
        assert copy.execute("SELECT count(*) FROM class").fetchone() == (4,)


def test_a_project_opens_although_it_cannot_be_backed_up(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(base / "backups")
    (base / "backups").write_text("a file in the way", encoding="utf-8")
    with Project.open(base) as project:
        assert len(project.samples()) == 15


def test_a_class_name_that_no_project_can_hold_is_refused_before_it_is_written(base: Path) -> None:
    with Project.open(base) as project, pytest.raises(HandlensError, match="too long"):
        project.add_class("x" * 2000)
    Project.open(base).close()


def test_an_answer_of_a_model_from_another_project_is_refused(handlens: Handlens, trained: Path) -> None:
    path = trained / "runs" / "0001" / "model.onnx"
    model = onnx.load(path)
    values = json.loads(model.metadata_props[0].value)
    model.metadata_props[0].value = json.dumps({**values, "present_above": [0.5] * len(COLOURS), "task_name": ""})
    onnx.save(model, path)
    _refused(handlens("export", trained, "--to", trained.parent / "out.onnx", "--wrong-at-most", "5%"), "model.onnx")


def test_a_project_with_splits_that_came_as_folders_opens_again(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "val", "test")):
        for name in ("ant", "bee"):
            for number in range(3):
                picture = tmp_path / "insects" / split / name / f"{number}.png"
                picture.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 8), (40 * place, 80 * number, 200 if name == "bee" else 0)).save(picture)
    create(tmp_path / "insects", tmp_path / "p.handlens").close()
    with Project.open(tmp_path / "p.handlens") as project:
        assert {sample.split for sample in project.samples()} == {"train", "valid", "test"}
