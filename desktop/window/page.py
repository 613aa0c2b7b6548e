"""What a page of an open project is, as the window sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import SignalInstance
from PySide6.QtWidgets import QWidget

from desktop.i18n import Message
from desktop.session import Session
from ml.api import Runner


class Page(Protocol):
    """One entry of the rail and what it shows.

    A page knows the session and no other page. To send the person elsewhere it emits `page_requested`.
    """

    @property
    def page_id(self) -> str:
        """A name of its own, see `desktop.pages.ids`. The action `go_<page_id>` opens the page."""

    @property
    def title(self) -> Message: ...

    @property
    def icon(self) -> str: ...

    @property
    def sentence_changed(self) -> SignalInstance:
        """(str): the sentence beside the title."""

    @property
    def job_progress(self) -> SignalInstance:
        """(str, float): what runs in the background and the fraction that is done, 0…1.

        A negative fraction means that the job has ended; the words then say how, or are empty.
        """

    @property
    def page_requested(self) -> SignalInstance:
        """(str, str): the id of the page to open, and the view to choose there; "" for the one it shows already."""

    def widget(self) -> QWidget:
        """Return the widget below the title row. Called once."""

    def title_widget(self) -> QWidget | None:
        """Return the widget at the end of the title row, if there is one. The window shows it with the page."""

    def set_session(self, session: Session) -> None:
        """Show the project of `session`. Called once, when the signals are connected."""

    def opened(self) -> None:
        """Take the focus and catch up with changes: the page has become visible."""

    def show_view(self, view: str) -> None:
        """Choose a view inside the page, as `page_requested` names it."""

    def show_job(self) -> None:
        """Choose the view that shows the background job of this page."""

    def can_close(self) -> bool:
        """Return whether the project can be closed without interrupting work of this page."""

    def shutdown(self) -> None:
        """End all background work; nothing reports back afterwards."""


PageFactory = Callable[[Runner | None], Page]
"""Makes a page. The runner replaces the child process of its jobs, as tests and the tour need it."""
