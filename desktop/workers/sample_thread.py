"""Makes one of the sample projects: writes its files, scans them, creates the project."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import cast

from PySide6.QtCore import QObject, QThread, Signal

from desktop.i18n import text, tr
from ml.api import (
    DEMO_NAMES,
    SUFFIX,
    DemoKind,
    Failed,
    HandlensError,
    Progress,
    Project,
    Runner,
    ScanJob,
    Scanned,
    ScanReport,
    Stopped,
    StopRequest,
    mark_sample,
    plan_split,
    sample_count,
    write_samples,
    wrong_labels,
)

_log = logging.getLogger(__name__)
_WRITING = 0.8
"""The share of the time for writing the files; the scan takes the rest."""


class SampleThread(QThread):
    """Ends with exactly one of `made(path)` and `gave_up(sentence)`, or with neither after `cancel`.

    A project that was made before is not made again.
    """

    progressed = Signal(str, float)
    made = Signal(object)
    gave_up = Signal(str)

    def __init__(
        self, kind: DemoKind, *, place: Path, runner: Runner, count: int | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._kind = kind
        self._place = place
        self._runner = runner
        self._count = count
        self._cancelled = False

    def cancel(self) -> None:
        """Ask it to end without a signal. Half-written samples are completed the next time."""
        self._cancelled = True

    def requested(self) -> StopRequest:
        """Return the request; this object is the `Stop` of its scan."""
        return "cancel" if self._cancelled else ""

    def run(self) -> None:
        try:
            path = self._make()
        except HandlensError as error:
            self._give_up(text(error.message))
        except OSError as error:
            sentence = tr(
                "The samples cannot be written to {place}: {reason}. Make room or allow writing there.",
                place=str(self._place),
                reason=(error.strerror or str(error)).lower(),
            )
            self._give_up(sentence)
        except Exception:  # a thread has no caller to raise to: the window shows it
            _log.exception("the sample could not be made")
            _log.debug(traceback.format_exc())
            self._give_up(tr("A fault in Handlens stopped the sample. Try the other one."))
        else:
            if path is not None and not self._cancelled:
                self.made.emit(path)

    def _make(self) -> Path | None:
        name = DEMO_NAMES[self._kind]
        project, folder = self._place / (name + SUFFIX), self._place / name
        if project.exists():
            return project
        count = sample_count(self._kind) if self._count is None else self._count
        wrong = wrong_labels(count)
        with contextlib.closing(
            cast("Generator[tuple[int, int]]", write_samples(folder, self._kind, count=count, wrong=wrong))
        ) as steps:
            for done, total in steps:
                if self._cancelled:
                    return None
                sentence = tr("Making {name}: {done} of {total}", name=name, done=done, total=total)
                self.progressed.emit(sentence, _WRITING * done / max(total, 1))
        report = self._look(folder)
        if report is None:
            return None
        Project.create(project, name=name, report=report, plan=plan_split(report)).close()
        mark_sample(project, wrong=wrong)
        return project

    def _look(self, folder: Path) -> ScanReport | None:
        words = tr("Looking at every file once")
        for event in self._runner(ScanJob(folder=folder, kind=self._kind), self):
            match event:
                case Progress(done=done, total=total):
                    self.progressed.emit(words, _WRITING + (1 - _WRITING) * done / max(total, 1))
                case Scanned(report=report):
                    return report
                case Failed(message=message):
                    raise HandlensError(message)
                case Stopped():
                    return None
                case _:
                    continue
        return None

    def _give_up(self, sentence: str) -> None:
        if not self._cancelled:
            self.gave_up.emit(sentence)
