"""A file that hangs, explodes or crashes costs only itself."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import english, msg
from ml.media import probing
from ml.media.probing import probe_files


def behave(path: Path) -> str:
    """Do what the name of the file says."""
    match path.stem.split("-")[0]:
        case "hang":
            time.sleep(600)
        case "crash":
            os._exit(3)
        case "explode":
            return str(len(bytearray(3_000_000_000)))
        case "stumble":
            raise ZeroDivisionError
        case "refuse":
            raise UnreadableError(msg("The file is not for reading."))
    return path.stem


def outcomes(paths: list[Path], **options: float) -> dict[str, str]:
    found = {}
    for path, outcome in probe_files(paths, behave, workers=2, timeout=options.get("timeout", 30.0)):
        found[path.stem] = english(outcome.message) if isinstance(outcome, UnreadableError) else outcome
    return found


def test_the_others_are_read_though_one_crashes() -> None:
    names = ["a", "crash-1", "b", "stumble", "c", "refuse", "crash-2", "d"]
    found = outcomes([Path(f"{name}.jpg") for name in names])
    assert set(found) == set(names)
    assert [found[name] for name in "abcd"] == list("abcd")
    assert found["crash-1"] == found["crash-2"] == "Reading the file made the decoder crash, so it was left out."
    assert found["stumble"] == "The file is damaged and cannot be read."
    assert found["refuse"] == "The file is not for reading."
    assert not multiprocessing.active_children()


def test_a_file_that_takes_too_long_is_left_out() -> None:
    found = outcomes([Path("hang.jpg"), Path("a.jpg"), Path("b.jpg")], timeout=1.0)
    assert found == {"hang": "Reading the file took too long, so it was left out.", "a": "a", "b": "b"}
    assert not multiprocessing.active_children()


def test_a_child_that_starts_too_slowly_is_not_said_to_lack_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_START_TIMEOUT", 0.0)
    with pytest.raises(HandlensError, match="because the computer is busy"):
        outcomes([Path("a.jpg")])
    assert not multiprocessing.active_children()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit the memory of a process")
def test_a_file_that_needs_too_much_memory_is_left_out() -> None:
    found = outcomes([Path("explode.jpg"), Path("a.jpg")])
    assert found == {"explode": "Reading the file needs too much memory, so it was left out.", "a": "a"}


def test_no_process_is_left_when_nobody_wants_the_rest() -> None:
    results = probe_files([Path(f"{number}.jpg") for number in range(1000)], behave, workers=2)
    next(results)
    assert len(multiprocessing.active_children()) == 2
    results.close()
    assert not multiprocessing.active_children()


def test_a_stop_is_obeyed_while_a_file_hangs() -> None:
    began = time.monotonic()
    paths = [Path(f"hang-{number}.jpg") for number in range(40)]
    found = list(probe_files(paths, behave, workers=2, stopped=lambda: time.monotonic() > began + 0.5, timeout=300.0))
    assert found == []
    assert time.monotonic() - began < 60
    assert not multiprocessing.active_children()


def test_nothing_to_do_starts_nothing() -> None:
    assert list(probe_files([], behave)) == []


def test_children_that_cannot_start_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behave, "__module__", "a_module_that_is_not_there")
    monkeypatch.setitem(sys.modules, "a_module_that_is_not_there", sys.modules[__name__])
    with pytest.raises(HandlensError, match="could not be started"):
        list(probe_files([Path("a.jpg")], behave))
    assert not multiprocessing.active_children()
