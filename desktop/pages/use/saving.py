"""Save answers: as a table, as pictures with maps, as copies in a folder per class. Each in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from desktop.dialogs.folder import FileSaver, FolderChooser
from desktop.i18n import error_text, msg, tr, trn
from desktop.workers.answering import Answered
from desktop.workers.tasks import Tasks
from ml.api import (
    TABLES,
    ClassFolders,
    FilePrediction,
    HandlensError,
    ModelInfo,
    OverlayNames,
    ReleasedModel,
    UnreadableInput,
    answer_row,
    check_folder,
    is_of_video,
    predict_files,
    write_overlay,
    write_table,
)

Stopped = Callable[[], bool]


class Saving(QObject):
    """Asks where to save, and saves. One thing after another, so that two never write to one place."""

    progressed = Signal(str, float)
    ended = Signal(str, bool)
    """A sentence, and whether it went well."""

    def __init__(self, page: QWidget) -> None:
        super().__init__(page)
        self._page = page
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)

    def save_table(self, answers: Sequence[Answered], info: ModelInfo) -> None:
        names = ";;".join((tr("Excel (*.xlsx)"), tr("Text (*.csv)")))
        target = FileSaver.ask(self._page, tr("Save the answers as a table"), tr("answers.xlsx"), names, suffix=".xlsx")
        if target is not None:
            self._begin(tr("Saving the table"), partial(write_answers, answers, info, target), stoppable=False)

    def sort_copies(self, answers: Sequence[Answered], info: ModelInfo, given: Sequence[Path]) -> None:
        folder = FolderChooser.ask(self._page, tr("A folder for the copies"))
        if folder is not None:
            self._begin(tr("Copying files"), partial(copy_sorted, answers, info, folder, given))

    def save_pictures(self, answers: Sequence[Answered], model: ReleasedModel) -> None:
        folder = FolderChooser.ask(self._page, tr("A folder for the pictures"))
        if folder is not None:
            self._begin(tr("Saving pictures"), partial(write_pictures, answers, model, folder))

    def close(self) -> None:
        """End what is being saved."""
        self._tasks.close()

    def _begin(self, words: str, save: Callable[..., str], *, stoppable: bool = True) -> None:
        """A table is always written to its end: half of one looks like a whole one."""
        self.progressed.emit(words, 0.0)
        if stoppable:
            self._tasks.submit_stoppable(save)
        else:
            self._tasks.submit(save)

    @Slot(int, object)
    def _on_done(self, _number: int, sentence: object) -> None:
        self.ended.emit(str(sentence), True)

    @Slot(int, object)
    def _on_failed(self, _number: int, error: object) -> None:
        if isinstance(error, HandlensError):
            self.ended.emit(error_text(error), False)
        else:
            fault = type(error).__name__
            self.ended.emit(tr("A fault in Handlens ended this ({fault}). Try again.", fault=fault), False)


def write_answers(answers: Sequence[Answered], info: ModelInfo, target: Path) -> str:
    """Write a table; its kind follows from the ending of its name. Return a sentence. Raises HandlensError."""
    table = TABLES.get(target.suffix.lower())
    if table is None:
        endings = ", ".join(TABLES)
        raise HandlensError(msg("Tables are written as {endings}. Give the name another ending.", endings=endings))

    timed = any(is_of_video(answered, info) for answered in answers)
    write_table(table, target, info, (answer_row(answered, info) for answered in answers), timed=timed)
    return trn(
        "{count} answer is in {path}.",
        "{count} answers are in {path}.",
        len(answers),
        path=str(target),
    )


def copy_sorted(
    answers: Sequence[Answered], info: ModelInfo, folder: Path, given: Sequence[Path], *, stopped: Stopped
) -> str:
    """Copy each answered file into a folder of its class. Return a sentence. Raises HandlensError."""
    folders, copied = ClassFolders(folder, info.classes, given), 0
    done: set[tuple[Path, str]] = set()
    for answered in answers:
        if stopped():
            break
        row = answer_row(answered, info)
        if row.get("frame"):  # a video goes once to each class that it shows somewhere
            where = answered.path, f"{row['decision']} {row.get('labels', row['label'])}"
            if where in done:
                continue
            done.add(where)
        copied += len(folders.copy(row))
    return trn(
        "{count} copy is in {folder}, in a folder for its class. The original is unchanged.",
        "{count} copies are in {folder}, in a folder for each class. The originals are unchanged.",
        copied,
        folder=str(folder),
    )


def write_pictures(answers: Sequence[Answered], model: ReleasedModel, folder: Path, *, stopped: Stopped) -> str:
    """Write a picture of where the model looked for each answer. Return a sentence. Raises HandlensError."""
    check_folder(folder)
    paths = list(dict.fromkeys(answered.path for answered in answers if isinstance(answered, FilePrediction)))
    names, written = OverlayNames(folder, ()), 0
    for again in predict_files(model, paths, keep_maps=True):
        if stopped():
            break
        if not isinstance(again, UnreadableInput):
            write_overlay(again, model.info, names.name_for(again.path))
            written += 1
    return trn(
        "{count} picture with its map is in {folder}.",
        "{count} pictures with their maps are in {folder}.",
        written,
        folder=str(folder),
    )
