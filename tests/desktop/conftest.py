"""What every window test may rely on: its own settings, the studio's looks, and no thread left behind."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fabricate import add_run, image_folder, log_folder, project_of, sound_folder
from PySide6.QtCore import QEvent, QSettings, QThread, QThreadPool
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop import settings
from desktop.app import make_app
from desktop.i18n import use_language
from desktop.pages.wizard.wizard import NewProjectWizard
from desktop.session import Session, open_session
from ml.api import KindName, Project, Runner, Split
from tests.desktop.wizards import Look, Maker

Opener = Callable[..., Session]
"""What the fixture `open_project` is, for annotations."""
FOLDERS = {"images": image_folder, "recordings": sound_folder, "sensors": log_folder}


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path) -> Iterator[None]:
    """Tests neither read nor write what the person has set or made, and speak English unless they say otherwise."""
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "settings"))
    settings.set_value(settings.PROJECTS_FOLDER, str(tmp_path / "projects"))
    settings.set_value(settings.THEME, "light")
    settings.set_value(settings.LANGUAGE, "en")
    use_language("en")
    yield
    use_language("en")


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
    before = _system_threads()
    yield
    if before and _system_threads() <= before:  # looking through all objects takes a while
        return
    threads, pools = _threads_and_pools()
    running, pools = [item for item in threads if _runs(item)], [item for item in pools if _works(item)]
    for thread in running:
        thread.wait(3000)
    for pool in pools:
        pool.waitForDone(3000)
    assert not running, f"threads left running: {', '.join(type(item).__name__ for item in running)}"
    assert not pools, f"{len(pools)} thread pools left working"


def _system_threads() -> set[str]:
    """The system's identifiers of all threads of this process; empty where the system does not list them."""
    folder = Path("/proc/self/task")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


MANY_OBJECTS = 200_000
_KINDS: dict[type, int] = {}
"""By type: 1 for threads, 2 for pools, 0 for all others. There are a million objects, of a few thousand types."""


def _threads_and_pools() -> tuple[list[QThread], list[QThreadPool]]:
    """Return all that Python knows of."""
    found: tuple[list[object], list[QThread], list[QThreadPool]] = ([], [], [])
    objects = gc.get_objects()
    if len(objects) > MANY_OBJECTS:
        # Mostly libraries. What is frozen is neither looked through again nor by every collection.
        gc.collect()
        gc.freeze()
    for item in objects:
        # By type: some of torch's objects warn when anybody asks for their class.
        kind = _KINDS.get(type(item))
        if kind is None:
            kind = _KINDS[type(item)] = 2 if issubclass(type(item), QThreadPool) else issubclass(type(item), QThread)
        if kind:
            found[kind].append(item)
    return found[1], found[2]


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


@pytest.fixture
def make_wizard(studio: QApplication, qtbot: QtBot) -> Iterator[Maker]:
    """Opens wizards with a runner in this process, and closes them when the test is over."""
    made: list[NewProjectWizard] = []

    def make(runner: Runner | None = None, **known: object) -> NewProjectWizard:
        wizard = NewProjectWizard(runner=runner or Look(), **known)  # type: ignore[arg-type]
        made.append(wizard)
        wizard.open()
        qtbot.waitUntil(wizard.isVisible)
        return wizard

    yield make
    for wizard in made:
        wizard.done(0)
        wizard.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty pictures of three fruits, each fruit in a sub-folder."""
    return image_folder(tmp_path / "fruit")


@pytest.fixture
def open_project(tmp_path: Path) -> Iterator[Opener]:
    """Opens a project as the window does, and closes it when the test is over: `made`, or a small one of fruits.

    `each` is the number of files of each class. The small project has a finished run unless `run` is False; of the
    samples in `within` the first `mistakes` are predicted wrongly, all others correctly.
    """
    opened: list[Session] = []

    def open_one(
        made: Project | None = None,
        *,
        kind: KindName = "images",
        each: int | None = None,
        run: bool = True,
        mistakes: int = 0,
        within: tuple[Split, ...] = ("test",),
    ) -> Session:
        if made is None:
            folder = FOLDERS[kind](tmp_path / "fruit", **({} if each is None else {"each": each}))
            made = project_of(folder, tmp_path / "fruit.handlens", kind=kind)
            wrong = [sample for sample in made.samples() if sample.split in within][:mistakes]
            tested = sum(sample.split == "test" for sample in made.samples())
            if run:
                score = 1 - sum(sample.split == "test" for sample in wrong) / tested
                add_run(made, wrong=tuple(sample.id for sample in wrong), accuracy=score)
        made.close()
        opened.append(open_session(made.path))
        return opened[-1]

    yield open_one
    for session in opened:
        session.close()
