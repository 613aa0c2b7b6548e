"""The Use page without its content: which model, where to drop, the table of answers, and one answer large."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from desktop import icons, style
from desktop.i18n import tr
from desktop.models.answers import AnswerFilter, AnswersModel
from desktop.pages.use.panel import AnswerPanel
from desktop.widgets.drop_target import FilesDrop
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.text_field import TextField

_STEPS = 1000
_WRONG = "wrong"
_ROW = 30
_WIDTHS = (160, 110, 96, 140, 68)


class UseView(QWidget):
    """Lays out its widgets; whoever fills them listens to them."""

    def __init__(self, model: AnswersModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model_line = ElidedLabel()
        self.model_line.setProperty("role", "muted")
        self.card_button = _link(tr("Model card"))
        self.release_button = _link(tr("Release this run…"))
        self.export_button = _link(tr("Export…"))
        self.drop = FilesDrop()
        self.drop_words = QLabel()
        self._drop_sentence = ""
        self.drop_words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.drop_words.setWordWrap(True)
        self.files_button, self.folder_button = QPushButton(tr("Choose files…")), QPushButton(tr("Choose a folder…"))
        self.live_button, self.watch_button = QPushButton(), QPushButton(tr("Watch a folder…"))
        self.live_button.hide()
        icons.set_icon(self.watch_button, "ph.eye")
        icons.set_icon(self.files_button, "ph.file")
        icons.set_icon(self.folder_button, "ph.folder-open")
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setProperty("role", "error")
        self.problem.hide()
        self.test_words, self.test_button = QLabel(), QPushButton(tr("Use it as a test"))
        self.test_words.setWordWrap(True)
        self.wrong_button = QPushButton(tr("Show the wrong ones"))
        self.progress_words = QLabel()
        self.progress_words.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.pause_button, self.stop_button = QPushButton(tr("Pause")), QPushButton(tr("Stop"))
        self.answers = AnswersView(model)
        self.panel = AnswerPanel()
        self._lay_out()
        self.show_answers(False)
        self.show_progress("", -1.0, paused=False)

    # -- what it shows -------------------------------------------------------------------------------------------

    def show_answers(self, there: bool) -> None:
        """Without answers the drop target takes all the room."""
        for part in (self.answers, self.panel):
            part.setVisible(there)
        self._column.setStretch(self._column.indexOf(self.drop), 0 if there else 1)
        style.set_role(self.drop_words, "muted" if there else "title")
        self.drop_words.setText(tr("Drop more") if there else self._drop_sentence)
        self._drop_icon.setVisible(not there)
        direction = QBoxLayout.Direction
        self._drop_parts.setDirection(direction.LeftToRight if there else direction.TopToBottom)

    def set_drop_words(self, sentence: str) -> None:
        """What may be dropped; shorter once there are answers."""
        self._drop_sentence = sentence
        if not self.answers.isVisibleTo(self):
            self.drop_words.setText(sentence)

    def set_live(self, audible: bool, there: bool) -> None:
        """Offer the microphone or the camera; `there`: one of them gives what the model takes."""
        self.live_button.setText(tr("Microphone…") if audible else tr("Camera…"))
        icons.set_icon(self.live_button, "ph.microphone" if audible else "ph.camera")
        self.live_button.setVisible(there)

    def show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def show_test(self, words: str, *, offered: bool = False, wrong: bool = False) -> None:
        """Offer a test, or say how it went; `wrong`: some answers were. Nothing without words."""
        self._test.setVisible(bool(words))
        self.test_words.setText(words)
        self.test_button.setVisible(offered)
        self.wrong_button.setVisible(wrong)

    def show_progress(self, words: str, fraction: float, *, paused: bool) -> None:
        """A negative fraction hides the row."""
        self._progress.setVisible(fraction >= 0)
        self.progress_words.setText(words)
        self.bar.setValue(round(min(max(fraction, 0.0), 1.0) * _STEPS))
        self.bar.setAccessibleName(words)
        self.pause_button.setText(tr("Continue") if paused else tr("Pause"))

    # -- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        look = style.current()
        self._fill_drop()
        left = QWidget()
        self._column = QVBoxLayout(left)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(look.s)
        self._column.addWidget(self.drop)
        self._column.addWidget(self.problem)
        self._column.addWidget(self._progress_row())
        self._column.addWidget(self._test_row())
        self._column.addWidget(self.answers, 3)
        sides = QHBoxLayout()
        sides.setSpacing(look.l)
        sides.addWidget(left, 8)
        sides.addWidget(self.panel, 5)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(look.xl, 0, look.xl, look.l)
        whole.setSpacing(look.s)
        whole.addLayout(self._model_row())
        whole.addLayout(sides, 1)

    def _model_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(style.current().m)
        row.addWidget(self.model_line, 1)
        for button in (self.card_button, self.release_button, self.export_button):
            row.addWidget(button)
        return row

    def _fill_drop(self) -> None:
        look = style.current()
        self._drop_icon = QPushButton()
        self._drop_icon.setProperty("role", "quiet")
        self._drop_icon.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._drop_icon.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._drop_icon.setAccessibleName(tr("Drop here"))
        self._drop_icon.setIconSize(QSize(56, 56))
        icons.set_icon(self._drop_icon, "ph.download-simple", colour="muted")
        buttons = QHBoxLayout()
        buttons.setSpacing(look.s)
        buttons.addStretch(1)
        buttons.addWidget(self.files_button)
        buttons.addWidget(self.folder_button)
        buttons.addWidget(self.live_button)
        buttons.addWidget(self.watch_button)
        buttons.addStretch(1)
        self._drop_parts = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._drop_parts.setSpacing(look.s)
        self._drop_parts.addWidget(self._drop_icon, 0, Qt.AlignmentFlag.AlignHCenter)
        self._drop_parts.addWidget(self.drop_words, 1)
        self._drop_parts.addLayout(buttons)
        column = QVBoxLayout(self.drop)
        column.setContentsMargins(look.m, look.s, look.m, look.s)
        column.addStretch(1)
        column.addLayout(self._drop_parts)
        column.addStretch(1)

    def _progress_row(self) -> QWidget:
        self._progress = QWidget()
        row = QHBoxLayout(self._progress)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.current().s)
        row.addWidget(self.progress_words)
        row.addWidget(self.bar, 1)
        row.addWidget(self.pause_button)
        row.addWidget(self.stop_button)
        return self._progress

    def _test_row(self) -> QWidget:
        self._test = QWidget()
        row = QHBoxLayout(self._test)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.current().s)
        row.addWidget(self.test_words, 1)
        row.addWidget(self.test_button)
        row.addWidget(self.wrong_button)
        self._test.hide()
        return self._test


class AnswersView(QWidget):
    """The table of answers with its filters above and what can be done with them below."""

    filter_changed = Signal()

    def __init__(self, model: AnswersModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = TextField()
        self.search.setPlaceholderText(tr("Search for a file"))
        self.search.setAccessibleName(tr("Search for a file"))
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(180)
        self.class_box, self.state_box = QComboBox(), QComboBox()
        self.class_box.setAccessibleName(tr("Class"))
        self.class_box.setMaximumWidth(200)
        self.state_box.setAccessibleName(tr("State"))
        for words, state in (
            (tr("All states"), None),
            (tr("Accepted"), "accepted"),
            (tr("Set aside"), "aside"),
            (tr("Unreadable"), "unreadable"),
            (tr("Wrong in the test"), _WRONG),
        ):
            self.state_box.addItem(words, state)
        self.table = _table(model)
        self.summary = QLabel()
        self.summary.setProperty("role", "muted")
        self.summary.setWordWrap(True)
        self.save_button = QPushButton(tr("Save as table…"))
        self.pictures_button = QPushButton(tr("Save pictures with maps…"))
        self.sort_button = QPushButton(tr("Sort copies into folders…"))
        self.counts_button = QPushButton(tr("Counts over time…"))
        self.wrong_button = QPushButton(tr("These were wrong"))
        self.wrong_button.setToolTip(tr("Choose the right class: the selected files join the project with that label."))
        self.wrong_menu = QMenu(self.wrong_button)
        self.wrong_button.setMenu(self.wrong_menu)
        self.wrong_button.hide()
        self.clear_button = QPushButton(tr("Clear"))
        self.saved = QLabel()
        self.saved.setWordWrap(True)
        self.saved.setProperty("role", "good")
        self.saved.hide()
        self._lay_out()
        self.search.textChanged.connect(self.filter_changed)
        self.class_box.activated.connect(self.filter_changed)
        self.state_box.activated.connect(self.filter_changed)

    def set_classes(self, names: Sequence[str], *, several: bool) -> None:
        """Fill the filter. `several`: a model that may predict several classes cannot be filtered by one answer."""
        with QSignalBlocker(self.class_box):
            self.class_box.clear()
            self.class_box.addItem(tr("With any class") if several else tr("All classes"), None)
            for index, name in enumerate(names):
                self.class_box.addItem(name, index)

    def selected_rows(self) -> list[int]:
        return sorted(index.row() for index in self.table.selectionModel().selectedRows())

    def filter(self) -> AnswerFilter:
        state = self.state_box.currentData()
        return AnswerFilter(
            words=self.search.text().strip(),
            predicted=self.class_box.currentData(),
            state=None if state == _WRONG else state,
            wrong=state == _WRONG,
        )

    def show_wrong(self) -> None:
        """Show only what a test found wrong."""
        self.state_box.setCurrentIndex(self.state_box.findData(_WRONG))
        self.filter_changed.emit()

    def show_saved(self, sentence: str, *, good: bool = True) -> None:
        """Say how saving ended."""
        self.saved.setText(sentence)
        style.set_role(self.saved, "good" if good else "error")
        self.saved.setVisible(bool(sentence))

    def _lay_out(self) -> None:
        look = style.current()
        filters, actions = FlowBox(gap=look.s), FlowBox(gap=look.s)
        filters.set_items((self.search, self.class_box, self.state_box))
        actions.set_items(
            (
                self.save_button,
                self.pictures_button,
                self.sort_button,
                self.counts_button,
                self.wrong_button,
                self.clear_button,
            )
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.s)
        column.addWidget(filters)
        column.addWidget(self.table, 1)
        column.addWidget(self.summary)
        column.addWidget(actions)
        column.addWidget(self.saved)


def _table(model: AnswersModel) -> QTableView:
    table = QTableView()
    table.setModel(model)
    table.setAccessibleName(tr("Answers"))
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    table.setTabKeyNavigation(False)
    table.setCornerButtonEnabled(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(_ROW)
    table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setHighlightSections(False)
    header.setSectionsClickable(True)
    header.setSortIndicatorClearable(True)
    header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
    for column, width in enumerate(_WIDTHS):
        header.resizeSection(column, max(width, header.sectionSizeHint(column)))
    header.setStretchLastSection(True)
    table.setSortingEnabled(True)
    return table


def _link(words: str) -> QPushButton:
    button = QPushButton(words)
    button.setProperty("role", "link")
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button
