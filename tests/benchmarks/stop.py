"""How soon a training ends after "Stop and keep" and after "Cancel", asked in each of its parts.

Everything runs as under the window: in a child process, through `ml.pipeline.worker`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ml.core.events import (
    TERMINAL,
    BatchDone,
    Event,
    Failed,
    ProbeDone,
    Progress,
    RunStarted,
    Scanned,
    StageStarted,
)
from ml.core.jobs import Job, NeverStop, ScanJob, StopRequest, SuspectJob, TrainJob
from ml.demo.projects import write_samples
from ml.pipeline.worker import Worker
from ml.project.project import Project
from ml.project.split.plan import plan_split

Moment = Callable[[Event], bool]


def _begins(stage: str) -> Moment:
    return lambda event: isinstance(event, StageStarted) and event.stage == stage


def _goes_on(stage: str) -> Moment:
    return lambda event: isinstance(event, Progress) and event.stage == stage


@dataclass(frozen=True, kw_only=True)
class Case:
    """When to ask: at `moment`, `later` seconds after it. `fresh`: nothing of the folder is known beforehand."""

    name: str
    moment: Moment
    later: float = 0.0
    fresh: bool = False
    epochs: int = 0
    backbone: str = ""
    suspects: bool = False


CASES = (
    Case(name="starting the process", moment=lambda _event: True),
    Case(name="getting ready", moment=lambda event: isinstance(event, RunStarted)),
    Case(name="downloading", moment=_goes_on("download"), backbone="mobilenetv3_small_100"),
    Case(name="opening files", moment=_goes_on("decode"), fresh=True),
    Case(name="before looking at samples", moment=_begins("features"), fresh=True),
    Case(name="looking at samples", moment=_goes_on("features"), fresh=True),
    Case(name="first model", moment=_begins("probe")),
    Case(name="after the first model", moment=lambda event: isinstance(event, ProbeDone), epochs=1),
    Case(name="adjusting", moment=lambda event: isinstance(event, BatchDone) and event.step == 3, epochs=1),
    Case(
        name="checking a pass",
        moment=lambda event: isinstance(event, BatchDone) and event.step == event.steps,
        later=0.2,
        epochs=1,
    ),
    Case(name="asking the model", moment=_begins("predict"), epochs=1),
    Case(name="writing the model", moment=_begins("export"), epochs=1),
    Case(name="its self-test", moment=_begins("export"), later=2.0, epochs=1),
    Case(name="suspicious labels", moment=_begins("predict"), suspects=True),
)


@dataclass
class Asked:
    """The button. `at` is when it was pressed."""

    request: StopRequest = ""
    at: float = 0.0
    _timer: threading.Timer | None = field(default=None, init=False)

    def requested(self) -> StopRequest:
        return self.request

    def press(self, request: StopRequest, *, later: float) -> None:
        if self._timer is None:
            self._timer = threading.Timer(later, self._now, [request])
            self._timer.start()

    def _now(self, request: StopRequest) -> None:
        self.request, self.at = request, time.monotonic()

    def let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks stop", description=__doc__)
    parser.add_argument("--samples", type=int, default=1000, help="generated pictures")
    parser.add_argument("--preset", choices=("standard", "thorough"), default="standard")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--keep", type=Path, help="a folder in which the project stays, to be used again")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch, _hub(Path(scratch)):
        project = _project(given.keep or Path(scratch), given.samples)
        print(f"{given.samples} pictures, {os.cpu_count()} cores; seconds after it was asked")
        print(f"{'':28s}{'stop: learns no more':>22s}{'ended':>9s}  {'as':12s}{'cancel: ended':>14s}  as", flush=True)
        for case in CASES:
            if given.only in case.name:
                quiet, ended, how = _measure(project, case, "stop", preset=given.preset)
                _, cancelled, cancelled_how = _measure(project, case, "cancel", preset=given.preset)
                print(
                    f"{case.name:28s}{quiet:22.1f}{ended:9.1f}  {how:12s}{cancelled:14.1f}  {cancelled_how}", flush=True
                )
    return 0


def _measure(project: Path, case: Case, request: StopRequest, *, preset: str) -> tuple[float, float, str]:
    """Seconds from the button to the last sign of learning and to the end, and the event that ended it."""
    if case.fresh:
        shutil.rmtree(project / "cache", ignore_errors=True)
    job: Job = TrainJob(
        project=project,
        preset="quick" if not case.epochs else "thorough" if preset == "thorough" else "standard",
        epochs=case.epochs or None,
        device="cpu",
        backbone=case.backbone,
    )
    if case.suspects:
        job = SuspectJob(project=project)
    asked = Asked()
    learning, learned_until = True, 0.0
    if case.name == "starting the process":
        asked.press(request, later=0.1)
    try:
        for event in Worker().run(job, asked):
            now = time.monotonic()
            if isinstance(event, Failed):
                raise SystemExit(event.message)
            if learning and (_begins("predict")(event) or isinstance(event, TERMINAL)):
                learning, learned_until = False, now
            if case.moment(event):
                asked.press(request, later=case.later)
            if isinstance(event, TERMINAL):
                if not asked.at:
                    return 0.0, 0.0, "was quicker"
                resumable = ", resumable" if getattr(event, "resumable", False) else ""
                return max(0.0, learned_until - asked.at), now - asked.at, type(event).__name__ + resumable
    finally:
        asked.let_go()
    raise SystemExit("a job ended without a last event")


def _project(scratch: Path, count: int) -> Path:
    """A project with one quick run, so that everything is decoded and looked at."""
    place = scratch / "b.handlens"
    if (place / "runs" / "0001" / "model.onnx").is_file():
        return place
    for _ in write_samples(scratch / "samples", "images", count=count):
        pass
    for event in Worker().run(ScanJob(folder=scratch / "samples", kind="images"), NeverStop()):
        if isinstance(event, Scanned):
            plan = plan_split(event.report)
            Project.create(place, name="b", report=event.report, plan=plan).close()
    for _ in Worker().run(TrainJob(project=place, preset="quick", device="cpu"), NeverStop()):
        pass
    return place


@contextlib.contextmanager
def _hub(scratch: Path) -> Iterator[None]:
    """A slow server of weights on this machine, for the download; nothing leaves it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_address[1]}"
    os.environ["XDG_CACHE_HOME"] = str(scratch / "downloads")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Slow(BaseHTTPRequestHandler):
    """10 MB, 256 KB a second."""

    size = 10_000_000

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("ETag", '"some"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(self.size))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        with contextlib.suppress(OSError):  # whoever stopped has hung up
            for _ in range(self.size >> 18):
                self.wfile.write(bytes(1 << 18))
                time.sleep(1.0)

    def log_message(self, format: str, *args: object) -> None:
        pass
