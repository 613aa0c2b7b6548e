"""What is open: the rail, the title row and the pages of the registry, for a project or for a model alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import printable, text, trn
from desktop.learn.dialog import LearnDialog
from desktop.pages.ids import EXPLORE, LABEL, LABELS, TRAIN
from desktop.pages.use.page import UsePage
from desktop.session import Session
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.rail import Rail
from desktop.window.page import Page, PageFactory
from desktop.window.registry import PAGES, use_page
from ml.api import Runner


class PageFrame(QWidget):
    """Frames pages: the rail, the title row, and the page that is open.

    Nothing is shown before all of `steps` are taken: each takes so little time that the window stays alive between
    two of them.
    """

    job_progress = Signal(str, str, float)
    """The id of a page, and what its `job_progress` says; `LABELS` while many labels are being written."""
    page_shown = Signal(str)

    def __init__(
        self,
        name: str,
        factories: Sequence[PageFactory],
        more: Sequence[QAction],
        *,
        runner: Runner | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.name = name
        self._factories, self._more, self._runner = factories, more, runner
        self._pages: dict[str, Page] = {}
        self._widgets: dict[str, QWidget] = {}
        self._title_widgets: dict[str, QWidget | None] = {}
        self._sentences: dict[str, str] = {}
        self._stack = QStackedWidget(self)

    def steps(self) -> Iterator[None]:
        """Make the pages and show the project on them; a step is over at each `yield`."""
        for make in self._factories:
            page = make(self._runner)
            yield
            self._add(page)
            yield
        self._lay_out()
        yield
        for page in self._pages.values():
            self.fill(page)
            yield
        self.show_page(self.first_page())

    def has_page(self, page_id: str) -> bool:
        """Return whether there is such a page."""
        return page_id in self._pages

    @property
    def project_path(self) -> Path | None:
        """The folder of the open project; None without a project."""
        return None

    def fill(self, page: Page) -> None:
        """Show on a page what is open."""
        raise NotImplementedError

    def first_page(self) -> str:
        """Return the page to begin with."""
        return next(iter(self._pages))

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
        self.rail.set_name(self.name)
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

    def _set_sentence(self, page_id: str, sentence: str) -> None:
        self._sentences[page_id] = sentence
        if page_id == self._current:
            self._sentence.setText(sentence)

    def shutdown(self) -> None:
        """End what runs in the background."""
        for lessons in self.findChildren(LearnDialog):
            lessons.reject()
        for page in self._pages.values():
            page.shutdown()


class Workspace(PageFrame):
    """An open project. Made anew for each project; owns the session and closes it in `shutdown`."""

    def __init__(
        self,
        session: Session,
        more: Sequence[QAction],
        *,
        runner: Runner | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(session.project.name, PAGES, more, runner=runner, parent=parent)
        self.session = session
        session.setParent(self)
        session.writing_changed.connect(self._on_writing)

    @property
    def project_path(self) -> Path | None:
        return self.session.project.path

    def fill(self, page: Page) -> None:
        page.set_session(self.session)

    def first_page(self) -> str:
        """Return the page for the next step: continue the interrupted run, look at the newest run, label, or train."""
        run = self.session.resumable_run()
        cut_off = run is not None and run.number == self.session.project.runs.all()[-1].number
        if self.session.run is None and not any(labels for labels, _split, _set_by in self.session.tally()):
            return LABEL
        return TRAIN if cut_off or self.session.run is None else EXPLORE

    def shutdown(self) -> None:
        """End what runs in the background and close the project."""
        super().shutdown()
        self.session.close()

    @Slot(int, float)
    def _on_writing(self, count: int, fraction: float) -> None:
        if count:
            words = trn("Saving {count} label", "Saving {count} labels", count)
            self.job_progress.emit(LABELS, words, fraction)
        else:
            self.job_progress.emit(LABELS, "", -1.0)


class ModelFrame(PageFrame):
    """A model file without a project: only the Use page."""

    def __init__(
        self, path: Path, more: Sequence[QAction], *, runner: Runner | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(printable(path.stem), (use_page,), more, runner=runner, parent=parent)
        self._path = path

    def fill(self, page: Page) -> None:
        assert isinstance(page, UsePage)
        page.set_model_file(self._path)
