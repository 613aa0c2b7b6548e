"""`handlens export --int8`: a smaller network that answers nearly the same, and says how nearly."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from ml.inference.package import open_model
from ml.project.project import Project
from ml.runtime.folder import predict_files
from tests.ml.terminal import Handlens

RELEASED = Path(__file__).parents[1] / "fixtures" / "released_0_1"


@pytest.mark.parametrize("name", ["images", pytest.param("recordings", marks=pytest.mark.slow)])
def test_a_network_in_whole_numbers_answers_nearly_the_same(handlens: Handlens, tmp_path: Path, name: str) -> None:
    project = tmp_path / name
    shutil.copytree(RELEASED / "projects" / name, project)
    with Project.open(project) as opened:
        opened.relink(RELEASED / "sources" / name)
        paths = [opened.source_folder / sample.path for sample in opened.samples()][:12]
    done = handlens("export", project, "--run", "1", "--to", tmp_path / "q.handlensmodel", "--int8", "--json")
    assert (done.code, done.err) == (0, "")
    compared = done.lines[0]["compared"]
    assert compared["samples"] > 0 and 0 <= compared["int8"]["score"] <= 1 and compared["int8"]["seconds"] > 0
    small = open_model(tmp_path / "q.handlensmodel")
    large = open_model(project / "runs" / "0001" / "model.onnx")
    assert small.info.classes == large.info.classes
    for one, other in zip(predict_files(small, paths), predict_files(large, paths), strict=True):
        assert np.abs(one.probabilities - other.probabilities).max() < 0.2  # type: ignore[union-attr]
    assert handlens("export", project, "--run", "1", "--to", tmp_path / "q.onnx", "--int8").code == 0
    kinds = {node.op_type for node in onnx.load(tmp_path / "q.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    done = handlens("export", project, "--to", tmp_path / "q.csv", "--int8")
    assert done.code == 2
