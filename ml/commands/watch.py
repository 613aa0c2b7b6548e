"""`handlens watch`: answer files as they arrive in a folder, and act where a rule fires. Loads no torch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from ml.commands.common import JsonOption, RunOption, command, fail, make_console, print_error, print_json, say
from ml.commands.predict import ModelArgument, open_model
from ml.commands.prediction_outputs import say_answer
from ml.commands.usage import WrongUsageError
from ml.core.errors import HandlensError
from ml.core.messages import Message, english, msg, nmsg, text, to_json, tr
from ml.inference.actions import sentence_of
from ml.inference.answers import answer_row, why_set_aside
from ml.inference.deliveries import make_actions
from ml.inference.rules import Rule, read_rules
from ml.inference.watch import Answer, FolderWatch, WatchPlan, check_table, memory_file, try_actions, watch_plan
from ml.inference.watch_memory import WatchMemory
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import UnreadableInput

FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help=tr("The folder that files arrive in."), show_default=False)
]
RulesOption = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE", help=tr("What to do about which answers, as TOML. See docs/watch.md.")),
]
CsvOption = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help=tr("Append every answer to this table."))]
LogOption = Annotated[
    Path | None,
    typer.Option("--log", metavar="FILE", help=tr("Append everything that fired to this file, as JSON lines.")),
]
TestRulesOption = Annotated[
    bool, typer.Option("--test-rules", help=tr("Send one test event through every action of the rules and exit."))
]
AgainOption = Annotated[
    bool, typer.Option("--again", help=tr("Answer the files in the folder again that were answered before."))
]


@command()
def watch(
    model: ModelArgument,
    folder: FolderArgument,
    *,
    run: RunOption = None,
    rules: RulesOption = None,
    csv_file: CsvOption = None,
    log: LogOption = None,
    test_rules: TestRulesOption = False,
    again: AgainOption = False,
    json: JsonOption = False,
) -> None:
    """Answer files as they arrive in a folder, until it is ended with Ctrl+C."""
    if test_rules and rules is None:
        raise WrongUsageError(msg("Name the file with the rules."), option="--rules")
    folder = folder.expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise HandlensError(msg("{path} is not a folder. Give the folder that files arrive in.", path=str(folder)))
    _file, released = open_model(model, run)
    table = None if csv_file is None else csv_file.expanduser().absolute()
    plan = watch_plan(
        released.info,
        folder,
        csv=table,
        log=None if log is None else log.expanduser().absolute(),
        rules=None if rules is None else read_rules(rules.expanduser(), released.info.classes),
    )
    if test_rules:
        _try_rules(plan, json=json)
        return
    if table is not None:
        check_table(table, released.info)
    memory = WatchMemory(memory_file(folder, table))
    try:
        if again:
            memory.forget_answers()
        observer = _Observer(plan, released.info, json=json)
        watching = FolderWatch(released, plan, memory, observer)
        with _end_requests() as end_requested:
            observer.begin(memory.answered())
            with suppress(KeyboardInterrupt):
                watching.run(end_requested)
            observer.end(watching)
    finally:
        memory.close()


@contextmanager
def _end_requests() -> Iterator[Callable[[], bool]]:
    """Yield whether Ctrl+C was pressed or a service was ended by SIGTERM, which is the usual end of this.

    An exception at any moment would leave the memory in the middle of a transaction. Only the second request raises
    KeyboardInterrupt: a long recording may be in work.
    """
    requested = False

    def request(_number: int, _frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            raise KeyboardInterrupt
        requested = True

    heard = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, request) for number in heard}  # a job in the background ignores Ctrl+C
    try:
        yield lambda: requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _try_rules(plan: WatchPlan, *, json: bool) -> None:
    failed = 0

    def show(rule: Rule, action: str, problem: Message | None) -> None:
        nonlocal failed
        failed += problem is not None
        if json:
            reason = {} if problem is None else {"reason": english(problem)}
            print_json({"event": "tested", "rule": rule.name, "action": action, "works": problem is None, **reason})
        elif problem is None:
            say(make_console(), msg("Rule “{rule}”, {action}: sent.", rule=rule.name, action=action))
        else:
            print_error(msg("Rule “{rule}”, {action}: {problem}", rule=rule.name, action=action, problem=problem))

    try_actions(plan, show, make_actions(plan.rules))
    if failed:
        fail(nmsg("{count} action does not work.", "{count} actions do not work.", failed))


class _Observer:
    """Prints what happens, as sentences or as JSON lines."""

    def __init__(self, plan: WatchPlan, info: ModelInfo, *, json: bool) -> None:
        self._plan = plan
        self._info = info
        self._json = json
        self._printing = threading.Lock()

    def begin(self, before: int) -> None:
        """Say what is watched."""
        where = str(self._plan.folder)
        values = {
            "event": "watching",
            "folder": where,
            "rules": len(self._plan.rules.rules),
            "answered_before": before,
            "log": str(self._plan.log) if self._plan.rules.rules else None,
        }
        self._tell(values, msg("Watching {folder}. Press Ctrl+C to end.", folder=where))
        if before and not self._json:
            say(
                make_console(),
                nmsg(
                    "{count} file was answered before and is skipped. To answer it again, add {option}.",
                    "{count} files were answered before and are skipped. To answer them again, add {option}.",
                    before,
                    option="--again",
                ),
            )
        if self._plan.rules.rules and not self._json:
            say(make_console(), msg("What fires is logged in {path}.", path=str(self._plan.log)))

    def end(self, watching: FolderWatch) -> None:
        """Say what was done."""
        tallies, left = watching.tallies, watching.waiting()
        values = {
            "event": "ended",
            "answered": tallies.answered,
            "unreadable": tallies.unreadable,
            "fired": tallies.fired,
            "waiting": left,
        }
        answered = nmsg("{count} file was answered", "{count} files were answered", tallies.answered)
        if left:
            messages = nmsg(
                "{count} message waits to be sent at the next start",
                "{count} messages wait to be sent at the next start",
                left,
            )
            self._tell(values, msg("Ended: {answered}, {messages}.", answered=answered, messages=messages))
        else:
            self._tell(values, msg("Ended: {answered}.", answered=answered))

    def answered(self, answer: Answer) -> None:
        row = answer_row(answer, self._info)
        if self._json:
            self._tell({"event": "answered", **row})
            return
        with self._printing:
            if isinstance(answer, UnreadableInput):
                print_error(msg("{path}: {reason}", path=row["path"], reason=row["reason"]))
            else:
                say_answer(row, why_set_aside(answer, self._info))

    def fired(self, event: Mapping[str, Any]) -> None:
        message = msg("Rule “{rule}” fired: {what}.", rule=event["rule"], what=sentence_of(event))
        self._tell({"event": "fired", **event, "message": to_json(message)}, message)

    def delivered(self, event: Mapping[str, Any], action: str, problem: Message | None, again: bool) -> None:
        facts = {"id": event["id"], "rule": event["rule"], "action": action}
        if problem is None:
            if self._json:
                self._tell({"event": "delivered", **facts})
            return
        if again:
            message = msg("Rule “{rule}”, {action}: {problem} It is tried again.", **facts_of(event, action, problem))
        else:
            message = msg("Rule “{rule}”, {action}: {problem}", **facts_of(event, action, problem))
        self._tell({"event": "undelivered", **facts, "again": again, "reason": english(problem)}, message, error=True)

    def folder_gone(self) -> None:
        folder = str(self._plan.folder)
        message = msg("The folder {folder} is not there. Waiting until it comes back.", folder=folder)
        self._tell({"event": "waiting", "folder": folder}, message, error=True)

    def folder_back(self) -> None:
        folder = str(self._plan.folder)
        self._tell({"event": "back", "folder": folder}, msg("The folder {folder} is there again.", folder=folder))

    def cannot_write(self, path: Path, error: OSError) -> None:
        message = msg(
            "{path} cannot be written now, perhaps because it is open in another program. Its lines are kept and "
            "written later.",
            path=str(path),
        )
        self._tell({"event": "unwritable", "path": str(path), "reason": str(error)}, message, error=True)

    def _tell(self, values: Mapping[str, Any], message: Message | None = None, *, error: bool = False) -> None:
        with self._printing:
            if self._json:
                print_json({**values, **({} if message is None else {"sentence": english(message)})})
            elif message is not None and error:
                print_error(message)
            elif message is not None:
                say(make_console(), text(message))


def facts_of(event: Mapping[str, Any], action: str, problem: Message) -> dict[str, Any]:
    """What a sentence about a failed action is made of."""
    return {"rule": event["rule"], "action": action, "problem": problem}
