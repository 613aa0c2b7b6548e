"""The project that the pages of the wizard fill in."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from ml.api import (
    KindName,
    LabelColumns,
    Message,
    PageChoice,
    PictureReading,
    ScanReport,
    SplitPlan,
    TaskName,
    counted_cut,
    counted_with_videos,
    for_task,
    frames_asked,
    has_multilabel_tables,
    is_strange,
    kind_inside,
    kind_named,
    kinds,
    may_be_labelled,
    plan_split,
    problem,
    proposed_range,
    read_otherwise,
    samples_by_file,
    with_time_expansion,
)

_ENOUGH = 500
"""The number of files that decide the kind of a folder."""


@dataclass(kw_only=True, slots=True)
class Draft:
    """A project that does not exist yet."""

    kind: KindName | None = None
    folder: Path | None = None
    labels: tuple[Path, ...] = ()
    """Label files, or folders of such; empty where the sub-folders name the classes."""
    columns: LabelColumns | None = None
    """The columns of the label file, where the user was asked."""
    unlabelled: bool = False
    """No sub-folder names a class: the user will label the files."""
    rate: float | None = None
    """Rows per second of logs, where the user sets it."""
    page: PageChoice = "first"
    value_range: tuple[float, float] | None = None
    bands: tuple[int, ...] = ()
    """Page, range and bands of the pictures, where the user chose them."""
    scanned: ScanReport | None = None
    """The result of the scan, for either task."""
    report: ScanReport | None = None
    """The same for the chosen task."""
    plan: SplitPlan | None = None

    def fits(self, report: ScanReport | None) -> bool:
        """Return whether `report` is about the chosen folder, kind and label files."""
        if report is None or report.kind != self.kind or self.folder != Path(report.folder):
            return False
        if report.unlabelled != self.unlabelled:
            return False
        if report.labels is not None and report.labels.columns != self.columns:
            return False
        return self.labels == tuple(Path(source) for source in (report.labels.sources if report.labels else ()))

    @property
    def needs_rate(self) -> bool:
        """Return whether a rate can be given: only logs have one that the files may not tell."""
        return self.kind is not None and kind_named(self.kind).shares_columns

    def in_progress(self) -> bool:
        """Return whether closing would lose work: a folder was chosen or scanned."""
        return self.scanned is not None or (self.folder is not None and self.folder.is_dir())

    def can_go_on(self) -> bool:
        """Return whether a project can be made of what was found: there is something to learn, or to label."""
        report = self.report
        return report is not None and self.fits(report) and (problem(report) is None or may_be_labelled(report))

    def set_rate(self, rate: float) -> None:
        """Set the rows per second, 0 for the value in the logs. A changed rate needs a new scan."""
        new = rate or None
        if new != self.rate:
            self.rate, self.scanned, self.report = new, None, None

    def set_frames(self, seconds: float) -> None:
        """Take pictures from the videos so many seconds apart. What was decoded stays known."""
        assert self.scanned is not None and self.report is not None
        self.scanned = replace(self.scanned, frames=frames_asked(seconds))
        self.set_task(self.report.task)

    def set_report(self, report: ScanReport) -> None:
        """Use the result of a scan. A table with several classes per file makes the project multi-label."""
        self.scanned = report
        self.set_task("multi" if has_multilabel_tables(report) else "single")

    def set_reading(self, reading: PictureReading) -> None:
        """Read the pictures with another range or other bands."""
        assert self.scanned is not None and self.report is not None
        chosen = (reading.low, reading.high)
        proposed = chosen == proposed_range(self.scanned, reading.bands) and reading.windows
        self.value_range = chosen if reading.ranged and not proposed else None
        self.bands = reading.bands
        self.scanned = read_otherwise(self.scanned, reading)
        self.set_task(self.report.task)

    def forget_reading(self) -> None:
        """Leave it to the scan how pictures are read: another folder has other pictures."""
        self.page, self.value_range, self.bands = "first", None, ()

    def set_time_expansion(self, times: int) -> None:
        """Let networks hear the recordings so many times slower; their windows follow."""
        assert self.scanned is not None and self.report is not None
        task = self.report.task
        self.scanned = with_time_expansion(self.scanned, times)
        self.set_task(task)

    def set_task(self, task: TaskName) -> None:
        """Choose single label or multi-label; the split follows."""
        assert self.scanned is not None
        self.report = for_task(self.scanned, task)
        self.plan = plan_split(self.report)


def counted_report(report: ScanReport) -> Message:
    """Return what the scan found: “30 pictures”, “80 recordings, cut into 240 sounds”."""
    samples = samples_by_file(report)
    if report.frames is not None:
        videos = [file.path for file in report.files if file.duration > 0]
        taken = sum(samples[path] for path in videos)
        return counted_with_videos(len(report.files) - len(videos), len(videos), taken)
    return counted_cut(len(report.files), sum(samples.values()), report.kind)


def guess_kind(folder: Path) -> KindName | None:
    """Return the kind of most of the first files in `folder`; None if none of them can be used.

    Tables are often beside pictures or recordings, so they count only where there are none of these.
    """
    seen = 0
    found: Counter[str] = Counter()
    loose: Counter[str] = Counter()
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in names:
            seen += 1
            suffix = Path(name).suffix.lower()
            for kind in kinds():
                if suffix in kind.suffixes - kind.guest_suffixes:
                    (loose if kind.loose_suffixes else found)[kind.name] += 1
                    break
            else:
                inside = kind_inside(Path(place, name)) if is_strange(suffix) else None
                found.update([inside] if inside is not None else [])
        if seen >= _ENOUGH:
            break
    likeliest = found or loose
    return max(likeliest, key=lambda name: likeliest[name]) if likeliest else None
