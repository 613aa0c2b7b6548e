"""The log for support: what is in it, and what never is."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from ml.core import logs, private_text
from ml.core.errors import HandlensError
from ml.core.jobs import NeverStop, ScanJob
from ml.core.logs import PrivateFormatter, SharedLogHandler, log_file, start_logging
from ml.core.messages import msg
from ml.core.private_text import describe, hashed, place_of_code, private
from ml.pipeline.dispatch import run
from ml.pipeline.worker import Worker

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A log of its own, in this process and in those that the test starts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(logs, "log_folder", lambda: tmp_path / "log")
    root, shown = logging.getLogger(), warnings.showwarning
    before, level = list(root.handlers), root.level
    yield tmp_path
    for handler in [item for item in root.handlers if item not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    warnings.showwarning = shown


@pytest.mark.parametrize(
    "text",
    [
        "cannot identify image file '/home/secret/Secret dog.jpg'",
        "could not open /home/me/My secret birds/a secret.wav: No such file",
        r'C:\Users\Secret\x.png and "D:\My secret.csv"',
        r"\\server\secret\x.wav",
        "secret.jpg is broken",
        "secret/apple/1.png, ~/secret, file:///home/secret/b.png",
        "it's in Bob's folder /home/secret/x.png",
    ],
)
def test_names_of_files_are_replaced(text: str) -> None:
    assert "secret" not in private(text).lower()


@pytest.mark.parametrize(
    "text",
    [
        "Handlens 0.1.0, Python 3.11.2, Linux-6.1-x86_64",
        "see https://huggingface.co/timm",
        "ScanJob ends after 3.2 s: Scanned",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert private(text) == text


def test_a_file_has_the_same_name_each_time_and_keeps_its_suffix() -> None:
    assert hashed("/home/me/x.jpg") == hashed("/home/me/x.jpg") != hashed("/home/me/y.jpg")
    assert hashed("/home/me/x.jpg").endswith(".jpg]")


def test_the_salt_is_not_in_the_log_folder_and_makes_guessing_useless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hashed("/home/me/x.jpg")
    monkeypatch.setattr(private_text, "data_folder", lambda: tmp_path)
    private_text._salt.cache_clear()
    other = hashed("/home/me/x.jpg")
    private_text._salt.cache_clear()
    assert first != other and (tmp_path / "log-salt").is_file()
    assert logs.log_folder() not in (tmp_path / "log-salt").parents


def _failing(path: Path) -> BaseException:
    try:
        try:
            Image.open(path)
        except OSError as error:
            raise HandlensError(msg("{file} is broken.", file=path.name), details=repr(error)) from error
    except HandlensError as error:
        return error
    raise AssertionError


def test_a_traceback_shows_code_and_hides_names_and_values(tmp_path: Path) -> None:
    folder = tmp_path / "secret folder"
    folder.mkdir()
    (folder / "secret dog.jpg").write_bytes(b"none")
    text = describe(_failing(folder / "secret dog.jpg"))
    assert "secret" not in text and str(tmp_path) not in text and str(Path.home()) + "/" not in text
    assert 'File "PIL/Image.py"' in text and "{file} is broken." in text and "It led to:" in text
    assert "_failing" in text


def test_a_traceback_of_the_built_program_shows_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not place_of_code("ml/core/disk.py")[1]
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert place_of_code("ml/core/disk.py") == ("ml/core/disk.py", True)
    assert not place_of_code("/home/secret/ml/core/disk.py")[1]


def test_a_job_in_a_child_process_is_logged_without_the_names_of_its_files(state: Path) -> None:
    list(Worker().run(ScanJob(folder=state / "secret missing", kind="images"), NeverStop()))
    text = (state / "state" / "Handlens" / "log" / "handlens.log").read_text(encoding="utf-8")
    assert "worker[" in text and "Handlens 0." in text
    assert "ScanJob begins" in text and ": Failed" in text
    assert "Choose it again." in text
    assert "secret" not in text and str(state) not in text


def test_jobs_and_warnings_of_libraries_are_logged(state: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with warnings.catch_warnings():
        start_logging("terminal")
        warnings.warn("the secret.wav is odd", UserWarning, stacklevel=1)
        list(run(ScanJob(folder=tmp_path / "pictures", kind="images"), NeverStop()))
    text = (tmp_path / "log" / "handlens.log").read_text(encoding="utf-8")
    assert "is odd" in text and "secret" not in text and "ScanJob ends after" in text


def test_the_command_line_writes_a_log_and_doctor_says_where(state: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ml.cli", "runs", str(state / "secret")], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    text = (state / "state" / "Handlens" / "log" / "handlens.log").read_text(encoding="utf-8")
    assert "terminal[" in text and "secret" not in text
    assert log_file().name == "handlens.log"


def test_without_a_folder_for_the_log_everything_else_works(state: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with warnings.catch_warnings():
        start_logging("terminal")
        logging.getLogger("ml.test").warning("nobody hears it")
    assert (tmp_path / "log").read_text() == "a file"


def test_two_processes_share_a_log_that_does_not_grow_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MAX_BYTES", 2000)
    path = tmp_path / "handlens.log"
    handlers = [SharedLogHandler(path), SharedLogHandler(path)]
    for handler in handlers:
        handler.setFormatter(PrivateFormatter("worker"))
    record = logging.LogRecord("ml.test", logging.INFO, "", 0, "%s", ("word " * 20,), None)
    for _ in range(60):
        for handler in handlers:
            handler.emit(record)
    for handler in handlers:
        handler.close()
    files = sorted(item.name for item in tmp_path.glob("handlens.log*") if not item.name.endswith(".lock"))
    assert files == ["handlens.log", "handlens.log.1", "handlens.log.2"]
    assert all((tmp_path / name).stat().st_size <= 2400 for name in files)
