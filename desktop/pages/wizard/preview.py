"""Part of page 4 of the wizard: what the pretrained network sees in six of the pictures."""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import msg, text, tr
from desktop.widgets.picture_row import PictureRow
from desktop.workers.job_thread import JobThread
from desktop.workers.sample_renderer import example, spread
from desktop.workers.tasks import Tasks
from ml.api import Event, Failed, Looked, LookJob, Runner, ScanReport, Stopped

NO_GUESSES = msg("There are no guesses for your pictures this time. This does not change the training.")

_MOST = 6
_HEIGHT = 104
_EDGE = 288
"""The longer edge of a thumbnail in pixels: sharp on a high-density screen too."""
_FAIRLY_SURE = 0.6
_PERHAPS = 0.25

_log = logging.getLogger(__name__)


def chosen_pictures(report: ScanReport) -> tuple[str, ...]:
    """Choose up to six pictures from as many classes as possible; paths relative to the report's folder."""
    by_class: dict[str, list[str]] = defaultdict(list)
    for file in report.files:
        by_class[file.class_name or ""].append(file.path)
    names = spread(sorted(by_class), _MOST)
    # One of each class, then a second of each, and so on. Pictures of one class lie far apart in the list.
    rows = [spread(by_class[name], _MOST) for name in names]
    turns = [row[place] for place in range(_MOST) for row in rows if place < len(row)]
    return tuple(turns[:_MOST])


def guess_text(word: str, probability: float) -> str:
    """Return the network's guess with its confidence, such as "daisy, fairly sure"."""
    if not word:
        return tr("could not be read")
    if probability >= _FAIRLY_SURE:
        return tr("{word}, fairly sure", word=word)
    if probability >= _PERHAPS:
        return tr("perhaps: {word}", word=word)
    return tr("not sure: {word}", word=word)


class NetworkPreview(QWidget):
    """Six pictures with a guess below each. It is optional: without guesses the pictures stand alone."""

    def __init__(self, *, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self._runner = runner
        self._thread: JobThread | None = None
        self._report: ScanReport | None = None
        self._requests: dict[int, int] = {}
        self._words: tuple[str, ...] = ()
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._show_picture)
        self._lead = QLabel()
        self._lead.setWordWrap(True)
        self.tiles = tuple(GuessTile() for _ in range(_MOST))
        grid = QGridLayout()
        grid.setHorizontalSpacing(look.m)
        for place, tile in enumerate(self.tiles):
            grid.addWidget(tile, 0, place, Qt.AlignmentFlag.AlignTop)
            grid.setColumnStretch(place, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.m)
        column.addWidget(self._lead)
        column.addLayout(grid)

    def begin(self, report: ScanReport) -> None:
        """Show pictures of `report` and start the prediction, unless that has been done for this report."""
        if report is self._report:
            return
        self._end_thread()
        self._tasks.forget_all()
        self._report = report
        self._words = ()
        paths = chosen_pictures(report)
        folder = Path(report.folder).absolute()
        self._say(self._introduction(len(paths)), "")
        self._requests = {
            self._tasks.submit(_picture, folder / path, report): place for place, path in enumerate(paths)
        }
        for place, tile in enumerate(self.tiles):
            tile.setVisible(place < len(paths))
            tile.clear()
        self._caption_all(tr("looking…"))
        self._thread = JobThread(LookJob(pictures=tuple(folder / path for path in paths)), self._runner, self)
        self._thread.ended.connect(self._on_ended)
        self._thread.start()

    def looking(self) -> bool:
        return self._thread is not None

    def words(self) -> tuple[str, ...]:
        """Return the guesses; empty until the prediction is done."""
        return self._words

    def cancel(self) -> None:
        """Cancel the prediction without waiting. `begin` starts it again; finished guesses stay."""
        if self._thread is not None:
            self._thread.cancel()
            self._report = None

    def shutdown(self) -> None:
        """End what runs in the background."""
        self.cancel()
        self._end_thread()
        self._tasks.close()

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        self._end_thread()
        match event:
            case Looked(words=words, probabilities=probabilities):
                self._words = tuple(map(guess_text, words, probabilities))
                for tile, caption, word in zip(self.tiles, self._words, words, strict=False):
                    tile.caption(caption, "" if word else "caption")
            case Failed(message=message, details=details):
                # The worker's message is about trainings. Here nothing is lost and nothing has to be done.
                _log.warning("no words for the pictures: %s %s", message, details)
                self._caption_all("")
                self._say(text(NO_GUESSES), "muted")
            case Stopped():
                self._caption_all("")
            case _:
                raise AssertionError(f"A look does not end with {type(event).__name__}.")

    def _introduction(self, count: int) -> str:
        if count == _MOST:
            return tr(
                "The pretrained network already knows a thousand everyday things. Its guesses for six of your pictures:"
            )
        return tr("The pretrained network already knows a thousand everyday things. Its guesses for your pictures:")

    def _say(self, sentence: str, role: str) -> None:
        self._lead.setText(sentence)
        style.set_role(self._lead, role)

    def _caption_all(self, text: str) -> None:
        for tile in self.tiles:
            tile.caption(text, "caption")

    @Slot(int, object)
    def _show_picture(self, number: int, image: object) -> None:
        assert isinstance(image, QImage)
        self.tiles[self._requests.pop(number)].show_picture(image)


class GuessTile(QWidget):
    """A picture and the guess below it."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = PictureRow(count=1, height=_HEIGHT)
        self._words = QLabel()
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setWordWrap(True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.current().xs)
        column.addWidget(self._picture)
        column.addWidget(self._words)

    def words(self) -> str:
        return self._words.text()

    def has_picture(self) -> bool:
        return bool(self._picture.images())

    def clear(self) -> None:
        self._picture.set_images(())

    def show_picture(self, image: QImage) -> None:
        self._picture.set_images((image,))

    def caption(self, text: str, role: str) -> None:
        self._words.setText(text)
        style.set_role(self._words, role)


def _picture(path: Path, report: ScanReport) -> QImage:
    return example(path, report.kind, report.reading, size=_EDGE)
