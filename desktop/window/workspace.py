"""An open project: the rail, the title row and the pages of the registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import text, trn
from desktop.pages.ids import EXPLORE, LABELS, TRAIN
from desktop.session import Session
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.rail import Rail
from desktop.window.page import Page
from desktop.window.registry import PAGES
from ml.api import Runner


class Workspace(QWidget):
    """Frames the pages. Made anew for each project; owns the session and closes it in `shutdown`.

    Nothing is shown before all of `steps` are taken: each takes so little time that the window stays alive between
    two of them.
    """

    job_progress = Signal(str, str, float)
    """The id of a page, and what its `job_progress` says; `LABELS` while many labels are being written."""
    page_shown = Signal(str)

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
        self._more, self._runner = more, runner
        self._pages: dict[str, Page] = {}
        self._widgets: dict[str, QWidget] = {}
        self._title_widgets: dict[str, QWidget | None] = {}
        self._sentences: dict[str, str] = {}
        self._stack = QStackedWidget(self)
        session.writing_changed.connect(self._on_writing)

    def steps(self) -> Iterator[None]:
        """Make the pages and show the project on them; a step is over at each `yield`."""
        for make in PAGES:
            self._add(make(self._runner))
            yield
        self._lay_out()
        yield
        for page in self._pages.values():
            page.set_session(self.session)
            yield
        self.show_page(self._first_page())

    def _add(self, page: Page) -> None:
        page_id = page.page_id
        self._pages[page_id], self._sentences[page_id] = page, ""
        self._widgets[page_id], self._title_widgets[page_id] = page.widget(), page.title_widget()
        self._stack.addWidget(self._widgets[page_id])
        page.sentence_changed.connect(partial(self._set_sentence, page_id))
        page.job_progress.connect(partial(self.job_progress.emit, page_id))
        page.page_requested.connect(self.show_page)

    def _lay_out(self) -> None:
        self._current = next(iter(self._pages))
        self.rail = Rail([(page.page_id, text(page.title), page.icon) for page in self._pages.values()], self._more)
        self.rail.set_name(self.session.project.name)
        self.rail.page_chosen.connect(self.show_page)
        body = QVBoxLayout()
        body.setSpacing(0)
        body.addLayout(self._title_row())
        body.addWidget(self._stack, 1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.rail)
        whole.addLayout(body, 1)

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
        for widget in self._title_widgets.values():
            if widget is not None:
                row.addWidget(widget)
        return row

    def _first_page(self) -> str:
        """Return the page for the next step: continue the interrupted run, look at the newest run, or train."""
        run = self.session.resumable_run()
        cut_off = run is not None and run.number == self.session.project.runs.all()[-1].number
        return TRAIN if cut_off or self.session.run is None else EXPLORE

    @property
    def current_page(self) -> str:
        return self._current

    def page(self, page_id: str) -> Page:
        return self._pages[page_id]

    def can_close(self) -> bool:
        """Return whether the project can be closed without interrupting work."""
        return all(page.can_close() for page in self._pages.values())

    def show_page(self, page_id: str, view: str = "") -> None:
        """Open a page and, where `view` is given, that view inside it."""
        self._current = page_id
        self.rail.set_page(page_id)
        self._stack.setCurrentWidget(self._widgets[page_id])
        self._title.setText(text(self._pages[page_id].title))
        self._sentence.setText(self._sentences[page_id])
        for each, widget in self._title_widgets.items():
            if widget is not None:
                widget.setVisible(each == page_id)
        if self.isVisible():  # else `showEvent` follows
            self._pages[page_id].opened()
        self.page_shown.emit(page_id)
        if view:
            self._pages[page_id].show_view(view)

    def show_job(self, page_id: str) -> None:
        """Open the page whose background job the person wants to see, on the view that shows it."""
        self.show_page(page_id)
        self._pages[page_id].show_job()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._pages[self._current].opened()

    def shutdown(self) -> None:
        """End what runs in the background and close the project."""
        for page in self._pages.values():
            page.shutdown()
        self.session.close()

    @Slot(int, float)
    def _on_writing(self, count: int, fraction: float) -> None:
        if count:
            words = trn("Saving {count} label", "Saving {count} labels", count)
            self.job_progress.emit(LABELS, words, fraction)
        else:
            self.job_progress.emit(LABELS, "", -1.0)

    def _set_sentence(self, page_id: str, sentence: str) -> None:
        self._sentences[page_id] = sentence
        if page_id == self._current:
            self._sentence.setText(sentence)
