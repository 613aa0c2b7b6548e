"""Files from other folders join a project, and the source folder is looked at again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from small import create, log_folder, picture_folder

from ml.core.errors import HandlensError
from ml.project.project import Project
from ml.project.update.add_files import add_files
from ml.project.update.source_changes import source_changes, update_from_source
from tests.ml.terminal import Handlens

FIXTURES = Path(__file__).parents[1] / "fixtures" / "released_0_1"


def picture(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 24), (shade, 90, 255 - shade)).save(path)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create(picture_folder(tmp_path / "pictures"), tmp_path / "things.handlens")


def labels_of(project: Project) -> dict[str, tuple[str, ...]]:
    names = [item.name for item in project.classes()]
    return {sample.path: tuple(names[index] for index in sample.labels) for sample in project.samples()}


def test_files_from_elsewhere_are_learned_from_and_not_tested_with(project: Project, tmp_path: Path) -> None:
    before, first = project.splits(), project.classes()[0].name
    one = picture(tmp_path / "phone" / "a.png", 10)
    broken = tmp_path / "phone" / "broken.png"
    broken.write_bytes(b"no picture")
    known = next(iter(sorted((tmp_path / "pictures").rglob("*.png"))))
    added = add_files(project, [one, broken, known, tmp_path / "nothing.png"], label=first)
    assert (added.new, added.known) == (1, 1)
    assert {Path(item.path).name for item in added.unreadable} == {"broken.png", "nothing.png"}
    assert labels_of(project)["+phone/a.png"] == (first,)
    assert project.splits() == before | {"+phone/a.png": "train"}
    assert project.file("+phone/a.png") == one
    assert add_files(project, [one]).known == 1
    project.close()


def test_a_folder_brings_its_classes_where_one_is_known(project: Project, tmp_path: Path) -> None:
    first = project.classes()[0].name
    picture(tmp_path / "more" / first / "a.png", 20)
    picture(tmp_path / "more" / "brand new" / "b.png", 30)
    picture(tmp_path / "holiday" / "may" / "c.png", 40)
    added = add_files(project, [tmp_path / "more"])
    assert added.classes == ("brand new",)
    assert "1 new class" in str(added.message())
    assert add_files(project, [tmp_path / "holiday"]).unlabelled == 1
    labels = labels_of(project)
    assert labels[f"+more/{first}/a.png"] == (first,) and labels["+more/brand new/b.png"] == ("brand new",)
    assert labels["+holiday/may/c.png"] == ()
    project.close()


def test_copies_in_the_project_move_with_it(project: Project, tmp_path: Path) -> None:
    pasted = picture(tmp_path / "temporary" / "Pasted picture 1.png", 50)
    add_files(project, [pasted], label="pasted", copy=True)
    pasted.write_bytes(picture(tmp_path / "other.png", 60).read_bytes())
    add_files(project, [pasted], label="pasted", copy=True)
    project.close()
    shutil.move(tmp_path / "things.handlens", tmp_path / "moved.handlens")
    with Project.open(tmp_path / "moved.handlens") as moved:
        mine = [path for path, names in labels_of(moved).items() if names == ("pasted",)]
        assert len(mine) == 2
        assert all(moved.file(path).is_file() for path in mine)


def test_an_added_folder_that_moved_is_found_again(project: Project, tmp_path: Path) -> None:
    picture(tmp_path / "phone" / "a.png", 10)
    add_files(project, [tmp_path / "phone"], label="new")
    shutil.move(tmp_path / "phone", tmp_path / "elsewhere" / "phone2")
    assert not project.file("+phone/a.png").exists()
    with pytest.raises(HandlensError):
        project.relink(tmp_path / "pictures", "+phone")
    assert project.relink(tmp_path / "elsewhere" / "phone2", "+phone").missing == 0
    assert project.file("+phone/a.png").is_file()
    assert project.source_folder == tmp_path / "pictures", "the source folder is where it was"
    project.close()


def test_a_changed_source_folder_is_noticed_and_taken_in(project: Project, tmp_path: Path) -> None:
    assert not source_changes(project)
    before, first = project.splits(), project.classes()[0].name
    picture(tmp_path / "phone" / "a.png", 10)
    add_files(project, [tmp_path / "phone" / "a.png"], label=first)
    for number in range(3):
        picture(tmp_path / "pictures" / "brand new" / f"{number}.png", 100 + number)
    (tmp_path / "pictures" / first / "broken.png").write_bytes(b"no picture")
    gone = next(path for path, side in before.items() if side == "train")
    (tmp_path / "pictures" / gone).unlink()
    touched = next(path for path, side in before.items() if path != gone)
    (tmp_path / "pictures" / touched).touch()
    changes = source_changes(project)
    assert len(changes.new) == 4 and changes.classes == ("brand new",)
    assert changes.gone == (gone,) and changes.changed == ()
    joined = update_from_source(project)
    assert joined.added == 3 and joined.followed.gone == (gone,)
    after = project.splits()
    assert {path: after[path] for path in before} == before, "what was there stays on its side"
    assert after["+phone/a.png"] == "train" and labels_of(project)["+phone/a.png"] == (first,)
    assert not source_changes(project), "it asks once"
    project.close()


def test_a_log_with_other_columns_is_refused_with_the_reason(tmp_path: Path) -> None:
    with create(log_folder(tmp_path / "logs"), tmp_path / "logs.handlens", kind="sensors") as project:
        other = tmp_path / "other.csv"
        other.write_text("time,temperature\n" + "".join(f"{n / 50:.2f},{n % 7}\n" for n in range(120)))
        fits = tmp_path / "fits.csv"
        rows = "".join(f"{n / 50:.2f},{n % 5},{n % 3},ok\n" for n in range(120))
        fits.write_text(f"time,x,y,state\n{rows}")
        added = add_files(project, [other, fits], label="still")
        assert added.new == 1 and [Path(item.path).name for item in added.unreadable] == ["other.csv"]


def test_the_command_line_adds_files(handlens: Handlens, project: Project, tmp_path: Path) -> None:
    project.close()
    picture(tmp_path / "phone" / "a.png", 10)
    done = handlens("add", project.path, tmp_path / "phone", "--label", "cup", "--to-test", "--json")
    assert done.code == 0
    assert json.loads(done.out.splitlines()[-1])["classes"] == ["cup"]
    with Project.open(project.path) as opened:
        assert opened.splits()["+phone/a.png"] == "test"


def test_a_project_of_the_first_schema_takes_files(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES, tmp_path / "old")
    path = tmp_path / "old" / "projects" / "images"
    with Project.open(path, to_read=True) as read:
        before = labels_of(read)
        assert read.roots() == ()
    with Project.open(path) as project:
        name = project.classes()[0].name
        assert add_files(project, [picture(tmp_path / "phone" / "a.png", 10)], label=name).new == 1
        assert labels_of(project) == before | {"+phone/a.png": (name,)}
