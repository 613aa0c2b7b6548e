"""Watch a folder: answer files as they arrive, write the answers down, and act where a rule fires."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ml.core.errors import HandlensError
from ml.core.folders import data_folder
from ml.core.messages import Message, english, msg
from ml.inference.actions import NotDeliveredError, RuleAction, sentence_of, test_event
from ml.inference.answers import Row, answer_row
from ml.inference.appended import AppendedFile
from ml.inference.arrivals import Arrival, Arrivals
from ml.inference.deliveries import Deliveries, make_actions
from ml.inference.recorded_at import recorded_at
from ml.inference.rules import Rule, RuleSet
from ml.inference.tables import Columns, CsvTable, csv_cells
from ml.inference.watch_memory import WatchMemory, fingerprint
from ml.media.kinds import kind_named
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import BATCH, FilePrediction, UnreadableInput, predict_files
from ml.runtime.model import ReleasedModel

STOPS_WITHIN = 3.0
"""Seconds in which what is due is still sent at the end."""
_TICK_MS = 250
_AT_ONCE = 4 * BATCH

Answer = FilePrediction | UnreadableInput


class Observer(Protocol):
    """Who is told what happens. `delivered` is called in other threads."""

    def answered(self, answer: Answer) -> None:
        """A file was answered, or is unreadable."""

    def fired(self, event: Mapping[str, Any]) -> None:
        """A rule fired."""

    def delivered(self, event: Mapping[str, Any], action: str, problem: Message | None, again: bool) -> None:
        """An action worked (`problem` is None) or failed, perhaps to be tried `again`."""

    def folder_gone(self) -> None:
        """The folder is not there and is waited for."""

    def folder_back(self) -> None:
        """The folder is there again."""

    def cannot_write(self, path: Path, error: OSError) -> None:
        """A file of results cannot be written; what belongs in it waits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchPlan:
    """What is watched and where the results go. `row` makes the lines of the table of an answer."""

    folder: Path
    log: Path
    csv: Path | None = None
    header: str = ""
    rows: Callable[[Answer], str] = str
    rules: RuleSet = field(default_factory=RuleSet)


@dataclass(slots=True)
class Tallies:
    """What happened since the start."""

    answered: int = 0
    unreadable: int = 0
    fired: int = 0


def memory_file(folder: Path, csv: Path | None) -> Path:
    """Return where it is kept what was answered: for each folder and table one file in the user's folder."""
    name = hashlib.sha256(f"{folder.absolute()}\0{csv and csv.absolute()}".encode(errors="surrogateescape"))
    return data_folder() / "watch" / f"{name.hexdigest()[:24]}.db"


def watch_plan(
    info: ModelInfo, folder: Path, *, csv: Path | None = None, log: Path | None = None, rules: RuleSet | None = None
) -> WatchPlan:
    """Return the plan for a model: its columns, and the log beside the table if it has no other place."""
    lines = CsvLines(info)
    return WatchPlan(
        folder=folder,
        log=log or (csv or memory_file(folder, csv)).with_suffix(".alarms.jsonl"),
        csv=csv,
        header=lines.header(),
        rows=lambda answer: lines.lines(answer_row(answer, info)),
        rules=rules or RuleSet(),
    )


def check_table(csv: Path, info: ModelInfo) -> None:
    """Raise HandlensError where the answers of a model cannot be appended to `csv`."""
    CsvLines(info).check(csv)


class FolderWatch:
    """Watches until it is asked to stop. `actions` take the place of the usual ones."""

    def __init__(
        self,
        model: ReleasedModel,
        plan: WatchPlan,
        memory: WatchMemory,
        observer: Observer,
        actions: Mapping[str, RuleAction] | None = None,
    ) -> None:
        self._model = model
        self._plan = plan
        self._memory = memory
        self._observer = observer
        self.tallies = Tallies()
        self._log = AppendedFile(memory, "log", plan.log)
        self._table = None if plan.csv is None else AppendedFile(memory, "csv", plan.csv, header=plan.header)
        self._complaints: set[Path] = set()
        self._deliveries = Deliveries(memory, make_actions(plan.rules, actions), self._delivered)
        self._rules = {rule.name: memory.tally(rule.name) for rule in plan.rules.rules}
        written = [file for file in (plan.csv, plan.log) if file is not None]
        self._arrivals = Arrivals(
            plan.folder, kind_named(model.info.kind).suffixes, memory.is_answered, skip=[*written]
        )

    def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Watch until `stop` returns true. Raises HandlensError where nothing can be remembered."""
        self._deliveries.start()
        try:
            while not stop():
                self._wait_for_folder(stop)
                self._while_folder_stays(stop)
        finally:
            self._deliveries.stop(STOPS_WITHIN)
            self._flush()

    def waiting(self) -> int:
        """Return how many messages are still to be sent."""
        return self._memory.waiting(["notify", "webhook", "mqtt", "command"])

    def _wait_for_folder(self, stop: Callable[[], bool]) -> None:
        if self._plan.folder.is_dir():
            return
        self._observer.folder_gone()
        while not stop():
            if self._plan.folder.is_dir():
                self._observer.folder_back()
                return
            self._flush()
            time.sleep(_TICK_MS / 1000)

    def _while_folder_stays(self, stop: Callable[[], bool]) -> None:
        identity = _identity(self._plan.folder)
        self._arrivals.search_soon()
        for changes in _changes(self._plan.folder):
            if stop() or identity is None or _identity(self._plan.folder) != identity:
                return
            self._arrivals.note(changes)
            try:
                self._arrivals.search()
            except OSError:  # it is going away
                continue
            self._answer(self._arrivals.complete(), stop)
            self._flush()
            if self._deliveries.trouble is not None:
                raise self._deliveries.trouble

    def _answer(self, complete: Iterator[Arrival], stop: Callable[[], bool]) -> None:
        arrivals = {arrival.path: arrival for _count, arrival in zip(range(_AT_ONCE), complete, strict=False)}
        for answer in predict_files(self._model, list(arrivals)):
            arrival = arrivals[answer.path]
            if isinstance(answer, UnreadableInput) and self._arrivals.unfinished(arrival):
                continue
            if not self._arrivals.unchanged(arrival):
                continue  # seen again as what it is now
            self._keep(answer, arrival)
            if stop():
                return

    def _keep(self, answer: Answer, arrival: Arrival) -> None:
        try:
            digest = fingerprint(arrival.path)
        except OSError:
            digest = b""
        fired: list[dict[str, Any]] = []
        with self._memory.transaction():
            self._memory.remember(arrival.path, arrival.stamp, digest)
            if self._table is not None:
                self._table.put(self._plan.rows(answer))
            if isinstance(answer, FilePrediction):
                fired = self._fire(answer, arrival, digest)
        self._arrivals.answered(arrival)
        self.tallies.answered += 1
        self.tallies.unreadable += isinstance(answer, UnreadableInput)
        self.tallies.fired += len(fired)
        self._observer.answered(answer)
        for event in fired:
            self._observer.fired(event)
        if fired:
            self._deliveries.notice()
        self._flush()

    def _fire(self, answer: FilePrediction, arrival: Arrival, digest: bytes) -> list[dict[str, Any]]:
        """Count the hits of every rule, and leave what follows from them in the memory."""
        recorded = recorded_at(answer.path) if self._rules else None
        begins = arrival.at if recorded is None else recorded.timestamp()  # without a zone, it is this machine's
        events = []
        for rule in self._plan.rules.rules:
            tally = self._rules[rule.name]
            hits = list(self._hits(rule, answer))
            for start, probability in hits:
                if tally.add(rule, begins + (start or 0.0)):
                    key = f"{answer.path}\0{digest.hex()}\0{rule.name}\0{start}"
                    events.append(_event(rule, answer.path, begins, start, probability, key))
                    self._leave(rule, events[-1])
            if hits:
                self._memory.keep_tally(rule.name, tally)
        return events

    def _hits(self, rule: Rule, answer: FilePrediction) -> Iterator[tuple[float | None, float]]:
        """Where the class is probable enough: of recordings the start of each window, else None for the whole."""
        place = self._model.info.classes.index(rule.class_name)
        if len(answer.windows) > 1:
            for window in answer.windows:
                if window.probabilities[place] >= rule.at_least:
                    yield window.start, float(window.probabilities[place])
        elif answer.probabilities[place] >= rule.at_least and answer.unlike <= self._model.info.unlike_above:
            yield None, float(answer.probabilities[place])

    def _leave(self, rule: Rule, event: Mapping[str, Any]) -> None:
        self._log.put(_line("fired", event))
        for action in rule.actions:
            to = list(rule.command) if action == "command" else getattr(rule, action)
            self._memory.put(action, {"event": dict(event), "to": to, "since": time.time()})

    def _delivered(self, event: Mapping[str, Any], action: str, problem: Message | None, again: bool) -> None:
        facts = {"id": event["id"], "rule": event["rule"], "action": action}
        if problem is None:
            self._log.put(_line("delivered", facts))
        else:
            self._log.put(_line("retrying" if again else "failed", {**facts, "reason": english(problem)}))
        self._observer.delivered(event, action, problem, again)

    def _flush(self) -> None:
        for file in (self._table, self._log):
            if file is None:
                continue
            try:
                file.flush()
                self._complaints.discard(file.path)
            except OSError as error:
                if file.path not in self._complaints:
                    self._complaints.add(file.path)
                    self._observer.cannot_write(file.path, error)


def try_actions(
    plan: WatchPlan, done: Callable[[Rule, str, Message | None], None], actions: Mapping[str, RuleAction]
) -> None:
    """Send a test event through every action of every rule, and tell `done` of each whether it worked."""
    for rule in plan.rules.rules:
        event = test_event(rule.name, rule.class_name, str(plan.folder / "test"))
        for name in rule.actions:
            problem = None
            try:
                actions[name].deliver(event, list(rule.command) if name == "command" else getattr(rule, name))
            except NotDeliveredError as error:
                problem = error.reason
            done(rule, name, problem)
    for action in actions.values():
        action.close()


def _event(rule: Rule, path: Path, begins: float, start: float | None, probability: float, key: str) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:24],
        "rule": rule.name,
        "class": rule.class_name,
        "probability": round(probability, 6),
        "path": str(path),
        "start": start,
        "time": _iso(begins + (start or 0.0)),
        "times": rule.times,
    }
    return event | {"sentence": english(sentence_of(event))}


def _line(name: str, facts: Mapping[str, Any]) -> str:
    return json.dumps({"at": _iso(time.time()), "event": name, **facts}) + "\n"


def _iso(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # a time in a name may be any
        return ""


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        facts = folder.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _changes(folder: Path) -> Iterator[Sequence[str]]:
    """Yield what changed, at least every tick: empty where nothing did, or where the system tells of no changes."""
    from watchfiles import watch  # loads an event loop, which only this needs

    try:
        for changes in watch(
            folder, watch_filter=None, yield_on_timeout=True, rust_timeout=_TICK_MS, debounce=_TICK_MS, step=20
        ):
            yield [path for _change, path in changes]
    except (OSError, RuntimeError):  # too many watches, or a drive that cannot be watched
        while True:
            time.sleep(_TICK_MS / 1000)
            yield []


class CsvLines:
    """The lines that `handlens predict --csv` writes for a model."""

    def __init__(self, info: ModelInfo) -> None:
        self._columns = Columns(info)

    def header(self) -> str:
        """Return the first line. Its mark lets Excel read umlauts."""
        return "\ufeff" + _written([self._columns.names])

    def lines(self, row: Row) -> str:
        """Return the line of an answer and, for a recording of several windows, one for each of them."""
        return _written(map(csv_cells, self._columns.lines(row)))

    def check(self, path: Path) -> None:
        """Raise HandlensError where `path` cannot become, or is not, a table with these columns."""
        CsvTable.check(path)
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                first = file.readline(100_000)
            if first != self.header().encode():
                raise HandlensError(
                    msg("{path} has the answers of a model with other columns. Give another name.", path=str(path))
                )


def _written(lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()
