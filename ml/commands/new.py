"""`handlens new`: a folder becomes a project, or its new files join the project that is there."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from ml.commands.arguments import bands_of, check_pictures, check_range, check_split_by, kind_of
from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    command,
    find_project,
    make_console,
    make_table,
    print_json,
    run_to_end,
    say,
)
from ml.commands.new_options import (
    BandsOption,
    ColumnsOption,
    FrameEveryOption,
    KindOption,
    LabelsOption,
    MultiLabelOption,
    PagesOption,
    RangeOption,
    RateOption,
    SeedOption,
    SourceOption,
    SplitByOption,
    TimeExpansionOption,
    UnlabelledOption,
)
from ml.commands.progress import LiveReport
from ml.commands.usage import WrongUsageError
from ml.commands.wording import split_parts, window_sentence
from ml.core.errors import HandlensError
from ml.core.events import Event, Failed, Scanned, as_json, plain_fields
from ml.core.jobs import ScanJob
from ml.core.messages import Message, current_language, english, msg, nmsg, text, tr, verbatim
from ml.core.phrases import counted_classes, counted_files, counted_with_videos
from ml.core.scan_report import DuplicateSet, ScanReport, SplitPlan
from ml.core.stored_reading import reading_values
from ml.core.types import SPLITS, LabelColumns, PictureReading, Windowing
from ml.media.kinds import kind_named
from ml.project.labelfiles.messages import as_json as labels_as_json
from ml.project.labelfiles.preview import labels_beside
from ml.project.labelfiles.windows import lost_in_windows
from ml.project.project import SUFFIX, Project
from ml.project.scan.agree_logs import ROWS_A_SECOND
from ml.project.scan.checks import findings, problem
from ml.project.scan.multilabel import MULTILABEL_PHRASE, for_task, has_multilabel_tables
from ml.project.scan.reading import BANDS_PHRASE, PAGES_PHRASE, RANGE_PHRASE
from ml.project.scan.slower import TIME_EXPANSION, with_time_expansion
from ml.project.split.plan import plan_split
from ml.project.update.join import Joined, join
from ml.project.update.reconcile import Reconciled
from ml.scoring.tasks import task_named

INTERRUPTED = msg("Interrupted. No project was created and nothing was changed.")
_LISTED = 20


@command(interrupted=INTERRUPTED)
def new(
    project: ProjectArgument,
    *,
    source: SourceOption,
    kind: KindOption = "",
    rate: RateOption = None,
    split_by: SplitByOption = "auto",
    labels: LabelsOption = None,
    columns: ColumnsOption = "",
    multi_label: MultiLabelOption = False,
    unlabelled: UnlabelledOption = False,
    pages: PagesOption = "first",
    value_range: RangeOption = None,
    bands: BandsOption = "",
    frame_every: FrameEveryOption = None,
    time_expansion: TimeExpansionOption = None,
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Make a project from a folder of pictures, recordings or logs of sensors. Its files are never touched."""
    check_split_by(split_by)
    asked = PictureReading(page=pages, bands=bands_of(bands))
    if value_range is not None:
        asked = dataclasses.replace(asked, low=value_range[0], high=value_range[1])
        check_range(asked)
    console = make_console()
    folder = _folder_named(source)
    target = find_project(project)
    if target.exists():
        with Project.open(target) as known:
            _check_same(known, folder, multi_label=multi_label, split_by=split_by, rate=rate)
            _check_same_reading(known, asked)
            _check_frames(known, frame_every)
            _check_same_speed(known, time_expansion)
            _join(known, folder, _label_files(labels), console, seed=seed, json=json)
        return
    known_kind = kind_of(kind or ("images" if frame_every is not None else ""), folder, rate=rate)
    if frame_every is not None and not kind_named(known_kind).guest_suffixes:
        raise WrongUsageError(msg("Only a project of pictures takes frames from videos."), option="--frame-every")
    check_pictures(known_kind, asked)
    if time_expansion is not None and not kind_named(known_kind).audible:
        raise WrongUsageError(msg("Only recordings can be heard slower."), option="--time-expansion")
    job = ScanJob(
        folder=folder,
        kind=known_kind,
        labels=_label_files(labels) or (() if unlabelled else labels_beside(folder, known_kind)),
        rate=rate,
        new=True,
        unlabelled=unlabelled,
        columns=_columns(columns),
        page=pages,
        value_range=value_range,
        bands=asked.bands,
        frame_every=frame_every,
    )
    report = for_task(_scan(job, console, json=json), "multi" if multi_label else "single")
    if time_expansion is not None:
        report = with_time_expansion(report, time_expansion)
    _make(target, report, console, split_by=split_by, seed=seed, json=json)


def _columns(asked: str) -> LabelColumns | None:
    names = [name.strip() for name in asked.split(",")]
    if not asked:
        return None
    if len(names) != len(LabelColumns._fields) or not all(names):
        raise WrongUsageError(msg("Give two columns, as in “photo,species”."), option="--columns")
    return LabelColumns(*names)


def _folder_named(source: Path) -> Path:
    folder = source.expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise HandlensError(msg("{path} is a file. Give the folder it is in.", path=str(source)))
    if not folder.is_dir():
        raise HandlensError(
            msg("There is no folder {folder}. Check the name, or connect the drive it is on.", folder=str(source))
        )
    return folder


def _followed_sentences(followed: Reconciled) -> list[Message]:
    """What became of the files that the project knew, if they are not where they were."""
    sentences = []
    if followed.moved:
        sentences.append(
            nmsg(
                "{count} file was moved or renamed. Its label and its place in the split stay the same.",
                "{count} files were moved or renamed. Their labels and their places in the split stay the same.",
                followed.moved,
            )
        )
    if followed.changed:
        sentences.append(
            nmsg(
                "{count} file has a new content under the same name: {example}. Its label and its place in the split "
                "stay the same.",
                "{count} files have a new content under the same name, for example {example}. Their labels and their "
                "places in the split stay the same.",
                len(followed.changed),
                example=followed.changed[0],
            )
        )
    if followed.gone:
        sentences.append(
            nmsg(
                "{count} file is no longer in the folder: {example}. It is left out of training and test. To use it, "
                "put it back and add the folder again.",
                "{count} files are no longer in the folder, for example {example}. They are left out of training and "
                "test. To use them, put them back and add the folder again.",
                len(followed.gone),
                example=followed.gone[0],
            )
        )
    return sentences


def _make(target: Path, report: ScanReport, console: Console, *, split_by: str, seed: int, json: bool) -> None:
    trouble = problem(report)
    if trouble is not None and report.class_counts:  # files without any label may be labelled later, in the studio
        raise HandlensError(with_options(trouble))
    plan = plan_split(report, split_by=split_by, seed=seed, existing={})
    name = target.name.removesuffix(SUFFIX)
    with Project.create(target, name=name, report=report, plan=plan) as made:
        _conclude(made, report, plan, console, json=json)


def _join(known: Project, folder: Path, labels: tuple[Path, ...], console: Console, *, seed: int, json: bool) -> None:
    """Take the folder's new files, and new labels, into the project that is there."""
    scanned = _scan(_job_to_join(known, folder, labels or _known_label_files(known)), console, json=json)
    report = for_task(scanned, known.task)
    if task_named(known.task).exclusive and has_multilabel_tables(report):
        raise HandlensError(with_options(problem(report) or msg("More than one class is given to a file.")))
    report = _in_windows_of(known, report)
    joined = join(known, report, seed=seed)
    _conclude(known, report, joined.plan, console, joined=joined, json=json)


def _in_windows_of(known: Project, report: ScanReport) -> ScanReport:
    """The report in the windows that the project has; where nothing hangs on these yet, in those its labels ask for."""
    if known.windowing is not None:
        report = with_time_expansion(report, known.windowing.time_expansion)
    asked, has = report.windowing, known.windowing
    if asked is None or has is None or not any(file.spans for file in report.files) or asked.seconds >= has.seconds:
        return dataclasses.replace(report, windowing=has)
    if known.rewindow(asked):
        return report
    note = msg(
        "The new labels ask for windows of {asked:g} s. The project keeps its windows of {own:g} s, because it has "
        "labels or runs. To use all new labels, create a new project with them.",
        asked=asked.seconds,
        own=has.seconds,
    )
    return dataclasses.replace(report, windowing=has, notes=(*report.notes, note))


def scan_with(job: ScanJob, show: Callable[[Event], None]) -> ScanReport:
    """Run the scan, hand its events on, and give back the report; raises HandlensError where it cannot end well."""
    last = run_to_end(job, show)
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
    joined: Joined | None = None,
    json: bool,
) -> None:
    """Say what the project holds now; `joined`: what became of one that was there before."""
    gone = frozenset(joined.followed.gone if joined is not None else ())
    samples = [sample for sample in project.samples() if sample.path not in gone]
    splits = Counter(sample.split for sample in samples if sample.split)
    names = {item.index: item.name for item in project.classes()}
    labelled = Counter(names[index] for sample in samples for index in sample.labels)
    found = findings(report, plan)
    outcome: dict[str, Any] = {
        "event": "created",
        "samples": len(samples),
        "files": len({sample.path for sample in samples}),
        "classes": {name: labelled.get(name, 0) for name in names.values()},
        "unreadable": [plain_fields({"path": item.path, "reason": item.reason}) for item in report.unreadable],
        "duplicates": [
            {"paths": list(item.paths), "classes": list(item.class_names), "conflicting": _conflicting(item, project)}
            for item in report.duplicates
        ],
        "split": {name: splits.get(name, 0) for name in SPLITS},
        "task": project.task,
        "split_by": project.split_by,
        "why": project.split_why,
        "windowing": _cut(project.windowing),
        "picture_reading": None if project.picture_reading is None else reading_values(project.picture_reading),
        "frames": _frames(project),
        "findings": [with_options(finding.sentence) for finding in found],
        "findings_files": [list(finding.paths) for finding in found],
        "findings_severity": [finding.severity for finding in found],
        "project": str(project.path),
    }
    if report.labels is not None:
        outcome["labels"] = labels_as_json(report.labels, lost_in_windows(report))
    if joined is not None:
        followed = joined.followed
        outcome |= {"added": joined.added, "moved": followed.moved}
        outcome |= {"changed": list(followed.changed), "gone": list(followed.gone)}
        sentences = _followed_sentences(followed)
        outcome["findings"] = [*sentences, *outcome["findings"]]
        outcome["findings_files"] = [*([] for _each in sentences), *outcome["findings_files"]]
        outcome["findings_severity"] = [*("info" for _each in sentences), *outcome["findings_severity"]]
        if report.labels is not None:
            outcome["labels"]["given"] = joined.given
    if json:
        print_json(plain_fields(outcome))
    else:
        _say(project, report, outcome, console)


def _say(project: Project, report: ScanReport, outcome: dict[str, Any], console: Console) -> None:
    classes = outcome["classes"]
    for sentence in _summary(project, outcome):
        say(console, sentence)
    if classes:
        samples = tr("samples") if project.windowing is None else tr("windows")
        table = make_table(tr("class"), samples, header_style="dim")
        for name, count in classes.items():
            table.add_words(name, current_language().number(count))
        console.print(table)
    for item in report.unreadable[:_LISTED]:
        say(console, "  " + tr("Left out: {path}. {reason}", path=item.path, reason=item.reason))
    if len(report.unreadable) > _LISTED:
        more = nmsg(
            "… and {count} more left out. {option} lists all.",
            "… and {count} more left out. {option} lists all.",
            len(report.unreadable) - _LISTED,
            option="--json",
        )
        say(console, "  " + text(more))
    for finding in outcome["findings"]:
        say(console, f"• {text(finding)}")
    for line in _split_and_next(project, outcome):
        say(console, line)


def _summary(project: Project, outcome: dict[str, Any]) -> list[Message]:
    """What was created or added, and what the project holds now."""
    if "added" in outcome:
        new_files = nmsg("{count} new file", "{count} new files", outcome["added"])
        sentences = [msg("The project “{name}” is up to date: {new_files}.", name=project.name, new_files=new_files)]
    else:
        sentences = [msg("The project “{name}” was created.", name=project.name)]
    if given := outcome.get("labels", {}).get("given", 0):
        sentences.append(
            nmsg("{count} sample without a label got one.", "{count} samples without a label got one.", given)
        )
    held = counted_files(outcome["files"], project.kind)
    if (frames := outcome["frames"]) is not None:
        pictures = outcome["files"] - frames["videos"]
        held = counted_with_videos(pictures, frames["videos"], frames["samples"])
    if classes := outcome["classes"]:
        sentences.append(msg("It has {files} in {classes}.", files=held, classes=counted_classes(len(classes))))
    else:
        sentences.append(msg("It has {files}, without labels yet.", files=held))
    if project.windowing is not None:
        sentences.append(window_sentence(project.windowing, outcome["samples"]))
    return sentences


def _split_and_next(project: Project, outcome: dict[str, Any]) -> list[Message | str]:
    """How the samples were split, and the next command to type."""
    if not outcome["classes"]:
        table = f'handlens new "{project.path}" --from "{project.source_folder}" --labels FILE'
        return [
            msg("Next, label them in the window: {command}", command=f'handlens studio "{project.path}"'),
            msg("Or add labels from a table of files and classes: {command}", command=table),
        ]
    split = outcome["split"]
    parts = split_parts(split["train"], split["valid"], split["test"], windows=project.windowing is not None)
    next_command = msg("Next: {command}", command=f'handlens train "{project.path}"')
    return [msg("{parts}. {why}", parts=parts, why=project.split_why), next_command]


def with_options(sentence: Message | str) -> Message:
    """The same, with the options of this command that it is about. The wizard asks the same in other ways."""
    message = sentence if isinstance(sentence, Message) else verbatim(sentence)
    for asked, option in _OPTIONS:
        if english(asked) in english(sentence):
            message = msg("{what} The option for this: {option}.", what=message, option=option)
    return message


_OPTIONS = (
    (MULTILABEL_PHRASE, "--multi-label"),
    (ROWS_A_SECOND, "--rate"),
    (PAGES_PHRASE, "--pages"),
    (RANGE_PHRASE, "--range"),
    (BANDS_PHRASE, "--bands"),
    (TIME_EXPANSION, "--time-expansion"),
)


def _conflicting(copies: DuplicateSet, project: Project) -> bool:
    """Copies in several classes contradict each other only where a sample may have no more than one."""
    return copies.conflicting and task_named(project.task).exclusive


def _label_files(given: list[Path] | None) -> tuple[Path, ...]:
    paths = tuple(path.expanduser().absolute() for path in given or ())
    for path in paths:
        if not path.exists():
            raise HandlensError(
                msg("There is no label file {path}. Check the name, or connect the drive it is on.", path=str(path))
            )
    return paths


def _known_label_files(project: Project) -> tuple[Path, ...]:
    """Where the project's labels came from: its sub-folders must not become classes now."""
    for path in project.label_sources:
        if not path.exists():
            raise HandlensError(
                msg(
                    "The labels of “{name}” came from {path}, which no longer exists. Give their new place with "
                    "{option}.",
                    option="--labels",
                    name=project.name,
                    path=str(path),
                )
            )
    return project.label_sources


def _cut(windowing: Windowing | None) -> dict[str, Any] | None:
    """How recordings or logs are cut; what only logs have is left out of recordings."""
    if windowing is None:
        return None
    whole = dataclasses.asdict(windowing)
    del whole["without_pauses"]
    if windowing.columns:
        del whole["time_expansion"]
    names = ("rate", "seconds", "step", *(("time_expansion",) if windowing.time_expansion > 1 else ()))
    return whole if windowing.columns else {name: whole[name] for name in names}


def _frames(project: Project) -> dict[str, Any] | None:
    """Which frames of videos are samples, and of how many videos."""
    if project.frames is None:
        return None
    taken = [sample.path for sample in project.samples() if sample.start is not None]
    return {"every": project.frames.every, "videos": len({*taken}), "samples": len(taken)}


def _check_frames(project: Project, every: float | None) -> None:
    """Raises HandlensError where the frames of known videos would have to change."""
    if every is not None and (project.frames is None or every != project.frames.every):
        raise HandlensError(
            msg(
                "“{name}” is already a project, and what is taken from its videos cannot change. Choose another "
                "project name for another {option}.",
                name=project.name,
                option="--frame-every",
            )
        )


def _job_to_join(project: Project, folder: Path, labels: tuple[Path, ...]) -> ScanJob:
    """Logs have to have the columns of the project they join."""
    windowing = project.windowing if kind_named(project.kind).shares_columns else None
    by_hand = project.by_hand and not labels
    columns = project.label_columns if labels == project.label_sources else None
    return ScanJob(
        folder=folder,
        kind=project.kind,
        labels=labels,
        windowing=windowing,
        unlabelled=by_hand,
        columns=columns,
        reading=project.picture_reading,
    )


def _check_same(project: Project, folder: Path, *, multi_label: bool, split_by: str, rate: float | None) -> None:
    """Raises HandlensError where what is asked for contradicts the project that is there."""
    name = project.name
    if project.source_folder != folder.resolve():
        raise HandlensError(
            msg(
                "“{name}” is already a project, created from {folder}. Choose another project name, or give that "
                "folder to add its new files.",
                name=name,
                folder=str(project.source_folder),
            )
        )
    if multi_label and task_named(project.task).exclusive:
        raise HandlensError(
            msg(
                "“{name}” is already a project in which every sample has one class. Choose another project name for "
                "samples with more than one class.",
                name=name,
            )
        )
    if split_by not in ("auto", project.split_by):
        raise HandlensError(
            msg(
                "“{name}” is already split by {how}, and its test samples must stay out of training. Choose another "
                "project name for another split.",
                name=name,
                how=project.split_by,
            )
        )
    if rate is not None and (project.windowing is None or rate != project.windowing.rate):
        raise HandlensError(
            msg(
                "“{name}” is already a project, and its windows cannot change. Choose another project name for "
                "another {option}.",
                name=name,
                option="--rate",
            )
        )


def _check_same_reading(project: Project, asked: PictureReading) -> None:
    """Raises HandlensError where the pictures of the project that is there are read otherwise than is asked for."""
    known = project.picture_reading or PictureReading()
    changed = {
        "--pages": asked.page not in ("first", known.page),
        "--range": asked.ranged and (asked.low, asked.high) != (known.low, known.high),
        "--bands": bool(asked.bands) and asked.bands != known.bands,
    }
    for option in (option for option, differs in changed.items() if differs):
        raise HandlensError(
            msg(
                "“{name}” is already a project, and how its pictures are read cannot change. Choose another project "
                "name for another {option}.",
                name=project.name,
                option=option,
            )
        )


def _check_same_speed(project: Project, time_expansion: int | None) -> None:
    """Raises HandlensError where the recordings of the project that is there are heard at another speed."""
    windowing = project.windowing
    if time_expansion is not None and (windowing is None or time_expansion != windowing.time_expansion):
        raise HandlensError(
            msg(
                "“{name}” is already a project, and its windows cannot change. Choose another project name for "
                "another {option}.",
                name=project.name,
                option="--time-expansion",
            )
        )
