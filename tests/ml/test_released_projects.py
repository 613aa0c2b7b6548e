"""Projects and models that an earlier Handlens made open, predict, evaluate, resume and export as they did then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ml.cli import main

FIXTURES = Path(__file__).parents[1] / "fixtures" / "released_0_1"
PROJECTS = ("images", "multi", "recordings", "sensors")


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A copy: opening a project may write to it."""
    copy = tmp_path / "released"
    shutil.copytree(FIXTURES, copy)
    for settings in copy.rglob("settings.toml"):
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("WEIGHTS", (copy / "weights.safetensors").as_posix()), encoding="utf-8")
    return copy


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """What a command prints with --json, and ends with `code`."""
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--json"])
    printed = capsys.readouterr()
    assert end.value.code == code, printed.err + printed.out
    return [json.loads(line) for line in printed.out.splitlines()]


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_predicts_and_evaluates_as_it_did(
    released: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project, sources = released / "projects" / name, released / "sources" / name
    expected = [json.loads(line) for line in (FIXTURES / "expected" / f"{name}.predict.jsonl").read_text().splitlines()]
    code = 1 if (sources / "red" / "broken.png").exists() else 0
    answers = run(capsys, "predict", str(project), str(sources), code=code)
    found = {Path(row["path"]).relative_to(released / "sources").as_posix(): row for row in answers}
    assert len(found) == len(expected)
    for row in expected:
        now = found[row["path"]]
        assert now["decision"] == row["decision"]
        for key in ("label", "labels"):
            assert now.get(key) == row.get(key)
        for key in ("probability", "unlike"):
            assert now.get(key) == pytest.approx(row.get(key), abs=1e-3)
    before = json.loads((FIXTURES / "expected" / f"{name}.evaluate.json").read_text())
    now = run(capsys, "evaluate", str(project))[-1]
    for key in ("accuracy", "n", "confusion", "ece"):
        assert now[key] == pytest.approx(before[key], abs=1e-3) if key == "ece" else now[key] == before[key]


@pytest.mark.parametrize("name", PROJECTS)
def test_a_run_is_listed_and_exported(released: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    project = released / "projects" / name
    runs = run(capsys, "runs", str(project))
    assert runs[0]["state"] == "finished"
    target = released / "out.onnx"
    run(capsys, "export", str(project), "--run", "1", "--to", str(target))
    assert target.stat().st_size > 100_000
    (released / "sources" / "images" / "red" / "broken.png").unlink()
    assert run(capsys, "predict", str(target), str(released / "sources" / name))


def test_an_interrupted_run_is_resumed(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = released / "projects" / "images"
    events = run(capsys, "train", str(project), "--resume")
    started = next(event for event in events if event["event"] == "started")
    assert started["resumed"] and started["run"] == 2
    assert next(event for event in events if event["event"] == "epoch")["epoch"] == 3, "two of four were done"
    assert events[-1]["event"] == "finished" and events[-1]["test_accuracy"] >= 0.8


def test_it_learns_anew_from_an_old_project(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backbone = ("--backbone", "test_efficientnet.r160_in1k", "--weights", str(released / "weights.safetensors"))
    events = run(capsys, "train", str(released / "projects" / "multi"), "--preset", "quick", *backbone)
    assert events[-1]["event"] == "finished" and events[-1]["run"] == 2
