"""Offers a dropped folder with class folders as a test, and shows how the model did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from desktop.i18n import text, tr, trn
from desktop.models.answers import AnswersModel
from desktop.pages.use.view import UseView
from ml.api import ModelInfo, class_folders, confusion_sentence, folder_test_sentence, score_folder


class FolderTesting(QObject):
    """One folder at a time. Its test is counted from the answers, once all are there."""

    def __init__(self, view: UseView, answers: AnswersModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._view, self._answers = view, answers
        self._info: ModelInfo | None = None
        self._folder: Path | None = None
        self._wanted = self._complete = False
        view.test_button.clicked.connect(self._test)
        view.wrong_button.clicked.connect(view.answers.show_wrong)

    def offer(self, paths: Sequence[Path], info: ModelInfo | None) -> None:
        """Offer what was added as a test, if it is one folder with folders of at least two classes."""
        self.clear()
        if len(paths) == 1 and paths[0].is_dir():
            self._folder = paths[0]
            if info is not None:
                self.set_model(info)

    def set_model(self, info: ModelInfo) -> None:
        """The model is loaded: its classes are known."""
        self._info = info
        found = () if self._folder is None else class_folders(self._folder, info.classes)
        if len(found) < 2:
            self._folder = None
            return
        words = trn(
            "This folder has folders named like {count} class of the model.",
            "This folder has folders named like {count} classes of the model.",
            len(found),
        )
        self._view.show_test(words, offered=True)

    def clear(self) -> None:
        """Forget the folder."""
        self._folder, self._wanted, self._complete = None, False, False
        self._view.show_test("")

    def end(self) -> None:
        """All answers have come."""
        self._complete = True
        if self._wanted:
            self._show()

    @Slot()
    def _test(self) -> None:
        self._wanted = True
        if self._complete:
            self._show()
        else:
            self._view.show_test(tr("The test is counted when all files are answered."))

    def _show(self) -> None:
        folder, info = self._folder, self._info
        if folder is None or info is None:
            return
        test = score_folder(folder, self._answers.answers, info)
        if not test.files:
            self._view.show_test(tr("None of the files in these folders could be read."))
            return
        mistakes = confusion_sentence(test)
        words = text(folder_test_sentence(test))
        self._answers.set_wrong(test.wrong)
        self._view.show_test(
            words if mistakes is None else tr("{first} {second}", first=words, second=text(mistakes)),
            wrong=bool(test.wrong),
        )
