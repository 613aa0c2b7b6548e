"""A kind and a task of somebody else's go all the way: nothing in the product knows their names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up_folder import ordered_films

from ml.core.errors import HandlensError
from ml.core.events import Evaluated, Finished
from ml.core.jobs import EvaluateJob, NeverStop, TrainJob
from ml.core.messages import english
from ml.pipeline.worker import Worker
from ml.project.project import Project
from ml.runtime.model import ReleasedModel
from ml.scoring.tasks import task_named
from tests import made_up
from tests.ml.terminal import Handlens


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    with made_up.registered():
        yield


def test_films_in_ordered_classes_are_learned_evaluated_and_predicted(tmp_path: Path, handlens: Handlens) -> None:
    place = ordered_films(tmp_path)

    job = TrainJob(project=place, preset="quick", device="cpu")
    assert job.plugins == ("tests.made_up",)
    *_, finished = Worker().run(job, NeverStop())
    assert isinstance(finished, Finished), finished
    assert finished.test_accuracy == 1.0

    *_, result = Worker().run(EvaluateJob(project=place), NeverStop())
    assert isinstance(result, Evaluated), result
    assert (result.task, result.accuracy, result.interval) == ("ordered", 1.0, None)
    said = handlens("evaluate", place).out
    assert "Near enough on 100% of" in said

    with Project.open(place) as project:
        assert all(sample.start is not None for sample in project.samples())
        info = ReleasedModel.open(project.runs.folder(1) / "model.onnx").info
    assert (info.kind, info.task, info.input_name) == ("films", "ordered", "pixels")

    film = tmp_path / "films" / "3 bright" / "bright-0.film"
    done = handlens("predict", place, film, "--json", "--overlays", tmp_path / "drawn")
    row = json.loads(done.out.splitlines()[0])
    assert row["label"] == "3 bright"
    assert len(row["windows"]) == 2
    assert (tmp_path / "drawn" / "bright-0.film.png").is_file()
    assert handlens("suspicious", place, "--json").code == 0


def test_the_command_line_makes_a_project_of_a_made_up_kind(tmp_path: Path, handlens: Handlens) -> None:
    made_up.film_folder(tmp_path / "films", each=5)
    for place, given in ((tmp_path / "one", ("--kind", "films")), (tmp_path / "two", ())):
        done = handlens("new", place, "--from", tmp_path / "films", "--json", *given)
        assert done.code == 0, done.err
        assert json.loads(done.out.splitlines()[-1])["files"] == 15


def test_without_its_module_the_project_says_what_is_missing(tmp_path: Path) -> None:
    place = ordered_films(tmp_path)
    before = made_up.kinds._kinds.pop("films")
    with pytest.raises(HandlensError) as caught:
        Project.open(place)
    assert "“films”" in english(caught.value.message)
    made_up.kinds._kinds["films"] = before
    with pytest.raises(HandlensError):
        task_named("no such task")
