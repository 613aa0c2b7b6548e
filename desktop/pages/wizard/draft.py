"""What the wizard's pages fill in together."""

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
"""Files that are looked at to guess what a folder holds."""


@dataclass(kw_only=True, slots=True)
class Draft:
    """A project that does not exist yet."""

    kind: Kind | None = None
    folder: Path | None = None
    labels: tuple[Path, ...] = ()
    """Label files, or folders of such; empty where the sub-folders name the classes."""
    rate: float | None = None
    """Rows in a second of logs, where the person knows it better than the logs say."""
    scanned: ScanReport | None = None
    """What was found, whatever is to be learned from it."""
    report: ScanReport | None = None
    """The same, read for the task that is chosen."""
    plan: SplitPlan | None = None

    def fits(self, report: ScanReport | None) -> bool:
        """Whether `report` is of the folder, the kind and the label files that are chosen now."""
        if report is None or report.kind != self.kind or self.folder != Path(report.folder):
            return False
        return self.labels == tuple(Path(source) for source in (report.labels.sources if report.labels else ()))

    def begun(self) -> bool:
        """Whether there is something that would be lost: a folder was chosen, or looked through."""
        return self.scanned is not None or (self.folder is not None and self.folder.is_dir())

    def take_rate(self, rate: float) -> None:
        """Rows in a second, 0 for what the logs say. What was found with another rate is found anew."""
        asked = rate or None
        if asked != self.rate:
            self.rate, self.scanned, self.report = asked, None, None

    def take_report(self, report: ScanReport) -> None:
        """A table that gives more than one class to a file makes it a project in which more than one may be present."""
        self.scanned = report
        self.take_task("multi" if gives_several(report) else "single")

    def take_task(self, task: Task) -> None:
        """One class in each sample, or any number of them."""
        assert self.scanned is not None
        self.report = for_task(self.scanned, task)
        self.plan = plan_split(self.report)


def guess_kind(folder: Path) -> Kind | None:
    """What most of the first files in `folder` are, None where it holds nothing that can be learned from.

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
