"""A full disk is called that, nothing is called damaged for it, and what only reads goes on reading."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from small import create, picture_folder

from ml.core import disk as room
from ml.core.errors import HandlensError
from ml.core.messages import english
from ml.core.outputs import unwritable
from ml.pipeline.dispatch import explain
from ml.project import store
from ml.project.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    with create(picture_folder(tmp_path / "pictures"), tmp_path / "shapes.handlens") as opened:
        return opened.path


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte more can be written; files without any still can be made."""

    def refuse(_handle: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(room.os, "write", refuse)


def test_what_only_reads_reads_without_writing(project: Path, full: None) -> None:
    before = sorted(path.name for path in project.iterdir())
    with Project.open(project, to_read=True) as opened:
        assert (opened.read_only, len(opened.samples())) == (True, 16)
        assert sorted(path.name for path in project.iterdir()) == before


def test_what_would_write_says_that_the_disk_is_full(project: Path, full: None) -> None:
    with pytest.raises(HandlensError, match=r"^The disk is full, .*Free some space"):
        Project.open(project)


def test_what_was_not_yet_in_the_file_is_read_all_the_same(project: Path, tmp_path: Path, full: None) -> None:
    """As it stands after a process that was killed: the last labels are beside the file."""
    crashed = tmp_path / "crashed.handlens"
    crashed.mkdir()
    with closing(sqlite3.connect(project / "project.db")) as database, database:
        database.execute("update class set name = 'ring' where name = 'disc'")
        database.commit()
        for name in ("project.db", "project.db-wal"):
            shutil.copy(project / name, crashed / name)
    database.close()
    with Project.open(crashed, to_read=True) as opened:
        assert [item.name for item in opened.classes()] == ["ring", "square"]
        assert not (crashed / "project.db-shm").exists(), "the index would take room"


def test_a_new_project_on_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = picture_folder(tmp_path / "pictures")
    configure = store._configure

    def one_page(connection: Any, record: object) -> None:
        configure(connection, record)
        connection.execute("PRAGMA max_page_count = 1")  # SQLite's own way to run out of room

    monkeypatch.setattr(store, "_configure", one_page)
    with pytest.raises(HandlensError, match=r"^The disk is full, .*Free some space"):
        create(pictures, tmp_path / "shapes.handlens")
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_an_index_that_finds_no_room_is_no_damage(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says “disk I/O error” then."""
    monkeypatch.setattr(store, "disk_is_full", lambda _folder: True)
    assert store._sentence("disk i/o error", project) == store.FULL
    monkeypatch.setattr(store, "disk_is_full", lambda _folder: False)
    assert str(store._sentence("disk i/o error", project)).startswith("The project could not be read or written")


@pytest.mark.usefixtures("full")
def test_the_disk_is_asked_by_trying(tmp_path: Path) -> None:
    assert room.disk_is_full(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_share_that_is_full_only_when_a_file_is_closed_keeps_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = os.close

    def refuse(handle: int) -> None:
        close(handle)
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(room.os, "close", refuse)
    assert room.disk_is_full(tmp_path)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_there_is_room_elsewhere(tmp_path: Path) -> None:
    assert not room.disk_is_full(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_the_disk_is_full_another_folder_on_it_is_no_advice(tmp_path: Path) -> None:
    told = str(unwritable(tmp_path / "a.csv", OSError(errno.ENOSPC, "No space left on device")))
    assert told.endswith("the disk is full. Free some space and try again, or choose another disk.")
    assert "Choose a folder" in str(unwritable(tmp_path / "a.csv", OSError(errno.EACCES, "Permission denied")))


def test_work_that_a_full_disk_ends_says_how_to_go_on() -> None:
    told = english(explain(OSError(errno.ENOSPC, "No space left on device", "/data/p/cache")).message)
    assert told.startswith("The disk is full (/data/p/cache). Free some space and try again, or continue a training")
