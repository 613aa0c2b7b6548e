"""A long job as it happens: one moving line in a terminal, plain lines where the output is a file."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from ml.commands.phrases import duration, percent
from ml.core.messages import text
from ml.core.stages import stage_message
from ml.events import BatchDone, EpochDone, Event, Note, ProbeDone, RunStarted, StageStarted, Stalled
from ml.events import Progress as ProgressEvent


class LiveReport:
    """Give it every event of a job with `show`; the terminal ones say nothing here, their words are the verb's."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("  "),
            BarColumn(bar_width=32, complete_style="cyan", finished_style="cyan"),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._several = False

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
                self._say(text(stage_message(event.stage)))
                self._end_bar()
            case Stalled():
                self._say(f"[yellow]Note:[/] {_plain(event.sentence)} Ctrl+C ends it.", markup=True)
            case Note():
                called = {"good": "[green]Fine:[/]", "warning": "[bold yellow]Careful:[/]"}.get(
                    event.level, "[yellow]Note:[/]"
                )
                self._say(f"{called} {_plain(event.sentence)}", markup=True)
            case RunStarted():
                self._several = event.task == "multi"
                self._say(_run_sentence(event))
            case ProgressEvent():
                self._move(event.done, event.total, _progress_words(event))
            case BatchDone():
                self._move(
                    (event.epoch - 1) * event.steps + event.step, event.epochs * event.steps, _batch_words(event)
                )
            case ProbeDone():
                self._say(f"  First model after {duration(event.seconds)}: {self._valid_words(event.valid_accuracy)}.")
            case EpochDone():
                self._say(
                    f"  Pass {event.epoch} of {event.epochs}: loss {event.train_loss:.3f}, "
                    f"{self._valid_words(event.valid_accuracy)}."
                )
            case _:
                pass

    def move(self, done: int, total: int, words: str) -> None:
        """For work that is not a job: `done` of `total`, with a few words."""
        self._move(done, total, words)

    def _valid_words(self, accuracy: float | None) -> str:
        if accuracy is None:
            return "nothing to check it on"
        if self._several:
            return f"a score of {accuracy * 100:.0f} out of 100 on the samples it is checked on"
        return f"right on {percent(accuracy)} of the samples it is checked on"

    def _say(self, sentence: str, *, markup: bool = False) -> None:
        self._console.print(sentence, markup=markup)

    def _move(self, done: int, total: int, words: str) -> None:
        if self._task is None:
            self._task = self._bar.add_task(words, total=total)
        self._bar.update(self._task, completed=done, total=total, description=words)

    def _end_bar(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


def _run_sentence(event: RunStarted) -> str:
    begun = "goes on" if event.resumed else "begins"
    return (
        f"Run {event.run} {begun}: {event.train:,} samples to learn from, {event.valid:,} to check by, "
        f"{event.test:,} kept aside to test with; {len(event.class_names)} classes."
    )


def _progress_words(event: ProgressEvent) -> str:
    if event.stage == "download":
        return f"downloading {event.done / 1e6:.0f} of {event.total / 1e6:.0f} MB"
    parts = [f"{event.done:,} of {event.total:,}"]
    if event.per_second:
        parts.append(f"{event.per_second:,.0f} a second")
    return _joined(parts, event.seconds_left)


def _batch_words(event: BatchDone) -> str:
    parts = [
        f"pass {event.epoch} of {event.epochs}",
        f"loss {event.loss:.3f}",
        f"learning rate {event.rate:.1e}",
        f"{event.samples_per_second:,.0f} samples a second",
    ]
    return _joined(parts, event.seconds_left)


def _joined(parts: list[str], seconds_left: float | None) -> str:
    if seconds_left is not None:
        parts = [*parts, f"{duration(seconds_left)} left"]
    return " · ".join(parts)


def _plain(sentence: str) -> str:
    return sentence.replace("[", r"\[")
