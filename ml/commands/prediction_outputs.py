"""Where the answers of `handlens predict` go: the terminal, tables, pictures and folders of copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ml.commands.common import make_console, print_error, print_json, say
from ml.core.messages import Message, msg, nmsg, text, tr
from ml.core.phrases import listed, percent, video_time
from ml.core.printable import printable
from ml.inference.answers import NONE_OF_THEM, Row, answer_row, why_set_aside
from ml.inference.bulk import SUFFIX, AnswerList, Work
from ml.inference.frames import is_of_video
from ml.inference.overlays import OverlayNames, write_overlay
from ml.inference.sorting import ClassFolders
from ml.inference.tables import TABLES, write_table
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import FilePrediction, UnreadableInput


class AnswerTables:
    """The tables of one run, made from the list of its answers when it is left.

    A run that is broken off leaves tables of the answers so far, and the list to continue it.
    """

    def __init__(self, targets: Mapping[str, Path], work: Work, info: ModelInfo, *, resume: bool) -> None:
        """`targets`: the files, by their kind in `TABLES`; there is at least one. Raises HandlensError."""
        self._targets = targets
        self._info = info
        for kind, target in targets.items():
            TABLES[kind].check(target)
        self.answers = AnswerList(list_beside(targets), work, resume=resume)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.answers:
            if self.answers.count:
                timed = any("windows" in row for row in self.answers.rows())
                for name, target in self._targets.items():
                    write_table(TABLES[name], target, self._info, self.answers.rows(), timed=timed)
            if kind is None or not self.answers.count:
                self.answers.remove()


def is_complete(targets: Mapping[str, Path]) -> bool:
    """Whether an earlier run has written all the tables to the end."""
    return not list_beside(targets).exists() and all(target.exists() for target in targets.values())


def list_beside(targets: Mapping[str, Path]) -> Path:
    """Where the list of answers stands: beside the first table."""
    first = next(iter(targets.values()))
    return first.with_name(first.name + SUFFIX)


def without_tables(paths: Iterator[Path], targets: Sequence[Path]) -> Iterator[Path]:
    """The inputs without the tables that are written meanwhile: a log has the ending of a table, too."""
    names = {target.name for target in targets}
    return (path for path in paths if path.name not in names or path.absolute() not in targets)


@dataclass(kw_only=True)
class PredictionOutputs:
    """Takes every answer to where it goes, and counts."""

    info: ModelInfo
    json: bool
    folders: ClassFolders | None = None
    overlays: OverlayNames | None = None
    answers: AnswerList | None = field(default=None, init=False)
    total: int = field(default=0, init=False)
    unreadable: int = field(default=0, init=False)
    pictures: int = field(default=0, init=False)
    copies: int = field(default=0, init=False)

    def write_to(self, answers: AnswerList) -> None:
        """Write the answers down, behind those that stand there already."""
        self.answers = answers
        self.total, self.unreadable = answers.answered, answers.unreadable

    def take(self, result: FilePrediction | UnreadableInput) -> None:
        """One answer. It is written down after everything is made from it: after a kill it is made again."""
        row = answer_row(result, self.info)
        self.total += 1
        if self.folders is not None:
            self.copies += len(self.folders.copy(row))
        if isinstance(result, UnreadableInput):
            self.unreadable += 1
        elif self.overlays is not None:
            write_overlay(result, self.info, self.overlays.name_for(result.path))
            self.pictures += 1
        if self.answers is not None:
            self.answers.add(row)
        self._say(result, row)

    def _say(self, result: FilePrediction | UnreadableInput, row: Row) -> None:
        if isinstance(result, UnreadableInput):
            print_error(f"{printable(str(result.path))}: {text(result.reason)}")
        elif self.json:
            print_json({name: value for name, value in row.items() if name != "reason"})
        else:
            say_answer(row, why_set_aside(result, self.info), video=is_of_video(result, self.info))
        if isinstance(result, FilePrediction) and result.cut:
            print_error(
                msg(
                    "{path} is damaged or cut off. Only what comes before the damage was used.",
                    path=printable(str(result.path)),
                )
            )


def say_where(
    targets: Mapping[str, Path], overlays: Path | None, folders: Path | None, outputs: PredictionOutputs
) -> None:
    """What was written, and where it is."""
    console = make_console()
    for target in targets.values():
        say(console, msg("The answers as a table: {path}", path=str(target)))
    if overlays is not None and outputs.pictures:
        say(
            console,
            nmsg(
                "{count} picture of where it looked: {folder}",
                "{count} pictures of where it looked: {folder}",
                outputs.pictures,
                folder=str(overlays),
            ),
        )
    if folders is not None and outputs.copies:
        say(
            console,
            nmsg(
                "{count} copy, sorted into folders: {folder}",
                "{count} copies, sorted into folders: {folder}",
                outputs.copies,
                folder=str(folders),
            ),
        )


def say_answer(row: Row, why: Message | None, *, video: bool = False) -> None:
    """Print an answer, and `why` it was set aside, if it was; of a `video` also what each of its frames shows."""
    console = make_console()
    answer = _answer_text(row, dict(row["top"]))
    if why is None:
        say(console, msg("{path}: {answer}", path=row["path"], answer=answer))
    else:
        say(console, msg("{path}: {answer}, set aside: {why}", path=row["path"], answer=answer, why=why))
    windows = row.get("windows", [])
    if video:
        for window in windows:
            say(console, "  " + tr("{time}: {answer}", time=video_time(window["start"]), answer=_answer_text(window)))
    elif len({tuple(window.get("labels", [window["label"]])) for window in windows}) > 1:
        for window in windows:
            start, end = round(window["start"], 1), round(window["end"], 1)
            say(console, "  " + tr("{start:g}–{end:g} s: {answer}", start=start, end=end, answer=_answer_text(window)))


def _answer_text(row: Row, chances: Mapping[str, float] | None = None) -> Message:
    """“rose (97 %)”; where more than one class may be present “rose (97 %) and tulip (61 %)”."""
    if "labels" not in row:
        return _with_percent(row["label"], row["probability"])
    if not row["labels"]:
        return NONE_OF_THEM
    known = chances or {}
    return listed([_with_percent(name, known[name]) if name in known else name for name in row["labels"]], most=99)


def _with_percent(name: str, probability: float) -> Message:
    return msg("{name} ({percent})", name=name, percent=percent(probability))
