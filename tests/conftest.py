"""What every test may rely on: no thread is left behind, Qt only where it can be loaded, no network, no display.

`pytest` alone runs the whole suite in several processes; with a path, or with `-n 0`, it stays in one.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from filelock import FileLock

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if "PYTEST_XDIST_WORKER" in os.environ:
    # One thread each, here and in the processes that tests start: more than cores only hinder each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
MOST_WORKERS = 4
"""A worker that has loaded torch and Qt takes more than a gigabyte."""
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
ONE_AFTER_THE_OTHER = ("process", "e2e")
"""The folders of tests that start programs."""
HANGS_AFTER = 3600
"""Seconds that a slow test may take; the longest takes minutes."""
IN_THIS_PROCESS = "test_second_device.py"
"""Not that one: it tells nothing of time."""


def _qt_trouble() -> str:
    """Why no window can be tested here; "" where Qt can be loaded."""
    try:
        import PySide6.QtMultimedia
        import PySide6.QtWidgets  # noqa: F401 - only whether it can be loaded
    except ImportError as error:
        return f"Qt cannot be loaded here ({error}); `handlens doctor` names the packages to install"
    return ""


QT_TROUBLE = _qt_trouble()
if not QT_TROUBLE:
    # The plugin ends the whole run where Qt cannot be loaded, so pytest is told not to load it by itself.
    pytest_plugins = ["pytestqt.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    if QT_TROUBLE:  # the settings in pyproject.toml must be known all the same
        for name in ("qt_api", "qt_log_level_fail"):
            parser.addini(name, "belongs to pytest-qt")
        parser.addini("qt_log_ignore", "belongs to pytest-qt", type="linelist")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Share the whole suite among processes, before pytest-xdist reads how many there are to be."""
    if "PYTEST_XDIST_WORKER" in os.environ:  # it comes through here, too, and must not begin anew
        return
    options = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if whole and getattr(options, "numprocesses", 0) is None and not options.usepdb and not options.collectonly:
        options.numprocesses = min(
            MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
        )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Of a folder of tests that start programs, one comes after the other: they measure time and fill the cores.

    pytest-xdist has groups for that, but up to 3.8 they mean nothing to pytest 9.2 (pytest-xdist#1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    class Folders(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _line(Path(nodeid.partition("::")[0])) or nodeid

    return Folders(config, log)


def _line(path: Path) -> str:
    """Return the name of the tests with which this one stands in line; "" if it may run beside any other."""
    return path.parent.name if path.parent.name in ONE_AFTER_THE_OTHER and path.name != IN_THIS_PROCESS else ""


@pytest.fixture(autouse=True)
def no_other_process_of_its_line(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whether the tests of a line share a process is up to pytest-xdist; once it did not, and nothing told so."""
    line, worker = _line(request.path), os.environ.get("PYTEST_XDIST_WORKER")
    if line and worker:
        taken = tmp_path_factory.getbasetemp().parent / f"{line}.worker"
        if not taken.exists():
            taken.write_text(worker)
        assert taken.read_text() == worker, f"tests of tests/{line} run beside each other"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a slow test take long: it is slower still on a busy machine."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(HANGS_AFTER), append=False)


class _NoWindows(pytest.File):
    """Stands for the folder of window tests where there can be no window; its own conftest.py is not loaded."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        pytest.skip(QT_TROUBLE, allow_module_level=True)


class _NoWindowModule(pytest.Module):
    def collect(self) -> list[pytest.Item | pytest.Collector]:
        pytest.skip(QT_TROUBLE, allow_module_level=True)


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if QT_TROUBLE and path == ROOT / "tests" / "desktop":
        return _NoWindows.from_parent(parent, path=path)  # type: ignore[no-any-return]
    return None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    if not QT_TROUBLE or module_path.parent.name not in ("e2e", "process", "benchmarks"):
        return None
    text = module_path.read_text(encoding="utf-8")
    if any(word in text for word in ("PySide6", "qtbot", "from desktop", "import desktop")):
        return _NoWindowModule.from_parent(parent, path=module_path)  # type: ignore[no-any-return]
    return None


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Logs and checksums of tests, and of the processes they start, do not go to the user's folders."""
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        os.environ[name] = str(tmp_path_factory.mktemp(name.lower()))


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """A test that leaves a thread running fails: such threads keep a program from ending."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in left:
        thread.join(timeout=5)
    alive = [thread.name for thread in left if thread.is_alive()]
    assert not alive, f"threads left running: {', '.join(alive)}"


@pytest.fixture
def listening() -> Iterator[None]:
    """A shell's background job ignores Ctrl+C, and so would every program that the tests start from there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real samples; tests that ask for it carry the `data` marker."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real samples are not here (../shared/data)")
    return folder


class Demo(NamedTuple):
    folder: Path
    said: str
    temp: Path
    """The temp folder that it had for itself."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """What `handlens demo --preset quick` made and said, without a display: the one training that many tests look at.

    It happens once in a test run, whichever of its processes asks first. Take `trained_project` to change anything.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, said, temp = base / "demo", base / "demo.txt", base / "demo-temp"
    with FileLock(base / "demo.lock"):
        if not said.is_file():
            said.write_text(play_demo(folder, temp, "--preset", "quick"), encoding="utf-8")
    return Demo(folder, said.read_text(encoding="utf-8"), temp)


def play_demo(folder: Path, temp: Path, *options: str) -> str:
    """Run `handlens demo` into `folder`, without a display and with a temp folder of its own; what it printed."""
    temp.mkdir(exist_ok=True)
    without = ("DISPLAY", "WAYLAND_DISPLAY", "TORCHINDUCTOR_CACHE_DIR")
    surroundings = {name: text for name, text in os.environ.items() if name not in without}
    surroundings |= {"TMPDIR": str(temp), "TEMP": str(temp), "TMP": str(temp)}
    command = [sys.executable, "-m", "desktop", "demo", "--to", str(folder), "--count", "64", *options]
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def trained_project(demo: Demo, tmp_path: Path) -> Path:
    """A copy of the demo's project of pictures, with its finished run."""
    shutil.copytree(demo.folder, tmp_path / "demo")
    return next((tmp_path / "demo").glob("*.handlens"))


@pytest.fixture
def close_folder(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes folders of a name ones that may not be opened: whoever runs the tests may be allowed to open everything."""
    listing = os.scandir

    def close(name: str) -> None:
        def guarded(folder: Path) -> object:
            if folder.name == name:
                raise PermissionError(errno.EACCES, "Permission denied")
            return listing(folder)

        monkeypatch.setattr(os, "scandir", guarded)

    return close
