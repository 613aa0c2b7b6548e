"""Prediction on a local Ray of two workers: the same answers as without, in the same order."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small import picture_folder
from tiny_model import write_colour_model

ROOT = Path(__file__).resolve().parents[2]


def _predict(*arguments: object, blocked: bool = False) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.modules['ray'] = None; " if blocked else ""
    program += "from ml.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ""}
    return subprocess.run(
        [sys.executable, "-c", program, "predict", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason='Ray is not installed: pip install "ray[data]"')
def test_a_cluster_says_the_same_in_the_same_order(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", each=70)
    (folder / "disc" / "disc-05.png").write_bytes(b"broken")
    model = write_colour_model(tmp_path / "model.onnx")
    here = _predict(model, folder, "--json", "--csv", tmp_path / "here.csv")
    there = _predict(model, folder, "--json", "--ray", "--csv", tmp_path / "there.csv")
    rows = [[json.loads(line) for line in done.stdout.splitlines()] for done in (here, there)]
    assert len(rows[0]) == 139
    assert [row["path"] for row in rows[1]] == [row["path"] for row in rows[0]]
    assert [(row["label"], row["decision"]) for row in rows[1]] == [(row["label"], row["decision"]) for row in rows[0]]
    assert [row["probability"] for row in rows[1]] == pytest.approx([row["probability"] for row in rows[0]], abs=1e-5)
    assert [done.returncode for done in (here, there)] == [1, 1]
    assert here.stderr.strip() in there.stderr
    assert "Traceback" not in there.stderr
    texts = [(tmp_path / name).read_text(encoding="utf-8-sig") for name in ("here.csv", "there.csv")]
    tables = [list(csv.reader(text.splitlines())) for text in texts]
    assert [row[:2] for row in tables[0]] == [row[:2] for row in tables[1]]


def test_without_ray_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    picture_folder(tmp_path / "pictures", each=1)
    done = _predict(write_colour_model(tmp_path / "model.onnx"), tmp_path / "pictures", "--ray", blocked=True)
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0
    assert 'pip install "ray[data]"' in done.stderr
