"""A long job as it happens: one moving line in a terminal, plain lines where the output is a file."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from ml.commands.wording import split_parts
from ml.core.events import BatchDone, EpochDone, Event, FirstModel, Note, ProbeDone, RunStarted, StageStarted, Stalled
from ml.core.events import Progress as ProgressEvent
from ml.core.messages import Message, msg, text, tr, trn
from ml.core.phrases import counted_classes, duration
from ml.core.stages import stage_message
from ml.core.types import TaskName
from ml.scoring.tasks import task_named


class LiveReport:
    """Give it every event of a job with `show`; the terminal ones say nothing here, their words are the verb's."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("  "),
            BarColumn(bar_width=32, complete_style="cyan", finished_style="cyan"),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._learned: TaskName = "single"

    def __enter__(self) -> LiveReport:
        self._bar.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Say what the event means."""
        match event:
            case StageStarted():
                self._say(stage_message(event.stage))
                self._end_bar()
            case Stalled():
                self._say_marked("yellow", tr("Note:"), text(event.sentence), tr("Press Ctrl+C to end it."))
            case Note():
                self._say_marked(*_label(event.level), text(event.sentence))
            case RunStarted():
                self._learned = event.task
                self._say(_run_sentence(event))
            case ProgressEvent():
                self._move(event.done, event.total, _progress_words(event))
            case BatchDone():
                self._move(
                    (event.epoch - 1) * event.steps + event.step, event.epochs * event.steps, _batch_words(event)
                )
            case ProbeDone():
                self._say(
                    msg(
                        "First model after {duration}: {score}.",
                        duration=duration(event.seconds),
                        score=self._validated(event.valid_accuracy),
                    ),
                    indent="  ",
                )
            case FirstModel():
                self._say(
                    msg(
                        "The first model is ready after {duration} and can be used now: {score}.",
                        duration=duration(event.seconds),
                        score=self._validated(event.valid_accuracy),
                    ),
                    indent="  ",
                )
                if event.advice is not None:
                    self._say(event.advice, indent="  ")
            case EpochDone():
                self._say(
                    msg(
                        "Pass {epoch} of {epochs}: loss {loss:.3f}, {score}.",
                        epoch=event.epoch,
                        epochs=event.epochs,
                        loss=event.train_loss,
                        score=self._validated(event.valid_accuracy),
                    ),
                    indent="  ",
                )
            case _:
                pass

    def move(self, done: int, total: int, words: str) -> None:
        """For work that is not a job: `done` of `total`, with a few words."""
        self._move(done, total, words)

    def _validated(self, accuracy: float | None) -> Message:
        if accuracy is None:
            return msg("no validation samples")
        return task_named(self._learned).validated(accuracy)

    def _say(self, sentence: Message, *, indent: str = "") -> None:
        self._console.print(indent + text(sentence), markup=False)

    def _say_marked(self, style: str, label: str, *sentences: str) -> None:
        self._console.print(Text.assemble((label, style), " ", " ".join(sentences)))

    def _move(self, done: int, total: int, words: str) -> None:
        known = total or None  # without a total the bar pulses
        if self._task is None:
            self._task = self._bar.add_task(words, total=known)
        self._bar.update(self._task, completed=done, total=known, description=words)

    def _end_bar(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


def _label(level: str) -> tuple[str, str]:
    """The style and the first word of a note."""
    match level:
        case "good":
            return "green", tr("Good:")
        case "warning":
            return "bold yellow", tr("Warning:")
        case _:
            return "yellow", tr("Note:")


def _run_sentence(event: RunStarted) -> Message:
    parts = (*split_parts(event.train, event.valid, event.test), counted_classes(len(event.class_names)))
    if event.resumed:
        return msg("Run {run} continues with {parts}.", run=str(event.run), parts=parts)
    return msg("Run {run} starts with {parts}.", run=str(event.run), parts=parts)


def _progress_words(event: ProgressEvent) -> str:
    if event.stage == "download":
        return tr("{done:.0f} of {total:.0f} MB downloaded", done=event.done / 1e6, total=event.total / 1e6)
    if not event.total:
        return trn("{count} file found so far", "{count} files found so far", event.done)
    parts = [done_of(event.done, event.total)]
    if event.per_second:
        parts.append(tr("{n:,.0f} per second", n=event.per_second))
    return _joined(parts, event.seconds_left)


def done_of(done: int, total: int) -> str:
    """“300 of 1,000”."""
    return tr("{done} of {total}", done=done, total=total)


def _batch_words(event: BatchDone) -> str:
    parts = [
        tr("pass {epoch} of {epochs}", epoch=event.epoch, epochs=event.epochs),
        tr("loss {loss:.3f}", loss=event.loss),
        tr("learning rate {rate}", rate=f"{event.rate:.1e}"),
        trn("{count} sample per second", "{count} samples per second", round(event.samples_per_second)),
    ]
    return _joined(parts, event.seconds_left)


def _joined(parts: list[str], seconds_left: float | None) -> str:
    """Statements of their own, side by side."""
    if seconds_left is not None:
        parts = [*parts, tr("{duration} left", duration=duration(seconds_left))]
    return " · ".join(parts)
