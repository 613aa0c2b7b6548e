"""A thread that watches a folder, as `handlens watch` does."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from desktop.i18n import error_text, tr
from desktop.workers.notifier import NotifyByTray
from ml.api import (
    FilePrediction,
    FolderWatch,
    HandlensError,
    Message,
    ReleasedModel,
    RuleAction,
    RuleSet,
    UnreadableInput,
    WatchMemory,
    WatchPlan,
    alarm_sentence,
    check_table,
    make_actions,
    memory_file,
    msg,
    text,
    try_actions,
    watch_plan,
)

_MOST_LINES = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchState:
    """How many files were answered, how many alarms there were, and the last answered file."""

    answered: int = 0
    unreadable: int = 0
    fired: int = 0
    last: FilePrediction | UnreadableInput | None = None


class WatchThread(QThread):
    """Watches `folder`. `changed` says that `take` has something new; signals come in the window's thread."""

    changed = Signal()
    ended = Signal(str)
    """Why it ended; empty if it was asked to."""

    def __init__(
        self,
        model: ReleasedModel,
        folder: Path,
        *,
        csv: Path | None = None,
        rules: RuleSet | None = None,
        notify: NotifyByTray | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._actions = _with(notify)
        self._model, self._folder, self._csv = model, folder, csv
        self.plan: WatchPlan = watch_plan(model.info, folder, csv=csv, rules=rules)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._state = WatchState()
        self._taken = True

    def take(self) -> tuple[WatchState, list[str]]:
        """Return how it stands, and the new lines of the log."""
        with self._lock:
            lines = list(self._lines)
            self._lines.clear()
            self._taken = True
            return self._state, lines

    def stop(self) -> None:
        """Ask it to end; `ended` follows, within a few seconds if something is being sent."""
        self._stop.set()

    def shutdown(self) -> None:
        """End, and wait for it. Nothing is emitted any more."""
        self.blockSignals(True)
        self._stop.set()
        self.wait()

    def run(self) -> None:
        problem = ""
        try:
            self._watch()
        except HandlensError as error:
            problem = error_text(error)
        except Exception as error:  # a thread has no caller to raise to: the window shows it
            _log.warning("a folder could not be watched", exc_info=error)
            problem = tr("A fault in Handlens ended this ({fault}). Try again.", fault=type(error).__name__)
        self.ended.emit(problem)

    def _watch(self) -> None:
        if self._csv is not None:
            check_table(self._csv, self._model.info)
        memory = WatchMemory(memory_file(self._folder, self._csv))
        try:
            FolderWatch(self._model, self.plan, memory, self, self._actions).run(self._stop.is_set)
        finally:
            memory.close()

    # -- what the watch says, in this thread and in those that send --------------------------------------------------

    def answered(self, answer: FilePrediction | UnreadableInput) -> None:
        with self._lock:
            now = self._state
            self._state = WatchState(
                answered=now.answered + 1,
                unreadable=now.unreadable + isinstance(answer, UnreadableInput),
                fired=now.fired,
                last=answer,
            )
        self._tell(None)

    def fired(self, event: Mapping[str, Any]) -> None:
        with self._lock:
            now = self._state
            self._state = WatchState(
                answered=now.answered, unreadable=now.unreadable, fired=now.fired + 1, last=now.last
            )
        what = alarm_sentence(event)
        self._tell(msg("{time}: rule “{rule}” fired: {what}.", time=_clock(event), rule=event["rule"], what=what))

    def delivered(self, event: Mapping[str, Any], action: str, problem: Message | None, again: bool) -> None:
        facts = {"rule": event["rule"], "action": action}
        if problem is None:
            self._tell(msg("Rule “{rule}”, {action}: sent.", **facts))
        elif again:
            self._tell(msg("Rule “{rule}”, {action}: {problem} It is tried again.", problem=problem, **facts))
        else:
            self._tell(msg("Rule “{rule}”, {action}: {problem}", problem=problem, **facts))

    def folder_gone(self) -> None:
        folder = str(self._folder)
        self._tell(msg("The folder {folder} is not there. Waiting until it comes back.", folder=folder))

    def folder_back(self) -> None:
        self._tell(msg("The folder {folder} is there again.", folder=str(self._folder)))

    def cannot_write(self, path: Path, _error: OSError) -> None:
        self._tell(
            msg(
                "{path} cannot be written now, perhaps because it is open in another program. Its lines are kept and "
                "written later.",
                path=str(path),
            )
        )

    def _tell(self, line: Message | None) -> None:
        with self._lock:
            if line is not None:
                self._lines.append(text(line))
            first, self._taken = self._taken, False
        if first:
            self.changed.emit()


def _with(notify: NotifyByTray | None) -> dict[str, RuleAction]:
    return {} if notify is None else {"notify": notify}


def send_test(plan: WatchPlan, notify: NotifyByTray | None = None, *, stopped: Callable[[], bool]) -> list[str]:
    """Send a test event through every action of every rule, and return what became of each."""
    lines: list[str] = []

    def note(rule: Any, action: str, problem: Message | None) -> None:
        facts = {"rule": rule.name, "action": action}
        if problem is None:
            lines.append(text(msg("Rule “{rule}”, {action}: sent.", **facts)))
        else:
            lines.append(text(msg("Rule “{rule}”, {action}: {problem}", problem=problem, **facts)))

    if not stopped():
        try_actions(plan, note, make_actions(plan.rules, _with(notify)))
    return lines


def _clock(event: Mapping[str, Any]) -> str:
    """Return the time of an event, to the second, without a zone."""
    return str(event["time"])[:19].replace("T", " ")
