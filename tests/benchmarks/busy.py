"""How long the window of a large project keeps the user waiting: opening it, changing tabs, and writing labels."""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ml.api import Event, FoundFile, Job, Project, ScanReport, Split, SplitPlan, Stop, Suspected
from tests.fabricate import add_run

if TYPE_CHECKING:
    from desktop.pages.explore.page import ExplorePage
    from desktop.window.main_window import MainWindow

CLASSES = 10
PICTURES = 50
"""Different pictures; the others are hard links to them."""
TICK_MS = 5
ONE_BY_ONE = 300
KEYS = 60
SCROLL_SECONDS = 20
FRAME_MS = 33


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks busy", description=__doc__)
    parser.add_argument("--samples", type=int, default=50_000)
    given = parser.parse_args(arguments)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as scratch:
        place = synthesize(Path(scratch), given.samples)
        _write_without_window(place)
        _use_window(place, Path(scratch))
    return 0


def synthesize(scratch: Path, count: int) -> Path:
    """Write a project of `count` pictures with a finished run, without a scan and without a training."""
    folder = scratch / "pictures"
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / _path(number)
        if number < CLASSES:
            path.parent.mkdir(parents=True)
        if number < PICTURES:
            Image.fromarray(rng.integers(0, 255, (96, 96, 3), dtype=np.uint8)).save(path, quality=80)
        else:
            os.link(folder / _path(number % PICTURES), path)
    files = tuple(
        FoundFile(
            path=_path(number),
            size=4000,
            mtime_ns=number,
            digest=f"{number:064x}",
            class_name=f"class {number % CLASSES}",
            width=96,
            height=96,
        )
        for number in range(count)
    )
    splits: tuple[Split, ...] = ("train", "train", "train", "valid", "test")
    dealt: dict[str, Split] = {_path(number): splits[number // CLASSES % len(splits)] for number in range(count)}
    place = scratch / "large.handlens"
    report = ScanReport(folder=str(folder), kind="images", files=files, windowing=None)
    with Project.create(place, name="large", report=report, plan=SplitPlan(split_by="auto", splits=dealt)) as project:
        add_run(project, wrong=tuple(int(number) for number in rng.choice(count, count // 10, replace=False)))
    return place


def _path(number: int) -> str:
    return f"class {number % CLASSES}/{number:06d}.jpg"


def _write_without_window(place: Path) -> None:
    """Give every sample another label, while somebody else writes to the same project."""
    with Project.open(place) as project:
        ids = [sample.id for sample in project.samples()]
        with _other_writer(place) as waits:
            began, cpu = time.perf_counter(), time.thread_time()
            project.set_labels(ids, (1,))
            seconds, busy = time.perf_counter() - began, time.thread_time() - cpu
        print(
            f"{len(ids):,} labels at once, without a window: {seconds:.2f} s ({busy:.2f} s of processor time); "
            f"another writer waited {1000 * max(waits, default=0.0):.0f} ms at most"
        )


@contextmanager
def _other_writer(place: Path) -> Iterator[list[float]]:
    """Write a line again and again from another connection; yields how many seconds each write has taken."""
    waits: list[float] = []
    ended = threading.Event()

    def write() -> None:
        other = sqlite3.connect(place / "project.db", timeout=30, isolation_level=None)
        while not ended.wait(0.005):
            began = time.perf_counter()
            # The timeout of 30 s must not expire: then this thread ends with an error that the terminal shows.
            other.execute("INSERT OR REPLACE INTO meta VALUES ('benchmark', 'here')")
            waits.append(time.perf_counter() - began)
        other.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield waits
    finally:
        ended.set()
        thread.join()


class _Gaps:
    """The longest time in which the event loop did nothing, by a timer of 5 ms.

    `busiest` is the most processor time of this thread between two ticks: on a shared machine it says more.
    """

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.restart()
        self._timer = QTimer(interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def wait(self, ready: Callable[[], object], *, extra: float = 0.0) -> float:
        """Run the event loop until `ready`; seconds that took. Afterwards `extra` seconds more, to see later gaps."""
        from PySide6.QtCore import QEventLoop
        from PySide6.QtWidgets import QApplication

        began = time.perf_counter()
        while not ready():
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        took = time.perf_counter() - began
        while time.perf_counter() < began + took + extra:
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        return took

    def restart(self) -> None:
        self.longest = self.busiest = 0.0
        self._last, self._last_cpu = time.perf_counter(), time.thread_time()

    def _tick(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        self.longest = max(self.longest, 1000 * (now - self._last) - TICK_MS)
        self.busiest = max(self.busiest, 1000 * (cpu - self._last_cpu))
        self._last, self._last_cpu = now, cpu

    def __str__(self) -> str:
        return f"longest gap of the event loop {self.longest:.0f} ms ({self.busiest:.0f} ms of processor time)"


class _Suspect:
    """A runner that finds a tenth of the labels suspicious, at once."""

    def __init__(self, place: Path) -> None:
        with Project.open(place) as project:
            self._samples = project.samples()

    def __call__(self, _job: Job, _stop: Stop) -> Iterator[Event]:
        count = len(self._samples)
        yield Suspected(
            run=1,
            sample_ids=tuple(sample.id for sample in self._samples),
            labels=tuple(sample.labels for sample in self._samples),
            suggested=tuple((sample.labels[0] + 1) % CLASSES for sample in self._samples),
            scores=tuple(np.linspace(1, 0, count).tolist()),
            flagged=count // 10,
        )


def _use_window(place: Path, scratch: Path) -> None:
    from PySide6.QtCore import QSettings

    from desktop.app import make_app
    from desktop.window.main_window import MainWindow

    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(scratch / "settings"))
    app = make_app(["handlens"])
    window = MainWindow(runner=_Suspect(place))
    window.show()
    gaps = _Gaps()
    gaps.wait(lambda: True, extra=3.0)  # the core is loaded in the background
    page = _open(window, gaps, place)
    _change_tabs(page, gaps)
    page.view.choose("wrong")
    _scroll(page, gaps)
    _label_one_by_one(page)
    _press_keys(page)
    _label_all(page, gaps)
    began = time.perf_counter()
    window.close()
    app.processEvents()
    print(f"closing the window: {time.perf_counter() - began:.2f} s")
    print(f"most memory of the window: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _open(window: MainWindow, gaps: _Gaps, place: Path) -> ExplorePage:
    from desktop.pages.explore.page import ExplorePage

    gaps.restart()
    window.open_project(place)

    def shown() -> bool:
        if window.workspace is None:
            return False
        page = window.workspace.page("explore")
        return isinstance(page, ExplorePage) and page.grid.loaded_pictures() > 0

    cpu = time.process_time()
    took = gaps.wait(shown, extra=2.0)
    busy = time.process_time() - cpu
    print(f"opening until the first picture: {took:.2f} s, {busy:.2f} s of processor time with what follows; {gaps}")
    assert window.workspace is not None
    page = window.workspace.page("explore")
    assert isinstance(page, ExplorePage)
    return page


def _change_tabs(page: ExplorePage, gaps: _Gaps) -> None:
    from desktop.pages.explore.view import VIEWS

    page.view.choose("suspicious")
    gaps.wait(lambda: page.issues.state == "found")
    for turn in ("for the first time", "again"):
        figures = []
        for view in (*VIEWS[1:], VIEWS[0]):
            began, cpu = time.perf_counter(), time.thread_time()
            page.view.choose(view)
            page.repaint()
            took, busy = 1000 * (time.perf_counter() - began), 1000 * (time.thread_time() - cpu)
            figures.append(f"{view} {took:.0f} ms ({busy:.0f})")
            gaps.wait(lambda: True, extra=0.3)
        print(f"changing to a tab {turn} (processor time): {', '.join(figures)}")


def _scroll(page: ExplorePage, gaps: _Gaps) -> None:
    """Go through the grid to its end, by a key and by the wheel in turn, with 25 steps a second."""
    from PySide6.QtCore import QPoint, QPointF, Qt
    from PySide6.QtGui import QWheelEvent
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    grid = page.grid
    grid.setFocus()
    QTest.keyClick(grid, Qt.Key.Key_Home)
    longest: list[float] = []
    gaps.restart()
    until = time.perf_counter() + SCROLL_SECONDS
    while time.perf_counter() < until:
        if len(longest) % 2:
            QTest.keyClick(grid, Qt.Key.Key_PageDown)
        else:
            middle = QPointF(grid.viewport().rect().center())
            turn = QPoint(0, -360)
            none = (Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase)
            event = QWheelEvent(
                middle, QPointF(grid.viewport().mapToGlobal(middle.toPoint())), turn, turn, *none, False
            )
            QApplication.sendEvent(grid.viewport(), event)
        gaps.wait(lambda: True, extra=0.04)
        longest.append(gaps.longest)
        gaps.restart()
    late = sum(gap > FRAME_MS for gap in longest)
    print(
        f"scrolling for {SCROLL_SECONDS} s: longest gap of the event loop {max(longest):.0f} ms, "
        f"{late} of {len(longest)} steps with one over {FRAME_MS} ms"
    )


def _label_one_by_one(page: ExplorePage) -> None:
    ids = [int(sample_id) for sample_id in page.grid.ids()[:ONE_BY_ONE]]
    began, cpu = time.perf_counter(), time.thread_time()
    for sample_id in ids:
        page.model.relabel([sample_id], 2)
    seconds, busy = time.perf_counter() - began, time.thread_time() - cpu
    print(f"labels one by one, through undo commands: {_rate(len(ids), seconds, busy)}")


def _press_keys(page: ExplorePage) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    page.grid.setFocus()
    QTest.keyClick(page.grid, Qt.Key.Key_Home)
    began, cpu = time.perf_counter(), time.thread_time()
    for _ in range(KEYS):
        QTest.keyClick(page.grid, Qt.Key.Key_4)
        QTest.keyClick(page.grid, Qt.Key.Key_Right)
        QApplication.processEvents()
    seconds, busy = time.perf_counter() - began, time.thread_time() - cpu
    print(f"labels by keys, a digit and an arrow each: {_rate(KEYS, seconds, busy)}")


def _rate(count: int, seconds: float, busy: float) -> str:
    return f"{count / seconds:.0f} a second ({1000 * busy / count:.1f} ms of processor time each)"


def _label_all(page: ExplorePage, gaps: _Gaps) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    page.filters.split_box.setCurrentIndex(0)
    page.filters.filter_changed.emit()
    page.grid.selectAll()
    session = page.model.session
    assert session is not None
    some = [int(sample_id) for sample_id in page.grid.ids()[::1000]]
    gaps.restart()
    began, cpu = time.perf_counter(), time.process_time()
    QTest.keyClick(page.grid, Qt.Key.Key_6)
    gaps.wait(lambda: all(session.sample(sample_id).labels == (5,) for sample_id in some))
    seconds, busy = time.perf_counter() - began, time.process_time() - cpu
    gaps.wait(lambda: True, extra=2.0)
    count = len(page.grid.ids())
    print(f"{count:,} labels by one key: {seconds:.2f} s until shown, {busy:.2f} s of processor time; {gaps}")
    gaps.restart()
    began = time.perf_counter()
    page.model.undo_stack.undo()
    gaps.wait(lambda: all(session.sample(sample_id).labels != (5,) for sample_id in some if sample_id % 10 != 6))
    seconds = time.perf_counter() - began
    gaps.wait(lambda: True, extra=2.0)
    print(f"undo of them: {seconds:.2f} s; {gaps}")
