"""Part of page 2 of the wizard: how deep pictures, those with many bands and those with several pages are read."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.i18n import msg, text, tr
from desktop.widgets.picture_row import PictureRow
from desktop.widgets.scrolling import PassWheel
from desktop.widgets.value_histogram import ValueHistogram
from desktop.workers.sample_renderer import example, spread
from desktop.workers.tasks import Tasks
from ml.api import (
    FIRST_BANDS,
    PAGE_CHOICES,
    HandlensError,
    PictureReading,
    ScanReport,
    common_bands,
    deep_files,
    has_windows,
    odd_pictures,
    percent,
    proposed_range,
    sample_values,
    several_pages,
)

_EDGE = 320
"""Pixels of the preview: sharp on a high-density screen too."""
_SHOWN = 136
_SAMPLED = 24
"""Pictures whose values are shown."""
_PAUSE_MS = 200
"""After the last change, before the preview and the report follow."""
_WIDEST = 1e15
_DIGITS = 4
_MUCH = 0.05
"""Share of values beyond the range from which it is said."""

_PAGES = {
    "first": (msg("the first page"), msg("What the other pages show is not used.")),
    "middle": (
        msg("the page in the middle"),
        msg("Right for stacks that are focused in the middle. The other pages are not used."),
    ),
    "sharpest": (
        msg("the sharpest page"),
        msg("Right for stacks in which the focus moves. All pages are compared, so reading takes longer."),
    ),
}
_SAME = msg("Later pictures are read in the same way.")


class PictureReadingChoice(QWidget):
    """Shows what there is to choose, and hides what there is not.

    Emits `reading_chosen(reading)` after a change of the range or the bands, and `page_chosen(page)`.
    """

    reading_chosen = Signal(object)
    page_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self._report: ScanReport | None = None
        self._reading = PictureReading()
        self._pictures: tuple[str, ...] = ()
        self._place = 0
        self._sampling = self._drawing = 0
        self._sampled: tuple[object, ...] = ()
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._on_done)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._settle)
        self.histogram = ValueHistogram()
        self.histogram.edges_changed.connect(self._on_edges)
        self.range_row, self.low_field, self.high_field, self.propose_button = self._build_range()
        self.lost_label = QLabel()
        self.lost_label.setProperty("role", "warn")
        self.lost_label.hide()
        self.bands_row, self.band_boxes = self._build_bands()
        self.windows_box = QCheckBox(tr("Show each DICOM picture through the window that its file names"))
        self.windows_box.toggled.connect(self._on_windows)
        self.pages_row, self.page_box, self.page_hint = self._build_pages()
        PassWheel(self, self.low_field, self.high_field, self.page_box, *self.band_boxes)
        self.preview = PictureRow(count=1, height=_SHOWN)
        self.preview.setFixedWidth(_SHOWN)
        self.preview.setAccessibleName(tr("One picture as the model will see it"))
        self.next_button = _link(tr("Another picture"))
        self.next_button.clicked.connect(self._show_next)
        caption = QLabel(tr("As the model will see it"))
        caption.setProperty("role", "caption")
        head = QLabel(tr("How these pictures are read"))
        head.setProperty("role", "emphasis")
        left, right = QVBoxLayout(), QVBoxLayout()
        for part in (
            head,
            self.windows_box,
            self.histogram,
            self.range_row,
            self.lost_label,
            self.bands_row,
            self.pages_row,
        ):
            left.addWidget(part)
        left.setSpacing(look.s)
        left.addStretch(1)
        for part in (self.preview, caption, self.next_button):
            right.addWidget(part, 0, Qt.AlignmentFlag.AlignLeft)
        right.setSpacing(look.xs)
        right.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look.l)
        row.addLayout(left, 1)
        row.addLayout(right)
        self.hide()

    def _build_range(self) -> tuple[QWidget, QDoubleSpinBox, QDoubleSpinBox, QPushButton]:
        low, high = _value_field(tr("The value that becomes black")), _value_field(tr("The value that becomes white"))
        low.valueChanged.connect(self._on_fields)
        high.valueChanged.connect(self._on_fields)
        propose = _link(tr("As proposed"))
        propose.setToolTip(tr("The values that nearly all pictures lie between"))
        propose.clicked.connect(self._propose)
        return _line((QLabel(tr("Black at")), low, QLabel(tr("White at")), high, propose)), low, high, propose

    def _build_bands(self) -> tuple[QWidget, tuple[QComboBox, QComboBox, QComboBox]]:
        boxes = (QComboBox(), QComboBox(), QComboBox())
        parts: list[QWidget] = []
        for words, box in zip((tr("Red"), tr("Green"), tr("Blue")), boxes, strict=True):
            box.setAccessibleName(tr("The band that becomes this colour: {colour}", colour=words))
            box.activated.connect(self._on_bands)
            parts += [QLabel(words), box]
        return _line(parts), boxes

    def _build_pages(self) -> tuple[QWidget, QComboBox, QLabel]:
        box = QComboBox()
        box.setAccessibleName(tr("The page that is used"))
        for page in PAGE_CHOICES:
            box.addItem(text(_PAGES[page][0]), page)
        box.activated.connect(self._on_page)
        hint = QLabel()
        hint.setProperty("role", "muted")
        hint.setWordWrap(True)
        return _line((QLabel(tr("Of several pages use")), box, hint), stretched=hint), box, hint

    def shutdown(self) -> None:
        """End what runs in the background."""
        self._pause.stop()
        self._tasks.close()

    def show_report(self, report: ScanReport) -> None:
        """Show how the pictures of a report are read; nothing where there is no choice."""
        other = self._report is None or _alike(report) != _alike(self._report)
        self._report = report
        reading = report.picture_reading or PictureReading()
        if other:
            self._pictures, self._place, self._sampled = spread(odd_pictures(report), _SAMPLED), 0, ()
            self.preview.set_images(())
            self.histogram.set_values(np.zeros(0, dtype=np.float32))
        elif reading == self._reading:
            return
        self._reading = reading
        self.setVisible(bool(self._pictures))
        if not self._pictures:
            return
        bands = common_bands(report)
        for box, chosen in zip(self.band_boxes, reading.bands or FIRST_BANDS, strict=True):
            box.clear()
            for band in range(1, bands + 1):
                box.addItem(tr("band {number}", number=band), band)
            box.setCurrentIndex(chosen - 1)
        self.page_box.setCurrentIndex(PAGE_CHOICES.index(reading.page))
        hint = msg("{first} {second}", first=_PAGES[reading.page][1], second=_SAME)
        self.page_hint.setText(text(hint))
        self.bands_row.setVisible(bands > 0)
        self.pages_row.setVisible(several_pages(report) > 0)
        self.windows_box.setVisible(has_windows(report))
        with QSignalBlocker(self.windows_box):
            self.windows_box.setChecked(reading.windows)
        self.next_button.setVisible(len(self._pictures) > 1)
        self._show_range()
        self._sample()
        self._draw()

    # -- what a person changes -----------------------------------------------------------------------------------------

    @Slot(float, float)
    def _on_edges(self, low: float, high: float) -> None:
        self._take(dataclasses.replace(self._reading, low=low, high=high))
        self._fill_fields()

    @Slot()
    def _on_fields(self) -> None:
        low, high = _exact(self.low_field, self._reading.low), _exact(self.high_field, self._reading.high)
        if high > low:  # until both fields fit, the last range holds
            self._take(dataclasses.replace(self._reading, low=low, high=high))
            self.histogram.set_edges(low, high)

    @Slot()
    def _propose(self) -> None:
        assert self._report is not None
        proposed = proposed_range(self._report, self._reading.bands, windows=self._reading.windows)
        if proposed is not None:
            self._take(dataclasses.replace(self._reading, low=proposed[0], high=proposed[1]))
            self._show_range()

    @Slot()
    def _on_bands(self) -> None:
        assert self._report is not None
        bands = tuple(int(box.currentData()) for box in self.band_boxes)
        proposed = proposed_range(self._report, self._reading.bands, windows=self._reading.windows)
        if bands == FIRST_BANDS:
            bands = ()  # as if nobody had chosen
        untouched = proposed == (self._reading.low, self._reading.high)
        self._take(dataclasses.replace(self._reading, bands=bands))
        if untouched:
            self._propose()
        self._sample()

    @Slot(bool)
    def _on_windows(self, windows: bool) -> None:
        """Use the windows of the files, or the range for all."""
        assert self._report is not None
        low, high = proposed_range(self._report, self._reading.bands, windows=windows) or (0.0, 0.0)
        self._take(dataclasses.replace(self._reading, windows=windows, low=low, high=high))
        self._show_range()
        self._sample()

    @Slot()
    def _on_page(self) -> None:
        page = str(self.page_box.currentData())
        if page != self._reading.page:
            self.page_chosen.emit(page)

    def _take(self, reading: PictureReading) -> None:
        self._reading = reading
        self._pause.start()

    @Slot()
    def _settle(self) -> None:
        """Show what was chosen, once nothing changes any more."""
        self._draw()
        self._say_lost()
        self.reading_chosen.emit(self._reading)

    def finish(self) -> None:
        """Hand over a change that has not been handed over yet."""
        if self._pause.isActive():
            self._pause.stop()
            self._settle()

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _show_range(self) -> None:
        for part in (self.histogram, self.range_row):
            part.setVisible(self._reading.ranged)
        self._say_lost()
        self._fill_fields()
        self.histogram.set_edges(self._reading.low, self._reading.high)

    def _fill_fields(self) -> None:
        low, high = self._reading.low, self._reading.high
        places = _decimals(high - low)
        for field, value in ((self.low_field, low), (self.high_field, high)):
            with QSignalBlocker(field):
                field.setDecimals(places)
                field.setSingleStep(10.0**-places if places else max(1.0, round((high - low) / 100)))
                field.setValue(value)

    def _sample(self) -> None:
        """Read some values of some pictures, unless that was done for this page and these bands."""
        assert self._report is not None
        wanted = (self._reading.page, self._reading.bands, self._pictures)
        if wanted == self._sampled or not self._reading.ranged:
            return
        self._sampled = wanted
        self.histogram.set_values(np.zeros(0, dtype=np.float32))
        self._tasks.forget(self._sampling)
        deep = set(deep_files(self._report))
        paths = [Path(self._report.folder, path) for path in self._pictures if path in deep]
        self._sampling = self._tasks.submit_stoppable(_values_of, paths, self._reading)

    def _draw(self) -> None:
        assert self._report is not None
        self._tasks.forget(self._drawing)
        path = Path(self._report.folder, self._pictures[self._place])
        self._drawing = self._tasks.submit(_picture, path, self._report.kind, self._reading)

    @Slot()
    def _show_next(self) -> None:
        self._place = (self._place + 1) % len(self._pictures)
        self._draw()

    @Slot(int, object)
    def _on_done(self, number: int, answer: object) -> None:
        if isinstance(answer, QImage):
            self.preview.set_images((answer,))
        elif number == self._sampling and isinstance(answer, np.ndarray):
            self.histogram.set_values(answer)
            self._say_lost()

    def _say_lost(self) -> None:
        """Say which share of the values cannot be told apart any more, where that is much."""
        share = self.histogram.share_outside()
        said = tr("{share} of the values become plain black or white.", share=percent(share))
        self.lost_label.setText(said)
        self.lost_label.setVisible(share >= _MUCH and self._reading.ranged)


def _values_of(paths: Sequence[Path], reading: PictureReading, *, stopped: Callable[[], bool]) -> NDArray[np.float32]:
    found = [np.zeros(0, dtype=np.float32)]
    for path in paths:
        if stopped():
            break
        try:
            found.append(sample_values(path, reading))
        except HandlensError:
            continue  # it is listed as unreadable elsewhere
    return np.concatenate(found)


def _picture(path: Path, kind: str, reading: PictureReading) -> QImage | None:
    try:
        return example(path, kind, reading, size=_EDGE)
    except HandlensError:
        return None


def _alike(report: ScanReport) -> tuple[object, ...]:
    """What stays the same while only the range, the bands or the task of a report change."""
    page = "first" if report.picture_reading is None else report.picture_reading.page
    return report.folder, page, odd_pictures(report)


def _decimals(width: float) -> int:
    """Return the decimals that show a range of this width with some digits."""
    return max(0, min(12, _DIGITS - 1 - math.floor(math.log10(width)))) if width > 0 else 0


def _exact(field: QDoubleSpinBox, known: float) -> float:
    """Return what a field holds; `known` where that is what it shows, rounded."""
    return known if round(known, field.decimals()) == field.value() else field.value()


def _value_field(name: str) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(-_WIDEST, _WIDEST)
    field.setKeyboardTracking(False)
    field.setGroupSeparatorShown(True)
    field.lineEdit().setTextMargins(6, 0, 0, 0)  # the style sheet's padding does not reach inside
    field.setFixedWidth(136)
    field.setAccessibleName(name)
    field.setToolTip(name)
    return field


def _link(words: str) -> QPushButton:
    button = QPushButton(words)
    button.setProperty("role", "link")
    return button


def _line(parts: Sequence[QWidget], *, stretched: QWidget | None = None) -> QWidget:
    whole = QWidget()
    line = QHBoxLayout(whole)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(style.current().s)
    for part in parts:
        line.addWidget(part, 1 if part is stretched else 0)
    if stretched is None:
        line.addStretch(1)
    return whole
