"""Tools below the spectrogram or the traces on the Label page: zoom, gain, speed, loop, and the selected time."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QPushButton, QSlider, QSpinBox, QWidget

from desktop import icons
from desktop.i18n import current_language, tr
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.span_view import SpanView

SPEEDS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0)
MOST_GAIN = 40
ZOOM_STEP = 2.0
NARROWEST_BAND = 10
"""Hz between the edges of the band that is heard."""


class SoundTools(FlowBox):
    """Drives a `SpanView`; what concerns the sound itself goes out as signals. Not `audible`: without those."""

    speed_changed = Signal(float)
    gain_changed = Signal(float)
    loop_changed = Signal(bool)
    band_changed = Signal(object)
    """The low and the high edge in Hz of what is to be heard; None for all."""
    remove_pressed = Signal()

    def __init__(self, view: SpanView, parent: QWidget | None = None, *, audible: bool = True) -> None:
        super().__init__(parent, gap=6)
        self._view = view
        self.in_button = _icon_button("ph.magnifying-glass-plus", tr("Zoom in"))
        self.out_button = _icon_button("ph.magnifying-glass-minus", tr("Zoom out"))
        self.gain_slider = QSlider(Qt.Orientation.Horizontal)
        self.gain_slider.setRange(-MOST_GAIN, MOST_GAIN)
        self.gain_slider.setFixedWidth(80)
        self.gain_slider.setAccessibleName(tr("Gain in decibels"))
        self.speed_box = QComboBox()
        self.speed_box.setAccessibleName(tr("Speed of playback"))
        for speed in SPEEDS:
            self.speed_box.addItem(tr("{speed} ×", speed=current_language().number(speed, "g")), speed)
        self.speed_box.setCurrentIndex(SPEEDS.index(1.0))
        self.loop_button = _icon_button("ph.repeat", tr("Play in a loop"))
        self.loop_button.setCheckable(True)
        self.band_button = _icon_button("ph.ear", tr("Hear only a band of frequencies (Shift+B)"))
        self.band_button.setCheckable(True)
        self.low_field, self.high_field = _hertz_field(tr("Hear from")), _hertz_field(tr("Hear up to"))
        self.begin_field = _seconds_field(tr("Selection from"))
        self.end_field = _seconds_field(tr("Selection to"))
        self.remove_button = _icon_button("ph.trash", tr("Remove the chosen span"))
        self.remove_button.setEnabled(False)
        band = (self.band_button, self.low_field, self.high_field)
        sound = (QLabel(tr("Gain")), self.gain_slider, self.speed_box, self.loop_button, *band)
        parts = (
            self.out_button,
            self.in_button,
            *(sound if audible else ()),
            QLabel(tr("Selection")),
            self.begin_field,
            self.end_field,
            self.remove_button,
        )
        for part in parts:  # one line of text for all of a row
            part.setMinimumHeight(self.remove_button.sizeHint().height())
        self.set_items(parts)
        self.low_field.hide()
        self.high_field.hide()
        self._connect()

    def _connect(self) -> None:
        view = self._view
        self.in_button.clicked.connect(lambda: view.zoom(ZOOM_STEP))
        self.out_button.clicked.connect(lambda: view.zoom(1 / ZOOM_STEP))
        self.gain_slider.valueChanged.connect(view.set_gain)
        self.gain_slider.valueChanged.connect(lambda value: self.gain_changed.emit(float(value)))
        self.speed_box.activated.connect(lambda: self.speed_changed.emit(float(self.speed_box.currentData())))
        self.loop_button.toggled.connect(self.loop_changed)
        self.band_button.toggled.connect(self._on_band)
        self.low_field.valueChanged.connect(self._on_band)
        self.high_field.valueChanged.connect(self._on_band)
        for field in (self.begin_field, self.end_field):
            field.valueChanged.connect(self._on_field)
        self.remove_button.clicked.connect(self.remove_pressed)
        view.selection_changed.connect(self._on_selection)
        view.span_chosen.connect(lambda place: self.remove_button.setEnabled(place >= 0))

    def set_range(self, start: float, end: float, *, timed: bool = True) -> None:
        """Let a selection lie within these seconds of the recording, or these rows of a log."""
        for field in (self.begin_field, self.end_field):
            with QSignalBlocker(field):
                field.setDecimals(2 if timed else 0)
                field.setSingleStep(0.05 if timed else 1.0)
                field.setSuffix(tr(" s") if timed else "")
                field.setRange(start, end)
                field.setValue(start)

    def set_highest(self, hertz: int) -> None:
        """Let the band reach up to this frequency; at first it is in the middle."""
        if hertz == self.high_field.maximum():
            return
        for edge, value in ((self.low_field, hertz // 16), (self.high_field, hertz // 2)):
            with QSignalBlocker(edge):
                edge.setRange(0, hertz)
                edge.setValue(value)
        self._on_band()

    def band(self) -> tuple[float, float] | None:
        """Return the band that is to be heard; None for all."""
        if not self.band_button.isChecked():
            return None
        return float(self.low_field.value()), float(self.high_field.value())

    @Slot()
    def _on_band(self) -> None:
        on = self.band_button.isChecked()
        for field in (self.low_field, self.high_field):
            field.setVisible(on)
        self.low_field.setMaximum(max(0, self.high_field.value() - NARROWEST_BAND))
        self.high_field.setMinimum(self.low_field.value() + NARROWEST_BAND)
        self._view.set_band(self.band())
        self.band_changed.emit(self.band())

    @Slot()
    def _on_field(self) -> None:
        self._view.select((self.begin_field.value(), self.end_field.value()))

    @Slot(float, float)
    def _on_selection(self, begin: float, end: float) -> None:
        for field, value in ((self.begin_field, begin), (self.end_field, end)):
            if not field.hasFocus():
                with QSignalBlocker(field):
                    field.setValue(value)


def _seconds_field(name: str) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setSuffix(tr(" s"))
    field.setMaximumWidth(96)
    field.setAccessibleName(name)
    field.setToolTip(name)
    return field


def _hertz_field(name: str) -> QSpinBox:
    field = QSpinBox()
    field.setSingleStep(100)
    field.setSuffix(tr(" Hz"))
    field.setMaximumWidth(104)
    field.setKeyboardTracking(False)  # 2 and 20 are not meant where 2000 is typed
    field.setAccessibleName(name)
    field.setToolTip(name)
    return field


def _icon_button(icon: str, name: str) -> QPushButton:
    button = QPushButton()
    icons.set_icon(button, icon)
    button.setFixedWidth(36)
    button.setAccessibleName(name)
    button.setToolTip(name)
    return button
