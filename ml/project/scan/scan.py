"""From a folder to a report: every file decoded once in full, nothing in the folder touched."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from ml.core.errors import HandlensError, UnreadableError
from ml.core.events import Event, Failed, Progress, Scanned, StageStarted, Stopped
from ml.core.jobs import ScanJob, Stop, StopRequestedError
from ml.core.messages import Message, english, msg
from ml.core.phrases import counted_files
from ml.core.phrases import files as files_of
from ml.core.scan_report import DuplicateSet, FoundFile, ScanReport, Unreadable
from ml.core.types import FrameSampling, PictureReading, Windowing
from ml.media.frames import frames_asked
from ml.media.kinds import FileFacts, SampleKind, kind_named, kinds
from ml.media.probing import probe_files
from ml.media.signatures import belongs
from ml.project.labelfiles.apply import apply
from ml.project.labelfiles.read import read_labels
from ml.project.labelfiles.types import LabelReading
from ml.project.labelfiles.windows import leave_out_pauses, measured_spans, suited_to, suited_to_states
from ml.project.scan.agree_logs import agree_schema
from ml.project.scan.checks import too_few_classes, unvisited
from ml.project.scan.examine import Examined, examine
from ml.project.scan.folder import CLOSED_FOLDER, LEAVES_FOLDER, Entry, entries_below
from ml.project.scan.layout import places
from ml.project.scan.reading import as_read, asked_reading, choose_reading

BETWEEN_PROGRESS = 0.1
"""Seconds."""
_BAD_NAME = msg("The file name contains damaged characters. Rename the file and look again.")


def scan(job: ScanJob, stop: Stop) -> Iterator[Event]:
    """Look through `job.folder` and say what is there.

    Yields StageStarted, then Progress, then exactly one of Scanned, Stopped (for either kind of stop request) and
    Failed, whose message is one sentence with what to do.
    """
    yield StageStarted(stage="scan")
    try:
        report = yield from _scan(Path(job.folder).absolute(), job, kind_named(job.kind), stop)
    except HandlensError as error:
        yield Failed(message=error.message, details=error.details)
        return
    except StopRequestedError:
        report = None
    yield Stopped() if report is None else Scanned(report=report)


def _scan(folder: Path, job: ScanJob, kind: SampleKind, stop: Stop) -> Generator[Event, None, ScanReport | None]:
    listing = yield from _list(folder, stop)
    if listing is None:
        return None
    tables = {source.absolute() for source in job.labels}  # a table of labels is no log
    found = [entry for entry in listing if _is_wanted(entry, folder, kind) and folder / entry.path not in tables]
    wanted = [entry.path for entry in found if entry.obstacle is None]
    if not wanted:
        raise HandlensError(_nothing_found(folder, listing, kind))
    unreadable = _left_out(listing, wanted, kind)
    passed_over = _passed_over(listing, {*wanted}, tables=tables, folder=folder)
    wanted = [name for name in wanted if _printable(name) == name]
    # Before the long part: a table that cannot be used is better heard of at once.
    reading = (
        read_labels(
            job.labels,
            folder,
            wanted,
            timed=may_be_timed(kind, wanted),
            columns=job.columns,
            stopped=lambda: bool(stop.requested()),
        )
        if job.labels
        else None
    )
    if job.new and not job.unlabelled:
        _check_names(wanted, reading, unreadable, kind)
    links = [entry.path for entry in found if entry.linked and _printable(entry.path) == entry.path]
    outcomes = yield from _examine_all(folder, wanted, kind, stop, links=links, reading=asked_reading(job))
    if outcomes is None:
        return None
    if not folder.is_dir():
        raise HandlensError(
            msg(
                "The folder “{folder}” disappeared while it was being read. Connect its drive and try again.",
                folder=_named(folder),
            )
        )
    windowing, notes = job.windowing, tuple[Message, ...]()
    if kind.shares_columns:
        windowing, notes = settle_logs(outcomes, job)
    files: list[FoundFile] = []
    facts: list[FileFacts] = []
    for place in places(wanted):
        outcome = outcomes[place.path]
        if isinstance(outcome, UnreadableError):
            unreadable.append(Unreadable(path=place.path, reason=outcome.message))
        else:
            file = found_file(place.path, place.class_name, place.ready_split, outcome)
            if job.unlabelled:
                file = dataclasses.replace(file, class_name=None, from_table=True)
            files.append(file)
            facts.append(outcome.facts)
    if not files:
        raise HandlensError(_nothing_readable(folder, unreadable, kind), details=_listed(unreadable))
    labels = None
    if reading is not None:
        files, labels = apply(files, reading, job.labels)
    if windowing is not None and windowing.without_pauses:
        files = list(map(leave_out_pauses, files))
    picture_reading = choose_reading(kind, facts, job)
    files = [as_read(file, picture_reading) for file in files]
    return ScanReport(
        folder=str(folder),
        kind=job.kind,
        files=tuple(files),
        labels=labels,
        unreadable=tuple(sorted(unreadable, key=lambda item: item.path)),
        duplicates=duplicates_among(files),
        windowing=_windowing(files, job, facts=facts, agreed=windowing),
        picture_reading=picture_reading,
        frames=_frames(kind, facts, job),
        notes=notes,
        unlabelled=job.unlabelled,
        passed_over=passed_over,
    )


def _list(folder: Path, stop: Stop) -> Generator[Event, None, list[Entry] | None]:
    """Everything below, sorted by name, with Progress without a total; None if stopped."""
    if not folder.exists():
        raise HandlensError(msg("The folder “{folder}” does not exist. Choose it again.", folder=_named(folder)))
    if not folder.is_dir():
        raise HandlensError(
            msg("“{file}” is a file, not a folder. Choose the folder that contains it.", file=_named(folder))
        )
    entries: list[Entry] = []
    reported = time.monotonic()
    try:
        for entry in entries_below(folder):
            entries.append(entry)
            if stop.requested():
                return None
            now = time.monotonic()
            if now - reported >= BETWEEN_PROGRESS:
                reported = now
                yield Progress(stage="scan", done=len(entries), total=0)
    except OSError as error:
        message = msg(
            "The folder “{folder}” cannot be opened. Allow reading it or choose another folder.", folder=_named(folder)
        )
        raise HandlensError(message, details=repr(error)) from error
    return sorted(entries, key=lambda entry: entry.path)


def _is_wanted(entry: Entry, folder: Path, kind: SampleKind) -> bool:
    if entry.obstacle is not None:
        return _suffix(entry.path) in kind.suffixes
    return belongs(folder, entry.path, kind)


def _passed_over(
    listing: Sequence[Entry], wanted: Collection[str], *, tables: Collection[Path], folder: Path
) -> tuple[str, ...]:
    """The files that are not of this kind."""
    others = (entry.path for entry in listing if entry.obstacle is None and entry.path not in wanted)
    return tuple(_printable(name) for name in others if folder / name not in tables)


def _left_out(listing: Sequence[Entry], wanted: Sequence[str], kind: SampleKind) -> list[Unreadable]:
    """The folders and files that cannot even be tried."""
    left_out = [
        Unreadable(path=_printable(entry.path), reason=entry.obstacle)
        for entry in listing
        if entry.obstacle is not None and (entry.folder or _suffix(entry.path) in kind.suffixes)
    ]
    return left_out + [
        Unreadable(path=_printable(name), reason=_BAD_NAME) for name in wanted if _printable(name) != name
    ]


def _check_names(
    names: Sequence[str], reading: LabelReading | None, unreadable: Sequence[Unreadable], kind: SampleKind
) -> None:
    """Raise HandlensError where the names alone show that nothing can be learned: decoding takes minutes."""
    counts: Counter[str] = Counter()
    if reading is None:
        counts.update(place.class_name for place in places(names) if place.class_name is not None)
    elif not any(labels.timed or not labels.classes for labels in reading.by_path.values()):
        counts.update(name for labels in reading.by_path.values() for name in labels.classes)
    notes = None if reading is None else reading.notes(())
    trouble = too_few_classes(counts, kind.name, notes) if counts else None
    if trouble is None:
        return
    for finding in unvisited(unreadable):  # a class may be in there
        trouble = msg("{first} {second}", first=trouble, second=finding.sentence)
    raise HandlensError(trouble)


def _originals(folder: Path, names: Sequence[str], links: Collection[str]) -> dict[str, str]:
    """The name under which each file is read: that of the file itself for links to it, so that none is read twice."""
    if not links:
        return {name: name for name in names}
    root = os.path.realpath(folder)
    linked = set(links)
    by_place = {os.path.normcase(os.path.join(root, name)): name for name in names if name not in linked}  # noqa: PTH118
    return {
        name: name
        if name not in linked
        else by_place.setdefault(os.path.normcase(os.path.realpath(folder / name)), name)
        for name in names
    }


def _examine_all(
    folder: Path,
    names: Sequence[str],
    kind: SampleKind,
    stop: Stop,
    *,
    links: Collection[str],
    reading: PictureReading | None,
) -> Generator[Event, None, dict[str, Examined | UnreadableError] | None]:
    originals = _originals(folder, names, links)
    names = list(dict.fromkeys(originals.values()))
    outcomes: dict[str, Examined | UnreadableError] = {}
    by_path = {folder / name: name for name in names}
    began = time.monotonic()
    last_progress = began
    yield Progress(stage="scan", done=0, total=len(names))
    look = partial(examine, kind, reading=reading)
    results = probe_files(list(by_path), look, stopped=lambda: bool(stop.requested()))
    try:
        for path, outcome in results:
            outcomes[by_path[path]] = outcome
            now = time.monotonic()
            if now - last_progress >= BETWEEN_PROGRESS:
                last_progress = now
                yield _progress(len(outcomes), len(names), now - began)
    finally:
        results.close()
    if len(outcomes) < len(names):
        return None
    yield _progress(len(names), len(names), time.monotonic() - began)
    return {name: outcomes[original] for name, original in originals.items()}


def _progress(done: int, total: int, seconds: float) -> Progress:
    per_second = done / max(seconds, 1e-6)
    return Progress(
        stage="scan", done=done, total=total, per_second=per_second, seconds_left=(total - done) / max(per_second, 1e-6)
    )


def found_file(path: str, class_name: str | None, ready_split: str | None, examined: Examined) -> FoundFile:
    """Return what a child process learned of a file, under the path that the project knows it by."""
    return FoundFile(
        path=path,
        size=examined.size,
        mtime_ns=examined.mtime_ns,
        digest=examined.digest,
        class_name=class_name,
        ready_split=ready_split,
        width=examined.facts.width,
        height=examined.facts.height,
        duration=examined.facts.duration,
        rate=examined.facts.rate,
        channels=examined.facts.channels,
        stretches=examined.stretches,
        remarks=examined.facts.remarks,
        look=examined.facts.look,
        levels=examined.facts.levels,
        bands=examined.facts.bands,
        band_levels=examined.facts.band_levels,
        windowed=examined.facts.windowed,
    )


def duplicates_among(files: Sequence[FoundFile]) -> tuple[DuplicateSet, ...]:
    """Return the sets of files with the same bytes."""
    alike: dict[str, list[FoundFile]] = defaultdict(list)
    for file in files:
        alike[file.digest].append(file)
    sets = [
        DuplicateSet(
            paths=tuple(sorted(file.path for file in same)),
            class_names=tuple(sorted({name for file in same for name in file.class_names})),
        )
        for same in alike.values()
        if len(same) > 1
    ]
    return tuple(sorted(sets, key=lambda item: item.paths))


def may_be_timed(kind: SampleKind, names: Iterable[str]) -> bool:
    """Return whether labels may hold for parts of these files: of recordings and logs, and of videos."""
    return kind.windowed or any(_suffix(name) in kind.guest_suffixes for name in names)


def with_frames(report: ScanReport) -> ScanReport:
    """Return the report with a choice of frames, where there are videos and none was made."""
    if report.cut is not None:
        return report
    facts = [FileFacts(duration=file.duration) for file in report.files]
    return dataclasses.replace(report, frames=kind_named(report.kind).choose_frames(facts))


def _frames(kind: SampleKind, facts: Sequence[FileFacts], job: ScanJob) -> FrameSampling | None:
    chosen = kind.choose_frames(facts)
    return chosen if chosen is None or job.frame_every is None else frames_asked(job.frame_every)


def _windowing(
    files: Sequence[FoundFile], job: ScanJob, *, facts: Sequence[FileFacts], agreed: Windowing | None
) -> Windowing | None:
    """How the files become samples, of logs as `agreed`, with regard to labels of parts."""
    spans = [span for file in files for span in measured_spans(file)]
    chosen = kind_named(job.kind).choose_windowing(facts)
    if chosen is not None:
        return suited_to(chosen, spans)
    if agreed is None or job.windowing is not None:
        return agreed
    return suited_to_states(agreed, spans)


def settle_logs(
    outcomes: dict[str, Examined | UnreadableError], job: ScanJob
) -> tuple[Windowing | None, tuple[Message, ...]]:
    """Agree on the logs' columns and rate; a log that does not fit the rest becomes unreadable, with the reason."""
    facts = {
        path: found.facts.log for path, found in outcomes.items() if isinstance(found, Examined) and found.facts.log
    }
    agreed = agree_schema(facts, rate=job.rate, windowing=job.windowing)
    for path, found in outcomes.items():
        if isinstance(found, UnreadableError):
            continue
        if path in agreed.unfit:
            outcomes[path] = agreed.unfit[path]
        else:
            times = agreed.timelines[path]
            timed = dataclasses.replace(found.facts, rate=times.rate, duration=times.seconds)
            outcomes[path] = dataclasses.replace(found, facts=timed, stretches=times.stretches)
    return agreed.windowing, agreed.notes


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _printable(name: str) -> str:
    """The name as text that can be stored; differs from it where its bytes are not valid text."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _named(folder: Path) -> str:
    return _printable(folder.name or str(folder))


def _nothing_found(folder: Path, listing: Sequence[Entry], kind: SampleKind) -> Message:
    name, wanted = _named(folder), files_of(kind.name)
    names = [entry.path for entry in listing if entry.obstacle is None]
    if any(entry.obstacle == CLOSED_FOLDER for entry in listing):
        return msg(
            "A folder inside “{folder}” cannot be opened. Allow reading it or choose another folder.", folder=name
        )
    outside = [entry.path for entry in listing if entry.obstacle == LEAVES_FOLDER]
    if outside:
        return msg(
            "There are no {files} in “{folder}”, only links that lead out of it, such as “{link}”. Choose the folder "
            "that contains the files themselves.",
            files=wanted,
            folder=name,
            link=_printable(outside[0]),
        )
    if not names:
        return msg("The folder “{folder}” is empty. Choose a folder that contains {files}.", folder=name, files=wanted)
    for other in kinds():
        own = other.suffixes - other.guest_suffixes
        count = sum(_suffix(found) in own for found in names)
        if count and (not other.loose_suffixes or all(_suffix(found) in own for found in names)):
            return msg(
                "There are no {files} in “{folder}”, only {count_others}. Choose {others} instead.",
                files=wanted,
                folder=name,
                count_others=counted_files(count, other.name),
                others=files_of(other.name),
            )
    return msg("There are no {files} in “{folder}”. Choose a folder that contains {files}.", folder=name, files=wanted)


def _nothing_readable(folder: Path, unreadable: Sequence[Unreadable], kind: SampleKind) -> Message:
    first = unreadable[-1]
    file, reason = PurePosixPath(first.path).name, first.reason
    if kind.loose_suffixes:
        return msg(
            "Nothing in “{folder}” can be read as a log of measurements. For example “{file}”: {reason}",
            folder=_named(folder),
            file=file,
            reason=reason,
        )
    return msg(
        "None of the {files} in “{folder}” can be read. For example “{file}”: {reason}",
        files=files_of(kind.name),
        folder=_named(folder),
        file=file,
        reason=reason,
    )


def _listed(unreadable: Sequence[Unreadable]) -> str:
    return "\n".join(f"{item.path}: {english(item.reason)}" for item in unreadable)
