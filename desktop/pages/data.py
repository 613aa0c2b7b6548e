"""The Data page: what the project learns from. Nothing is changed here."""

from __future__ import annotations

from collections import defaultdict

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop import style, words
from desktop.dialogs.items import ItemsDialog
from desktop.session import Session
from desktop.widgets.bar_list import BarList, BarRow
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.split_picture import SplitPicture, split_parts
from desktop.workers.examples import examples, spread
from desktop.workers.tasks import Tasks
from ml.api import HandlensError, Unreadable

_EXAMPLE_SIZE = 128
_MOST_EXAMPLES = 200
"""Classes whose pictures are read; beyond that the list is a list."""


class DataPage(QWidget):
    """Classes with their pictures, how they are divided, and what was left out."""

    sentence_changed = Signal(str)
    train_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = self.tr("Data")
        self._session: Session | None = None
        self._stale = True
        self._unreadable: tuple[Unreadable, ...] = ()
        self._asked: dict[int, int] = {}
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._show_examples)
        look = style.current()
        self.bars = BarList(row_height=60)
        self.bars.setAccessibleName(self.tr("Classes"))
        self.split = SplitPicture()
        self._why = _line("muted")
        self._place = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self._place.setProperty("role", "muted")
        self._left_out = _line("warn")
        self.show_button = QPushButton(self.tr("Show"))
        self.show_button.setProperty("role", "link")
        self.show_button.setAccessibleName(self.tr("Show the files that were left out"))
        self.show_button.clicked.connect(self._show_left_out)
        self.train_button = QPushButton(self.tr("Go on to training"))
        self.train_button.setProperty("role", "primary")
        self.train_button.clicked.connect(self.train_requested)
        right = QVBoxLayout()
        right.setSpacing(look.s)
        right.addWidget(_head(self.tr("How it is tested")))
        right.addSpacing(look.xs)
        right.addWidget(self.split)
        right.addWidget(self._why)
        right.addSpacing(look.xl)
        right.addWidget(_head(self.tr("Your files")))
        right.addWidget(self._place)
        right.addLayout(self._left_out_line())
        right.addStretch(1)
        right.addWidget(self.train_button, 0, Qt.AlignmentFlag.AlignRight)
        whole = QGridLayout(self)
        whole.setContentsMargins(look.xl, look.s, look.xl, look.xl)
        whole.setHorizontalSpacing(look.xxl)
        whole.setColumnStretch(0, 5)
        whole.setColumnStretch(1, 4)
        left = QVBoxLayout()
        left.addWidget(self.bars, 1)
        left.addStretch(0)
        whole.addLayout(left, 0, 0)
        whole.addLayout(right, 0, 1)

    def _left_out_line(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(style.current().s)
        row.addWidget(self._left_out)
        row.addWidget(self.show_button)
        row.addStretch(1)
        return row

    def set_session(self, session: Session) -> None:
        self._session = session
        session.labels_changed.connect(self._refresh)
        self._unreadable = session.project.unreadable()
        self._left_out.setVisible(bool(self._unreadable))
        self.show_button.setVisible(bool(self._unreadable))
        count = len(self._unreadable)
        text = self.tr("{count} file could not be read.") if count == 1 else self.tr("{count} files could not be read.")
        self._left_out.setText(text.format(count=words.number(count)))
        try:
            self._place.setText(str(session.project.source_folder))
        except HandlensError as error:
            self._place.setText(error.message)
            style.set_role(self._place, "error")
        self._refresh()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._refresh()

    def shutdown(self) -> None:
        self._tasks.close()
        self._session = None

    @Slot()
    def _refresh(self) -> None:
        """Count anew, but only for somebody who looks: with 100,000 samples it takes longer than a key press may."""
        session = self._session
        self._stale = not self.isVisible()
        if session is None or self._stale:
            return
        kind = session.project.kind
        by_class: dict[int, list[str]] = defaultdict(list)
        for sample in session.samples:
            for index in sample.labels:
                by_class[index].append(sample.path)
        rows = []
        for item in session.classes:
            count = len(by_class[item.index])
            said = self.tr("{name}: {things}").format(name=item.name, things=words.things(kind, count))
            rows.append(BarRow(name=item.name, count=count, colour=style.class_colour(item.index), words=said))
        self.bars.set_rows(rows)
        self.split.set_parts(split_parts(sample.split for sample in session.samples if sample.labelled))
        self._why.setText(session.project.split_why)
        self.sentence_changed.emit(self._sentence(session))
        self._ask_for_examples(session, by_class)

    def _sentence(self, session: Session) -> str:
        unlabelled = sum(not sample.labelled for sample in session.samples)
        said = self.tr("{things} in {classes}.").format(
            things=words.things(session.project.kind, len(session.samples)), classes=words.classes(len(session.classes))
        )
        if unlabelled:
            said += " " + self.tr("{count} of them have no label.").format(count=words.number(unlabelled))
        return said

    def _ask_for_examples(self, session: Session, by_class: dict[int, list[str]]) -> None:
        self._tasks.forget_all()
        self._asked.clear()
        try:
            folder = session.project.source_folder
        except HandlensError:
            return  # said beside the place of the files
        project = session.project
        for place, item in enumerate(session.classes[:_MOST_EXAMPLES]):
            paths = spread(sorted(set(by_class[item.index])), 3)
            number = self._tasks.submit(examples, folder, paths, project.kind, project.windowing, _EXAMPLE_SIZE)
            self._asked[number] = place

    @Slot(int, object)
    def _show_examples(self, number: int, images: object) -> None:
        place = self._asked.pop(number)
        assert isinstance(images, tuple)
        self.bars.set_images(place, images)

    @Slot()
    def _show_left_out(self) -> None:
        ItemsDialog.show_items(
            self,
            sentence=self.tr("These files could not be read and were left out."),
            heads=(self.tr("File"), self.tr("Why")),
            rows=[(item.path, item.reason) for item in self._unreadable],
        )


def _head(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "emphasis")
    return label


def _line(role: str) -> QLabel:
    label = QLabel()
    label.setProperty("role", role)
    label.setWordWrap(role == "muted")
    return label
