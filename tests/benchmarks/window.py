"""How soon the window is there, and whether it stutters while a training uses every core beside it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_MS = 50.0

_FIRST_WINDOW = """
import sys, time
from desktop.app import make_app
from desktop.window.main_window import MainWindow
app = make_app(["handlens"])
window = MainWindow()
window.show()
app.processEvents()
window.grab()
print(time.time())
window.close()
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks window", description=__doc__)
    parser.add_argument("--starts", type=int, default=5, help="how often the window is opened")
    parser.add_argument("--pictures", type=int, default=240, help="generated bricks to train on")
    given = parser.parse_args(arguments)
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    starts = sorted(_first_window() for _ in range(given.starts + 1))[: given.starts]
    print(f"first window, painted: median {starts[len(starts) // 2]:.2f} s, worst {starts[-1]:.2f} s of {len(starts)}")
    with tempfile.TemporaryDirectory() as scratch:
        _stutter(Path(scratch), given.pictures)
    return 0


def _first_window() -> float:
    """Seconds from the start of the process to the first painted window."""
    began = time.time()
    shown = subprocess.run([sys.executable, "-c", _FIRST_WINDOW], capture_output=True, text=True, check=True)
    return float(shown.stdout.split()[-1]) - began


def _stutter(scratch: Path, pictures: int) -> None:
    from PySide6.QtCore import QElapsedTimer, QTimer

    from desktop.app import make_app
    from desktop.window.main_window import MainWindow
    from ml.core.events import Scanned
    from ml.core.jobs import NeverStop, ScanJob
    from ml.demo.projects import write_samples
    from ml.pipeline.dispatch import run
    from ml.project.project import Project
    from ml.project.split.plan import plan_split

    for _ in write_samples(scratch / "bricks", "images", count=pictures):
        pass
    for event in run(ScanJob(folder=scratch / "bricks", kind="images"), NeverStop()):
        if isinstance(event, Scanned):
            plan = plan_split(event.report)
            Project.create(scratch / "b.handlens", name="b", report=event.report, plan=plan).close()

    app = make_app(["handlens"])
    window = MainWindow()
    window.show()
    window.open_project(scratch / "b.handlens")
    while window.workspace is None:
        app.processEvents()
    page = window.workspace.page("train")
    window.workspace.show_page("train")
    gaps: list[float] = []
    clock = QElapsedTimer()
    ticker = QTimer(interval=10)
    ticker.timeout.connect(lambda: gaps.append(clock.nsecsElapsed() / 1e6) or clock.start())
    cpu = time.process_time()
    began = time.monotonic()
    page.train("standard", 2, 0)
    clock.start()
    ticker.start()
    while page.training():
        app.processEvents()
        time.sleep(0.001)
    ticker.stop()
    seconds = time.monotonic() - began
    cpu = time.process_time() - cpu
    window.close()
    app.processEvents()
    gaps.sort()
    late = sum(gap > LIMIT_MS for gap in gaps)
    print(
        f"training {pictures} pictures for 2 epochs took {seconds:.0f} s; the window itself used {cpu:.0f} s of a core"
    )
    print(
        f"gaps of a 10 ms timer: median {gaps[len(gaps) // 2]:.0f} ms, 99.9 % {gaps[int(len(gaps) * 0.999)]:.0f} ms, "
        f"longest {gaps[-1]:.0f} ms; {late} of {len(gaps)} over {LIMIT_MS:.0f} ms"
    )
