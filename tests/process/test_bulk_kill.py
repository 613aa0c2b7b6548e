"""A prediction over many files that is killed with SIGKILL loses no file and answers about none twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image
from tiny_model import write_colour_model

from tests.process.bulk_kills import link_files, predict_with_kills, times_answered

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


@pytest.mark.slow  # three processes
def test_a_killed_prediction_loses_no_file_and_answers_none_twice(tmp_path: Path) -> None:
    sources = [tmp_path / f"{name}.png" for name in ("red", "green", "blue", "broken")]
    for path in sources[:3]:
        Image.new("RGB", (24, 24), path.stem).save(path)
    sources[3].write_bytes(b"no picture")
    (tmp_path / "many").mkdir()
    links = link_files(sources, tmp_path / "many", 400)
    table = tmp_path / "answers.csv"
    ends = list(predict_with_kills(write_colour_model(tmp_path / "m.onnx"), tmp_path / "many", table, kills=[60, 100]))
    assert [end.killed for end in ends] == [True, True, False]
    assert times_answered(table) == dict.fromkeys(map(str, links), 1)
    assert sorted(path.name for path in tmp_path.glob("*answers*")) == ["answers.csv"]
