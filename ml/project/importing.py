"""From a folder to a report: every file decoded once in full, nothing in the folder touched."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ml.errors import HandlensError, UnreadableError
from ml.events import Event, Failed, Progress, Scanned, StageStarted, Stopped
from ml.jobs import ScanJob, Stop
from ml.media.audio import AUDIO_SUFFIXES, audio_facts
from ml.media.files import disk_reason
from ml.media.guard import checked
from ml.media.images import IMAGE_SUFFIXES, image_facts
from ml.media.sensors import LOG_SUFFIXES, LogFacts, log_facts
from ml.media.windowing import choose_windowing
from ml.project.folder import CLOSED_FOLDER, files_below, places
from ml.project.labelfiles.applying import apply
from ml.project.labelfiles.reading import read_labels
from ml.project.labelfiles.windows import suited_to, suited_to_states
from ml.project.logs import agree
from ml.project.samples import DuplicateSet, FoundFile, Kind, ScanReport, Unreadable, Windowing

_BETWEEN_PROGRESS = 0.1
_CHUNK = 1 << 20
_BAD_NAME = "The name of the file is damaged and cannot be kept; rename it and look again."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Examined:
    """What a child process learned of one file."""

    size: int
    mtime_ns: int
    digest: str
    width: int = 0
    height: int = 0
    duration: float = 0.0
    rate: float = 0
    channels: int = 0
    pauses: tuple[tuple[float, float], ...] = ()
    log: LogFacts | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Search:
    """What to look for: how one kind is recognised, examined and spoken of."""

    suffixes: frozenset[str]
    examine: Callable[[Path], _Examined]
    many: str


def examine_image(path: Path) -> _Examined:
    """Decode and fingerprint one picture. Raises UnreadableError."""
    facts = image_facts(path)
    size, mtime_ns, digest = _fingerprint(path)
    return _Examined(size=size, mtime_ns=mtime_ns, digest=digest, width=facts.width, height=facts.height)


def examine_recording(path: Path) -> _Examined:
    """Decode and fingerprint one recording. Raises UnreadableError."""
    facts = audio_facts(path)
    size, mtime_ns, digest = _fingerprint(path)
    return _Examined(
        size=size,
        mtime_ns=mtime_ns,
        digest=digest,
        duration=facts.duration,
        rate=facts.rate,
        channels=facts.channels,
    )


def examine_log(path: Path) -> _Examined:
    """Read and fingerprint one log of sensors. Raises UnreadableError."""
    facts = log_facts(path)
    size, mtime_ns, digest = _fingerprint(path)
    return _Examined(size=size, mtime_ns=mtime_ns, digest=digest, channels=len(facts.columns), log=facts)


_SEARCHES: dict[Kind, _Search] = {
    "images": _Search(
        suffixes=IMAGE_SUFFIXES,
        examine=examine_image,
        many="pictures",
    ),
    "recordings": _Search(
        suffixes=AUDIO_SUFFIXES,
        examine=examine_recording,
        many="recordings",
    ),
    "sensors": _Search(
        suffixes=LOG_SUFFIXES,
        examine=examine_log,
        many="logs",
    ),
}


def scan(job: ScanJob, stop: Stop) -> Iterator[Event]:
    """Look through `job.folder` and say what is there.

    Yields StageStarted, then Progress, then exactly one of Scanned, Stopped (for either kind of stop request) and
    Failed, whose message is one sentence with what to do.
    """
    search = _SEARCHES[job.kind]
    yield StageStarted(stage="scan")
    try:
        report = yield from _scan(Path(job.folder).absolute(), job, search, stop)
    except HandlensError as error:
        yield Failed(message=error.message, details=error.details)
        return
    yield Stopped() if report is None else Scanned(report=report)


def _scan(folder: Path, job: ScanJob, search: _Search, stop: Stop) -> Generator[Event, None, ScanReport | None]:
    names = _list(folder, stop)
    if names is None:
        return None
    given = {source.absolute() for source in job.labels}  # a table of labels is no log
    wanted = [name for name in names if _suffix(name) in search.suffixes and folder / name not in given]
    if not wanted:
        raise HandlensError(_nothing_found(folder, names, search))
    unreadable = [Unreadable(path=name[:-1], reason=CLOSED_FOLDER) for name in names if name.endswith("/")]
    unreadable += [Unreadable(path=_printable(name), reason=_BAD_NAME) for name in wanted if _printable(name) != name]
    wanted = [name for name in wanted if _printable(name) == name]
    # Before the long part: a table that cannot be used is better heard of at once.
    reading = read_labels(job.labels, folder, wanted, timed=job.kind != "images") if job.labels else None
    outcomes = yield from _examine_all(folder, wanted, search, stop)
    if outcomes is None:
        return None
    if not folder.is_dir():
        raise HandlensError(f"The folder {_quoted(folder)} went away while it was read; connect it and try again.")
    windowing, notes = job.windowing, tuple[str, ...]()
    if job.kind == "sensors":
        windowing, notes = _settle_logs(outcomes, job)
    files: list[FoundFile] = []
    for place in places(wanted):
        outcome = outcomes[place.path]
        if isinstance(outcome, UnreadableError):
            unreadable.append(Unreadable(path=place.path, reason=outcome.message))
        else:
            files.append(_found(place.path, place.class_name, place.ready_split, outcome))
    if not files:
        raise HandlensError(_nothing_readable(folder, unreadable, search), details=_listed(unreadable))
    labels = None
    if reading is not None:
        files, labels = apply(files, reading, job.labels)
    return ScanReport(
        folder=str(folder),
        kind=job.kind,
        files=tuple(files),
        labels=labels,
        unreadable=tuple(sorted(unreadable, key=lambda item: item.path)),
        duplicates=_duplicates(files),
        windowing=_windowing(files, job, agreed=windowing),
        notes=notes,
    )


def _list(folder: Path, stop: Stop) -> list[str] | None:
    """Names of everything below, sorted; None if stopped."""
    if not folder.exists():
        raise HandlensError(f"The folder {_quoted(folder)} is not there; choose it again.")
    if not folder.is_dir():
        raise HandlensError(f"{_quoted(folder)} is a file, not a folder; choose the folder it lies in.")
    names = []
    try:
        for name in files_below(folder):
            names.append(name)
            if stop.requested():
                return None
    except OSError as error:
        message = f"The folder {_quoted(folder)} cannot be opened; allow reading it or choose another."
        raise HandlensError(message, details=repr(error)) from error
    return sorted(names)


def _examine_all(
    folder: Path, names: Sequence[str], search: _Search, stop: Stop
) -> Generator[Event, None, dict[str, _Examined | UnreadableError] | None]:
    outcomes: dict[str, _Examined | UnreadableError] = {}
    by_path = {folder / name: name for name in names}
    began = time.monotonic()
    told = began
    yield Progress(stage="scan", done=0, total=len(names))
    results = checked(list(by_path), search.examine, stopped=lambda: bool(stop.requested()))
    try:
        for path, outcome in results:
            outcomes[by_path[path]] = outcome
            now = time.monotonic()
            if now - told >= _BETWEEN_PROGRESS:
                told = now
                yield _progress(len(outcomes), len(names), now - began)
    finally:
        results.close()
    if len(outcomes) < len(names):
        return None
    yield _progress(len(names), len(names), time.monotonic() - began)
    return outcomes


def _progress(done: int, total: int, seconds: float) -> Progress:
    per_second = done / max(seconds, 1e-6)
    return Progress(
        stage="scan", done=done, total=total, per_second=per_second, seconds_left=(total - done) / max(per_second, 1e-6)
    )


def _fingerprint(path: Path) -> tuple[int, int, str]:
    """Size, time of change (ns) and SHA-256 of a file."""
    digest = hashlib.sha256()
    try:
        info = path.stat()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UnreadableError(disk_reason(error) or "The file could not be read.", details=repr(error)) from error
    return info.st_size, info.st_mtime_ns, digest.hexdigest()


def _found(path: str, class_name: str | None, ready_split: str | None, examined: _Examined) -> FoundFile:
    return FoundFile(
        path=path,
        size=examined.size,
        mtime_ns=examined.mtime_ns,
        digest=examined.digest,
        class_name=class_name,
        ready_split=ready_split,
        width=examined.width,
        height=examined.height,
        duration=examined.duration,
        rate=examined.rate,
        channels=examined.channels,
        pauses=examined.pauses,
    )


def _duplicates(files: Sequence[FoundFile]) -> tuple[DuplicateSet, ...]:
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


def _windowing(files: Sequence[FoundFile], job: ScanJob, *, agreed: Windowing | None) -> Windowing | None:
    """How the files become samples, of logs as `agreed`, with regard to labels of parts."""
    spans = [span for file in files for span in file.spans or ()]
    if job.kind == "recordings":
        return suited_to(choose_windowing([file.duration for file in files], [file.rate for file in files]), spans)
    if agreed is None or job.windowing is not None:
        return agreed
    return suited_to_states(agreed, spans)


def _settle_logs(
    outcomes: dict[str, _Examined | UnreadableError], job: ScanJob
) -> tuple[Windowing | None, tuple[str, ...]]:
    """Agree on the logs' columns and rate; a log that does not fit the rest becomes unreadable, with the reason."""
    facts = {path: found.log for path, found in outcomes.items() if isinstance(found, _Examined) and found.log}
    agreed = agree(facts, rate=job.rate, windowing=job.windowing)
    for path, found in outcomes.items():
        if isinstance(found, UnreadableError):
            continue
        if path in agreed.unfit:
            outcomes[path] = agreed.unfit[path]
        else:
            rate, seconds = agreed.lengths[path]
            pauses = agreed.pauses[path]
            outcomes[path] = dataclasses.replace(found, rate=rate, duration=seconds, pauses=pauses)
    return agreed.windowing, agreed.notes


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower() if not name.endswith("/") else ""


def _printable(name: str) -> str:
    """The name as text that can be stored; differs from it where its bytes are not valid text."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _quoted(folder: Path) -> str:
    return f"“{_printable(folder.name or str(folder))}”"


def _nothing_found(folder: Path, names: Sequence[str], search: _Search) -> str:
    if any(name.endswith("/") for name in names):
        return f"A folder inside {_quoted(folder)} may not be opened; allow reading it or choose another."
    if not names:
        return f"The folder {_quoted(folder)} is empty; choose one with {search.many} in it."
    for other in _SEARCHES.values():
        count = sum(_suffix(name) in other.suffixes for name in names)
        if count and (other.many != "logs" or all(_suffix(name) in LOG_SUFFIXES for name in names)):
            kind = other.many
            return f"There are no {search.many} in {_quoted(folder)}, only {kind} ({count:,}); choose {kind} instead."
    return f"There are no {search.many} in {_quoted(folder)}; choose a folder with {search.many} in it."


def _nothing_readable(folder: Path, unreadable: Sequence[Unreadable], search: _Search) -> str:
    first = unreadable[-1]
    none = f"None of the {search.many} in {_quoted(folder)} can be read"
    if search.many == "logs":  # a table or a text may be anything
        none = f"Nothing in {_quoted(folder)} can be read as a log of measurements"
    return f"{none}; “{PurePosixPath(first.path).name}”, for example: {first.reason[0].lower()}{first.reason[1:]}"


def _listed(unreadable: Sequence[Unreadable]) -> str:
    return "\n".join(f"{item.path}: {item.reason}" for item in unreadable)
