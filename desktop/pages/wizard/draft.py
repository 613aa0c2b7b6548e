"""What the wizard's pages fill in together."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ml.api import (
    Kind,
    ScanReport,
    SplitPlan,
    Task,
    for_task,
    has_multilabel_tables,
    kind_named,
    kinds,
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

    @property
    def needs_rate(self) -> bool:
        """Whether a rate can be given: only logs have one that the files may not tell."""
        return self.kind is not None and kind_named(self.kind).shares_columns

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
        self.take_task("multi" if has_multilabel_tables(report) else "single")

    def take_task(self, task: Task) -> None:
        """One class in each sample, or any number of them."""
        assert self.scanned is not None
        self.report = for_task(self.scanned, task)
        self.plan = plan_split(self.report)


def guess_kind(folder: Path) -> Kind | None:
    """What most of the first files in `folder` are, None where it holds nothing that can be learned from.

    Tables are often beside pictures or recordings, so they count only where there are none of these.
    """
    seen = 0
    found: Counter[str] = Counter()
    loose: Counter[str] = Counter()
    for _place, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            seen += 1
            suffix = Path(name).suffix.lower()
            for kind in kinds():
                if suffix in kind.suffixes:
                    (loose if kind.loose_suffixes else found)[kind.name] += 1
        if seen >= _ENOUGH:
            break
    likeliest = found or loose
    return max(likeliest, key=lambda name: likeliest[name]) if likeliest else None
