"""The table of answers: a row for each file, sorted and filtered as arrays, so that a hundred thousand are quick."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Slot

from desktop.i18n import class_caption, printable, text, tr
from desktop.widgets.probability_bars import percent
from desktop.workers.answering import Answered
from ml.api import FilePrediction, ModelInfo, UnreadableInput, frame_of, moment, rejected_because

AnswerState = Literal["accepted", "aside", "unreadable"]
COLUMNS = ("file", "answer", "probability", "second", "unlike", "state")
_RESORT_MS, _REST = 300, 20
"""Milliseconds between two sortings while answers arrive, and how many times longer than a sorting at least."""
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


def state_of(answered: Answered) -> AnswerState:
    if isinstance(answered, UnreadableInput):
        return "unreadable"
    return "accepted" if answered.decision == "accept" else "aside"


def answer_text(answered: FilePrediction, info: ModelInfo) -> str:
    """Return the predicted classes; in a multi-label model there may be several or none."""
    names = tuple(map(printable, info.classes))
    return class_caption(info.predicted(answered.probabilities), names)


def file_name(answered: Answered, info: ModelInfo) -> str:
    """Return the name of the file, and for a frame of a video its time."""
    time, name = moment(answered, info), printable(answered.path.name)
    return name if time is None else text(frame_of(name, time))


def state_text(answered: Answered, info: ModelInfo) -> str:
    """Return whether the answer was accepted, or why not."""
    if isinstance(answered, UnreadableInput):
        return tr("Unreadable: {reason}", reason=answered.reason)
    if answered.decision == "accept":
        return tr("Accepted")
    return tr("Set aside: {why}", why=rejected_because(answered.unlike, answered.best, info))


def second_best(answered: FilePrediction) -> int | None:
    """Return the class with the second highest probability; None in a model with one class."""
    order = answered.probabilities.argsort()
    return int(order[-2]) if len(order) > 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerFilter:
    """Which answers to show: part of the file's path, a predicted class, a state; None lets everything through.

    `wrong`: only those that a test found wrong.
    """

    words: str = ""
    predicted: int | None = None
    state: AnswerState | None = None
    wrong: bool = False


class AnswersModel(QAbstractTableModel):
    """All answers in `answers`, in the order they came; the view shows those that pass the filter, sorted."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.answers: list[Answered] = []
        self._counts: Counter[AnswerState] = Counter()
        self._wrong: frozenset[Path] = frozenset()
        self._info: ModelInfo | None = None
        self._shown: list[int] = []
        # Qt asks for them hundreds of times.
        self._heads = (tr("File"), tr("Answer"), tr("Confidence"), tr("Second best"), tr("Unlike"), tr("State"))
        self._filter = AnswerFilter()
        self._column, self._descending = -1, False
        self._later = QTimer(self, interval=_RESORT_MS, singleShot=True)
        self._later.timeout.connect(self._arrange)

    def reset(self, info: ModelInfo | None) -> None:
        """Start again, with the answers of this model."""
        self.beginResetModel()
        self._later.stop()
        self._info, self.answers, self._shown, self._wrong = info, [], [], frozenset()
        self._counts.clear()
        self.endResetModel()

    def add(self, answers: Sequence[Answered]) -> None:
        first = len(self.answers)
        self.answers += answers
        self._counts.update(map(state_of, answers))
        if self._column >= 0:
            # Sorting anew for every answer would keep the window busy.
            if not self._later.isActive():
                self._later.start()
            return
        passing = [place for place in range(first, len(self.answers)) if self._passes(self.answers[place])]
        if passing:
            self.beginInsertRows(_ROOT, len(self._shown), len(self._shown) + len(passing) - 1)
            self._shown += passing
            self.endInsertRows()

    def set_filter(self, wanted: AnswerFilter) -> None:
        if wanted != self._filter:
            self._filter = wanted
            self._arrange()

    def set_wrong(self, paths: frozenset[Path]) -> None:
        """Set which files a test found wrong."""
        self._wrong = paths
        if self._filter.wrong:
            self._arrange()

    def answer(self, row: int) -> Answered:
        """Return the answer in a row of the view."""
        return self.answers[self._shown[row]]

    def row_of(self, place: int) -> int | None:
        """Return the row of the view with the answer at this place of `answers`; None while it is filtered out."""
        try:
            return self._shown.index(place)
        except ValueError:
            return None

    def count(self, state: AnswerState) -> int:
        return self._counts[state]

    # -- what Qt asks --------------------------------------------------------------------------------------------

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return self._heads[section]

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if self._info is None or not index.isValid():
            return None
        answered, column = self.answer(index.row()), COLUMNS[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole and column == "file":
            return printable(str(answered.path))
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self._words(answered, column, self._info)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by this column; -1 for the order in which the answers came."""
        self._column, self._descending = column, order == Qt.SortOrder.DescendingOrder
        self._arrange()

    # -- inside --------------------------------------------------------------------------------------------------

    def _words(self, answered: Answered, column: str, info: ModelInfo) -> str:
        if column == "file":
            return file_name(answered, info)
        if column == "state":
            return state_text(answered, info)
        if isinstance(answered, UnreadableInput):
            return ""
        match column:
            case "answer":
                return answer_text(answered, info)
            case "probability":
                return percent(float(answered.probabilities[answered.best]))
            case "second":
                second = second_best(answered)
                if second is None:
                    return ""
                chance = percent(float(answered.probabilities[second]))
                return tr("{name} {percent}", name=info.classes[second], percent=chance)
            case _:
                return percent(answered.unlike)

    @Slot()
    def _arrange(self) -> None:
        """Filter and sort all answers. What is selected stays selected."""
        self._later.stop()
        began = time.perf_counter()
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        places = [self._shown[index.row()] for index in before]
        self._shown = [place for place, answered in enumerate(self.answers) if self._passes(answered)]
        if self._column >= 0 and self._info is not None:
            key = _KEYS[COLUMNS[self._column]]
            keys = {place: key(self.answers[place], self._info) for place in self._shown}
            self._shown.sort(key=keys.__getitem__, reverse=self._descending)
        rows = {place: row for row, place in enumerate(self._shown)}
        after = [
            self.index(rows[place], index.column()) if place in rows else QModelIndex()
            for place, index in zip(places, before, strict=True)
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()
        # Sorting a long table again and again must leave most of the time to the person.
        self._later.setInterval(max(_RESORT_MS, round(_REST * 1000 * (time.perf_counter() - began))))

    def _passes(self, answered: Answered) -> bool:
        wanted = self._filter
        if wanted.wrong and answered.path not in self._wrong:
            return False
        if wanted.state is not None and state_of(answered) != wanted.state:
            return False
        if wanted.predicted is not None:
            if isinstance(answered, UnreadableInput) or self._info is None:
                return False
            if wanted.predicted not in self._info.predicted(answered.probabilities):
                return False
        return not wanted.words or wanted.words.casefold() in str(answered.path).casefold()


_Key = Callable[[Answered, ModelInfo], tuple[float, str]]


def _chance(answered: Answered, _info: ModelInfo) -> tuple[float, str]:
    return (-1.0 if isinstance(answered, UnreadableInput) else float(answered.probabilities.max()), "")


def _second_chance(answered: Answered, _info: ModelInfo) -> tuple[float, str]:
    second = None if isinstance(answered, UnreadableInput) else second_best(answered)
    if isinstance(answered, UnreadableInput) or second is None:
        return (-1.0, "")
    return (float(answered.probabilities[second]), "")


_KEYS: dict[str, _Key] = {
    "file": lambda answered, info: (
        0.0,
        f"{str(answered.path).casefold()}\0{moment(answered, info) or 0.0:015.3f}",
    ),
    "answer": lambda answered, info: (
        0.0,
        "" if isinstance(answered, UnreadableInput) else answer_text(answered, info).casefold(),
    ),
    "probability": _chance,
    "second": _second_chance,
    "unlike": lambda answered, _info: (-1.0 if isinstance(answered, UnreadableInput) else answered.unlike, ""),
    "state": lambda answered, info: (0.0, state_text(answered, info)),
}
