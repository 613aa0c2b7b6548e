"""New files and new labels of the source folder join the project that is there."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ml.core.scan_report import ScanReport, SplitPlan
from ml.project.project import Project
from ml.project.scan.scan import with_frames
from ml.project.split.plan import plan_split
from ml.project.update.insert import fingerprint
from ml.project.update.reconcile import Reconciled


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """What became of a project that was there: `added` new files, and `given` labels for samples that had none."""

    added: int
    given: int
    followed: Reconciled
    plan: SplitPlan


def join(project: Project, report: ScanReport, *, seed: int = 0) -> Joined:
    """Take in what `report` found in the source folder; what is known keeps its side of the split."""
    report = with_frames(dataclasses.replace(report, frames=project.frames or report.frames))
    followed = project.reconcile(report)
    plan = plan_split(report, split_by=project.split_by, seed=seed, existing=project.splits())
    added = project.add(report, plan)
    given = project.take_labels(report, plan) if report.labels is not None else 0
    if followed.moved:
        project.assign(plan)  # what lay in no class folder may lie in one now
    copies = {path for same in report.duplicates for path in same.paths} - project.stamps().keys()
    project.pass_over(fingerprint(copies))
    return Joined(added=added, given=given, followed=followed, plan=plan)
