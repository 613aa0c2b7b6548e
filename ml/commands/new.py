"""`handlens new`: a folder becomes a project, or its new files join the project that is there."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ml.commands.asked import check_split_by, kind_of, rows_a_second
from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    find_project,
    last_event,
    print_json,
    verb,
    whole_number,
    words,
)
from ml.commands.live import LiveReport
from ml.commands.phrases import plural, window_sentence
from ml.errors import HandlensError
from ml.events import Event, Failed, Scanned, as_json
from ml.jobs import ScanJob
from ml.project.checks import findings, problem
from ml.project.labelfiles.losing import lost_in_windows
from ml.project.labelfiles.telling import as_json as labels_as_json
from ml.project.logs import ROWS_A_SECOND
from ml.project.moving import Followed
from ml.project.project import SUFFIX, Project
from ml.project.samples import SPLITS, DuplicateSet, ScanReport, SplitPlan, Windowing
from ml.project.several import SEVERAL_PRESENT, for_task, gives_several
from ml.project.splitting import plan_split
from ml.wording import counted_files

_LISTED = 20


@verb(interrupted="Interrupted; no project was made and nothing was changed.")
def new(
    project: ProjectArgument,
    *,
    source: Annotated[
        Path, typer.Option("--from", metavar="FOLDER", help="The folder with the files, one sub-folder per class.")
    ],
    kind: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What the files are: images, recordings or sensors (tables of measurements, as CSV); seen from their "
            "names if not given.",
        ),
    ] = "",
    rate: Annotated[
        float | None,
        typer.Option(
            parser=rows_a_second,
            metavar="HZ",
            help="For logs of sensors: rows in a second, where no column of times says so or it is wrong.",
        ),
    ] = None,
    split_by: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="What must stay together when samples are put aside for testing: folder, recording or pattern:REGEX.",
        ),
    ] = "auto",
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Where the labels are, if not in sub-folders: a table (CSV) with a column of file names and one of "
            "classes, Audacity label tracks, Raven selection tables, or a folder of these. May be given several times.",
        ),
    ] = None,
    multi_label: Annotated[
        bool,
        typer.Option(
            "--multi-label",
            help="More than one class may be present: copies of a file in several class folders are one file of all of "
            "these classes; files in a folder “none” show none of them.",
        ),
    ] = False,
    seed: Annotated[
        int, typer.Option(parser=whole_number, metavar="N", help="Another number gives another split.")
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Make a project from a folder of pictures, recordings or logs of sensors. Its files are never touched."""
    check_split_by(split_by)
    console = words()
    folder = _folder_named(source)
    target = find_project(project)
    if target.exists():
        with Project.open(target) as known:
            _check_same(known, folder, multi_label=multi_label, split_by=split_by, rate=rate)
            _join(known, folder, _label_files(labels), console, seed=seed, json=json)
        return
    job = ScanJob(folder=folder, kind=kind_of(kind, folder, rate=rate), labels=_label_files(labels), rate=rate)
    report = for_task(_scan(job, console, json=json), "multi" if multi_label else "single")
    _make(target, report, console, split_by=split_by, seed=seed, json=json)


def _folder_named(source: Path) -> Path:
    folder = source.expanduser().absolute()
    if folder.is_file():
        raise HandlensError(f"{source} is a file; give the folder it lies in.")
    if not folder.is_dir():
        raise HandlensError(f"There is no folder {source}; check the name, or plug in the drive it is on.")
    return folder


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Joined:
    """What became of a project that was there: `added` new files, and `given` labels for samples that had none."""

    added: int
    given: int
    followed: Followed


def _followed_told(followed: Followed) -> list[str]:
    """What became of the files that the project knew, where they do not lie where they did."""
    told = []
    if followed.moved:
        told.append(
            f"{plural(followed.moved, 'file was', 'files were')} moved or renamed since; what people said of them and "
            "their side of the test stay as they were."
        )
    if followed.changed:
        told.append(
            f"{plural(len(followed.changed), 'file holds', 'files hold')} something else under the same name, such as "
            f"{followed.changed[0]}; what people said of them and their side of the test stay as they were."
        )
    if followed.gone:
        told.append(
            f"{plural(len(followed.gone), 'file is', 'files are')} not in the folder any more, such as "
            f"{followed.gone[0]}, and left out of learning and testing; put back what should count, then add the "
            "folder again."
        )
    return told


def _make(target: Path, report: ScanReport, console: Console, *, split_by: str, seed: int, json: bool) -> None:
    trouble = problem(report)
    if trouble is not None and report.class_counts:  # files without any label may be labelled later, in the studio
        raise HandlensError(_with_options(trouble))
    plan = plan_split(report, split_by=split_by, seed=seed, existing={})
    name = target.name.removesuffix(SUFFIX)
    with Project.create(target, name=name, report=report, plan=plan) as made:
        _conclude(made, report, plan, console, json=json)


def _join(known: Project, folder: Path, labels: tuple[Path, ...], console: Console, *, seed: int, json: bool) -> None:
    """Take the folder's new files, and new labels, into the project that is there."""
    scanned = _scan(_job_to_join(known, folder, labels or _known_label_files(known)), console, json=json)
    report = for_task(scanned, known.task)
    if known.task == "single" and gives_several(report):
        raise HandlensError(_with_options(problem(report) or ""))
    report = _in_windows_of(known, report)
    followed = known.follow(report)
    plan = plan_split(report, split_by=known.split_by, seed=seed, existing=known.splits())
    added = known.add(report, plan)
    given = known.take_labels(report, plan) if report.labels is not None else 0
    if followed.moved:
        known.assign(plan)  # what lay in no class folder may lie in one now
    _conclude(known, report, plan, console, joined=_Joined(added=added, given=given, followed=followed), json=json)


def _in_windows_of(known: Project, report: ScanReport) -> ScanReport:
    """The report in the windows that the project has; where nothing hangs on these yet, in those its labels ask for."""
    asked, has = report.windowing, known.windowing
    if asked is None or has is None or not any(file.spans for file in report.files) or asked.seconds >= has.seconds:
        return dataclasses.replace(report, windowing=has)
    if known.cut_anew(asked):
        return report
    told = (
        f"The new labels ask for windows of {asked.seconds:g} s, but the project keeps its own of {has.seconds:g} s, "
        "because it has labels or runs; to have all of them heard, make a new project with these labels."
    )
    return dataclasses.replace(report, windowing=has, notes=(*report.notes, told))


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
    # Of every file of the folder "created" says what matters, and how it failed the verb says itself.
    if not isinstance(event, Scanned | Failed):
        print_json(as_json(event))


def _conclude(
    project: Project,
    report: ScanReport,
    plan: SplitPlan,
    console: Console,
    *,
    joined: _Joined | None = None,
    json: bool,
) -> None:
    """Say what the project holds now; `joined`: what became of one that was there before."""
    gone = frozenset(joined.followed.gone if joined is not None else ())
    samples = [sample for sample in project.samples() if sample.path not in gone]
    splits = Counter(sample.split for sample in samples if sample.split)
    names = {item.index: item.name for item in project.classes()}
    labelled = Counter(names[index] for sample in samples for index in sample.labels)
    outcome: dict[str, Any] = {
        "event": "created",
        "samples": len(samples),
        "files": len({sample.path for sample in samples}),
        "classes": {name: labelled.get(name, 0) for name in names.values()},
        "unreadable": [{"path": item.path, "reason": item.reason} for item in report.unreadable],
        "duplicates": [
            {"paths": list(item.paths), "classes": list(item.class_names), "conflicting": _conflicting(item, project)}
            for item in report.duplicates
        ],
        "split": {name: splits.get(name, 0) for name in SPLITS},
        "task": project.task,
        "split_by": project.split_by,
        "why": project.split_why,
        "windowing": _cut(project.windowing),
        "findings": [_with_options(finding.sentence) for finding in findings(report, plan)],
        "project": str(project.path),
    }
    if report.labels is not None:
        outcome["labels"] = labels_as_json(report.labels, lost_in_windows(report))
    if joined is not None:
        followed = joined.followed
        outcome |= {"added": joined.added, "moved": followed.moved}
        outcome |= {"changed": list(followed.changed), "gone": list(followed.gone)}
        outcome["findings"] = [*_followed_told(followed), *outcome["findings"]]
        if report.labels is not None:
            outcome["labels"]["given"] = joined.given
    if json:
        print_json(outcome)
    else:
        _say(project, outcome, console)


def _say(project: Project, outcome: dict[str, Any], console: Console) -> None:
    done = f"was brought up to date: {plural(outcome['added'], 'new file')}" if "added" in outcome else "was made"
    classes, split, unreadable = outcome["classes"], outcome["split"], outcome["unreadable"]
    given = outcome.get("labels", {}).get("given", 0)
    done += f", {plural(given, 'label')} for what had none" if given else ""
    console.print(f"The project “{project.name}” {done}.", markup=False)
    in_classes = f" in {plural(len(classes), 'class', 'classes')}" if classes else ", without labels yet"
    console.print(f"It holds {counted_files(outcome['files'], project.kind)}{in_classes}.")
    cut = project.windowing is not None
    if project.windowing is not None:
        console.print(window_sentence(project.windowing, outcome["samples"]), markup=False)
    table = Table("class", "windows" if cut else "samples", box=None, pad_edge=False, header_style="dim")
    for name, count in classes.items():
        table.add_row(escape(name), f"{count:,}")
    if classes:
        console.print(table)
    for item in unreadable[:_LISTED]:
        console.print(f"  left out {item['path']}: {item['reason']}", markup=False)
    if len(unreadable) > _LISTED:
        console.print(f"  … and {len(unreadable) - _LISTED:,} more left out: --json lists them all")
    for sentence in outcome["findings"]:
        console.print(f"• {sentence}", markup=False)
    if classes:
        console.print(
            f"{split['train']:,}{' windows' if cut else ''} to learn from, {split['valid']:,} to check by, "
            f"{split['test']:,} kept aside to test with. {project.split_why}",
            markup=False,
        )
        console.print(f'Next: handlens train "{project.path}"', markup=False)
    else:
        console.print(
            f'Next, give labels: handlens new "{project.path}" --from "{project.source_folder}" --labels FILE, a table '
            "of files and their classes.",
            markup=False,
        )


def _with_options(sentence: str) -> str:
    """The same, with the options of this verb that it speaks of; the wizard asks the same in other ways."""
    for asked, option in ((SEVERAL_PRESENT, "--multi-label"), (ROWS_A_SECOND, "--rate")):
        sentence = sentence.replace(asked, f"{asked} ({option})")
    return sentence


def _conflicting(copies: DuplicateSet, project: Project) -> bool:
    """Copies in several classes contradict each other only where a sample may have no more than one."""
    return copies.conflicting and project.task == "single"


def _label_files(given: list[Path] | None) -> tuple[Path, ...]:
    paths = tuple(path.expanduser().absolute() for path in given or ())
    for path in paths:
        if not path.exists():
            raise HandlensError(f"There is no label file {path}; check the name, or plug in the drive it is on.")
    return paths


def _known_label_files(project: Project) -> tuple[Path, ...]:
    """Where the project's labels came from: its sub-folders must not become classes now."""
    for path in project.label_sources:
        if not path.exists():
            raise HandlensError(
                f"The labels of “{project.name}” came from {path}, which is not there any more; "
                "say where they are with --labels."
            )
    return project.label_sources


def _cut(windowing: Windowing | None) -> dict[str, Any] | None:
    """How recordings or logs are cut; what only logs have is left out of recordings."""
    if windowing is None:
        return None
    whole = dataclasses.asdict(windowing)
    return whole if windowing.columns else {name: whole[name] for name in ("rate", "seconds", "step")}


def _job_to_join(project: Project, folder: Path, labels: tuple[Path, ...]) -> ScanJob:
    """Logs have to have the columns of the project they join."""
    windowing = project.windowing if project.kind == "sensors" else None
    return ScanJob(folder=folder, kind=project.kind, labels=labels, windowing=windowing)


def _check_same(project: Project, folder: Path, *, multi_label: bool, split_by: str, rate: float | None) -> None:
    """Raises HandlensError where what is asked for contradicts the project that is there."""
    if project.source_folder != folder.resolve():
        raise HandlensError(
            f"“{project.name}” is already a project, made from {project.source_folder}; "
            "choose another project name, or give that folder to add its new files."
        )
    if multi_label and project.task == "single":
        raise HandlensError(
            f"“{project.name}” is already a project in which every sample has one class; "
            "choose another project name for one in which more than one may be present."
        )
    if split_by not in ("auto", project.split_by):
        raise HandlensError(
            f"“{project.name}” is split already, by {project.split_by}, and what was tested with is not learned from "
            "later; choose another project name for another split."
        )
    if rate is not None and (project.windowing is None or rate != project.windowing.rate):
        raise HandlensError(
            f"“{project.name}” is there already, and how it is cut stays as it is; choose another project name to give "
            "another --rate."
        )
