"""An open project: the rail, the title row and the pages Data, Train and Explore."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from desktop import icons, style, words
from desktop.pages.data import DataPage
from desktop.pages.explore import ExplorePage
from desktop.pages.train import TrainPage
from desktop.session import Session
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.rail import Rail
from ml.api import HandlensError, RunInfo, Runner

DATA, TRAIN, EXPLORE = range(3)


class Workspace(QWidget):
    """Made anew for each project. Owns the session and closes it in `shutdown`."""

    job_progress = Signal(str, float)
    failed = Signal(str)

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
        self.data_page, self.train_page, self.explore_page = DataPage(), TrainPage(runner=runner), ExplorePage()
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
        self.explore_page.train_requested.connect(partial(self.show_page, TRAIN))
        self.train_page.job_progress.connect(self.job_progress)
        session.run_changed.connect(self._show_run)
        session.runs_changed.connect(self._show_run)
        self.data_page.set_session(session)
        self.train_page.set_session(session)
        self.explore_page.set_session(session)
        self._show_run()
        self.show_page(EXPLORE if session.run is not None else TRAIN)

    def _title_row(self) -> QHBoxLayout:
        look = style.current()
        self._title = QLabel()
        self._title.setProperty("role", "title")
        self._sentence = ElidedLabel()
        self._sentence.setProperty("role", "muted")
        self.run_button = QToolButton()
        self.run_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.run_button.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self.run_button.setAccessibleName(self.tr("The run you are looking at"))
        icons.set_icon(self.run_button, "ph.caret-down", colour="muted")
        self._run_menu = QMenu(self)
        self.run_button.clicked.connect(self._open_run_menu)
        row = QHBoxLayout()
        row.setContentsMargins(look.xl, look.l, look.xl, look.m)
        row.setSpacing(look.l)
        row.addWidget(self._title)
        row.addWidget(self._sentence, 1)
        row.addWidget(self.run_button)
        return row

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
        self.run_button.setVisible(place != DATA and bool(self._finished_runs()))

    def shutdown(self) -> None:
        """End what runs in the background and let the project go."""
        self.data_page.shutdown()
        self.train_page.shutdown()
        self.explore_page.shutdown()
        self.session.close()

    def _finished_runs(self) -> list[RunInfo]:
        return [run for run in self.session.project.runs.all() if run.state == "finished"]

    def _note_sentence(self, place: int, sentence: str) -> None:
        self._sentences[place] = sentence
        if place == self.place:
            self._sentence.setText(sentence)

    @Slot()
    def _show_run(self) -> None:
        run = self.session.run
        text = self.tr("No run chosen") if run is None else self._run_words(run)
        self.run_button.setText(text)
        self.run_button.setVisible(self.place != DATA and bool(self._finished_runs()))

    def _run_words(self, run: RunInfo) -> str:
        return self.tr("Run {run} · {score}").format(run=run.number, score=words.score(run.test_accuracy))

    @Slot()
    def _open_run_menu(self) -> None:
        self._run_menu.clear()
        for run in reversed(self._finished_runs()):
            action = self._run_menu.addAction(self._run_words(run))
            action.setCheckable(True)
            action.setChecked(self.session.run is not None and run.number == self.session.run.number)
            action.triggered.connect(partial(self._choose_run, run.number))
        self._run_menu.popup(self.run_button.mapToGlobal(self.run_button.rect().bottomLeft()))

    def _choose_run(self, number: int) -> None:
        try:
            self.session.set_run(number)
        except HandlensError as error:
            self.failed.emit(error.message)
