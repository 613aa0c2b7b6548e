"""What is said of a folder is true, in plain words, and names the files it speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import sound_folder

from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english, msg
from ml.core.scan_report import DuplicateSet, FoundFile, ScanReport, SplitPlan, Unreadable
from ml.project.scan.checks import findings, may_be_labelled, problem
from ml.project.scan.scan import scan
from ml.project.split.plan import plan_split


def report_of(
    *, unreadable: tuple[Unreadable, ...] = (), duplicates: tuple[DuplicateSet, ...] = (), loose: int = 0, **counts: int
) -> ScanReport:
    named = [(f"{name}/{index}.jpg", name) for name, count in counts.items() for index in range(count)]
    files = [*named, *((f"loose{index}.jpg", None) for index in range(loose))]
    return ScanReport(
        folder="/somewhere",
        kind="images",
        files=tuple(FoundFile(path=path, size=1, mtime_ns=0, digest=path, class_name=name) for path, name in files),
        unreadable=unreadable,
        duplicates=duplicates,
    )


def sentences(report: ScanReport, plan: SplitPlan | None = None) -> list[str]:
    found = findings(report, plan)
    told = [english(finding.sentence) for finding in found]
    assert all(sentence.endswith(".") for sentence in told)
    return told


def test_a_good_folder_needs_no_words() -> None:
    report = report_of(cats=50, dogs=60)
    assert findings(report, plan_split(report)) == ()
    assert problem(report) is None


def test_classes_that_differ_in_case_only_are_named() -> None:
    report = report_of(GLASS=20, glass=20, metal=20, PAPER=20, paper=20, Paper=20)
    told = (
        "Some class names look alike: “GLASS / glass” and “PAPER / Paper / paper”. If they mean the same, use one name."
    )
    assert told in sentences(report)
    (finding,) = [finding for finding in findings(report) if english(finding.sentence) == told]
    assert (finding.severity, len(finding.paths)) == ("warn", 100)


@pytest.mark.parametrize(
    ("report", "word"),
    [
        (report_of(), "None of the pictures could be read"),
        (report_of(loose=5), "has a label yet"),
        (report_of(cats=20), "only one class, “cats”"),
        (report_of(cats=1, dogs=1), "has only one file"),
    ],
)
def test_it_says_why_nothing_can_be_learned(report: ScanReport, word: str) -> None:
    found = problem(report)
    assert found is not None and word in english(found)
    first = findings(report)[0]
    if may_be_labelled(report):
        assert (first.severity, "You will name the classes" in english(first.sentence)) == ("info", True)
    else:
        assert (first.severity, first.sentence) == ("bad", found)


def test_a_class_with_one_file_is_allowed_and_told_of() -> None:
    report = report_of(cats=40, dogs=1)
    assert problem(report) is None
    plan = plan_split(report)
    assert plan.splits["dogs/0.jpg"] == "train"
    said = sentences(report, plan)
    assert "“dogs” has only 1 picture, too few for a reliable score." in said
    assert "There are no pictures of “dogs” for the test." in said


def test_unreadable_files_are_counted_and_named() -> None:
    one = Unreadable(path="cats/broken.jpg", reason=msg("The file is empty."))
    report = report_of(cats=20, dogs=20, unreadable=(one,))
    assert sentences(report) == ["One file could not be read and is left out. The file is empty."]
    both = findings(report_of(cats=20, dogs=20, unreadable=(one, Unreadable(path="b.jpg", reason=msg("No.")))))
    assert english(both[0].sentence) == "2 files could not be read and are left out."
    assert both[0].paths == ("cats/broken.jpg", "b.jpg")


def test_copies_are_told_of_and_contradicting_ones_more_gravely() -> None:
    clash = DuplicateSet(paths=("cats/1.jpg", "dogs/1.jpg"), class_names=("cats", "dogs"))
    plain = DuplicateSet(paths=("cats/2.jpg", "cats/3.jpg"), class_names=("cats",))
    found = findings(report_of(cats=20, dogs=20, duplicates=(plain, clash)))
    assert [finding.severity for finding in found] == ["warn", "info"]
    assert "different labels, for example as “cats” and as “dogs” (cats/1.jpg and dogs/1.jpg)." in english(
        found[0].sentence
    )
    assert found[0].paths == clash.paths
    assert found[1].paths == plain.paths


def test_imbalance_is_put_in_proportion() -> None:
    assert sentences(report_of(roses=20, tulips=80)) == [
        "“tulips” has 4 times as many pictures as “roses”. That is fine."
    ]
    assert sentences(report_of(roses=20, tulips=50)) == []
    assert sentences(report_of(roses=20, tulips=200)) == [
        "“tulips” has 10 times as many pictures as “roses”. That is fine."
    ]
    (grave,) = findings(report_of(roses=10, tulips=152))
    assert grave.severity == "warn"
    assert english(grave.sentence) == (
        "“tulips” has 15 times as many pictures as “roses”. Rare classes are weighted up, but “roses” will still be "
        "recognised less reliably. More pictures of “roses” would help most."
    )


def test_classes_that_are_probably_one_are_not_compared() -> None:
    (only,) = sentences(report_of(GLASS=10, glass=40, metal=50))
    assert "look alike" in only
    assert "“metal” has 8 times as many pictures as “glass”. That is fine." in sentences(
        report_of(GLASS=10, glass=30, metal=320)
    )


def test_classes_too_small_to_judge_are_named() -> None:
    (finding,) = findings(report_of(a=9, b=8, c=7, d=7, e=20))
    assert english(finding.sentence) == (
        "4 classes have fewer than 10 pictures, too few for a reliable score: “a”, “b”, “c” and 1 more."
    )
    assert len(finding.paths) == 31


def test_unlabelled_files_beside_the_classes_are_told_of() -> None:
    (finding,) = findings(report_of(cats=20, dogs=20, loose=3))
    assert english(finding.sentence) == "3 of the pictures are in no class folder and have no label yet."


def test_a_class_that_a_split_lacks_is_named() -> None:
    report = report_of(cats=20, dogs=20)
    splits = {file.path: "test" if file.class_name == "dogs" else "train" for file in report.files}
    found = findings(report, SplitPlan(split_by="auto", splits=splits))  # type: ignore[arg-type]
    assert [english(finding.sentence) for finding in found] == [
        "There are no pictures of “dogs” for training.",
        "There are no pictures for validation.",
        "There are no pictures of “cats” for the test.",
    ]
    assert found[0].severity == "bad"


def test_a_band_that_no_network_hears_is_named_with_what_to_do(tmp_path: Path) -> None:
    for rate, said in ((256_000, True), (48_000, False)):
        folder = sound_folder(tmp_path / str(rate), each=2, rate=rate)
        last = list(scan(ScanJob(folder=folder, kind="recordings"), NeverStop()))[-1]
        assert isinstance(last, Scanned)
        found = [each for each in findings(last.report) if "kHz" in english(each.sentence)]
        assert bool(found) == said
        if said:
            assert found[0].severity == "warn" and len(found[0].paths) == 4
            sentence = english(found[0].sentence)
            assert "4 recordings hold sounds up to 128 kHz" in sentence and "heard 8 times slower" in sentence
