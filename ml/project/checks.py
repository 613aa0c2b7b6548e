"""What the user should know of a folder before training, in sentences."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ml.project.labelfiles.losing import lost_in_windows
from ml.project.labelfiles.telling import MILD, issue_told, only_one_class, windows_told
from ml.project.samples import SPLITS, ScanReport, Split, SplitPlan
from ml.project.several import SEVERAL_PRESENT, gives_several
from ml.wording import FILES, listed

Severity = Literal["info", "warn", "bad"]

FEW = 10
"""With fewer files than this in a class, its score says little."""
_TABLES_SHOWN = 5
_SETS_SHOWN = 3
_UNEVEN, _VERY_UNEVEN = 3, 10
_PURPOSE: dict[Split, str] = {"train": "learn from", "valid": "choose the best model with", "test": "test with"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One sentence about the data, and the files it speaks of (relative to the folder)."""

    severity: Severity
    sentence: str
    paths: tuple[str, ...] = ()


def findings(report: ScanReport, plan: SplitPlan | None = None) -> tuple[Finding, ...]:
    """What is worth knowing, the gravest first; with a plan also what its splits lack."""
    found = [*_blocking(report), *_unreadable(report), *_duplicates(report), *_unlabelled(report), *_balance(report)]
    found += [*_few(report), *_twice_named(report), *_from_tables(report)]
    found += [Finding(severity="info", sentence=sentence) for sentence in report.notes]
    if plan is not None:
        found += _missing(report, plan)
    order: dict[Severity, int] = {"bad": 0, "warn": 1, "info": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.severity]))


def problem(report: ScanReport) -> str | None:
    """Why nothing can be learned from this folder as it is, and what to do; None if it can."""
    one, many = FILES[report.kind]
    counts = report.class_counts
    if not report.files:
        return f"None of the {many} could be read, so there is nothing to learn from; choose another folder."
    if gives_several(report) and report.task == "single":
        first = next(file for file in report.files if file.also)
        return (
            f"The table gives more than one class to a {one}, for example {' and '.join(first.class_names[:3])} to "
            f"{first.path}; make it a project {SEVERAL_PRESENT}."
        )
    if not counts:
        return (
            f"No {one} has a label yet; put the {many} of each class into a folder of its own, or take a table that "
            "says what each of them is."
        )
    if len(counts) == 1 and not _has_negatives(report):
        name = next(iter(counts))
        if report.labels is not None:
            return only_one_class(name, report.labels)
        return f"There is only one class, “{name}”; add a folder for at least one more, so that it has to choose."
    if max(counts.values()) < 2:
        return f"Every class has only one {one}; add more, so that some are left to test with."
    return None


def _has_negatives(report: ScanReport) -> bool:
    """Whether something is known to show none of the classes; in a recording with labels of parts the rest does."""
    return any(file.negative or (report.task == "multi" and file.spans is not None) for file in report.files)


def _blocking(report: ScanReport) -> list[Finding]:
    sentence = problem(report)
    return [] if sentence is None else [Finding(severity="bad", sentence=sentence)]


def _unreadable(report: ScanReport) -> list[Finding]:
    count = len(report.unreadable)
    if not count:
        return []
    paths = tuple(item.path for item in report.unreadable)
    if count == 1:
        only = report.unreadable[0]
        sentence = f"One file could not be read and is left out: {only.reason[0].lower()}{only.reason[1:]}"
    else:
        sentence = f"{count:,} files could not be read and are left out."
    return [Finding(severity="warn", sentence=sentence, paths=paths)]


def _duplicates(report: ScanReport) -> list[Finding]:
    one, many = FILES[report.kind]
    if report.task == "multi":
        return _several(report)
    clashing = [item for item in report.duplicates if item.conflicting]
    plain = [item for item in report.duplicates if not item.conflicting]
    found = []
    if clashing:
        paths = tuple(path for item in clashing for path in item.paths)
        first = clashing[0]
        who = f"One {one} appears" if len(clashing) == 1 else f"{len(clashing):,} {many} appear"
        sentence = (
            f"{who} more than once with different labels, for example as {first.class_names[0]} and as "
            f"{first.class_names[1]} ({first.paths[0]}, {first.paths[1]})."
        )
        found.append(Finding(severity="warn", sentence=sentence, paths=paths))
    if plain:
        paths = tuple(path for item in plain for path in item.paths)
        who = f"One {one} appears" if len(plain) == 1 else f"{len(plain):,} {many} appear"
        sentence = f"{who} more than once; the copies stay on the same side of the test."
        found.append(Finding(severity="info", sentence=sentence, paths=paths))
    return found


def _several(report: ScanReport) -> list[Finding]:
    """Multi-label: what shows several classes, what shows none, and what was there twice for no reason."""
    one, many = FILES[report.kind]
    several = tuple(file.path for file in report.files if len(file.class_names) > 1)
    negative = tuple(file.path for file in report.files if file.negative)
    plain = [item for item in report.duplicates if not item.conflicting]
    found = []
    if report.class_counts and not several:
        sentence = f"None of the {many} shows more than one class"
        sentence += "; put a copy into the folder of each class it shows." if report.labels is None else "."
        found.append(Finding(severity="info", sentence=sentence))
    if several:
        who = f"One {one} shows" if len(several) == 1 else f"{len(several):,} {many} show"
        found.append(Finding(severity="info", sentence=f"{who} more than one class.", paths=several))
    if negative:
        who = f"One {one} shows" if len(negative) == 1 else f"{len(negative):,} {many} show"
        found.append(Finding(severity="info", sentence=f"{who} none of the classes.", paths=negative))
    if plain:
        paths = tuple(path for item in plain for path in item.paths)
        who = f"One {one} appears" if len(plain) == 1 else f"{len(plain):,} {many} appear"
        sentence = f"{who} more than once in the same class; the copies count as one."
        found.append(Finding(severity="info", sentence=sentence, paths=paths))
    return found


def _from_tables(report: ScanReport) -> list[Finding]:
    """What became of the label files: what they were taken for, and what could not be used."""
    if report.labels is None:
        return []
    found = [Finding(severity="info", sentence=told) for told in report.labels.tables[:_TABLES_SHOWN]]
    if len(report.labels.tables) > _TABLES_SHOWN:
        more = len(report.labels.tables) - _TABLES_SHOWN
        found.append(Finding(severity="info", sentence=f"Labels come from {more:,} more label files."))
    found += [Finding(severity="info", sentence=told) for told in windows_told(report)]
    for issue in (*lost_in_windows(report), *report.labels.issues):
        told = issue_told(issue, kind=report.kind, task=report.task)
        found.append(Finding(severity="info" if issue.kind in MILD else "warn", sentence=told, paths=issue.paths))
    return found


def _unlabelled(report: ScanReport) -> list[Finding]:
    _one, many = FILES[report.kind]
    paths = tuple(file.path for file in report.files if not file.labelled)
    if not paths or not report.class_counts or report.labels is not None:
        return []
    sentence = f"{len(paths):,} of the {many} lie in no class folder and have no label yet."
    return [Finding(severity="info", sentence=sentence, paths=paths)]


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
        sentence = f"{most} has {times} times as many as {least} – that is fine."
        return [Finding(severity="info", sentence=sentence)]
    sentence = (
        f"{most} has {times:,} times as many as {least}: rare classes weigh more in learning, and still {least} will "
        f"be known less well; more of {least} would help most."
    )
    return [Finding(severity="warn", sentence=sentence)]


def _few(report: ScanReport) -> list[Finding]:
    one, many = FILES[report.kind]
    few = {name: count for name, count in report.class_counts.items() if count < FEW}
    if not few:
        return []
    paths = tuple(file.path for file in report.files if any(name in few for name in file.class_names))
    if len(few) == 1:
        name, count = next(iter(few.items()))
        having = f"only one {one}" if count == 1 else f"only {count} {many}"
        sentence = f"{name} has {having}, too few to judge it by."
    else:
        sentence = f"{len(few):,} classes have fewer than {FEW} {many}, too few to judge them by: {_names(few)}."
    return [Finding(severity="warn", sentence=sentence, paths=paths)]


def _twice_named(report: ScanReport) -> list[Finding]:
    """Classes whose names differ by what people seldom mean."""
    sets = [names for names in _alike(report) if len(names) > 1]
    if not sets:
        return []
    shown = "; ".join(listed([f"“{name}”" for name in names]) for names in sets[:_SETS_SHOWN])
    more = f"; and {len(sets) - _SETS_SHOWN:,} more" if len(sets) > _SETS_SHOWN else ""
    sentence = (
        f"Some classes differ in upper and lower case only ({shown}{more}); if they mean the same, give them one name."
    )
    named = {name for names in sets for name in names}
    paths = tuple(file.path for file in report.files if not named.isdisjoint(file.class_names))
    return [Finding(severity="warn", sentence=sentence, paths=paths)]


def _alike(report: ScanReport) -> list[list[str]]:
    """The names of the classes, those together that differ in upper and lower case only."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in report.class_counts:
        alike[unicodedata.normalize("NFC", name).casefold()].append(name)
    return list(alike.values())


def _missing(report: ScanReport, plan: SplitPlan) -> list[Finding]:
    """Classes that some split has none of; a split without anything at all is one finding, not one per class."""
    _one, many = FILES[report.kind]
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
        if not held[split]:
            sentence = f"There are no {many} to {_PURPOSE[split]}."
        else:
            sentence = f"There are no {many} of {_names(absent)} to {_PURPOSE[split]}."
        found.append(Finding(severity=severity, sentence=sentence))
    return found


def _names(classes: Mapping[str, int]) -> str:
    shown = list(classes)[:3]
    more = len(classes) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more:,} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
