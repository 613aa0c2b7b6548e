"""An open project: the rail, the title row and the pages Data, Train and Explore."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from desktop import style
from desktop.pages.data import DataPage
from desktop.pages.explore.page import ExplorePage
from desktop.pages.train.page import TrainPage
from desktop.session import Session
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.rail import Rail
from ml.api import Runner

DATA, TRAIN, EXPLORE = range(3)


class Workspace(QWidget):
    """Made anew for each project. Owns the session and closes it in `shutdown`."""

    job_progress = Signal(int, str, float)
    """Which page's job, what it does, and how far it is, 0…1; below 0: it has ended."""
    page_shown = Signal(int)

    def __init__(
        self,
        session: Session,
        more: Sequence[QAction],
        *,
        runner: Runner | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session
        session.setParent(self)
        self.data_page, self.train_page, self.explore_page = (
            DataPage(),
            TrainPage(runner=runner),
            ExplorePage(runner=runner),
        )
        self._pages = (self.data_page, self.train_page, self.explore_page)
        self._sentences = [""] * len(self._pages)
        self.rail = Rail(
            [
                (self.data_page.title, "ph.stack"),
                (self.train_page.title, "ph.chart-line-up"),
                (self.explore_page.title, "ph.magnifying-glass"),
            ],
            more,
        )
        self.rail.set_name(session.project.name)
        self.rail.page_chosen.connect(self.show_page)
        self._stack = QStackedWidget()
        for page in self._pages:
            self._stack.addWidget(page)
        self.data_page.sentence_changed.connect(partial(self._note_sentence, DATA))
        self.train_page.sentence_changed.connect(partial(self._note_sentence, TRAIN))
        self.explore_page.sentence_changed.connect(partial(self._note_sentence, EXPLORE))
        body = QVBoxLayout()
        body.setSpacing(0)
        body.addLayout(self._title_row())
        body.addWidget(self._stack, 1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.rail)
        whole.addLayout(body, 1)
        self.data_page.train_requested.connect(partial(self.show_page, TRAIN))
        self.train_page.explore_requested.connect(partial(self.show_page, EXPLORE))
        self.train_page.suspicious_requested.connect(self.show_suspicious)
        self.explore_page.train_requested.connect(partial(self.show_page, TRAIN))
        self.train_page.job_progress.connect(partial(self.job_progress.emit, TRAIN))
        self.train_page.job_progress.connect(self._say_whether_learning)
        self.explore_page.judged.progress.connect(partial(self.job_progress.emit, EXPLORE))
        self.data_page.set_session(session)
        self.train_page.set_session(session)
        self.explore_page.set_session(session)
        session.run_changed.connect(self._place_run_box)
        self.show_page(self._first_page())

    def _title_row(self) -> QHBoxLayout:
        look = style.current()
        self._title = QLabel()
        self._title.setProperty("role", "title")
        self._sentence = ElidedLabel()
        self._sentence.setProperty("role", "muted")
        row = QHBoxLayout()
        row.setContentsMargins(look.xl, look.l, look.xl, look.m)
        row.setSpacing(look.l)
        row.addWidget(self._title)
        row.addWidget(self._sentence, 1)
        row.addWidget(self.explore_page.board.run_box)
        return row

    def _first_page(self) -> int:
        """What the person would go to: resuming what was cut off, looking at the newest run, or training."""
        run = self.session.resumable_run()
        cut_off = run is not None and run.number == self.session.project.runs.all()[-1].number
        return TRAIN if cut_off or self.session.run is None else EXPLORE

    @property
    def busy(self) -> bool:
        """Whether something is being trained."""
        return self.train_page.training()

    @property
    def place(self) -> int:
        return self._stack.currentIndex()

    def show_page(self, place: int) -> None:
        self.rail.set_page(place)
        self._stack.setCurrentIndex(place)
        self._title.setText((self.data_page.title, self.train_page.title, self.explore_page.title)[place])
        self._sentence.setText(self._sentences[place])
        self._place_run_box()
        self.page_shown.emit(place)

    def show_job(self, place: int) -> None:
        """The page, and of Explore the tab, on which that page's job is seen."""
        if place == EXPLORE:
            self.show_suspicious()
        else:
            self.show_page(place)

    def show_suspicious(self) -> None:
        self.show_page(EXPLORE)
        self.explore_page.show_view("suspicious")

    def shutdown(self) -> None:
        """End what runs in the background and let the project go."""
        self.data_page.shutdown()
        self.train_page.shutdown()
        self.explore_page.shutdown()
        self.session.close()

    @Slot()
    def _place_run_box(self) -> None:
        self.explore_page.board.run_box.setVisible(self.place == EXPLORE and self.session.run is not None)

    @Slot(str, float)
    def _say_whether_learning(self, _said: str, fraction: float) -> None:
        self.explore_page.set_learning(fraction >= 0)

    def _note_sentence(self, place: int, sentence: str) -> None:
        self._sentences[place] = sentence
        if place == self.place:
            self._sentence.setText(sentence)
