"""What the user should know of a folder before training, in sentences."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import counted_files, files, listed
from ml.core.scan_report import LabelNotes, ScanReport, SplitPlan, Unreadable
from ml.core.types import SPLITS, KindName, Split
from ml.media.ffmpeg import NEEDS_FFMPEG
from ml.project.labelfiles.messages import MILD, describe_issue, describe_windows, only_one_class
from ml.project.labelfiles.windows import lost_in_windows, samples_by_file
from ml.project.scan.finding import Finding, Severity
from ml.project.scan.folder import CLOSED_FOLDER, LEAVES_FOLDER
from ml.project.scan.layout import clean_name
from ml.project.scan.looks import look_findings
from ml.project.scan.multilabel import MULTILABEL_PHRASE, has_multilabel_tables
from ml.project.scan.remarks import remarks_found
from ml.project.scan.slower import band_findings
from ml.scoring.tasks import task_named

FEW = 10
"""With fewer files than this in a class, its score says little."""
_TABLES_SHOWN = 5
_SETS_SHOWN = 3
_UNEVEN, _VERY_UNEVEN = 3, 10
_NAMES_SHOWN = 3
_SUFFIXES_SHOWN = 4
_BETWEEN_WORDS = re.compile(r"[\s_-]+")


def findings(report: ScanReport, plan: SplitPlan | None = None) -> tuple[Finding, ...]:
    """What is worth knowing, the gravest first; with a plan also what its splits lack."""
    found = [*_blocking(report), *_unreadable(report), *_duplicates(report), *_unlabelled(report), *_balance(report)]
    found += [*_few(report), *_twice_named(report), *_from_tables(report), *band_findings(report)]
    found += [*_beside_splits(report), *_joined_names(report), *_from_names(report), *_passed_over(report)]
    found += [*_from_videos(report), *remarks_found(report), *look_findings(report)]
    found += [Finding(severity="info", sentence=sentence) for sentence in report.notes]
    if plan is not None:
        found += _missing(report, plan)
    order: dict[Severity, int] = {"bad": 0, "warn": 1, "info": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.severity]))


def problem(report: ScanReport) -> Message | None:
    """Why nothing can be learned from this folder as it is, and what to do; None if it can."""
    many, counts = files(report.kind), report.class_counts
    if not report.files:
        return msg(
            "None of the {files} could be read, so there is nothing to train on. Choose another folder.", files=many
        )
    if has_multilabel_tables(report) and task_named(report.task).exclusive:
        first = next(file for file in report.files if file.also)
        return msg(
            "The table gives some {files} more than one class, for example {classes} to {file}. Make this a project "
            "{several_present}.",
            files=many,
            classes=first.class_names[:3],
            file=first.path,
            several_present=MULTILABEL_PHRASE,
        )
    if not counts:
        return msg(
            "None of the {files} has a label yet. Put the {files} of each class into a folder of its own, or use a "
            "table that says what each of them is.",
            files=many,
        )
    return too_few_classes(counts, report.kind, report.labels, negatives=_has_negatives(report))


def too_few_classes(
    counts: Mapping[str, int], kind: KindName, labels: LabelNotes | None, *, negatives: bool = False
) -> Message | None:
    """Why nothing can be learned from so many files of each class, or None. `negatives`: some show none of them."""
    if len(counts) == 1 and not negatives:
        name = next(iter(counts))
        if labels is not None:
            return only_one_class(name, labels)
        return msg("There is only one class, “{name}”. Add a folder for at least one more.", name=name)
    if max(counts.values()) < 2:
        return msg(
            "Every class has only one file. Add more {files}, so that some are left for the test.", files=files(kind)
        )
    return None


def _has_negatives(report: ScanReport) -> bool:
    """Whether something is known to show none of the classes; in a recording with labels of parts the rest does."""
    exclusive = task_named(report.task).exclusive
    return any(file.negative or (not exclusive and file.spans is not None) for file in report.files)


def _blocking(report: ScanReport) -> list[Finding]:
    if may_be_labelled(report):
        sentence = msg("There are no labels yet. You will name the classes as you go, on the Label page.")
        return [Finding(severity="info", sentence=sentence)]
    trouble = problem(report)
    return [] if trouble is None else [Finding(severity="bad", sentence=trouble)]


def may_be_labelled(report: ScanReport) -> bool:
    """Return whether the files have no labels yet and nobody gave label files: a person can label them."""
    return bool(report.files) and not report.class_counts and report.labels is None


def _from_videos(report: ScanReport) -> list[Finding]:
    """Say how many pictures are taken from the videos, and how far apart they are."""
    videos = [file for file in report.files if file.duration > 0]
    if report.frames is None or not videos:
        return []
    each = samples_by_file(report)
    pictures = nmsg("{count} picture", "{count} pictures", sum(each[file.path] for file in videos))
    sentence = nmsg(
        "{count} video gives {pictures}, one every {seconds:g} s.",
        "{count} videos give {pictures}, one every {seconds:g} s.",
        len(videos),
        pictures=pictures,
        seconds=report.frames.every,
    )
    if any(file.duration > report.frames.every * report.frames.most for file in videos):
        most = msg("From a longer video at most {most} pictures are taken.", most=report.frames.most)
        sentence = msg("{first} {second}", first=sentence, second=most)
    stays = msg("The pictures of a video always stay together when the samples are split.")
    return [Finding(severity="info", sentence=msg("{first} {second}", first=sentence, second=stays))]


def unvisited(unreadable: Sequence[Unreadable]) -> list[Finding]:
    """Name the folders that cannot be opened, and the links that were not followed."""
    found = []
    if closed := [item.path for item in unreadable if item.reason == CLOSED_FOLDER]:
        sentence = nmsg(
            "The folder “{first}” cannot be opened, so its files are left out. Allow reading it and look again.",
            "{count} folders cannot be opened, so their files are left out. The first is “{first}”. Allow reading them "
            "and look again.",
            len(closed),
            first=closed[0],
        )
        found.append(Finding(severity="warn", sentence=sentence, paths=tuple(closed)))
    if links := [item.path for item in unreadable if item.reason == LEAVES_FOLDER]:
        sentence = nmsg(
            "The link “{first}” leads out of the folder and was not followed. Copy the files into the folder to use "
            "them.",
            "{count} links lead out of the folder and were not followed. The first is “{first}”. Copy the files into "
            "the folder to use them.",
            len(links),
            first=links[0],
        )
        found.append(Finding(severity="warn", sentence=sentence, paths=tuple(links)))
    return found


def _unreadable(report: ScanReport) -> list[Finding]:
    found = unvisited(report.unreadable)
    rest = [item for item in report.unreadable if item.reason not in (CLOSED_FOLDER, LEAVES_FOLDER)]
    lacking = [item.path for item in rest if item.reason == NEEDS_FFMPEG]
    if len(lacking) > 1:
        sentence = msg(
            "{names} can only be read with FFmpeg, which was not found on this computer, so they are left out. Install "
            "FFmpeg, or add it with “pip install handlens[media]”.",
            names=listed([msg("“{name}”", name=name) for name in lacking], most=_NAMES_SHOWN),
        )
        found.append(Finding(severity="warn", sentence=sentence, paths=tuple(lacking)))
        rest = [item for item in rest if item.reason != NEEDS_FFMPEG]
    if len(rest) == 1:
        sentence = msg("One file could not be read and is left out. {reason}", reason=rest[0].reason)
        found.append(Finding(severity="warn", sentence=sentence, paths=(rest[0].path,)))
    elif rest:
        sentence = nmsg(
            "{count} file could not be read and is left out.",
            "{count} files could not be read and are left out.",
            len(rest),
        )
        found.append(Finding(severity="warn", sentence=sentence, paths=tuple(item.path for item in rest)))
    return found


def _duplicates(report: ScanReport) -> list[Finding]:
    if not task_named(report.task).exclusive:
        return _class_sets(report)
    clashing = [item for item in report.duplicates if item.conflicting]
    plain = [item for item in report.duplicates if not item.conflicting]
    found = []
    if clashing:
        paths = tuple(path for item in clashing for path in item.paths)
        first = clashing[0]
        sentence = nmsg(
            "{count} of the {files} appears more than once with different labels, for example as “{one}” and as "
            "“{other}” ({paths}).",
            "{count} of the {files} appear more than once with different labels, for example as “{one}” and as "
            "“{other}” ({paths}).",
            len(clashing),
            files=files(report.kind),
            one=first.class_names[0],
            other=first.class_names[1],
            paths=first.paths[:2],
        )
        found.append(Finding(severity="warn", sentence=sentence, paths=paths))
    if plain:
        paths = tuple(path for item in plain for path in item.paths)
        sentence = nmsg(
            "{count} of the {files} appears more than once. Copies are never divided between training, validation and "
            "test.",
            "{count} of the {files} appear more than once. Copies are never divided between training, validation and "
            "test.",
            len(plain),
            files=files(report.kind),
        )
        found.append(Finding(severity="info", sentence=sentence, paths=paths))
    return found


def _class_sets(report: ScanReport) -> list[Finding]:
    """Multi-label: what shows several classes, what shows none, and what was there twice for no reason."""
    many = files(report.kind)
    several = tuple(file.path for file in report.files if len(file.class_names) > 1)
    negative = tuple(file.path for file in report.files if file.negative)
    plain = [item for item in report.duplicates if not item.conflicting]
    found = []
    if report.class_counts and not several:
        sentence = msg("None of the {files} shows more than one class.", files=many)
        if report.labels is None:
            sentence = msg(
                "None of the {files} shows more than one class. If a file shows several, put a copy of it into the "
                "folder of each.",
                files=many,
            )
        found.append(Finding(severity="info", sentence=sentence))
    if several:
        sentence = nmsg(
            "{count} of the {files} shows more than one class.",
            "{count} of the {files} show more than one class.",
            len(several),
            files=many,
        )
        found.append(Finding(severity="info", sentence=sentence, paths=several))
    if negative:
        sentence = nmsg(
            "{count} of the {files} shows none of the classes.",
            "{count} of the {files} show none of the classes.",
            len(negative),
            files=many,
        )
        found.append(Finding(severity="info", sentence=sentence, paths=negative))
    if plain:
        paths = tuple(path for item in plain for path in item.paths)
        sentence = nmsg(
            "{count} of the {files} appears more than once in the same class. The copies count as one.",
            "{count} of the {files} appear more than once in the same class. The copies count as one.",
            len(plain),
            files=many,
        )
        found.append(Finding(severity="info", sentence=sentence, paths=paths))
    return found


def _from_tables(report: ScanReport) -> list[Finding]:
    """What became of the label files: what they were taken for, and what could not be used."""
    if report.labels is None:
        return []
    found = [Finding(severity="info", sentence=sentence) for sentence in report.labels.tables[:_TABLES_SHOWN]]
    if len(report.labels.tables) > _TABLES_SHOWN:
        more = len(report.labels.tables) - _TABLES_SHOWN
        sentence = nmsg("Labels come from {count} more label file.", "Labels come from {count} more label files.", more)
        found.append(Finding(severity="info", sentence=sentence))
    found += [Finding(severity="info", sentence=sentence) for sentence in describe_windows(report)]
    for issue in (*lost_in_windows(report), *report.labels.issues):
        sentence = describe_issue(issue, kind=report.kind, task=report.task)
        found.append(Finding(severity="info" if issue.kind in MILD else "warn", sentence=sentence, paths=issue.paths))
    return found


def _unlabelled(report: ScanReport) -> list[Finding]:
    paths = tuple(file.path for file in report.files if not file.labelled)
    if not paths or not report.class_counts or report.labels is not None or _has_splits(report):
        return []
    sentence = nmsg(
        "{count} of the {files} is in no class folder and has no label yet.",
        "{count} of the {files} are in no class folder and have no label yet.",
        len(paths),
        files=files(report.kind),
    )
    return [Finding(severity="info", sentence=sentence, paths=paths)]


def _has_splits(report: ScanReport) -> bool:
    return report.labels is None and any(file.ready_split is not None for file in report.files)


def _beside_splits(report: ScanReport) -> list[Finding]:
    """Name what lies beside the folders for training and test, and what lies in these without a class."""
    if not _has_splits(report) or not report.class_counts:
        return []
    beside = [file.path for file in report.files if not file.labelled and file.ready_split is None]
    inside = [file.path for file in report.files if not file.labelled and file.ready_split is not None]
    found = []
    if beside:
        sentence = nmsg(
            "{count} of the {files} lies beside the folders for training and test and gets no label: {names}.",
            "{count} of the {files} lie beside the folders for training and test and get no label: {names}.",
            len(beside),
            files=files(report.kind),
            names=_folders_or_files(beside),
        )
        found.append(Finding(severity="warn", sentence=sentence, paths=tuple(beside)))
    if inside:
        sentence = nmsg(
            "{count} of the {files} lies in no class folder within the split and gets no label: {names}.",
            "{count} of the {files} lie in no class folder within the split and get no label: {names}.",
            len(inside),
            files=files(report.kind),
            names=_folders_or_files(inside),
        )
        found.append(Finding(severity="info", sentence=sentence, paths=tuple(inside)))
    return found


def _folders_or_files(paths: Sequence[str]) -> Message:
    names = dict.fromkeys(path.rpartition("/")[0] or path for path in paths)
    return listed([msg("“{name}”", name=name) for name in names], most=_NAMES_SHOWN)


def _joined_names(report: ScanReport) -> list[Finding]:
    """Name the classes whose folders differ in signs that nobody sees."""
    if report.labels is not None:
        return []
    folders: dict[str, set[str]] = defaultdict(set)
    paths: dict[str, list[str]] = defaultdict(list)
    for file in report.files:
        if file.class_name is not None and not file.from_table:
            own = [part for part in file.path.split("/")[:-1] if clean_name(part) == file.class_name]
            folders[file.class_name].update(own[:1])
            paths[file.class_name].append(file.path)
    joined = [name for name, spelt in folders.items() if len(spelt) > 1]
    if not joined:
        return []
    sentence = nmsg(
        "Several folders are called {names}: their names differ only in signs that cannot be seen, such as a blank at "
        "the end. They count as one class.",
        "Several folders are called {names}: their names differ only in signs that cannot be seen, such as a blank at "
        "the end. Those of one name count as one class.",
        len(joined),
        names=listed([msg("“{name}”", name=name) for name in joined], most=_NAMES_SHOWN),
    )
    return [Finding(severity="info", sentence=sentence, paths=tuple(path for name in joined for path in paths[name]))]


def _from_names(report: ScanReport) -> list[Finding]:
    """Say that the classes were taken from the names of the files."""
    if report.labels is not None or not report.class_counts:
        return []
    for file in report.files:
        folders = map(clean_name, file.path.split("/")[:-1])
        if file.from_table or (file.class_name is not None and file.class_name in folders):
            return []
    sentence = msg(
        "No folder names a class, so the classes come from the names of the {files}: {names}. If these are no classes, "
        "label the {files} yourself.",
        files=files(report.kind),
        names=_names(report.class_counts),
    )
    return [Finding(severity="info", sentence=sentence)]


def _passed_over(report: ScanReport) -> list[Finding]:
    """Count what lies in the folder and is not of this kind."""
    counts = Counter(PurePosixPath(path).suffix.lower() for path in report.passed_over)
    if not counts:
        return []
    parts = [
        msg("{n} {suffix}", n=count, suffix=suffix) if suffix else msg("{n} without a suffix", n=count)
        for suffix, count in counts.most_common()
    ]
    sentence = nmsg(
        "{count} other file in the folder is none of the {files} and was passed over ({suffixes}).",
        "{count} other files in the folder are no {files} and were passed over ({suffixes}).",
        len(report.passed_over),
        files=files(report.kind),
        suffixes=listed(parts, most=_SUFFIXES_SHOWN),
    )
    return [Finding(severity="info", sentence=sentence, paths=report.passed_over)]


def _balance(report: ScanReport) -> list[Finding]:
    # Names that differ in case only are probably one class, spelt in two ways.
    counts = {
        max(names, key=lambda name: report.class_counts[name]): sum(report.class_counts[name] for name in names)
        for names in _alike(report)
    }
    if len(counts) < 2:
        return []
    most = max(counts, key=lambda name: counts[name])
    least = min(counts, key=lambda name: counts[name])
    times = round(counts[most] / counts[least])
    if counts[most] < _UNEVEN * counts[least]:
        return []
    if counts[most] <= _VERY_UNEVEN * counts[least]:
        sentence = nmsg(
            "“{most}” has {count} time as many {files} as “{least}”. That is fine.",
            "“{most}” has {count} times as many {files} as “{least}”. That is fine.",
            times,
            most=most,
            least=least,
            files=files(report.kind),
        )
        return [Finding(severity="info", sentence=sentence)]
    sentence = nmsg(
        "“{most}” has {count} time as many {files} as “{least}”. Rare classes are weighted up, but “{least}” will "
        "still be recognised less reliably. More {files} of “{least}” would help most.",
        "“{most}” has {count} times as many {files} as “{least}”. Rare classes are weighted up, but “{least}” will "
        "still be recognised less reliably. More {files} of “{least}” would help most.",
        times,
        most=most,
        least=least,
        files=files(report.kind),
    )
    return [Finding(severity="warn", sentence=sentence)]


def _few(report: ScanReport) -> list[Finding]:
    few = {name: count for name, count in report.class_counts.items() if count < FEW}
    if not few:
        return []
    paths = tuple(file.path for file in report.files if any(name in few for name in file.class_names))
    if len(few) == 1:
        name, count = next(iter(few.items()))
        sentence = msg(
            "“{name}” has only {count_files}, too few for a reliable score.",
            name=name,
            count_files=counted_files(count, report.kind),
        )
    else:
        sentence = nmsg(
            "{count} class has fewer than {least} {files}, too few for a reliable score: {names}.",
            "{count} classes have fewer than {least} {files}, too few for a reliable score: {names}.",
            len(few),
            least=FEW,
            files=files(report.kind),
            names=_names(few),
        )
    return [Finding(severity="warn", sentence=sentence, paths=paths)]


def _twice_named(report: ScanReport) -> list[Finding]:
    """Classes whose names differ by what people seldom mean."""
    sets = [names for names in _alike(report) if len(names) > 1]
    if not sets:
        return []
    sentence = msg(
        "Some class names look alike: {names}. If they mean the same, use one name.",
        names=listed([msg("“{name}”", name=" / ".join(names)) for names in sets], most=_SETS_SHOWN),
    )
    named = {name for names in sets for name in names}
    paths = tuple(file.path for file in report.files if not named.isdisjoint(file.class_names))
    return [Finding(severity="warn", sentence=sentence, paths=paths)]


def _alike(report: ScanReport) -> list[list[str]]:
    """The names of the classes, those together that differ in upper and lower case, blanks and hyphens only."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in report.class_counts:
        alike[_BETWEEN_WORDS.sub("", unicodedata.normalize("NFKC", clean_name(name)).casefold())].append(name)
    return list(alike.values())


def _missing(report: ScanReport, plan: SplitPlan) -> list[Finding]:
    """Classes that some split has none of; a split without anything at all is one finding, not one per class."""
    held: dict[Split, Counter[str]] = defaultdict(Counter)
    for file in report.files:
        if file.path in plan.splits:
            held[plan.splits[file.path]].update(file.class_names)
    found = []
    for split in SPLITS:
        absent = {name: 0 for name in report.class_counts if not held[split][name]}
        severity: Severity = "bad" if split == "train" else "warn"
        if not absent:
            continue
        if held[split]:
            sentence = _without_classes(split, report.kind, _names(absent))
        else:
            sentence = _without_files(split, report.kind)
        found.append(Finding(severity=severity, sentence=sentence))
    return found


def _without_files(split: Split, kind: KindName) -> Message:
    match split:
        case "train":
            return msg("There are no {files} for training.", files=files(kind))
        case "valid":
            return msg("There are no {files} for validation.", files=files(kind))
        case "test":
            return msg("There are no {files} for the test.", files=files(kind))


def _without_classes(split: Split, kind: KindName, names: Message) -> Message:
    match split:
        case "train":
            return msg("There are no {files} of {names} for training.", files=files(kind), names=names)
        case "valid":
            return msg("There are no {files} of {names} for validation.", files=files(kind), names=names)
        case "test":
            return msg("There are no {files} of {names} for the test.", files=files(kind), names=names)


def _names(classes: Mapping[str, int]) -> Message:
    return listed([msg("“{name}”", name=name) for name in classes], most=_NAMES_SHOWN)
