"""Scans in a few lines: a real report of a small folder, without the processes that a real scan starts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from fabricate import CUTS, found_file

from ml.api import (
    Event,
    Job,
    Progress,
    ScanJob,
    Scanned,
    ScanReport,
    StageStarted,
    Stop,
    Stopped,
    Unreadable,
)
from ml.media.audio import AUDIO_SUFFIXES
from ml.media.images import IMAGE_SUFFIXES
from ml.media.logs.log import LOG_SUFFIXES
from ml.project.labelfiles.apply import apply
from ml.project.labelfiles.read import read_labels


def report_of(job: ScanJob, *, unreadable: tuple[Unreadable, ...] = ()) -> ScanReport:
    """What a scan would say of the folder; files are taken to be fine."""
    suffixes = LOG_SUFFIXES if job.kind == "sensors" else IMAGE_SUFFIXES | AUDIO_SUFFIXES
    paths = sorted(path for path in Path(job.folder).rglob("*.*") if path.suffix.lower() in suffixes)
    files = tuple(found_file(path, Path(job.folder), job.kind) for path in paths)
    labels = None
    if job.labels:
        timed = job.kind == "recordings"
        reading = read_labels(
            job.labels, Path(job.folder), [file.path for file in files], timed=timed, columns=job.columns
        )
        labelled, labels = apply(files, reading, job.labels)
        files = tuple(labelled)
    return ScanReport(
        folder=str(job.folder),
        kind=job.kind,
        files=files,
        unreadable=unreadable,
        windowing=CUTS[job.kind],
        labels=labels,
    )


class Scan:
    """A runner. It waits after the first half until `go_on` or a cancel; `ending` replaces the report."""

    def __init__(
        self, *, ending: Event | None = None, unreadable: tuple[Unreadable, ...] = (), hold: bool = False
    ) -> None:
        self._ending = ending
        self._unreadable = unreadable
        self._free = threading.Event()
        self.ended_by: list[str] = []
        if not hold:
            self._free.set()

    def go_on(self) -> None:
        self._free.set()

    def __call__(self, job: Job, stop: Stop) -> Iterator[Event]:
        assert isinstance(job, ScanJob)
        yield StageStarted(stage="scan")
        yield Progress(stage="scan", done=5, total=10)
        while not self._free.wait(0.01):
            if stop.requested():
                self.ended_by.append(stop.requested())
                yield Stopped()
                return
        yield self._ending or Scanned(report=report_of(job, unreadable=self._unreadable))
