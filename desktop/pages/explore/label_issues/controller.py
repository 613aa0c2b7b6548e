"""The tab of suspicious labels: joins what was found with the grid, the side and the row above."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal, Slot

from desktop.i18n import tr
from desktop.models.prediction_table import PredictionTable
from desktop.pages.explore import messages as explore_words
from desktop.pages.explore.detail.controller import DetailController
from desktop.pages.explore.detail.panel import DetailPanel
from desktop.pages.explore.detail.suggestion_buttons import verdict_on, verdict_on_many
from desktop.pages.explore.label_issues.model import LabelIssuesModel
from desktop.pages.explore.view import ExploreView
from desktop.session import Session
from desktop.widgets.tiles import Tile
from ml.api import LabelChange, Runner, Sample


class LabelIssuesController(QObject):
    """`show` when its tab is chosen, `take` when labels have changed. `wanted`: it has something else to show."""

    wanted = Signal()
    progress = Signal(str, float)
    """What is being done, and how far it is, 0…1; below 0: it has ended."""

    def __init__(
        self,
        board: ExploreView,
        side: DetailPanel,
        spot: DetailController,
        *,
        runner: Runner | None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._board, self._side, self._spot = board, side, spot
        self._session: Session | None = None
        self._names: Sequence[str] = ()
        self.suspects = LabelIssuesModel(self, runner=runner)
        board.suspects.again_pressed.connect(self.suspects.look)
        board.suspects.cancel_pressed.connect(self.suspects.cancel)
        board.suspects.everything_toggled.connect(self.wanted)
        board.grid.selectionModel().selectionChanged.connect(self._ask)
        self.suspects.changed.connect(self.wanted)
        self.suspects.changed.connect(self._say_progress)
        self.suspects.progressed.connect(self._say_progress)
        spot.remark = self.remark

    def set_source(self, session: Session | None, run: int | None) -> None:
        self._session = session
        self._names = () if session is None else [item.name for item in session.classes]
        self.suspects.set_source(session, run)
        if self.suspects.state != "looking":
            self.progress.emit("", -1.0)  # what was going on for another run has ended without a word

    def show(self, table: PredictionTable | None, *, keep_place: bool = False) -> None:
        """The labels that look wrong; the first time somebody wants to see them they are looked for."""
        board, suspects, session = self._board, self.suspects, self._session
        if session is None:
            return
        if suspects.state == "none":
            suspects.look()  # and `wanted` follows
            return
        board.suspects.show_state(suspects)
        ids = suspects.ids(everything=board.suspects.everything())
        empty = explore_words.judging() if suspects.state == "looking" else suspects.problem
        if suspects.state == "found" and not len(ids):
            empty = explore_words.nothing_suspicious(flagged=suspects.flagged)
        board.show_grid(empty=empty)
        self._spot.invitation = explore_words.invitation("suspicious", empty=not len(ids))
        if not keep_place:
            self._spot.set_source(session, table)
        board.grid.set_tiles(ids, self.describe, keep_place=keep_place)
        self._ask()
        if not len(ids):
            self._spot.forget()

    def take(self, changes: Sequence[LabelChange], table: PredictionTable) -> None:
        """One that was called right or labelled anew goes, and the next is at hand; one taken back comes again."""
        board = self._board
        shown = set(board.grid.ids().tolist())
        wanted = self.suspects.ids(everything=board.suspects.everything()).tolist()
        if set(wanted) == shown:
            board.suspects.show_state(self.suspects)
            board.grid.refresh()
            self._spot.refresh()
            self._ask()
            return
        self.show(table, keep_place=True)
        back = [change.sample_id for change in changes if change.sample_id in set(wanted) - shown]
        if back:
            board.grid.choose(back[0])

    def describe(self, sample_id: int) -> Tile:
        if self._session is None or not self.suspects.knows(sample_id):
            return Tile(caption="")
        sample, judged = self._session.sample(sample_id), self.suspects.judged(sample_id)
        return explore_words.suspect_tile(sample, judged, self._names, task=self._session.project.task)

    def remark(self, sample: Sample) -> str:
        """One more sentence beside the large view, while this tab is shown."""
        if self._session is None or self._board.view() != "suspicious" or not self.suspects.knows(sample.id):
            return ""
        task = self._session.project.task
        return explore_words.suspect_remark(self.suspects.judged(sample.id), self._names, task=task)

    @Slot()
    def _ask(self) -> None:
        """What there is to decide about what is selected, while this tab is shown."""
        session, board = self._session, self._board
        if session is None or board.view() != "suspicious":
            return
        chosen = board.grid.selected_ids()
        verdict = None
        if len(chosen) == 1 and self.suspects.knows(chosen[0]):
            verdict = verdict_on(self.suspects.judged(chosen[0]), self._names, task=session.project.task)
        elif len(chosen) > 1:
            verdict = verdict_on_many(len(chosen))
        self._side.verdict.ask(verdict)

    def close(self) -> None:
        self.suspects.close()

    @Slot()
    def _say_progress(self) -> None:
        self._board.suspects.show_state(self.suspects)
        match self.suspects.state:
            case "looking":
                self.progress.emit(tr("Looking for suspicious labels"), self.suspects.fraction)
            case "found":
                self.progress.emit(tr("All labels have been checked"), -1.0)
            case _:
                self.progress.emit(self.suspects.problem, -1.0)
