"""The pages of an open project, in the order of the rail. A new page is one package and one line in `PAGES`."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import Signal, SignalInstance, Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from desktop.pages.data import DataPage
from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.view import View
from desktop.pages.ids import EXPLORE, TRAIN
from desktop.pages.train.page import TrainPage
from desktop.session import Session
from desktop.window.page import Page, PageFactory
from ml.api import Runner


class ExplorePageAdapter(ExplorePage):
    """The Explore page as a `Page`. It goes when `ExplorePage` implements the protocol."""

    page_id = EXPLORE
    icon = "ph.magnifying-glass"
    page_requested = Signal(str, str)

    def __init__(self, *, runner: Runner | None = None) -> None:
        super().__init__(runner=runner)
        self._title_widget = QWidget()
        row = QHBoxLayout(self._title_widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.board.run_box)
        self.train_requested.connect(self._request_train)

    @property
    def job_progress(self) -> SignalInstance:
        return self.judged.progress

    def widget(self) -> QWidget:
        return self

    def title_widget(self) -> QWidget:
        return self._title_widget

    def set_session(self, session: Session) -> None:
        super().set_session(session)
        session.training_changed.connect(self.set_learning)
        session.run_changed.connect(self._show_run_box)
        self._show_run_box(session.run)

    def opened(self) -> None:
        """Do nothing: `showEvent` does it."""

    def show_view(self, view: str) -> None:
        super().show_view(cast("View", view))

    def show_job(self) -> None:
        self.show_view("suspicious")

    def can_close(self) -> bool:
        return True

    @Slot()
    def _request_train(self) -> None:
        self.page_requested.emit(TRAIN, "")

    @Slot(object)
    def _show_run_box(self, run: object) -> None:
        self.board.run_box.setVisible(run is not None)


def _data(_runner: Runner | None) -> Page:
    return DataPage()


def _train(runner: Runner | None) -> Page:
    return TrainPage(runner=runner)


def _explore(runner: Runner | None) -> Page:
    return ExplorePageAdapter(runner=runner)


PAGES: tuple[PageFactory, ...] = (_data, _train, _explore)
