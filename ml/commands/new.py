"""`handlens new`: a folder becomes a project, or its new files join the project that is there."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ml.commands.common import JsonOption, ProjectArgument, find_project, last_event, print_json, verb, words
from ml.commands.live import LiveReport
from ml.commands.phrases import counted, plural
from ml.errors import HandlensError
from ml.events import Event, Scanned, as_json
from ml.jobs import ScanJob
from ml.media.audio import AUDIO_SUFFIXES
from ml.media.images import IMAGE_SUFFIXES
from ml.project.checks import findings, problem
from ml.project.folder import files_below
from ml.project.project import SUFFIX, Project
from ml.project.samples import SPLITS, Kind, ScanReport, Split
from ml.project.splitting import plan_split

_KINDS: tuple[Kind, ...] = ("images", "recordings")
_NAMES_LOOKED_AT = 2000


@verb(interrupted="Interrupted; no project was made and nothing was changed.")
def new(
    project: ProjectArgument,
    *,
    source: Annotated[
        Path, typer.Option("--from", metavar="FOLDER", help="The folder with the files, one sub-folder per class.")
    ],
    kind: Annotated[
        str, typer.Option(metavar="images|recordings", help="What the files are; seen from their names if not given.")
    ] = "",
    split_by: Annotated[
        str,
        typer.Option(
            metavar="folder|recording|pattern:REGEX",
            help="What must stay together when samples are put aside for testing.",
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Another number gives another split.")] = 0,
    json: JsonOption = False,
) -> None:
    """Make a project from a folder of pictures or recordings. The files themselves are never touched."""
    _check_split_by(split_by)
    console = words()
    folder = source.expanduser().absolute()
    if not folder.is_dir():
        raise HandlensError(f"There is no folder {source}; check the name, or plug in the drive it is on.")
    target = find_project(project)
    if target.exists():
        with Project.open(target) as known:
            _check_same_source(known, folder)
            report = _scan(ScanJob(folder=folder, kind=known.kind), console, json=json)
            added = _add(known, report, seed=seed)
            _conclude(known, report, added, console, json=json)
        return
    report = _scan(ScanJob(folder=folder, kind=_kind(kind, folder)), console, json=json)
    trouble = problem(report)
    if trouble is not None:
        raise HandlensError(trouble)
    plan = plan_split(report, split_by=split_by, seed=seed, existing={})
    name = target.name.removesuffix(SUFFIX)
    with Project.create(target, name=name, report=report, plan=plan) as made:
        _conclude(made, report, None, console, json=json)


def scan_with(job: ScanJob, show: Callable[[Event], None]) -> ScanReport:
    """Run the scan, hand its events on, and give back the report; raises HandlensError where it cannot end well."""
    last = last_event(job, show)
    assert isinstance(last, Scanned)
    return last.report


def _scan(job: ScanJob, console: Console, *, json: bool) -> ScanReport:
    if json:
        return scan_with(job, _print_event)
    with LiveReport(console) as live:
        return scan_with(job, live.show)


def _print_event(event: Event) -> None:
    if not isinstance(event, Scanned):  # every file of the folder; "created" says what matters of it
        print_json(as_json(event))


def _add(project: Project, report: ScanReport, *, seed: int) -> int:
    plan = plan_split(report, split_by=project.split_by, seed=seed, existing=project.splits())
    return project.add(report, plan)


def _conclude(project: Project, report: ScanReport, added: int | None, console: Console, *, json: bool) -> None:
    samples = project.samples()
    splits = Counter(sample.split for sample in samples if sample.split)
    split_counts: dict[Split, int] = {name: splits.get(name, 0) for name in SPLITS}
    names = {item.index: item.name for item in project.classes()}
    labelled = Counter(names[sample.label] for sample in samples if sample.label is not None)
    if json:
        print_json(
            _created(project, report, len(samples), {n: labelled.get(n, 0) for n in names.values()}, split_counts)
        )
        return
    verb_word = "made" if added is None else f"brought up to date: {plural(added, 'new file')}"
    console.print(f"The project “{project.name}” was {verb_word}.", markup=False)
    console.print(f"It holds {counted(len(samples), project.kind)} in {plural(len(names), 'class', 'classes')}.")
    table = Table("class", "samples", box=None, pad_edge=False, header_style="dim")
    for name in names.values():
        table.add_row(name, f"{labelled.get(name, 0):,}")
    console.print(table)
    _say_findings(report, console)
    console.print(
        f"{split_counts['train']:,} to learn from, {split_counts['valid']:,} to choose by, "
        f"{split_counts['test']:,} kept aside to test with. {project.split_why}",
        markup=False,
    )
    console.print(f'Next: handlens train "{project.path}"', markup=False)


def _say_findings(report: ScanReport, console: Console) -> None:
    for item in report.unreadable[:20]:
        console.print(f"  left out {item.path}: {item.reason}", markup=False)
    if len(report.unreadable) > 20:
        console.print(f"  … and {len(report.unreadable) - 20} more left out")
    for finding in findings(report):
        console.print(f"• {finding.sentence}", markup=False)


def _created(
    project: Project, report: ScanReport, samples: int, classes: dict[str, int], split: dict[Split, int]
) -> dict[str, Any]:
    return {
        "event": "created",
        "samples": samples,
        "classes": classes,
        "unreadable": [{"path": item.path, "reason": item.reason} for item in report.unreadable],
        "duplicates": [
            {"paths": list(item.paths), "classes": list(item.class_names), "conflicting": item.conflicting}
            for item in report.duplicates
        ],
        "split": split,
        "split_by": project.split_by,
        "why": project.split_why,
        "windowing": dataclasses.asdict(project.windowing) if project.windowing else None,
        "project": str(project.path),
    }


def _check_split_by(split_by: str) -> None:
    if split_by not in ("auto", "folder", "recording") and not split_by.startswith("pattern:"):
        raise typer.BadParameter("choose folder, recording or pattern:REGEX", param_hint="--split-by")


def _check_same_source(project: Project, folder: Path) -> None:
    if project.source_folder != folder.resolve():
        raise HandlensError(
            f"“{project.name}” is already a project, made from {project.source_folder}; "
            "choose another project name, or give that folder to add its new files."
        )


def _kind(given: str, folder: Path) -> Kind:
    """What the user said, else what most of the first files are by their names."""
    for kind in _KINDS:
        if kind == given:
            return kind
    if given == "sensors":
        raise HandlensError("Sensor logs cannot be read by this version; it learns from images and recordings.")
    if given:
        raise typer.BadParameter("choose images or recordings", param_hint="--kind")
    seen: Counter[Kind] = Counter()
    for number, name in enumerate(files_below(folder)):
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            seen["images"] += 1
        elif suffix in AUDIO_SUFFIXES:
            seen["recordings"] += 1
        if number >= _NAMES_LOOKED_AT and seen:
            break
    return seen.most_common(1)[0][0] if seen else "images"
