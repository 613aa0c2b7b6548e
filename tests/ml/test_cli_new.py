"""`handlens new` as a user reads it: what it found, and what it does not understand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small import log_folder, sound_folder

from tests.ml.terminal import Handlens


@pytest.mark.parametrize(
    ("make", "word", "windows", "other"),
    [
        (sound_folder, "recordings", "Recordings are cut into windows of 0.5 s: 16 windows.", "sounds"),
        (
            log_folder,
            "logs",
            "Logs are cut into windows of 2.4 s (120 rows): 16 windows, 2 columns: x and y.",
            "measurement",
        ),
    ],
)
def test_there_is_one_word_for_the_files_and_one_for_their_parts(
    handlens: Handlens, tmp_path: Path, make: Callable[[Path], object], word: str, windows: str, other: str
) -> None:
    make(tmp_path / "files")
    out = handlens("new", tmp_path / "p", "--from", tmp_path / "files").out
    assert f"It has 16 {word} in 2 classes." in out
    assert windows in out
    assert "10 training windows" in out
    assert other not in out


def test_a_folder_with_a_letter_is_not_said_to_hold_logs(handlens: Handlens, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("Dear Anna, hello", encoding="utf-8")
    done = handlens("new", tmp_path / "p", "--from", tmp_path / "notes")
    assert done.err.startswith("Nothing in “notes” can be read as a log of measurements. For example “a.txt”")


@pytest.mark.parametrize("rate", ["50Hz", "50 Hz", "50"])
def test_a_rate_may_be_written_with_its_unit(handlens: Handlens, tmp_path: Path, rate: str) -> None:
    log_folder(tmp_path / "logs")
    done = handlens("new", tmp_path / "p", "--from", tmp_path / "logs", "--rate", rate)
    assert "The rate of the logs, as you entered it: 50 rows per second." in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("new", "p", "--from", ".", "--rate", "fast"),
            "“fast” is not a number. Write the number of rows per second",
        ),
        (("new", "p", "--from", ".", "--seed", "luck"), "“luck” is not a whole number. Write one such as 3"),
        (("train", "p", "--epochs", "-1"), "“-1” is not a whole number. Write one such as 3"),
        (("evaluate", "p", "--run", "best"), "“best” is not a whole number. Write one such as 3"),
    ],
)
def test_what_is_no_number_is_said_in_plain_words(
    handlens: Handlens, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = handlens(*arguments)
    assert done.code == 2
    assert told in done.err
    assert "parse" not in done.err


def test_where_many_files_are_left_out_it_is_said_how_to_see_all(
    handlens: Handlens, folder: Path, tmp_path: Path
) -> None:
    for number in range(30):
        (folder / "red" / f"empty{number}.png").touch()
    done = handlens("new", tmp_path / "p", "--from", folder)
    assert "… and 11 more left out. --json lists all." in done.out
