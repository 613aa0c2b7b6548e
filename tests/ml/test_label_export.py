"""Labels that leave a project come in again: `handlens labels`, then `handlens new --labels`, gives the same labels."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from fabricate import image_folder, sound_folder
from typer.testing import CliRunner

from ml.cli import build_app
from ml.project.project import Project
from tests.ml.test_labels_from_tables import labels_in, new, recording

JSON_IS_READ = importlib.util.find_spec("ml.tables.json_rows") is not None


def export(project: Path, target: Path, *more: str) -> str:
    result = CliRunner().invoke(build_app(), ["labels", str(project), "--to", str(target), *more])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def splits_in(project: Path) -> dict[str, str]:
    with Project.open(project) as opened:
        return dict(opened.splits())


def relabel(project: Path, path: str, *names: str, start: float | None = None) -> None:
    """Label a sample as a person does."""
    with Project.open(project) as opened:
        known = {item.name: item.index for item in opened.classes()}
        sample = next(each for each in opened.samples() if each.path == path and each.start == start)
        indices = [known[name] if name in known else opened.add_class(name).index for name in names]
        opened.set_labels([sample.id], indices)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A project of thirty pictures, one of them with another label than its folder, one without, one ignored."""
    folder = image_folder(tmp_path / "fruit")
    (folder / "apple" / "apple 0.png").rename(folder / "apple" / "=1+1.png")
    project = tmp_path / "one.handlens"
    new(project, folder)
    relabel(project, "apple/apple 1.png", "plum, blue")
    relabel(project, "apple/apple 2.png")
    with Project.open(project) as opened:
        ignored = next(each for each in opened.samples() if each.path == "pear/pear 3.png")
        opened.restore_labels([(ignored.id, ())], origins={ignored.id: "ignored"})
    return project


FORMS = ["csv", pytest.param("label-studio", marks=pytest.mark.skipif(not JSON_IS_READ, reason="JSON is not read"))]


@pytest.mark.parametrize("form", FORMS)
def test_pictures_come_in_again(pictures: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / ("labels.csv" if form == "csv" else "labels.json")
    assert "The labels of 28 files are in" in export(pictures, target)
    if form == "csv":
        assert "\n./=1+1.png" not in target.read_text() and "'=" not in target.read_text()
    before = labels_in(pictures)
    before["pear/pear 3.png"] = [(None, None)]
    new(tmp_path / "two.handlens", tmp_path / "fruit", "--labels", target)
    assert labels_in(tmp_path / "two.handlens") == before
    if form == "csv":
        kept = {path: side for path, side in splits_in(pictures).items() if before[path] != [(None, None)]}
        assert splits_in(tmp_path / "two.handlens") == kept


def test_a_folder_for_each_class_keeps_the_splits(pictures: Path, tmp_path: Path) -> None:
    export(pictures, tmp_path / "copies")
    new(tmp_path / "two.handlens", tmp_path / "copies")
    found = labels_in(tmp_path / "two.handlens")
    sides = splits_in(pictures)
    expected = {}
    for path, labels in labels_in(pictures).items():
        if labels[0][1] and path != "pear/pear 3.png":
            expected[f"{sides[path]}/{labels[0][1][0]}/{Path(path).name}"] = labels
    assert found == expected and len(expected) == 28
    assert {path: path.split("/")[0] for path in found} == splits_in(tmp_path / "two.handlens")
    refused = CliRunner().invoke(build_app(), ["labels", str(pictures), "--to", str(tmp_path / "copies")])
    assert refused.exit_code == 1 and "is there already" in refused.stderr


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Recordings with tracks of labels; two have one name, and windows of a third were labelled by a person."""
    folder = tmp_path / "sounds"
    for place in ("north/dawn", "south/dawn", "long", "whole", "bare"):
        recording(folder / f"{place}.wav", 12.0, seed=len(place))
    tracks = {"north/dawn": "0.5\t2.0\towl\n6\t9.5\tfox\n", "south/dawn": "4\t5\tfox\n", "long": "1\t2\towl\n"}
    for place, track in tracks.items():
        (folder / f"{place}.txt").write_text(track)
    (folder / "whole.txt").write_text("0\t12\tfox\n")
    project = tmp_path / "one.handlens"
    new(project, folder, "--labels", folder)
    for place in tracks:
        (folder / f"{place}.txt").unlink()
    (folder / "whole.txt").unlink()
    return project


FORMS_OF_SOUNDS = [
    ("csv", "labels.csv"),
    ("audacity", "tracks"),
    ("raven", "table.txt"),
    pytest.param("label-studio", "tasks.json", marks=pytest.mark.skipif(not JSON_IS_READ, reason="JSON is not read")),
]


@pytest.mark.parametrize(("form", "name"), FORMS_OF_SOUNDS)
def test_labels_of_recordings_come_in_again(recordings: Path, tmp_path: Path, form: str, name: str) -> None:
    export(recordings, tmp_path / name, "--as", form)
    new(tmp_path / "two.handlens", tmp_path / "sounds", "--labels", tmp_path / name)
    assert labels_in(tmp_path / "two.handlens") == labels_in(recordings)
    with Project.open(recordings) as one, Project.open(tmp_path / "two.handlens") as two:
        spans, again = one.label_spans(), two.label_spans()
        assert spans and again == spans, "with their times"


def test_windows_that_a_person_labelled_come_in_again(tmp_path: Path) -> None:
    for number in range(6):
        recording(tmp_path / "sounds" / f"{number}.wav", 12.0, seed=number)
    (tmp_path / "t.csv").write_text("file,label\n0.wav,owl\n1.wav,fox\n3.wav,owl\n4.wav,fox\n5.wav,owl\n")
    one = tmp_path / "one.handlens"
    new(one, tmp_path / "sounds", "--labels", tmp_path / "t.csv")
    relabel(one, "0.wav", "fox", start=2.5)
    relabel(one, "2.wav", "owl", start=0.0)
    export(one, tmp_path / "again.csv")
    new(tmp_path / "two.handlens", tmp_path / "sounds", "--labels", tmp_path / "again.csv")
    before, after = labels_in(one), labels_in(tmp_path / "two.handlens")
    assert after["0.wav"] == before["0.wav"] and after["1.wav"] == before["1.wav"]
    assert after["2.wav"][0] == (0.0, ("owl",))


def test_recordings_are_copied_or_cut(recordings: Path, tmp_path: Path) -> None:
    export(recordings, tmp_path / "copies")
    found = sorted(path.relative_to(tmp_path / "copies").as_posix() for path in (tmp_path / "copies").rglob("*.wav"))
    names = sorted(
        name.split("/", 1)[1] if name.split("/")[0] in ("train", "valid", "test") else name for name in found
    )
    assert names == [
        "fox/dawn_4.00-5.00s.wav",
        "fox/dawn_6.00-9.50s.wav",
        "fox/whole_0.00-12.00s.wav",
        "owl/dawn_0.50-2.00s.wav",
        "owl/long_1.00-2.00s.wav",
    ]


def test_several_classes_and_none_come_in_again(tmp_path: Path) -> None:
    folder = sound_folder(tmp_path / "sounds", each=3)
    one = tmp_path / "one.handlens"
    new(one, folder, "--multi-label")
    relabel(one, "apple/apple 0.wav", "apple", "pear", start=0.0)
    relabel(one, "plum/plum 2.wav", start=0.0)
    export(one, tmp_path / "labels.csv")
    new(tmp_path / "two.handlens", folder, "--multi-label", "--labels", tmp_path / "labels.csv")
    before = labels_in(one)
    assert before["plum/plum 2.wav"] == [(0.0, ())] and labels_in(tmp_path / "two.handlens") == before
    export(one, tmp_path / "copies")
    shutil.rmtree(folder)
    new(tmp_path / "three.handlens", tmp_path / "copies", "--multi-label")
    third = {path.rpartition("/")[2]: labels for path, labels in labels_in(tmp_path / "three.handlens").items()}
    assert third == {path.rpartition("/")[2]: labels for path, labels in before.items()}


def test_every_call_of_one_class_in_a_window_is_kept(tmp_path: Path) -> None:
    for number in range(4):
        recording(tmp_path / "sounds" / f"{number}.wav", 12.0, seed=number)
    calls = "0.wav,owl,0.5,1\n0.wav,owl,1.5,2\n0.wav,owl,2.2,2.4\n1.wav,owl,1,4\n2.wav,fox,1,4\n3.wav,fox,4,7\n"
    (tmp_path / "t.csv").write_text(f"file,label,start,end\n{calls}")
    new(tmp_path / "p", tmp_path / "sounds", "--labels", tmp_path / "t.csv")
    export(tmp_path / "p", tmp_path / "tracks", "--as", "audacity")
    track = (tmp_path / "tracks" / "0.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in track] == ["0.500000", "1.500000", "2.200000"]
