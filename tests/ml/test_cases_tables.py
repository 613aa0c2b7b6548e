"""Label tables that people really have: the cases of ../shared/cases, and the exports of usual programs."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from ml.core.errors import HandlensError
from ml.core.events import Failed, Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english
from ml.core.scan_report import ScanReport
from ml.core.types import KindName
from ml.project.labelfiles.read import read_labels
from ml.project.labelfiles.types import LabelReading
from ml.project.scan.checks import findings
from ml.project.scan.multilabel import for_task
from ml.project.scan.scan import scan
from tests.cases import make_case
from tests.ml.terminal import Handlens


def scanned(folder: Path, kind: KindName, *labels: Path) -> ScanReport:
    last = list(scan(ScanJob(folder=folder, kind=kind, labels=labels, new=True), NeverStop()))[-1]
    assert isinstance(last, Scanned), english(last.message) if isinstance(last, Failed) else last
    return for_task(last.report, "single")


def sentences(report: ScanReport) -> dict[str, int]:
    return {english(finding.sentence): len(finding.paths) for finding in findings(report)}


def read(folder: Path, content: str, paths: list[str], *, name: str = "t.csv", timed: bool = False) -> LabelReading:
    (folder / name).write_text(content, encoding="utf-8")
    return read_labels([folder / name], folder, paths, timed=timed)


def classes(reading: LabelReading) -> dict[str, tuple[str, ...]]:
    return {path: tuple(labels.classes) for path, labels in reading.by_path.items()}


@pytest.mark.parametrize("table", ["timelapse", "directory"])
def test_a_folder_in_one_column_and_a_name_in_another(tmp_path: Path, table: str) -> None:
    place = make_case("08", tmp_path)
    report = scanned(place / "pics", "images", place / f"{table}.csv")
    rows = [line.split(",") for line in (place / f"{table}.csv").read_text("utf-8-sig").splitlines()[1:]]
    wanted = {f"{row[1]}/{row[0]}".replace("\\", "/"): row[4] for row in rows}
    assert {file.path: file.class_name for file in report.files} == wanted


@pytest.mark.parametrize("table", ["upload", "local", "upload_label"])
def test_what_a_labelling_server_exports(tmp_path: Path, table: str) -> None:
    place = make_case("09", tmp_path)
    report = scanned(place / "pics", "images", place / f"{table}.csv")
    for file in report.files:
        assert file.class_name == ("ripe", "unripe")[int(file.path[4:7]) % 2]


def test_the_majority_of_several_people(tmp_path: Path) -> None:
    place = make_case("11", tmp_path)
    report = scanned(place / "pics", "images", place / "votes.csv")
    assert [file.class_name for file in report.files] == ["galaxy", "star", "artefact"] * 20
    said = next(sentence for sentence in sentences(report) if sentence.startswith("People disagree on 21 of 60"))
    assert sentences(report)[said] == 21


@pytest.mark.parametrize("letter", "abc")
def test_a_selection_table_over_several_recordings(tmp_path: Path, letter: str) -> None:
    place = make_case("20", tmp_path)
    folder = place / ("rec_c" if letter == "c" else "rec")
    report = scanned(folder, "recordings", place / f"{letter}.Table.1.selections.txt")
    for file in report.files:
        spans = file.spans or ()
        assert [span.class_name for span in spans] == [("owl", "nightjar")[k % 2] for k in range(len(spans))]
        begin, step = (1.0, 6.0) if letter == "c" else (2.0, 6.0)
        assert all(-0.01 <= span.start - (begin + step * k) <= 1.51 for k, span in enumerate(spans))
    assert sum(len(file.spans or ()) for file in report.files) == (58 if letter == "c" else 30)


def test_times_that_count_on_over_unknown_recordings_are_refused(tmp_path: Path) -> None:
    place = make_case("20", tmp_path)
    (place / "rec" / "SITE1_20250501_020000.wav").rename(place / "elsewhere.wav")
    job = ScanJob(folder=place / "rec", kind="recordings", labels=(place / "a.Table.1.selections.txt",), new=True)
    last = list(scan(job, NeverStop()))[-1]
    assert isinstance(last, Failed)
    assert "add the column “File Offset (s)”" in english(last.message)


def test_a_tie_stays_without_a_label_and_is_listed(tmp_path: Path) -> None:
    rows = "file,user,label\n" + "".join(
        f"{name},{who},{label}\n"
        for name, votes in {"a.jpg": ("cat", "cat", "dog"), "b.jpg": ("cat", "dog"), "c.jpg": ("dog", "dog")}.items()
        for who, label in enumerate(votes)
    )
    reading = read(tmp_path, rows, ["a.jpg", "b.jpg", "c.jpg"])
    assert classes(reading) == {"a.jpg": ("cat",), "b.jpg": (), "c.jpg": ("dog",)}
    found = {issue.kind: (issue.count, issue.total, issue.paths) for issue in reading.issues}
    assert found["torn"][2] == ("b.jpg",)
    assert found["disagreed"] == (2, 3, ("a.jpg", "b.jpg"))


def test_votes_without_names_of_people(tmp_path: Path) -> None:
    votes = {"a.jpg": ("cat", "cat", "dog"), "b.jpg": ("dog", "dog", "dog"), "c.jpg": ("cat", "cat", "cat")}
    rows = "".join(f"{name},{label}\n" for name, labels in votes.items() for label in labels)
    reading = read(tmp_path, "file,label\n" + rows, list(votes))
    assert classes(reading) == {"a.jpg": ("cat",), "b.jpg": ("dog",), "c.jpg": ("cat",)}


def test_zeros_that_a_spreadsheet_took_away(tmp_path: Path) -> None:
    paths = [f"{number:04}.jpg" for number in range(1, 13)]
    rows = "".join(f"{number},{'cat' if number % 2 else 'dog'}\n" for number in range(1, 13))
    reading = read(tmp_path, "image,label\n" + rows, paths)
    assert classes(reading) == {path: (("dog", "cat")[int(path[:4]) % 2],) for path in paths}


def test_a_name_behind_a_prefix_counts_only_where_all_have_one(tmp_path: Path) -> None:
    paths = [f"IMG_{number}.jpg" for number in range(10, 20)]
    rows = "".join(f"{path},cat\n" for path in paths[:-1]) + "siteB_IMG_19.jpg,dog\n"
    reading = read(tmp_path, "file,label\n" + rows, paths)
    assert paths[-1] not in reading.by_path
    assert [issue.kind for issue in reading.issues] == ["contested"]


def test_rows_of_another_card_do_not_label_this_one(tmp_path: Path) -> None:
    folder = tmp_path / "Site A"
    folder.mkdir()
    rows = "File,RelativePath,Species\nIMG_1.JPG,Site B,fox\nIMG_1.JPG,Site A,hare\nIMG_2.JPG,Site A,fox\n"
    reading = read(folder, rows, ["IMG_1.JPG", "IMG_2.JPG"])
    assert classes(reading) == {"IMG_1.JPG": ("hare",), "IMG_2.JPG": ("fox",)}


def test_site_and_card_in_columns_of_their_own(tmp_path: Path) -> None:
    paths = [f"{site}/{card}/IMG_{n}.jpg" for site in ("north", "south") for card in ("c1", "c2") for n in range(4)]
    rows = "".join(
        f"{p.split('/')[1]},{p.split('/')[0]},{p.split('/')[2]},{len(p) % 2 + n % 3}\n" for n, p in enumerate(paths)
    )
    reading = read(tmp_path, "card,station,photo,species\n" + rows, paths)
    assert {path: labels for path, (labels,) in classes(reading).items()} == {
        path: str(len(path) % 2 + n % 3) for n, path in enumerate(paths)
    }


def test_tables_of_bat_and_bird_programs(tmp_path: Path) -> None:
    paths = ["N1/b_1.wav", "N2/b_1.wav"]
    kaleidoscope = (
        "INDIR,OUTDIR,FOLDER,IN FILE,CHANNEL,OFFSET,DURATION,AUTO ID,PULSES,MANUAL ID\n"
        "D:\\bats,,N1,b_1.wav,0,0.5,2.0,NOISE,3,PIPPIP\nD:\\bats,,N2,b_1.wav,0,1.0,2.0,PIPPIP,9,NYCNOC\n"
    )
    reading = read(tmp_path, kaleidoscope, paths, timed=True)
    assert {path: [tuple(span) for span in found.spans] for path, found in reading.by_path.items()} == {
        "N1/b_1.wav": [("PIPPIP", 0.5, 2.5)],
        "N2/b_1.wav": [("NYCNOC", 1.0, 3.0)],
    }
    bird = (
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tCommon Name\t"
        "Species Code\tConfidence\tBegin Path\tFile Offset (s)\n"
        "1\tSpectrogram 1\t1\t63.0\t66.0\t0\t15000\tEurasian Wren\twinwre4\t0.91\t/srv/N1/b_1.wav\t3.0\n"
    )
    reading = read(tmp_path, bird, paths, name="b.BirdNET.selection.table.txt", timed=True)
    assert [tuple(span) for span in reading.by_path["N1/b_1.wav"].spans] == [("Eurasian Wren", 3.0, 6.0)]


COCO = {
    "images": [{"id": 7, "file_name": "x/a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
    "annotations": [{"image_id": image, "category_id": image - 6} for image in (7, 7, 8)],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
}  # fmt: skip
TASKS = [
    {
        "id": 1,
        "data": {"image": f"/data/upload/1/0a1b2c3d-{name}"},
        "annotations": [{"completed_by": 3, "result": [{"type": "choices", "value": {"choices": [label]}}]}],
    }
    for name, label in (("a.jpg", "cat"), ("b.jpg", "dog"))
]


@pytest.mark.parametrize(
    "data",
    [
        COCO,
        TASKS,
        [{"image": "a.jpg", "label": "cat"}, {"image": "b.jpg", "label": "dog"}],
        {"data": [{"file_name": "a.jpg", "class": "cat"}, {"file_name": "b.jpg", "class": "dog"}], "version": 2},
        {"a.jpg": "cat", "b.jpg": "dog"},
        {"cat": ["a.jpg"], "dog": ["b.jpg"]},
        {"a.jpg": {"label": "cat", "width": 10}, "b.jpg": {"label": "dog", "width": 12}},
    ],
)
def test_labels_as_json(tmp_path: Path, data: object) -> None:
    reading = read(tmp_path, json.dumps(data), ["a.jpg", "b.jpg"], name="labels.json")
    assert classes(reading) == {"a.jpg": ("cat",), "b.jpg": ("dog",)}


def test_labels_as_json_lines_and_broken_json(tmp_path: Path) -> None:
    lines = "".join(
        json.dumps({"file": name, "label": label}) + "\n" for name, label in (("a.jpg", "cat"), ("b.jpg", "dog"))
    )
    assert Counter(classes(read(tmp_path, lines, ["a.jpg", "b.jpg"], name="t.jsonl")).values()) == {
        ("cat",): 1,
        ("dog",): 1,
    }
    with pytest.raises(HandlensError) as caught:
        read(tmp_path, lines[:-9], ["a.jpg", "b.jpg"], name="u.json")
    assert "not valid JSON" in english(caught.value.message)


def test_a_table_beside_the_files_is_found_by_itself(handlens: Handlens, tmp_path: Path) -> None:
    place = make_case("09", tmp_path / "case") / "pics"
    shutil.copy(tmp_path / "case" / "upload.csv", place / "export.csv")
    line = handlens("new", tmp_path / "made", "--from", place, "--json").lines[-1]
    assert line["classes"] == {"ripe": 20, "unripe": 20}
    assert line["labels"]["used"] == 40
    line = handlens("new", tmp_path / "bare", "--from", place, "--unlabelled", "--json").lines[-1]
    assert line["classes"] == {}


def test_columns_that_a_person_chose(handlens: Handlens, tmp_path: Path) -> None:
    place = make_case("09", tmp_path / "case") / "pics"
    rows = [f"IMG_{n:03}.jpg,{n % 3},{('ripe', 'unripe')[n % 2]},{n % 5}" for n in range(40)]
    table = tmp_path / "odd.csv"
    table.write_text("\n".join(["snapshot,shelf,verdict,size", *rows]), encoding="utf-8")
    refused = handlens("new", tmp_path / "made", "--from", place, "--labels", table)
    assert refused.code == 1
    assert "not clear which other column contains the class" in refused.err
    asked = ("new", tmp_path / "made", "--from", place, "--labels", table, "--json")
    line = handlens(*asked, "--columns", "snapshot,verdict").lines[-1]
    assert line["classes"] == {"ripe": 20, "unripe": 20}
    assert handlens(*asked).lines[-1]["added"] == 0  # the project remembers the columns
