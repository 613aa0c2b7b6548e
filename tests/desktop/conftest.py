"""What every window test may rely on: its own settings, the studio's looks, and no thread left behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, QThread, QThreadPool
from PySide6.QtWidgets import QApplication

from desktop import settings
from desktop.app import make_app


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path) -> None:
    """Tests neither read nor write what the person has set or made."""
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "settings"))
    settings.set_value(settings.PROJECTS_FOLDER, str(tmp_path / "projects"))
    settings.set_value(settings.THEME, "light")


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    return ["handlens"]


@pytest.fixture
def studio(qapp: QApplication, own_settings: None) -> QApplication:
    """The application with its name and its looks."""
    return make_app([])


@pytest.fixture(autouse=True)
def no_qt_thread_left() -> Iterator[None]:
    """A test that leaves a QThread or a busy pool behind fails, and says which."""
    yield
    # By type: some of torch's objects warn when anybody asks for their class.
    running = [item for item in gc.get_objects() if issubclass(type(item), QThread) and _runs(item)]
    pools = [item for item in gc.get_objects() if issubclass(type(item), QThreadPool) and _works(item)]
    for thread in running:
        thread.wait(3000)
    for pool in pools:
        pool.waitForDone(3000)
    assert not running, f"threads left running: {', '.join(type(item).__name__ for item in running)}"
    assert not pools, f"{len(pools)} thread pools left working"


def _runs(thread: QThread) -> bool:
    try:
        return thread.isRunning() and thread is not QApplication.instance().thread()  # type: ignore[union-attr]
    except RuntimeError:  # its C++ half is gone already
        return False


def _works(pool: QThreadPool) -> bool:
    try:
        return pool.activeThreadCount() > 0 and pool is not QThreadPool.globalInstance()
    except RuntimeError:  # its C++ half is gone already
        return False
