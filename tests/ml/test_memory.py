"""A lack of memory is recognised in the words of every library, and nothing else is taken for one."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiny_model import write_colour_model

from ml.core.errors import HandlensError, UnreadableError
from ml.core.memory import MEMORY_RAN_OUT, is_memory_shortage, killed_for_memory, start_threads
from ml.core.messages import msg
from ml.pipeline.dispatch import explain
from ml.runtime import folder
from ml.runtime.folder import FilePrediction, predict_files
from ml.runtime.model import Outputs, ReleasedModel


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def paint(path: Path) -> Path:
    Image.new("RGB", (60, 40), "red").save(path)
    return path


SHORTAGES = (
    MemoryError(),
    MemoryError("std::bad_alloc"),
    MemoryError("Unable to allocate 1.00 TiB for an array with shape (1099511627776,) and data type uint8"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer"),
    RuntimeError("can't start new thread"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ImportError("libfoo.so: cannot allocate memory for program header"),
    OSError("libtorch_cuda.so: cannot map: Cannot allocate memory"),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), "/usr/bin/python"),
    caused(UnreadableError(msg("The picture needs more memory than one picture may use.")), MemoryError()),
)
OTHERS = (
    ImportError("No module named 'torch'"),
    ImportError("libgomp.so.1: cannot allocate memory in static TLS block"),
    OSError(errno.ENOENT, "No such file", "/home/anna/out of memory/a.png"),
    OSError(errno.ENOSPC, "No space left on device"),
    RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    HandlensError(msg("{name} cannot be read.", name="out of memory")),
)


@pytest.mark.parametrize("error", SHORTAGES, ids=repr)
def test_a_shortage_is_recognised(error: Exception) -> None:
    assert is_memory_shortage(error)
    if not isinstance(error, HandlensError):
        assert explain(error).message == MEMORY_RAN_OUT


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_nothing_else_is_a_shortage(error: Exception) -> None:
    assert not is_memory_shortage(error)
    assert explain(error).message != MEMORY_RAN_OUT


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_a_killed_and_an_aborted_child_are_called_a_shortage() -> None:
    assert killed_for_memory(-signal.SIGKILL)
    assert killed_for_memory(-signal.SIGABRT)
    assert not any(map(killed_for_memory, (None, 0, 1, -signal.SIGTERM, -signal.SIGSEGV)))


def test_one_thread_does_the_work_where_no_more_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if sum(each.is_alive() for each in started) >= 2:
            raise RuntimeError("can't start new thread")
        start(thread)
        started.append(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with start_threads(4) as pool:
        assert list(pool.map(abs, range(-20, 0))) == list(range(20, 0, -1))
    assert not any(thread.is_alive() for thread in started)


def test_a_batch_is_halved_until_it_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ReleasedModel.open(write_colour_model(tmp_path / "colours.onnx"))
    predict, sizes = model.predict, list[int]()

    def limited(batch: NDArray[np.generic]) -> Outputs:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 1")
        return predict(batch)

    paths = [paint(tmp_path / f"{number}.png") for number in range(5)]
    monkeypatch.setattr(model, "predict", limited)
    found = list(predict_files(model, paths))
    assert [item.path for item in found if isinstance(item, FilePrediction)] == paths
    assert max(sizes) == 5


def test_a_file_that_memory_ran_out_for_is_decoded_again_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ReleasedModel.open(write_colour_model(tmp_path / "colours.onnx"))
    paths = [paint(tmp_path / f"{number}.png") for number in range(6)]
    monkeypatch.setattr(folder, "_windows", failing_once(folder._windows, paths[3]))
    assert all(isinstance(item, FilePrediction) for item in predict_files(model, paths))


def failing_once(load: Callable[..., NDArray[np.generic]], where: Path) -> Callable[..., NDArray[np.generic]]:
    left = [where]

    def guarded(path: Path, *rest: object) -> NDArray[np.generic]:
        if path in left:
            left.remove(path)
            raise UnreadableError(msg("Too large.")) from MemoryError()
        return load(path, *rest)

    return guarded
