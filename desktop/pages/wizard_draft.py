"""What the wizard's pages fill in together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ml.api import AUDIO_SUFFIXES, IMAGE_SUFFIXES, Kind, ScanReport, SplitPlan, plan_split

_ENOUGH = 500
"""Files that are looked at to guess what a folder holds."""


@dataclass(kw_only=True, slots=True)
class Draft:
    """A project that does not exist yet."""

    kind: Kind | None = None
    folder: Path | None = None
    report: ScanReport | None = None
    plan: SplitPlan | None = None

    def fits(self, report: ScanReport | None) -> bool:
        """Whether `report` is of the folder and the kind that are chosen now."""
        return report is not None and report.kind == self.kind and self.folder == Path(report.folder)

    def take_report(self, report: ScanReport) -> None:
        self.report = report
        self.plan = plan_split(report)


def guess_kind(folder: Path) -> Kind | None:
    """What most of the first files in `folder` are, None where it holds neither pictures nor recordings."""
    seen = pictures = recordings = 0
    for _place, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            seen += 1
            suffix = Path(name).suffix.lower()
            pictures += suffix in IMAGE_SUFFIXES
            recordings += suffix in AUDIO_SUFFIXES
        if seen >= _ENOUGH:
            break
    if not pictures and not recordings:
        return None
    return "images" if pictures >= recordings else "recordings"
