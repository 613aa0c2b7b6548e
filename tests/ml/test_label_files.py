"""Label files as people and programs write them, recognised by what stands in them."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path
from typing import get_args

import pytest

from ml.core.errors import HandlensError
from ml.core.jobs import StopRequestedError
from ml.core.messages import PSEUDO, dumps, english, language, loads, msg
from ml.core.scan_report import IssueKind, LabelIssue
from ml.core.types import LabelSpan, TaskName
from ml.project.labelfiles.messages import describe_issue
from ml.project.labelfiles.preview import preview_labels, suggest_labels
from ml.project.labelfiles.read import read_labels
from ml.project.labelfiles.types import LabelReading
from ml.tables.sheet import HEAD_ROWS

PICTURES = ("a.jpg", "b.jpg", "c.jpg", "deep/d.jpg")
RECORDINGS = ("rec1.wav", "rec2.wav", "north/dawn.wav", "south/dawn.wav")


def read(place: Path, content: str | bytes, paths: tuple[str, ...] = PICTURES, name: str = "t.csv") -> LabelReading:
    table = place / name
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_labels([table], place, paths, timed=paths is RECORDINGS)


def classes(reading: LabelReading) -> dict[str, tuple[str, ...]]:
    return {path: tuple(given.classes) for path, given in reading.by_path.items()}


def spans(reading: LabelReading) -> dict[str, list[LabelSpan]]:
    return {path: list(given.spans) for path, given in reading.by_path.items()}


def tables(reading: LabelReading) -> list[str]:
    return [english(told) for told in reading.tables]


def issues(reading: LabelReading) -> dict[str, tuple[int, str]]:
    return {issue.kind: (issue.count, english(issue.first)) for issue in reading.issues}


ABC = {"a.jpg": ("cat",), "b.jpg": ("dog",), "c.jpg": ("cat",)}


@pytest.mark.parametrize(
    "content",
    [
        "file,label\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\n",
        "File Name;Klasse;Note\na.jpg;cat;4,5\nb.jpg;dog;2,25\nc.jpg;cat;1,0\n",
        "image_id\tspecies\r\na\tcat\r\nb\tdog\r\nc\tcat\r\n",
        "label|path\ncat|deep/../a.jpg\ndog|C:\\photos\\b.jpg\ncat|./c.jpg\n",
        "id,breed\na,cat\nb,dog\nc,cat\n",
        "a.jpg,cat\nb.jpg,dog\nc.jpg,cat\n",
        "foto,krankheit\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\n",
        "itemid,datasetid,class\nA.JPG,x,cat\nB.JPG,x,dog\nC.JPG,y,cat\n",
        "image,cat,dog\na.jpg,1,0\nb.jpg,0,1\nc.jpg,1.0,0.0\n",
        "\n\nfilename,category,target\na.jpg,cat,0\nb.jpg,dog,1\n\nc.jpg,cat,0\n",
        '"file","label"\n"a.jpg"," cat "\n"b.jpg","dog"\n"c.jpg","cat"\n',
    ],
)
def test_one_class_per_file_however_the_table_is_written(tmp_path: Path, content: str) -> None:
    reading = read(tmp_path, content)
    assert classes(reading) == ABC
    assert (reading.rows, reading.used, reading.issues, reading.several_in_row) == (3, 3, (), 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
def test_every_usual_encoding(tmp_path: Path, encoding: str) -> None:
    reading = read(tmp_path, "file;label\nä.jpg;Flöhe\nb.jpg;Käfer\n".encode(encoding), ("ä.jpg", "b.jpg"))
    assert classes(reading) == {"ä.jpg": ("Flöhe",), "b.jpg": ("Käfer",)}


def test_a_table_like_that_of_esc_50(tmp_path: Path) -> None:
    rows = "".join(f"{fold}-100-A-0.wav,{fold},0,dog,True,100,A\n" for fold in range(1, 6))
    paths = tuple(f"{fold}-100-A-0.ogg" for fold in range(1, 6))
    reading = read(tmp_path, "filename,fold,target,category,esc10,src_file,take\n" + rows, paths)
    assert set(classes(reading).values()) == {("dog",)}
    assert {given.group for given in reading.by_path.values()} == {f"fold {fold}" for fold in range(1, 6)}
    assert tables(reading) == ["“t.csv” has 5 rows: files in “filename”, classes in “category” and groups in “fold”."]


def test_fewer_than_three_groups_divide_nothing(tmp_path: Path) -> None:
    reading = read(tmp_path, "file,label,fold\na.jpg,cat,1\nb.jpg,dog,2\nc.jpg,cat,2\n")
    assert {given.group for given in reading.by_path.values()} == {None}
    assert issues(reading) == {"few_groups": (2, "“fold 1”")}


@pytest.mark.parametrize(
    "content",
    [
        "file,tags\na.jpg,cat dog\nb.jpg,dog\nc.jpg,cat\n",
        "file,label\na.jpg,cat|dog\nb.jpg,dog\nc.jpg,cat\n",
        "file,label\na.jpg,cat;dog\nb.jpg,dog\nc.jpg,cat\n",
        'file,label\na.jpg,"cat, dog"\nb.jpg,dog\nc.jpg,cat\n',
        "file,labels\na.jpg,\"['cat', 'dog']\"\nb.jpg,['dog']\nc.jpg,['cat']\n",
        "id,cat,dog\na,1,1\nb,0,1\nc,1,0\n",
        "id,cat,dog\na,True,true\nb,False,true\nc,True,false\n",
    ],
)
def test_several_classes_in_one_row(tmp_path: Path, content: str) -> None:
    reading = read(tmp_path, content)
    assert classes(reading) == {"a.jpg": ("cat", "dog"), "b.jpg": ("dog",), "c.jpg": ("cat",)}
    assert reading.several_in_row == 1


def test_several_numbers_in_a_cell(tmp_path: Path) -> None:
    reading = read(tmp_path, "Id,Target\na,16 0\nb,7 1 2\nc,0\n")
    assert classes(reading) == {"a.jpg": ("16", "0"), "b.jpg": ("7", "1", "2"), "c.jpg": ("0",)}


def test_a_name_of_two_words_is_one_class(tmp_path: Path) -> None:
    reading = read(tmp_path, 'file,species\na.jpg,Great tit\nb.jpg,Blue tit\nc.jpg,"Owl, barn"\n')
    assert classes(reading) == {"a.jpg": ("Great tit",), "b.jpg": ("Blue tit",), "c.jpg": ("Owl, barn",)}


def test_an_empty_class_says_that_there_is_none(tmp_path: Path) -> None:
    reading = read(tmp_path, "id,cat,dog\na,0,0\nb,0,1\nc,1,0\n")
    assert classes(reading)["a.jpg"] == ()
    assert issues(reading)["no_class"] == (1, "line 2 of “t.csv”")


def test_a_division_in_a_column(tmp_path: Path) -> None:
    reading = read(tmp_path, "fname,labels,split\na,cat,train\nb,dog,val\nc,cat,Test\n")
    assert [given.split for given in reading.by_path.values()] == ["train", "val", "test"]


def test_a_table_for_each_part_of_the_division(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id,label\na,cat\nb,dog\n")
    (tmp_path / "test_labels.csv").write_text("id,label\nc,cat\n")
    tables = [tmp_path / "train.csv", tmp_path / "test_labels.csv"]
    both = read_labels(tables, tmp_path, PICTURES, timed=False)
    assert {path: given.split for path, given in both.by_path.items()} == {
        "a.jpg": "train",
        "b.jpg": "train",
        "c.jpg": "test",
    }
    alone = read_labels(tables[:1], tmp_path, PICTURES, timed=False)
    assert {given.split for given in alone.by_path.values()} == {None}


def test_what_cannot_be_used_is_counted_with_the_first_example(tmp_path: Path) -> None:
    content = "file,label\na.jpg,cat\nx.jpg,dog\ny.jpg,dog\nb.jpg\n,dog\nb.jpg,dog\n"
    reading = read(tmp_path, content)
    assert classes(reading) == {"a.jpg": ("cat",), "b.jpg": ("dog",)}
    assert issues(reading) == {
        "no_file": (2, "“x.jpg” in “t.csv”, line 3"),
        "no_class": (1, "line 5 of “t.csv”"),
        "unparsable": (1, "line 6 of “t.csv” (it names no file)"),
    }


def test_a_quotation_mark_that_nobody_closes_spoils_one_line_only(tmp_path: Path) -> None:
    reading = read(tmp_path, 'file,label\na.jpg,"cat\nb.jpg,dog\nc.jpg,cat\n')
    assert classes(reading) == ABC


def test_a_name_that_several_files_have_is_no_name(tmp_path: Path) -> None:
    paths = ("one/a.jpg", "two/a.jpg", "b.jpg")
    reading = read(tmp_path, "file,label\na.jpg,cat\ntwo/a.jpg,dog\nb.jpg,cat\n", paths)
    assert classes(reading) == {"two/a.jpg": ("dog",), "b.jpg": ("cat",)}
    assert issues(reading) == {"ambiguous": (1, "“a.jpg” in “t.csv”, line 2 (one/a.jpg or two/a.jpg)")}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "file,width,height\na.jpg,3,4\nb.jpg,3,4\n",
            "“t.csv” names the files in its column “file”, but it is not clear which other column contains the class: "
            "“width” and “height”. Rename that column to “label”, “class” or “species”.",
        ),
        (
            "id,observer,date,what I saw,image name\n1,Ann,2024-01-02,fox,a.jpg\n2,Bob,2024-01-03,hare,b.jpg\n",
            "“t.csv” names the files in its column “image name”, but it is not clear which other column contains the "
            "class: “id”, “observer”, “date” and “what I saw”. Rename that column to “label”, “class” or “species”.",
        ),
        (
            "file,width,height\nx.jpg,3,4\n",
            "“t.csv” has the columns “file”, “width” and “height”. It needs a column with the name of the file (such "
            "as “file” or “image_id”) and a column with the class (such as “label”).",
        ),
        (
            "just\nsome\nwords\n",
            "“t.csv” has only one column: “just”. It needs a column with the name of the file (such as “file” or "
            "“image_id”) and a column with the class (such as “label”).",
        ),
        (
            "file,label\nx.jpg,cat\ny.jpg,dog\n",
            "No row of “t.csv” names a file in “{folder}”, for example “x.jpg” in “t.csv”, line 2. Choose the folder "
            "these labels belong to.",
        ),
        ("", "“t.csv” cannot be used for labels. The file is empty."),
        (
            "file,label\n",
            "“t.csv” has no rows below the names of its columns. Choose a table that contains labels.",
        ),
        ("a\0b", "“t.csv” cannot be used for labels. It is not a text file."),
    ],
)
def test_a_table_that_says_nothing_gets_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(HandlensError) as error:
        read(tmp_path, content)
    assert english(error.value.message) == sentence.format(folder=tmp_path.name)


def test_a_spreadsheet_is_to_be_saved_as_csv(tmp_path: Path) -> None:
    with pytest.raises(HandlensError, match="Save it as CSV"):
        read(tmp_path, b"PK\x03\x04", name="t.xlsx")


def test_times_inside_recordings(tmp_path: Path) -> None:
    content = "file,label,start,end\nrec1.wav,owl,1.5,2.5\nrec1.wav,fox,0:01:02.5,0:01:03\nrec2.wav,owl,9,8\n"
    reading = read(tmp_path, content, RECORDINGS)
    assert spans(reading) == {"rec1.wav": [LabelSpan("owl", 1.5, 2.5), LabelSpan("fox", 62.5, 63.0)]}
    assert issues(reading) == {"unparsable": (1, "line 4 of “t.csv” (it ends before it starts)")}


@pytest.mark.parametrize(
    "head",
    ["onset,offset", "Begin Time (s),End Time (s)", "start_time,end_time", "tmin,tmax", "start_s,end_s", "from,to"],
)
def test_times_by_other_names(tmp_path: Path, head: str) -> None:
    reading = read(tmp_path, f"filename,{head},event_label\nrec1.wav,1,2,owl\nrec2.wav,3,4,fox\n", RECORDINGS)
    assert spans(reading) == {"rec1.wav": [LabelSpan("owl", 1, 2)], "rec2.wav": [LabelSpan("fox", 3, 4)]}


def test_a_duration_in_place_of_an_end_and_thousandths_of_a_second(tmp_path: Path) -> None:
    reading = read(tmp_path, "file,start_ms,duration_ms,label\nrec1.wav,500,250,owl\n", RECORDINGS)
    assert spans(reading) == {"rec1.wav": [LabelSpan("owl", 0.5, 0.75)]}


def test_pictures_have_no_times(tmp_path: Path) -> None:
    reading = read(tmp_path, "file,label,start,end\na.jpg,cat,1,2\nb.jpg,dog,1,2\n")
    assert classes(reading) == {"a.jpg": ("cat",), "b.jpg": ("dog",)}


TRACK = "1.000000\t2.500000\towl\n\\\t200.000000\t800.000000\n3,5\t4,5\tfox\n5.0\t5.0\towl\n"
OWL_FOX = [LabelSpan("owl", 1.0, 2.5), LabelSpan("fox", 3.5, 4.5), LabelSpan("owl", 5.0, 5.0)]


@pytest.mark.parametrize("name", ["rec1.txt", "rec1_labels.txt", "rec1.wav.txt", "REC1 Audacity track.txt"])
def test_an_audacity_track_is_about_the_recording_of_its_name(tmp_path: Path, name: str) -> None:
    reading = read(tmp_path, TRACK, RECORDINGS, name)
    assert spans(reading) == {"rec1.wav": OWL_FOX}
    assert tables(reading) == ["1 Audacity label track with 3 labels."]


def test_a_track_beside_its_recording_and_one_that_could_be_about_two(tmp_path: Path) -> None:
    (tmp_path / "north").mkdir()
    (tmp_path / "north" / "dawn.txt").write_text(TRACK)
    (tmp_path / "dawn.txt").write_text(TRACK)
    (tmp_path / "dusk.txt").write_text(TRACK)
    (tmp_path / "readme.txt").write_text("Recorded in spring.\nWith great care, and rain.\n")
    reading = read_labels([tmp_path], tmp_path, RECORDINGS, timed=True)
    assert spans(reading) == {"north/dawn.wav": OWL_FOX}
    found = issues(reading)
    assert found["many_recordings"] == (1, "“dawn.txt” (north/dawn.wav or south/dawn.wav)")
    assert found["no_recording"] == (1, "“dusk.txt”")
    assert found["not_a_table"][0] == 1


def test_an_empty_annotation_in_a_track_is_left_out(tmp_path: Path) -> None:
    reading = read(tmp_path, "1.0\t2.0\towl\n2.0\t3.0\t\n4.0\t5.0\tfox\n", RECORDINGS, "rec2.txt")
    assert spans(reading) == {"rec2.wav": [LabelSpan("owl", 1, 2), LabelSpan("fox", 4, 5)]}
    assert issues(reading) == {"unparsable": (1, "line 2 of “rec2.txt” (it names no class)")}


RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


@pytest.mark.parametrize("column", ["Annotation", "Species", "Call Type", "Label", "Tags", "Sp_code"])
def test_a_raven_table_is_about_the_recording_of_its_name(tmp_path: Path, column: str) -> None:
    rows = "".join(
        f"{number}\t{view}\t1\t{number}.0\t{number}.5\t100.0\t900.0\towl\n"
        for number in (1, 2)
        for view in ("Waveform 1", "Spectrogram 1")
    )
    reading = read(tmp_path, f"{RAVEN}\t{column}\n{rows}", RECORDINGS, "rec1.Table.1.selections.txt")
    assert spans(reading) == {"rec1.wav": [LabelSpan("owl", 1, 1.5), LabelSpan("owl", 2, 2.5)]}
    assert tables(reading) == ["1 Raven selection table with 2 labels."]


def test_a_raven_table_over_several_recordings(tmp_path: Path) -> None:
    content = (
        f"{RAVEN}\tBegin Path\tFile Offset (s)\tAnnotation\n"
        "1\tSpectrogram 1\t1\t1.0\t2.0\t1\t2\tD:\\old\\rec1.wav\t1.0\towl\n"
        "2\tSpectrogram 1\t1\t61.0\t62.5\t1\t2\tD:\\old\\rec2.wav\t1.0\tfox\n"
    )
    reading = read(tmp_path, content, RECORDINGS, "all.selections.txt")
    assert spans(reading) == {"rec1.wav": [LabelSpan("owl", 1, 2)], "rec2.wav": [LabelSpan("fox", 1, 2.5)]}


def test_a_raven_table_without_annotations_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(HandlensError, match=r"“Begin Time \(s\)”.*It needs a column"):
        read(tmp_path, f"{RAVEN}\n1\tSpectrogram 1\t1\t1.0\t2.0\t1\t2\n", RECORDINGS, "rec1.selections.txt")


def test_a_folder_without_any_label_file(tmp_path: Path) -> None:
    with pytest.raises(HandlensError, match="There is no label file in"):
        read_labels([tmp_path], tmp_path, RECORDINGS, timed=True)


def test_any_bytes_end_in_labels_or_in_one_sentence(tmp_path: Path) -> None:
    rng = random.Random(3)
    pieces = ["file,label\n", "start", "a.wav", "1.0", "2,5", "é", "fold", *'\t"[|;,\n\r\0']
    for number in range(300):
        content = "".join(rng.choice(pieces) for _ in range(rng.randint(0, 60)))
        table = tmp_path / rng.choice(("t.csv", "a.txt"))
        table.write_text(content, encoding=rng.choice(("utf-8", "utf-16", "latin-1")), newline="")
        try:
            read_labels([table], tmp_path, ("a.wav", "b.wav"), timed=number % 2 == 0)
        except HandlensError as error:
            assert "\n" not in english(error.message)


def test_what_a_table_would_say_before_anything_is_read(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.csv").write_text("1.0,2.0,3.0\n" * 5)
    assert suggest_labels(tmp_path, "sensors") is None
    table = tmp_path / "states.csv"
    table.write_text("log,state\n" + "".join(f"{number}.csv,{'ab'[number % 2]}\n" for number in range(5)) + "9.csv,a\n")
    assert suggest_labels(tmp_path, "sensors") == table
    preview = preview_labels(tmp_path, "sensors", (table,))
    assert (preview.labelled, preview.files, preview.classes, preview.several) == (5, 6, ("a", "b"), False)
    (trouble,) = preview.problems
    assert english(trouble) == (
        "One row names a file that is not in the folder, so it was skipped: “9.csv” in “states.csv”, line 7."
    )


def test_tracks_beside_the_recordings_are_found(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"rec{number}.wav").touch()
        (tmp_path / f"rec{number}.txt").write_text(TRACK)
    (tmp_path / "notes.txt").write_text("Nothing of this is a label.")
    assert suggest_labels(tmp_path, "recordings") == tmp_path
    assert preview_labels(tmp_path, "recordings", (tmp_path,)).classes == ("fox", "owl")


def test_a_word_for_nothing_that_stands_there_often_is_a_class(tmp_path: Path) -> None:
    reading = read(tmp_path, "file,defect\na.jpg,none\nb.jpg,scratch\nc.jpg,none\nd.jpg,\n")
    assert classes(reading) == {"a.jpg": ("none",), "b.jpg": ("scratch",), "c.jpg": ("none",), "deep/d.jpg": ()}
    assert issues(reading) == {"no_class": (1, "line 5 of “t.csv”")}
    assert tables(reading) == ["“t.csv” has 4 rows: files in “file” and classes in “defect” (including “none”)."]


def test_a_word_for_nothing_is_one_class_however_it_is_spelt(tmp_path: Path) -> None:
    reading = read(tmp_path, "file,defect\na.jpg,none\nb.jpg,None\nc.jpg,None\nd.jpg,NONE\na.jpg,dent\n")
    assert classes(reading) == {"a.jpg": ("dent",), "b.jpg": ("None",), "c.jpg": ("None",), "deep/d.jpg": ("None",)}
    assert tables(reading) == ["“t.csv” has 5 rows: files in “file” and classes in “defect” (including “None”)."]


def test_a_word_for_nothing_is_one_class_in_all_tables(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for name, rows in (
        ("1.csv", "a.jpg,None\nb.jpg,None\na.jpg,dent\n"),
        ("2.csv", "c.jpg,none\nd.jpg,none\na.jpg,dent\n"),
    ):
        (tmp_path / "tables" / name).write_text(f"file,defect\n{rows}")
    reading = read_labels([tmp_path / "tables"], tmp_path, PICTURES, timed=False)
    assert set(classes(reading).values()) == {("dent",), ("None",)}


def test_nothing_beside_something_takes_nothing_back(tmp_path: Path) -> None:
    reading = read(tmp_path, "file,defect\na.jpg,none\na.jpg,dent\nb.jpg,none\nc.jpg,dent\n")
    assert classes(reading) == {"a.jpg": ("dent",), "b.jpg": ("none",), "c.jpg": ("dent",)}


def test_words_that_name_no_class_are_quoted(tmp_path: Path) -> None:
    reading = read(tmp_path, "file,defect\na.jpg,NA\nb.jpg,scratch\nc.jpg,nan\nd.jpg,none\n")
    assert classes(reading) == {"a.jpg": (), "b.jpg": ("scratch",), "c.jpg": (), "deep/d.jpg": ()}
    (issue,) = reading.issues
    assert issue.words == ("NA", "nan", "none")
    told = english(describe_issue(issue, kind="images", task="single"))
    assert told.startswith("3 rows contain “NA”, “nan” and “none” instead of a class, so their files stay without a")
    assert told.endswith("If that is a class, give it another name in the table.")


@pytest.mark.parametrize("content", ["file,tags\na.jpg,none\nb.jpg,cat|dog\nc.jpg,none\n"])
def test_where_several_may_be_present_the_word_stands_for_none_of_them(tmp_path: Path, content: str) -> None:
    assert classes(read(tmp_path, content)) == {"a.jpg": (), "b.jpg": ("cat", "dog"), "c.jpg": ()}


@pytest.mark.parametrize("task", ["single", "multi"])
@pytest.mark.parametrize("words", [(), ("NA", "nan")])
@pytest.mark.parametrize("count", [1, 2])
def test_every_issue_is_whole_in_another_language(task: TaskName, words: tuple[str, ...], count: int) -> None:
    for kind in get_args(IssueKind):
        issue = LabelIssue(kind=kind, count=count, first=msg("“{name}”", name="1.png"), paths=("1.png",), words=words)
        told = describe_issue(issue, kind="recordings", task=task)
        assert "{" not in english(told)
        foreign = language(PSEUDO).render(told)
        assert foreign.startswith("⟦") and foreign.count("⟦") == foreign.count("⟧")
        assert loads(dumps(told)) == told


def test_a_table_of_many_rows_is_read_row_by_row(tmp_path: Path) -> None:
    """Rows that name no file are counted and not kept, so twice as many need no more memory."""
    peaks = []
    for rows in (20_000, 40_000):
        table = tmp_path / f"{rows}.csv"
        lines = (f"elsewhere/{number}.png,cat" for number in range(rows))
        table.write_text("\n".join(["file,label", "a.png,cat", "b.png,dog", *lines]), encoding="utf-8")
        tracemalloc.start()
        reading = read_labels([table], tmp_path, ["a.png", "b.png"], timed=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (reading.rows, reading.used) == (rows + 2, 2)
        (issue,) = reading.issues
        assert (issue.kind, issue.count) == ("no_file", rows)
        assert "0.png" in english(issue.first)
    assert peaks[1] < peaks[0] + 500_000


def test_rows_far_below_the_first_ones_are_used(tmp_path: Path) -> None:
    lines = [f"x{number}.png,cat" for number in range(HEAD_ROWS + 10)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file,label", "a.png,cat", *lines, "b.png,dog"]), encoding="utf-8")
    reading = read_labels([table], tmp_path, ["a.png", "b.png"], timed=False)
    assert {path: list(found.classes) for path, found in reading.by_path.items()} == {
        "a.png": ["cat"],
        "b.png": ["dog"],
    }


def test_an_unclosed_quotation_mark_far_below_spoils_one_line(tmp_path: Path) -> None:
    lines = [f"x{number}.png,cat" for number in range(HEAD_ROWS + 10)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file,label", "a.png,cat", *lines, 'c.png,"dog', "b.png,dog"]), encoding="utf-8")
    reading = read_labels([table], tmp_path, ["a.png", "b.png"], timed=False)
    assert sorted(reading.by_path) == ["a.png", "b.png"]


def test_a_line_without_an_end_is_no_table(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,label\na.png,cat\n" + "x" * 3_000_000, encoding="utf-8")
    with pytest.raises(HandlensError, match="line that is too long"):
        read_labels([table], tmp_path, ["a.png"], timed=False)


def test_reading_a_long_table_can_be_stopped(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,label\n" + "a.png,cat\n" * 2000, encoding="utf-8")
    (tmp_path / "a.png").touch()
    with pytest.raises(StopRequestedError):
        preview_labels(tmp_path, "images", (table,), stopped=lambda: True)
    with pytest.raises(StopRequestedError):
        read_labels([table], tmp_path, ["a.png"], timed=False, stopped=lambda: True)
