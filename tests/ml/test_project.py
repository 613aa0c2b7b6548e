"""A project keeps what it is told: labels with their history, splits, runs; and says clearly what it cannot do."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from small import create, picture_folder

from ml.core.errors import HandlensError
from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english, msg, verbatim
from ml.core.scan_report import AT_RANDOM, Unreadable
from ml.pipeline.session import labelled_and_split
from ml.probe.training_data import NO_TRAINING_SAMPLES, ONE_CLASS
from ml.project.project import Project
from ml.project.scan.scan import scan
from ml.project.split.plan import plan_split


@pytest.fixture
def project(tmp_path: Path) -> Project:
    with create(picture_folder(tmp_path / "pictures"), tmp_path / "shapes.handlens") as opened:
        yield opened


def test_a_label_is_on_disk_when_the_call_returns(project: Project) -> None:
    sample = project.samples()[0]
    project.set_labels([sample.id], [1], annotator="ada")
    with closing(sqlite3.connect(project.path / "project.db")) as other, other:
        found = other.execute(
            "select class_index from label join sample on sample.change_id = label.change_id where sample.id = ?",
            (sample.id,),
        ).fetchall()
    other.close()
    assert found == [(1,)]


def test_history_says_who_set_what_and_what_stood_there_before(project: Project) -> None:
    sample = project.samples()[0]
    project.set_labels([sample.id], [1], annotator="ada")
    project.set_labels([sample.id], [], annotator="bob")
    history = project.history(sample.id)
    assert [(c.origin, c.old, c.new) for c in history] == [
        ("import", (), sample.labels),
        ("person", sample.labels, (1,)),
        ("person", (1,), ()),
    ]
    assert [c.annotator for c in history[1:]] == ["ada", "bob"]
    assert project.samples()[0].labels == ()


def test_several_labels_are_kept_in_their_order(project: Project) -> None:
    sample = project.samples()[3]
    project.set_labels([sample.id], [1, 0])
    assert next(s for s in project.samples() if s.id == sample.id).labels == (1, 0)


def test_many_samples_change_in_one_step(project: Project) -> None:
    ids = [sample.id for sample in project.samples()]
    changes = project.set_labels(ids, [0])
    assert len(changes) == len(ids)
    assert {sample.labels for sample in project.samples()} == {(0,)}
    before = [(change.sample_id, change.old) for change in changes]
    project.restore_labels(before)
    assert {sample.labels for sample in project.samples()} == {(0,), (1,)}


def test_new_files_are_taken_in_and_old_splits_are_kept(project: Project, tmp_path: Path) -> None:
    before = project.splits()
    picture_folder(tmp_path / "pictures", each=12, classes=3)
    from ml.core.events import Scanned
    from ml.core.jobs import NeverStop, ScanJob
    from ml.project.scan.scan import scan
    from ml.project.split.plan import plan_split

    last = list(scan(ScanJob(folder=tmp_path / "pictures", kind="images"), NeverStop()))[-1]
    assert isinstance(last, Scanned)
    added = project.add(last.report, plan_split(last.report, existing=before))
    assert added == 36 - 16
    after = project.splits()
    assert {path: after[path] for path in before} == before
    assert [item.name for item in project.classes()] == ["disc", "square", "bar"]
    assert len(project.samples()) == 36


def test_the_project_follows_its_sources_when_both_move(project: Project, tmp_path: Path) -> None:
    project.close()
    elsewhere = tmp_path / "other drive"
    elsewhere.mkdir()
    (tmp_path / "pictures").rename(elsewhere / "pictures")
    project.path.rename(elsewhere / "shapes.handlens")
    with Project.open(elsewhere / "shapes.handlens") as moved:
        assert moved.source_folder == elsewhere / "pictures"


def test_sources_that_vanished_are_named_and_can_be_relinked(project: Project, tmp_path: Path) -> None:
    (tmp_path / "pictures").rename(tmp_path / "renamed")
    with pytest.raises(HandlensError, match="or say where it is now") as gone:
        _ = project.source_folder
    assert gone.value.command.startswith("handlens relink")
    with pytest.raises(HandlensError, match="None of the project's files"):
        project.relink(tmp_path)
    project.relink(tmp_path / "renamed")
    assert project.source_folder == tmp_path / "renamed"


def test_a_corrupt_project_file_gets_a_sentence_and_is_left_as_it_is(project: Project) -> None:
    project.close()
    database = project.path / "project.db"
    database.write_bytes(b"this is not a database" * 400)
    with pytest.raises(HandlensError, match="damaged"):
        Project.open(project.path)
    assert database.read_bytes() == b"this is not a database" * 400


def test_a_newer_project_is_not_touched(project: Project) -> None:
    project.close()
    with closing(sqlite3.connect(project.path / "project.db")) as database, database:
        database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(HandlensError, match="newer Handlens"):
        Project.open(project.path)


def test_opening_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(HandlensError, match="no project at"):
        Project.open(tmp_path / "nothing.handlens")
    with pytest.raises(HandlensError, match=r"is not a Handlens project"):
        Project.open(tmp_path)


def test_creating_over_something_is_refused_and_leaves_it(project: Project, tmp_path: Path) -> None:
    samples = len(project.samples())
    with pytest.raises(HandlensError, match="already exists"):
        create(tmp_path / "pictures", project.path)
    assert len(project.samples()) == samples


def test_a_failed_creation_leaves_no_half_project(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(HandlensError, match="cannot be created"):
        create(picture_folder(tmp_path / "pictures"), tmp_path / "file" / "shapes.handlens")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "pictures"]


def test_a_share_that_says_it_can_be_written_to_and_cannot_is_read_only(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_before = os.open

    def refused(path: object, flags: int, *more: object) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return opened_before(path, flags, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(HandlensError, match="is read-only"):
        Project.open(project.path)
    with Project.open(project.path, to_read=True) as opened:
        assert opened.read_only and opened.samples()


def test_why_it_was_split_so_is_known_once_there_are_labels(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "shapes", each=8)
    loose = tmp_path / "loose"
    loose.mkdir()
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        path.rename(loose / f"{number:03d}.png")
    with create(loose, tmp_path / "p.handlens") as project:
        assert "has a label yet" in english(project.split_why)
        for name in ("bar", "disc"):
            project.add_class(name)
        samples = project.samples()
        project.set_labels([s.id for s in samples[:8]], (0,))
        project.set_labels([s.id for s in samples[8:]], (1,))
        labelled_and_split(project)
        assert "60 % of the pictures are for training" in english(project.split_why)
    with Project.open(tmp_path / "p.handlens") as opened:
        assert "60 %" in english(opened.split_why)


def test_why_it_was_split_so_is_known_when_labelled_files_come_later(tmp_path: Path) -> None:
    loose = picture_folder(tmp_path / "shapes", each=2)
    (tmp_path / "loose").mkdir()
    for path in sorted(loose.rglob("*.png")):
        path.rename(tmp_path / "loose" / path.name)
    with create(tmp_path / "loose", tmp_path / "p.handlens") as project:
        picture_folder(tmp_path / "loose", each=8)
        job = ScanJob(folder=tmp_path / "loose", kind="images")
        (last,) = [event for event in scan(job, NeverStop()) if isinstance(event, Scanned)]
        project.add(last.report, plan_split(last.report, split_by=project.split_by, existing=project.splits()))
        assert "60 % of the pictures are for training" in english(project.split_why)


def test_a_project_with_nothing_to_learn_from_says_so_at_once(tmp_path: Path) -> None:
    with create(picture_folder(tmp_path / "in"), tmp_path / "p.handlens") as project:
        learned = [sample for sample in project.samples() if sample.split == "train"]
        project.set_labels([sample.id for sample in learned], (0,))
        with pytest.raises(HandlensError, match=english(ONE_CLASS)):
            labelled_and_split(project)
        project.set_labels([sample.id for sample in learned], ())
        with pytest.raises(HandlensError, match=english(NO_TRAINING_SAMPLES)):
            labelled_and_split(project)


def test_two_trainings_at_once_are_refused(project: Project) -> None:
    lock = project.lock("train")
    try:
        with Project.open(project.path) as second, pytest.raises(HandlensError, match="is being trained"):
            second.lock("train")
    finally:
        lock.release()


def test_runs_are_numbered_and_a_cancelled_one_is_gone(project: Project) -> None:
    names = ("disc", "square")
    first = project.runs.begin(preset="quick", seed=0, class_names=names)
    second = project.runs.begin(preset="standard", seed=1, class_names=names)
    project.runs.discard(second.number)
    third = project.runs.begin(preset="quick", seed=0, class_names=names)
    assert [run.number for run in project.runs.all()] == [first.number, third.number] == [1, 3]
    assert not project.runs.folder(second.number).exists()
    with pytest.raises(HandlensError, match="no finished run"):
        project.runs.finished(first.number)


def test_why_a_run_failed_is_kept_as_a_message(project: Project) -> None:
    run = project.runs.begin(preset="quick", seed=0, class_names=("disc", "square")).number
    assert project.runs.all()[0].message is None
    message = msg("{n} of {names} are missing.", n=1200, names=("discs", "squares"))
    project.runs.update(run, state="failed", message=message)
    (failed,) = project.runs.all()
    assert failed.message == message
    assert english(message) == "1,200 of discs and squares are missing."
    project.runs.update(run, state="running", message=None)
    assert project.runs.all()[0].message is None


def test_words_are_stored_as_messages_and_those_of_an_older_handlens_stay(project: Project) -> None:
    why = project.split_why
    assert why.template.startswith("In every class 60 % of the {files}")
    with closing(sqlite3.connect(project.path / "project.db")) as other, other:
        other.execute("insert into unreadable values ('a.png', 'The file is empty.')")
        other.execute("insert into unreadable values ('b.png', ?)", ('{"template": "No {x}.", "values": {"x": 3}}',))
        other.execute("update meta set value = 'All at random.' where key = 'split_why'")
        other.execute("insert into run values (1, 'failed', 'quick', 0, '', 0, null, null, null, 'Bad luck.', '[]')")
    other.close()
    with Project.open(project.path) as opened:
        assert opened.split_why == verbatim("All at random.")
        assert opened.unreadable() == (
            Unreadable(path="a.png", reason=verbatim("The file is empty.")),
            Unreadable(path="b.png", reason=msg("No {x}.", x=3)),
        )
        assert opened.runs.all()[0].message == verbatim("Bad luck.")
    with closing(sqlite3.connect(project.path / "project.db")) as other, other:
        other.execute("update meta set value = '' where key = 'split_why'")
    other.close()
    with Project.open(project.path) as opened:
        assert opened.split_why == AT_RANDOM


def test_a_run_that_was_cut_off_is_called_interrupted_but_not_while_it_is_trained(project: Project) -> None:
    project.runs.begin(preset="quick", seed=0, class_names=("disc", "square"))
    lock = project.lock("train")
    project.runs.mark_interrupted()
    assert project.runs.all()[0].state == "running"
    lock.release()
    project.runs.mark_interrupted()
    assert project.runs.all()[0].state == "interrupted"


def test_each_of_many_samples_has_its_own_history(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.project.project.LABELS_AT_ONCE", 3)
    before = {sample.id: sample.labels for sample in project.samples()}
    wanted = [(sample_id, (place % 2,)) for place, sample_id in enumerate(before)]
    again = wanted[0][0]
    changes = project.restore_labels([*wanted, (again, ()), (again, (1,))], annotator="ada")
    assert [(change.sample_id, change.new) for change in changes[: len(wanted)]] == wanted
    for sample_id, new in wanted[1:]:
        entry = project.history(sample_id)[-1]
        assert (entry.old, entry.new, entry.annotator) == (before[sample_id], new, "ada")
    assert [change.new for change in project.history(again)] == [before[again], wanted[0][1], (), (1,)]
    assert [change.old for change in project.history(again)][1:] == [before[again], wanted[0][1], ()]


def test_a_sample_that_is_named_twice_is_changed_twice(project: Project) -> None:
    first, second = (sample.id for sample in project.samples()[:2])
    before = project.samples()[0].labels
    changes = project.restore_labels([(first, (1,)), (second, (0,)), (first, (0,)), (second, None)])
    assert [(change.old, change.new) for change in changes if change.sample_id == first] == [
        (before, (1,)),
        ((1,), (0,)),
    ]
    assert [change.new for change in project.history(first)[-2:]] == [(1,), (0,)]
    assert project.history(first)[-1].old == (1,)
    assert [sample.labels for sample in project.samples()[:2]] == [(0,), ()]


def test_samples_are_counted_without_reading_them(project: Project) -> None:
    some = project.samples()[::3]
    project.restore_labels([(sample.id, None) for sample in some])
    samples = project.samples()
    assert project.count_splits() == Counter(sample.split for sample in samples)
    assert list(project.labelled_paths()) == sorted({sample.path for sample in samples if sample.labels})
