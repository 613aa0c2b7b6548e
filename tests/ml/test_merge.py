"""Two people label copies of one project: what only one of them said is taken over, what both said is listed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fabricate import image_folder, project_of, sound_folder
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


def state(project: Project) -> dict[int, tuple[object, ...]]:
    """What counts now: labels with their parts, where they came from, notes, classes in use."""
    states = {each.sample_id: (each.labels, each.origin) for each in project.label_states().values()}
    classes = tuple(item.name for item in project.classes() if not item.retired)
    return {**states, -1: (project.remarks(), classes)}


def merge(*words: object) -> tuple[int, str, str]:
    run = CliRunner().invoke(build_app(), ["merge", *map(str, words)])
    return run.exit_code, run.stdout, run.stderr


def test_a_merge_is_taken_back_and_the_history_grows(copies: tuple[Path, Path]) -> None:
    one, two = copies
    with Project.open(two) as theirs:
        owl = theirs.add_class("quince").index
        first, second, third, fourth, fifth, sixth, *_ = ids(theirs)
        theirs.set_labels([first, second], [owl], annotator="jo")
        theirs.restore_labels([(third, None)], annotator="jo")
        theirs.restore_labels([(fourth, ())], annotator="jo", origins={fourth: "ignored"})
        theirs.set_remarks({fifth: Remark(flagged=True, note="blurred"), sixth: Remark(note="?")}, annotator="jo")
    with Project.open(one) as own:
        before, lengths = state(own), {each: len(own.history(each)) for each in ids(own)}
    assert merge(one, two)[0] == 0
    with Project.open(one) as own:
        assert state(own) != before
        own.set_remarks({sixth: Remark(note="a pear")})  # a later note stays
    code, told, _problem = merge(one, "--undo", "--dry-run")
    assert code == 0 and "4 samples have the labels again" in told
    code, told, _problem = merge(one, "--undo")
    told = " ".join(told.split())
    assert code == 0 and "The merge of “two.handlens” is taken back: 4 samples" in told
    assert "1 note or flag is gone. 1 note or flag was changed since and stays." in told
    with Project.open(one) as own:
        after = state(own)
        assert {key: value for key, value in after.items() if key > 0} == {k: v for k, v in before.items() if k > 0}
        assert after[-1] == ({sixth: Remark(note="a pear")}, before[-1][1]), "and no class quince"
        assert all(len(own.history(each)) == lengths[each] + 2 for each in (first, second, third, fourth))
        assert len(own.history(fifth)) == lengths[fifth]
    code, _told, problem = merge(one, "--undo")
    assert code == 1 and "no merge to take back" in problem


def test_a_label_that_was_given_since_is_named_and_nothing_is_taken_back(copies: tuple[Path, Path]) -> None:
    one, two = copies
    with Project.open(two) as theirs:
        first, second, third, *_ = ids(theirs)
        theirs.set_labels([first, second], [2], annotator="jo")
    assert merge(one, two)[0] == 0
    with Project.open(one) as own:
        own.set_labels([second], [1], annotator="ann")
        own.set_labels([third], [1], annotator="ann")  # the merge did not touch it
        after = state(own)
        path = own.samples()[1].path
    code, _told, problem = merge(one, "--undo")
    assert code == 1 and path in problem and "1 of its samples was labelled again since" in " ".join(problem.split())
    with Project.open(one) as own:
        assert state(own) == after
        own.restore_labels([(second, (0,))], origins={second: "import"})  # back by hand: now it can be respected
    assert merge(one, "--undo")[0] == 0
    with Project.open(one) as own:
        labels = {sample.id: sample.labels for sample in own.samples()}
        assert labels[first] == labels[second] == (0,) and labels[third] == (1,)


def test_only_the_last_merge_is_taken_back(copies: tuple[Path, Path]) -> None:
    one, two = copies
    for place, index in ((0, 1), (1, 2)):
        with Project.open(two) as theirs:
            theirs.set_labels(ids(theirs)[place : place + 1], [index], annotator="jo")
        assert merge(one, two)[0] == 0
    assert merge(one, two)[0] == 0, "nothing is new, so that the last merge stays the last"
    assert merge(one, "--undo")[0] == 0
    with Project.open(one) as own:
        labels = [sample.labels for sample in own.samples()]
        assert labels[:2] == [(1,), (0,)]


@pytest.mark.parametrize("words", [(), ("two.handlens", "--undo")])
def test_wrong_words_are_explained(copies: tuple[Path, Path], words: tuple[str, ...]) -> None:
    code, _told, problem = merge(copies[0], *words)
    assert code == 2 and ("copy" in problem)


def test_parts_of_recordings_come_back(tmp_path: Path) -> None:
    project_of(sound_folder(tmp_path / "s"), tmp_path / "one.handlens", kind="recordings").close()
    one, two = tmp_path / "one.handlens", tmp_path / "two.handlens"
    with Project.open(one) as own:
        first = ids(own)[0]
        own.restore_labels([(first, (0,))], parts={first: [(0, 0.1, 0.4)]})
        before = state(own)
    shutil.copytree(one, two)
    with Project.open(two) as theirs:
        theirs.restore_labels([(first, (1,))], annotator="jo", parts={first: [(1, 0.2, 0.5), (1, 0.6, 0.7)]})
    assert merge(one, two)[0] == 0
    assert merge(one, "--undo")[0] == 0
    with Project.open(one) as own:
        assert state(own) == before
