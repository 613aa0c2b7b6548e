"""The chooser of the run that the Explore page shows. It stands in the title row of the window."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QPushButton, QWidget

from desktop import style
from desktop.i18n import text, tr
from desktop.models.run_scores import RunScores
from desktop.pages.explore import messages
from desktop.pages.explore.model import ExploreModel
from desktop.session import Session
from ml.api import HandlensError


class RunChooser(QWidget):
    """Lists the finished runs, the newest first, with their scores. The chosen one goes to the session.

    `page`: the scores are counted only while it is visible.
    """

    def __init__(self, model: ExploreModel, page: QWidget) -> None:
        super().__init__(page)
        self._model = model
        self._session: Session | None = None
        self.box = QComboBox()
        self.box.setAccessibleName(tr("Run"))
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.current().s)
        row.addWidget(self.box)
        row.addWidget(self._menu_button())
        self.hide()  # the window shows it in its title row; without a window it would cover the page
        self.run_scores = RunScores(page)
        self.run_scores.changed.connect(self._fill)
        self.box.activated.connect(self._on_activated)
        model.session_changed.connect(self._on_session_changed)
        model.run_changed.connect(self._show_run)

    def _menu_button(self) -> QPushButton:
        """What can be done with the chosen run besides looking at it."""
        self.menu_button = QPushButton(tr("This run"))
        menu = QMenu(self.menu_button)
        self.use_action = menu.addAction(tr("Use the model"))
        self.release_action = menu.addAction(tr("Release this run…"))
        self.export_action = menu.addAction(tr("Export…"))
        menu.addSeparator()
        self.compare_action = menu.addAction(tr("Compare with other runs"))
        self.menu_button.setMenu(menu)
        return self.menu_button

    def refresh(self) -> None:
        """Count the scores again if labels have changed."""
        self.run_scores.refresh()

    def close_scores(self) -> None:
        """End what runs in the background."""
        self.run_scores.close()

    @Slot()
    def _on_session_changed(self) -> None:
        if self._session is not None:
            self._session.runs_changed.disconnect(self._fill)
        self._session = self._model.session
        self.run_scores.set_session(self._session)
        if self._session is not None:
            self._session.runs_changed.connect(self._fill)
            self._fill()

    @Slot()
    def _show_run(self) -> None:
        number = self._model.run_number
        self.box.setVisible(number is not None)
        self.menu_button.setVisible(number is not None)
        if number is not None:
            self.box.setCurrentIndex(self.box.findData(number))

    @Slot()
    def _fill(self) -> None:
        session = self._session
        if session is None:
            return
        with QSignalBlocker(self.box):
            self.box.clear()
            counts = session.split_counts()
            for run in reversed([run for run in session.project.runs.all() if run.state == "finished"]):
                score = self.run_scores.of(run.number)
                self.box.addItem(messages.run_line(run, score, counts, session.project.task), run.number)
            self._show_run()

    @Slot()
    def _on_activated(self) -> None:
        number = self.box.currentData()
        if self._session is None or number == self._model.run_number:
            return
        try:
            self._session.set_run(number)
        except HandlensError as error:
            self._model.set_problem(text(error.message))
