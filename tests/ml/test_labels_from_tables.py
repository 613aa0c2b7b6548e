"""Folders whose labels stand in tables and tracks become projects: splits, windows, sentences."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner

from ml.cli import build_app
from ml.core.types import LabelSpan
from ml.media.logs.log import load_log_windows
from ml.project.project import Project
from ml.project.split.plan import plan_split

RATE = 8000


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)).save(path)


def recording(path: Path, seconds: float, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)), RATE)


def new(project: Path, folder: Path, *more: object) -> dict[str, Any]:
    result = CliRunner().invoke(build_app(), ["new", str(project), "--from", str(folder), "--json", *map(str, more)])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def refused(project: Path, folder: Path, *more: object) -> str:
    result = CliRunner().invoke(build_app(), ["new", str(project), "--from", str(folder), "--json", *map(str, more)])
    assert result.exit_code == 1, result.stdout
    assert not project.exists()
    return result.stderr.strip()


def issues_of(made: dict[str, Any]) -> dict[str, tuple[int, str]]:
    return {kind: (issue["count"], issue["first"]) for kind, issue in made["labels"]["issues"].items()}


def labels_in(project: Path) -> dict[str, list[tuple[float | None, tuple[str, ...] | None]]]:
    """For each source the starts of its samples and their classes; None where nobody said anything."""
    found = defaultdict(list)
    with Project.open(project) as opened:
        names = {item.index: item.name for item in opened.classes()}
        for sample in opened.samples():
            classes = tuple(names[index] for index in sample.labels) if sample.labelled else None
            found[sample.path].append((sample.start, classes))
    return dict(found)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number in range(12):
        picture(tmp_path / "all" / f"{number:02d}.png", number)
    return tmp_path / "all"


def test_a_flat_folder_and_a_table(pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    rows = "".join(f"{number:02d},{'cat' if number % 2 else 'dog'}\n" for number in range(11))
    table.write_text(f"image_id,label\n{rows}gone,cat\n")
    made = new(tmp_path / "p", pictures, "--labels", table)
    assert made["classes"] == {"cat": 5, "dog": 6}
    assert sum(made["split"].values()) == 11
    assert made["labels"]["rows"] == 12
    assert made["labels"]["used"] == 11
    assert issues_of(made) == {"no_file": (1, "“gone” in “labels.csv”, line 13"), "no_row": (1, "“11.png”")}
    assert made["labels"]["issues"]["no_file"]["values"] == {"name": "gone", "table": "labels.csv", "line": 13}
    assert "“labels.csv” has 12 rows: files in “image_id” and classes in “label”." in made["findings"]
    told = "One row names a file that is not in the folder, so it was skipped: “gone” in “labels.csv”, line 13."
    assert told in made["findings"]
    assert labels_in(tmp_path / "p")["11.png"] == [(None, None)]


def test_sub_folders_are_no_classes_where_a_table_gives_the_labels(tmp_path: Path) -> None:
    for number in range(6):
        picture(tmp_path / "data" / ("north", "south")[number % 2] / f"{number}.png", number)
    (tmp_path / "t.csv").write_text("file,label\n" + "".join(f"{n}.png,{'ab'[n // 3]}\n" for n in range(6)))
    made = new(tmp_path / "p", tmp_path / "data", "--labels", tmp_path / "t.csv", "--split-by", "folder")
    assert set(made["classes"]) == {"a", "b"}
    with Project.open(tmp_path / "p") as project:
        by_folder: dict[str, set[str | None]] = defaultdict(set)
        for sample in project.samples():
            by_folder[sample.path.split("/")[0]].add(sample.split)
    assert all(len(splits) == 1 for splits in by_folder.values())


def test_a_fold_never_straddles_a_split_also_when_files_join_later(pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "meta.csv"
    held_back = pictures.rename(tmp_path / "later")
    pictures.mkdir()
    for number in range(10):
        (held_back / f"{number:02d}.png").rename(pictures / f"{number:02d}.png")
    rows = "".join(f"{number:02d}.png,{number % 4 + 1},{'ab'[number // 4 % 2]}\n" for number in range(12))
    table.write_text("filename,fold,category\n" + rows)
    made = new(tmp_path / "p", pictures, "--labels", table)
    assert "one group" in made["why"]
    for path in held_back.iterdir():
        path.rename(pictures / path.name)
    made = new(tmp_path / "p", pictures)  # the project knows where its labels came from
    assert made["added"] == 2
    with Project.open(tmp_path / "p") as project:
        splits = defaultdict(set)
        for path, split in project.splits().items():
            splits[int(path[:2]) % 4].add(split)
    assert len(splits) == 4
    assert all(len(found) == 1 for found in splits.values())
    assert sum(made["split"].values()) == 12


def test_several_classes_in_a_row_ask_for_a_multi_label_project(pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = "".join(f"{n:02d},{('cat', 'dog', 'cat dog', '')[n % 4]}\n" for n in range(12))
    table.write_text("image,tags\n" + rows)
    sentence = refused(tmp_path / "p", pictures, "--labels", table)
    assert "more than one class, for example cat and dog to 02.png" in sentence
    assert "in which more than one may be present" in sentence and "--multi-label" in sentence
    made = new(tmp_path / "p", pictures, "--labels", table, "--multi-label")
    assert made["classes"] == {"cat": 6, "dog": 6}
    assert sum(made["split"].values()) == 12
    assert labels_in(tmp_path / "p")["02.png"] == [(None, ("cat", "dog"))]
    assert labels_in(tmp_path / "p")["03.png"] == [(None, ())]


def test_a_slip_of_two_classes_for_one_file_leaves_it_without_a_label(tmp_path: Path) -> None:
    for number in range(24):
        picture(tmp_path / "all" / f"{number:02d}.png", number)
    rows = "".join(f"{n:02d}.png,{'ab'[n % 2]}\n" for n in range(24))
    (tmp_path / "t.csv").write_text(f"file,label\n{rows}00.png,b\n")
    made = new(tmp_path / "p", tmp_path / "all", "--labels", tmp_path / "t.csv")
    assert made["classes"] == {"a": 11, "b": 12}
    assert issues_of(made) == {"conflict": (1, "00.png (a and b)")}


def test_good_parts_that_a_table_calls_none_are_a_class(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "parts" / f"{number}.png", number)
    rows = "".join(f"{number}.png,{'none' if number % 2 else 'scratch'}\n" for number in range(12))
    (tmp_path / "parts" / "defects.csv").write_text("file,defect\n" + rows)
    made = new(tmp_path / "p", tmp_path / "parts", "--labels", tmp_path / "parts" / "defects.csv")
    assert made["classes"] == {"none": 6, "scratch": 6}


def test_one_class_and_rows_that_name_none_are_refused_with_what_stands_there(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "parts" / f"{number}.png", number)
    rows = "".join(f"{number}.png,{('NA', 'nan', 'paper')[number % 3]}\n" for number in range(12))
    (tmp_path / "parts" / "t.csv").write_text("file,label\n" + rows)
    told = refused(tmp_path / "p", tmp_path / "parts", "--labels", tmp_path / "parts" / "t.csv")
    assert "only one class, “paper”. 8 rows contain “NA” and “nan” instead of a class" in told.splitlines()[-1]


def test_a_table_that_fits_nothing_is_heard_of_before_the_files_are_read(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,label\nx.png,cat\n")
    assert "No row of “t.csv” names a file in “all”" in refused(
        tmp_path / "p", pictures, "--labels", tmp_path / "t.csv"
    )
    assert "There is no label file" in refused(tmp_path / "p", pictures, "--labels", tmp_path / "missing.csv")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Six recordings of 20 s with an Audacity track or a Raven table each: an owl at 4–6 s, a fox at 12–14 s."""
    folder = tmp_path / "site"
    for number in range(6):
        recording(folder / f"rec{number}.wav", 20, number)
        if number % 2:
            (folder / f"rec{number}.txt").write_text("4.0\t6.0\towl\n\\\t100\t900\n12.0\t14.0\tfox\n")
        else:
            head = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tSpecies\n"
            rows = "1\tSpectrogram 1\t4.0\t6.0\towl\n2\tSpectrogram 1\t12.0\t14.0\tfox\n"
            (folder / f"rec{number}.selections.txt").write_text(head + rows)
    return folder


def test_labels_of_parts_of_recordings(recordings: Path, tmp_path: Path) -> None:
    made = new(tmp_path / "p", recordings, "--labels", recordings)
    # As long as the labelled parts, and overlapping by half.
    assert made["windowing"] == {"rate": RATE, "seconds": 2.0, "step": 1.0}
    assert made["classes"] == {"fox": 18, "owl": 18}
    found = labels_in(tmp_path / "p")
    assert set(found) == {f"rec{number}.wav" for number in range(6)}
    for pieces in found.values():
        labelled = {start: classes for start, classes in pieces if classes is not None}
        assert labelled == {3: ("owl",), 4: ("owl",), 5: ("owl",), 11: ("fox",), 12: ("fox",), 13: ("fox",)}
    told = "12 labels for parts of 6 recordings reach 36 of 114 windows of 2 s. The other 78 stay without a label."
    assert told in made["findings"]
    assert "3 Audacity label tracks with 6 labels." in made["findings"]
    assert "3 Raven selection tables with 6 labels." in made["findings"]


def test_labels_that_lie_over_each_other_are_counted_where_there_can_be_only_one(tmp_path: Path) -> None:
    folder = tmp_path / "dawn"
    for number in range(6):
        recording(folder / f"rec{number}.wav", 12, number)
        both = "0.0\t3.0\tWren\n1.0\t3.5\tRobin\n" if number % 2 else "0.0\t3.0\tWren\n3.0\t6.0\tRobin\n"
        (folder / f"rec{number}.txt").write_text(both)
    made = new(tmp_path / "p", folder, "--labels", folder)
    lost = issues_of(made)
    assert lost == {"overlapping": (6, "“Wren” and “Robin” at 1.0 s in rec1.wav")}
    told = next(sentence for sentence in made["findings"] if "at once" in sentence)
    assert told.startswith("6 windows of 3 recordings have labels of several classes at once")
    assert "in which more than one may be present" in told and "--multi-label" in told
    several = new(tmp_path / "m", folder, "--labels", folder, "--multi-label")
    assert several["labels"]["issues"] == {}, "nothing is lost there"
    assert not any("at once" in sentence for sentence in several["findings"])


def test_a_label_that_no_window_carries_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "dawn"
    for number in range(6):
        recording(folder / f"rec{number}.wav", 5, number)
        (folder / f"rec{number}.txt").write_text(f"0.5\t2.0\tcall {number % 2}\n1.2\t1.2\tclick\n")
    made = new(tmp_path / "p", folder, "--labels", folder)
    assert issues_of(made) == {"outdone": (6, "“click” at 1.2 s in rec0.wav")}
    assert any("6 labels were dropped" in sentence and "--multi-label" in sentence for sentence in made["findings"])


def test_a_label_that_is_given_up_counts_also_where_another_of_its_class_survives(tmp_path: Path) -> None:
    """The clicks at the start of each recording lose their window to the call; one that is alone does not."""
    folder = tmp_path / "dawn"
    for number in range(6):
        recording(folder / f"rec{number}.wav", 12, number)
        (folder / f"rec{number}.txt").write_text("0.5\t2.0\tcall\n1.2\t1.2\tclick\n8.0\t8.0\tclick\n")
    made = new(tmp_path / "p", folder, "--labels", folder)
    assert issues_of(made) == {"outdone": (6, "“click” at 1.2 s in rec0.wav")}


@pytest.fixture
def calls(tmp_path: Path) -> tuple[Path, Path]:
    """Recordings of 5 s, and beside them a track for each: a long call at 0.5 s and a click at 3 s."""
    folder, tracks = tmp_path / "site", tmp_path / "tracks"
    tracks.mkdir()
    for number in range(6):
        recording(folder / f"rec{number}.wav", 5, number)
        (tracks / f"rec{number}.txt").write_text("0.5\t2.0\tcall\n3.0\t3.4\tclick\n")
    return folder, tracks


def test_recordings_without_labels_are_cut_anew_for_the_labels_they_get(
    calls: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, tracks = calls
    assert new(tmp_path / "p", folder)["windowing"]["seconds"] == 5
    later = new(tmp_path / "p", folder, "--labels", tracks)
    at_once = new(tmp_path / "q", folder, "--labels", tracks)
    assert later["windowing"] == at_once["windowing"] == {"rate": RATE, "seconds": 1.5, "step": 0.75}
    assert later["classes"] == at_once["classes"] == {"call": 12, "click": 12}
    assert later["labels"]["issues"] == {}
    assert later["split"] == at_once["split"]
    assert labels_in(tmp_path / "p") == labels_in(tmp_path / "q")


def test_where_something_hangs_on_the_windows_they_stay_and_what_is_lost_is_said(
    calls: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, tracks = calls
    new(tmp_path / "p", folder)
    with Project.open(tmp_path / "p") as opened:
        opened.add_class("owl")
        opened.set_labels([opened.samples()[0].id], [0])
    made = new(tmp_path / "p", folder, "--labels", tracks)
    assert (made["windowing"]["seconds"], made["samples"], made["labels"]["given"]) == (5, 6, 5)
    told = "12 labels for parts of 6 recordings reach 6 of 6 windows of 5 s."
    assert told in made["findings"]
    assert made["labels"]["issues"]["outdone"]["count"] == 6
    assert any("windows of 1.5 s" in sentence and "of 5 s" in sentence for sentence in made["findings"])


def test_the_windows_of_a_project_that_is_open_stay(calls: tuple[Path, Path], tmp_path: Path) -> None:
    folder, tracks = calls
    new(tmp_path / "p", folder)
    with Project.open(tmp_path / "p") as opened, opened.lock("studio"):
        arguments = ["new", str(tmp_path / "p"), "--from", str(folder), "--labels", str(tracks)]
        refused = CliRunner().invoke(build_app(), arguments)
        assert (refused.exit_code, len(opened.samples())) == (1, 6)
        assert "is open in another window" in refused.stderr


def test_where_a_label_begins_and_ends_is_kept(recordings: Path, tmp_path: Path) -> None:
    new(tmp_path / "p", recordings, "--labels", recordings)
    with Project.open(tmp_path / "p") as project:
        spans = project.label_spans()
        samples = {sample.id: sample for sample in project.samples()}
        assert {samples[number].start for number in spans} == {3, 4, 5, 11, 12, 13}
        assert set(spans.values()) == {(LabelSpan("owl", 4.0, 6.0),), (LabelSpan("fox", 12.0, 14.0),)}
        # What a person says, they say of the whole window.
        first = min(spans)
        project.restore_labels([(first, samples[first].labels)], origins={first: "confirmed"})
        assert project.label_spans() == spans, "who calls a label right leaves it where it was heard"
        project.set_labels([first], [0])
        assert first not in project.label_spans()


def test_what_lies_under_no_label_shows_none_in_a_multi_label_project(recordings: Path, tmp_path: Path) -> None:
    (recordings / "rec1.txt").write_text("4.0\t6.0\towl\n4.5\t6.5\tfox\n")
    made = new(tmp_path / "p", recordings, "--labels", recordings, "--multi-label")
    found = labels_in(tmp_path / "p")
    assert all(classes is not None for pieces in found.values() for _start, classes in pieces)
    assert dict(found["rec1.wav"])[4.0] == ("owl", "fox")
    assert dict(found["rec1.wav"])[0.0] == ()
    assert sum(made["split"].values()) == 114
    assert any("count as showing none of the classes" in sentence for sentence in made["findings"])


def test_one_class_is_enough_where_the_rest_counts_as_without_it(recordings: Path, tmp_path: Path) -> None:
    for path in recordings.glob("*.txt"):
        path.write_text("4.0\t6.0\tchainsaw\n")
    for path in recordings.glob("*.selections.txt"):
        path.rename(path.with_name(path.name.replace(".selections", "")))
    assert "--multi-label" in refused(tmp_path / "p", recordings, "--labels", recordings)
    made = new(tmp_path / "p", recordings, "--labels", recordings, "--multi-label")
    assert made["classes"] == {"chainsaw": 18}


def test_labels_behind_the_end_are_left_out(recordings: Path, tmp_path: Path) -> None:
    (recordings / "rec1.txt").write_text("4.0\t6.0\towl\n19.0\t30.0\tfox\n25.0\t26.0\tfox\n")
    made = new(tmp_path / "p", recordings, "--labels", recordings)
    first = "“fox” at 25.0 s in rec1.wav, which ends at 20.0 s"
    assert issues_of(made)["outside"] == (1, first)
    assert labels_in(tmp_path / "p")["rec1.wav"][-1] == (18.0, ("fox",))


@pytest.mark.parametrize("clock", ["time", "rows", "none"])
def test_times_in_logs_that_pause_are_those_of_the_log(tmp_path: Path, clock: str) -> None:
    """Half a minute is missing after 100 s, as a gap in the clock or as rows in which nothing stands."""
    logs = tmp_path / "logs"
    logs.mkdir()
    lines = ["file,start,end,label"]
    for number in range(6):
        rows = []
        for at in range(2300):
            level = 0 if at < 1000 else 50 if at < 1800 else 100
            away = 1000 <= at < 1300
            if not (away and clock == "time"):
                cell = "" if away else f"{level + (at * 7 + number) % 5}"
                rows.append(f"{at / 10:.1f},{cell}" if clock != "none" else f"{cell},")
        (logs / f"{number}.csv").write_text(("x,\n" if clock == "none" else "time,x\n") + "\n".join(rows) + "\n")
        lines += [
            f"{number}.csv,{start},{end},{name}"
            for start, end, name in ((0, 100, "quiet"), (110, 120, "nothing"), (130, 180, "calm"), (180, 230, "shake"))
        ]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    rate = ("--rate", "10") if clock == "none" else ()
    made = new(tmp_path / "p", logs, "--kind", "sensors", "--labels", tmp_path / "t.csv", *rate)
    first = "“nothing” at 110.0 s in 0.csv"
    assert issues_of(made)["paused"] == (6, first)
    with Project.open(tmp_path / "p") as project:
        names = [item.name for item in project.classes()]
        samples = [sample for sample in project.samples() if sample.path == "0.csv"]
        assert project.windowing is not None
        readings = load_log_windows(logs / "0.csv", project.windowing, [sample.start or 0.0 for sample in samples])
    assert {names[index] for sample in samples for index in sample.labels} == {"quiet", "calm", "shake"}
    spans = [(sample.start or 0.0, sample.end or 0.0) for sample in samples]
    assert [span for span in spans if span[1] <= 100][-1] == (50, 100)
    assert [span for span in spans if span[1] > 100] == [(130, 180), (155, 205), (180, 230)]
    for sample, window in zip(samples, readings, strict=True):
        if sample.labels and np.ptp(window) < 10:  # all of it one state
            assert names[sample.labels[0]] == ("quiet", "calm", "shake")[round(float(np.median(window)) / 50)]


def test_times_of_the_recordings_that_clips_were_cut_from_are_not_those_of_the_clips(tmp_path: Path) -> None:
    rows = []
    for number in range(8):
        recording(tmp_path / "clips" / f"{number}.wav", 2, number)
        rows.append(f"{number}.wav,{number * 10},{number * 10 + 2},{'ab'[number % 2]},{number % 4}\n")
    (tmp_path / "t.csv").write_text("slice_file_name,start,end,class,fold\n" + "".join(rows))
    made = new(tmp_path / "p", tmp_path / "clips", "--labels", tmp_path / "t.csv")
    assert made["classes"] == {"a": 4, "b": 4}
    assert made["labels"]["issues"]["other_times"]["count"] == 7


def test_labels_for_files_that_a_project_already_has(pictures: Path, tmp_path: Path) -> None:
    new(tmp_path / "p", pictures)
    with Project.open(tmp_path / "p") as project:
        index = project.add_class("owl").index
        by_hand = next(sample for sample in project.samples() if sample.path == "00.png")
        project.set_labels([by_hand.id], [index])
    (tmp_path / "t.csv").write_text("file,label\n" + "".join(f"{n:02d}.png,{'ab'[n % 2]}\n" for n in range(12)))
    made = new(tmp_path / "p", pictures, "--labels", tmp_path / "t.csv")
    assert made["added"] == 0
    assert made["labels"]["given"] == 11
    assert made["classes"] == {"owl": 1, "a": 5, "b": 6}
    assert sum(made["split"].values()) == 12
    assert new(tmp_path / "p", pictures)["labels"]["given"] == 0


def test_a_file_that_gets_its_label_later_follows_its_fold(pictures: Path, tmp_path: Path) -> None:
    rows = "".join(f"{n:02d}.png,{n % 4},{'ab'[n // 4 % 2] if n < 11 else ''}\n" for n in range(12))
    (tmp_path / "t.csv").write_text("filename,fold,category\n" + rows)
    made = new(tmp_path / "p", pictures, "--labels", tmp_path / "t.csv")
    assert sum(made["split"].values()) == 11
    with Project.open(tmp_path / "p") as project:
        late = next(sample for sample in project.samples() if sample.path == "11.png")
        project.set_labels([late.id], [0])
        project.assign(plan_split(project.as_report(), split_by=project.split_by, existing=project.splits()))
        splits = project.splits()
    assert splits["11.png"] == splits["03.png"] == splits["07.png"]
