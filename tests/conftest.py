"""What every test may rely on: no thread is left behind, Qt only where it can be loaded, no network, no display."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parent.parent


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


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real samples; tests that ask for it carry the `data` marker."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real samples are not here (../shared/data)")
    return folder


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
