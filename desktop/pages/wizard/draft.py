"""The project that the pages of the wizard fill in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ml.api import (
    AUDIO_SUFFIXES,
    IMAGE_SUFFIXES,
    LOG_SUFFIXES,
    Kind,
    ScanReport,
    SplitPlan,
    Task,
    for_task,
    gives_several,
    plan_split,
)

_ENOUGH = 500
"""The number of files that decide the kind of a folder."""


@dataclass(kw_only=True, slots=True)
class Draft:
    """A project that does not exist yet."""

    kind: Kind | None = None
    folder: Path | None = None
    labels: tuple[Path, ...] = ()
    """Label files, or folders of such; empty where the sub-folders name the classes."""
    rate: float | None = None
    """Rows per second of logs, where the user sets it."""
    scanned: ScanReport | None = None
    """The result of the scan, for either task."""
    report: ScanReport | None = None
    """The same for the chosen task."""
    plan: SplitPlan | None = None

    def fits(self, report: ScanReport | None) -> bool:
        """Return whether `report` is about the chosen folder, kind and label files."""
        if report is None or report.kind != self.kind or self.folder != Path(report.folder):
            return False
        return self.labels == tuple(Path(source) for source in (report.labels.sources if report.labels else ()))

    def in_progress(self) -> bool:
        """Return whether closing would lose work: a folder was chosen or scanned."""
        return self.scanned is not None or (self.folder is not None and self.folder.is_dir())

    def set_rate(self, rate: float) -> None:
        """Set the rows per second, 0 for the value in the logs. A changed rate needs a new scan."""
        new = rate or None
        if new != self.rate:
            self.rate, self.scanned, self.report = new, None, None

    def set_report(self, report: ScanReport) -> None:
        """Use the result of a scan. A table with several classes per file makes the project multi-label."""
        self.scanned = report
        self.set_task("multi" if gives_several(report) else "single")

    def set_task(self, task: Task) -> None:
        """Choose single label or multi-label; the split follows."""
        assert self.scanned is not None
        self.report = for_task(self.scanned, task)
        self.plan = plan_split(self.report)


def guess_kind(folder: Path) -> Kind | None:
    """Return the kind of most of the first files in `folder`; None if none of them can be used.

    Tables are often beside pictures or recordings, so they count only where there are none of these.
    """
    seen = pictures = recordings = logs = 0
    for _place, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            seen += 1
            suffix = Path(name).suffix.lower()
            pictures += suffix in IMAGE_SUFFIXES
            recordings += suffix in AUDIO_SUFFIXES
            logs += suffix in LOG_SUFFIXES
        if seen >= _ENOUGH:
            break
    if not pictures and not recordings:
        return "sensors" if logs else None
    return "images" if pictures >= recordings else "recordings"
