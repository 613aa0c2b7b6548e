"""A row of filters on the Label page: folder, date, size and suggestion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QDate, QDateTime, QSignalBlocker, QTime, Signal, Slot
from PySide6.QtWidgets import QComboBox, QDateEdit, QLabel, QPushButton, QSpinBox, QWidget

from desktop.i18n import printable, tr
from desktop.widgets.flow_box import FlowBox
from ml.api import Sample

Guessed = Literal["", "sure", "unsure", "other"]
SURE = 0.9
_ANY_DATE = QDate(1970, 1, 1)
_NANOSECONDS = 1_000_000_000
_MOST_FOLDERS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What samples have to be like. Sizes are pixels of the longer side, or seconds of the recording."""

    folder: str = ""
    begin: int | None = None
    """Nanoseconds since 1970, of the last change of the file."""
    end: int | None = None
    least: float | None = None
    most: float | None = None
    guessed: Guessed = ""


def accepts(
    filters: Filters,
    sizes: Mapping[str, tuple[float, int]],
    guess: Callable[[int], tuple[tuple[int, ...], float] | None],
) -> Callable[[Sample], bool]:
    """Return a test of samples. `sizes`: see `Project.extents`."""

    def fits(sample: Sample) -> bool:
        if filters.folder and not sample.path.startswith(f"{filters.folder}/"):
            return False
        size, changed = sizes.get(sample.path, (0.0, 0))
        if (filters.begin is not None and changed < filters.begin) or (
            filters.end is not None and changed >= filters.end
        ):
            return False
        if (filters.least is not None and size < filters.least) or (filters.most is not None and size > filters.most):
            return False
        return not filters.guessed or _guess_fits(filters.guessed, sample, guess(sample.id))

    return fits


def _guess_fits(wanted: Guessed, sample: Sample, guess: tuple[tuple[int, ...], float] | None) -> bool:
    if guess is None:
        return False
    if wanted == "other":
        return sample.labelled and set(guess[0]) != set(sample.labels)
    return not sample.labelled and (guess[1] >= SURE) == (wanted == "sure")


class FilterRow(FlowBox):
    """Emits `changed` when another choice is made."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, gap=8)
        self.folder_box, self.guess_box = QComboBox(), QComboBox()
        self.folder_box.setAccessibleName(tr("Folder"))
        self.folder_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.folder_box.setMinimumContentsLength(14)
        self.guess_box.setAccessibleName(tr("Suggestion"))
        for words, guessed in (
            (tr("any suggestion"), ""),
            (tr("suggestion is certain"), "sure"),
            (tr("suggestion is uncertain"), "unsure"),
            (tr("suggestion differs from the label"), "other"),
        ):
            self.guess_box.addItem(words, guessed)
        self.begin_field = _date_field(tr("Changed on this day or later"), tr("any day"))
        self.end_field = _date_field(tr("Changed on this day or earlier"), tr("any day"))
        self.least_field = _size_field(tr("At least this size"), tr("any size"))
        self.most_field = _size_field(tr("At most this size"), tr("any size"))
        self.size_label = QLabel()
        self.clear_button = QPushButton(tr("Clear the filters"))
        self.clear_button.clicked.connect(self.clear)
        parts = (
            self.folder_box,
            QLabel(tr("Changed from")),
            self.begin_field,
            QLabel(tr("to")),
            self.end_field,
            self.size_label,
            self.least_field,
            QLabel(tr("to")),
            self.most_field,
            self.guess_box,
            self.clear_button,
        )
        for part in parts:  # one line of text for all of a row
            part.setMinimumHeight(self.clear_button.sizeHint().height())
        self.set_items(parts)
        self.set_folders((), pixels=True)
        self.folder_box.activated.connect(self.changed)
        self.guess_box.activated.connect(self.changed)
        for date in (self.begin_field, self.end_field):
            date.dateChanged.connect(self.changed)
        for size in (self.least_field, self.most_field):
            size.valueChanged.connect(self.changed)

    def set_folders(self, paths: Iterable[str], *, pixels: bool) -> None:
        """Offer the folders of these paths. `pixels`: whether a size is one of pictures, else of recordings."""
        found: set[str] = set()
        for path in paths:
            folder = path.rpartition("/")[0]
            while folder and folder not in found and len(found) < _MOST_FOLDERS:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        chosen = self.folder_box.currentData()
        with QSignalBlocker(self.folder_box):
            self.folder_box.clear()
            self.folder_box.addItem(tr("any folder"), "")
            for folder in sorted(found):
                self.folder_box.addItem(printable(folder), folder)
            self.folder_box.setCurrentIndex(max(0, self.folder_box.findData(chosen)))
        self.folder_box.setEnabled(bool(found))
        self.size_label.setText(tr("Pixels from") if pixels else tr("Seconds from"))

    def filters(self) -> Filters:
        """Return what is chosen."""
        return Filters(
            folder=self.folder_box.currentData() or "",
            begin=_moment(self.begin_field, days=0),
            end=_moment(self.end_field, days=1),
            least=self.least_field.value() or None,
            most=self.most_field.value() or None,
            guessed=self.guess_box.currentData() or "",
        )

    @Slot()
    def clear(self) -> None:
        """Choose nothing."""
        for box in (self.folder_box, self.guess_box):
            box.setCurrentIndex(0)
        for field in (self.begin_field, self.end_field, self.least_field, self.most_field):
            with QSignalBlocker(field):
                if isinstance(field, QDateEdit):
                    field.setDate(_ANY_DATE)
                else:
                    field.setValue(0)
        self.changed.emit()


def _date_field(name: str, nothing: str) -> QDateEdit:
    field = QDateEdit()
    field.setMinimumDate(_ANY_DATE)
    field.setSpecialValueText(nothing)
    field.setDate(_ANY_DATE)
    field.setCalendarPopup(True)
    field.setAccessibleName(name)
    field.setToolTip(name)
    return field


def _size_field(name: str, nothing: str) -> QSpinBox:
    field = QSpinBox()
    field.setMaximumWidth(120)
    field.setRange(0, 1_000_000)
    field.setSpecialValueText(nothing)
    field.setAccessibleName(name)
    field.setToolTip(name)
    return field


def _moment(field: QDateEdit, *, days: int) -> int | None:
    if field.date() <= _ANY_DATE:
        return None
    return QDateTime(field.date().addDays(days), QTime(0, 0)).toSecsSinceEpoch() * _NANOSECONDS
