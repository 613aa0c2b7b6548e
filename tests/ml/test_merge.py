"""Two people label copies of one project: what only one of them said is taken over, what both said is listed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fabricate import image_folder, project_of
from typer.testing import CliRunner

from ml.cli import build_app
from ml.core.errors import HandlensError
from ml.project.merge import apply_merge, plan_merge
from ml.project.project import Project
from ml.project.remarks import Remark


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Path, Path]:
    """A project of nine pictures and a copy of it."""
    project_of(image_folder(tmp_path / "fruit", each=3), tmp_path / "one.handlens").close()
    shutil.copytree(tmp_path / "one.handlens", tmp_path / "two.handlens")
    return tmp_path / "one.handlens", tmp_path / "two.handlens"


def ids(project: Project) -> list[int]:
    return [sample.id for sample in project.samples()]


def test_labels_that_only_one_has_changed_are_taken_over(copies: tuple[Path, Path]) -> None:
    one, two = copies
    with Project.open(two) as theirs:
        owl = theirs.add_class("quince").index
        first, second, third, fourth, fifth, *_ = ids(theirs)
        theirs.set_labels([first, second, third], [owl], annotator="jo")
        theirs.restore_labels([(fourth, ())], annotator="jo", origins={fourth: "ignored"})
        theirs.set_remarks({fifth: Remark(flagged=True, note="blurred")}, annotator="jo")
    with Project.open(one) as own:
        own.set_labels([second], [1], annotator="ann")  # both have changed it
        own.set_labels([third], [2], annotator="ann")
        own.restore_labels([(third, (0,))], annotator="ann", origins={third: "import"})  # and undone
        plan = plan_merge(own, two)
        assert [(each.own, each.own_by, each.other, each.other_by) for each in plan.disagreements] == [
            (("pear",), "ann", ("quince",), "jo")
        ]
        apply_merge(own, plan)
    with Project.open(one) as own:
        samples = {sample.id: sample for sample in own.samples()}
        names = [item.name for item in own.classes()]
        assert [names[samples[each].labels[0]] for each in (first, second, third)] == ["quince", "pear", "quince"]
        assert samples[fourth].ignored and own.remarks() == {fifth: Remark(True, "blurred")}
        last = own.history(first)[-1]
        assert (last.annotator, last.origin, last.old, last.new) == ("jo", "person", (0,), (3,)), "who said it"
        again = plan_merge(own, two)
        assert not again.taken and len(again.disagreements) == 1


def test_what_only_i_have_changed_stays(copies: tuple[Path, Path]) -> None:
    one, two = copies
    with Project.open(one) as own:
        own.set_labels(ids(own)[:3], [1])
        plan = plan_merge(own, two)
        assert not plan.taken and not plan.disagreements


def test_the_command_lists_disagreements(copies: tuple[Path, Path]) -> None:
    one, two = copies
    for path, index, who in ((one, 1, "ann"), (two, 2, "jo")):
        with Project.open(path) as project:
            project.set_labels(ids(project)[:1], [index], annotator=who)
    with Project.open(two) as theirs:
        theirs.set_labels(ids(theirs)[4:5], [2], annotator="jo")
    run = CliRunner().invoke(build_app(), ["merge", str(one), str(two)])
    assert run.exit_code == 0, run.stderr
    assert "Took over the labels of 1 sample." in run.stdout and "1 sample has another label here" in run.stdout
    assert "pear" in run.stdout and "plum" in run.stdout and "jo" in run.stdout


def test_another_project_is_refused(copies: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "others"
    image_folder(folder, each=1)
    for path in folder.rglob("*.png"):
        path.write_bytes(path.read_bytes() + b"x")
        path.rename(path.with_name(f"other {path.name}"))
    project_of(folder, tmp_path / "three.handlens").close()
    with Project.open(copies[0]) as own, pytest.raises(HandlensError, match="has no sample of"):
        plan_merge(own, tmp_path / "three.handlens")
    with Project.open(copies[0]) as own, pytest.raises(HandlensError, match="this project itself"):
        plan_merge(own, copies[0])


def test_notes_stay_and_older_projects_get_them_with_the_first(copies: tuple[Path, Path]) -> None:
    one, _two = copies
    with Project.open(one) as own, own._store.writing() as connection:
        connection.exec_driver_sql("DROP TABLE remark")
    with Project.open(one, to_read=True) as own:
        assert own.remarks() == {}
    with Project.open(one) as own:
        first, second, *_ = ids(own)
        own.set_remarks({first: Remark(True, "a"), second: Remark(False, "b")})
        own.set_remarks({first: Remark()})
    with Project.open(one) as own:
        assert own.remarks() == {second: Remark(False, "b")}
