"""Where the parts of the Explore page are: tabs and board at the left, one sample large at the right."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from desktop.pages.explore.detail.panel import NARROWEST, WIDEST, ExploreSide
from desktop.pages.explore.view import ExploreBoard

_LEFT, _RIGHT = 7, 3
_GAP = 8


class ExploreFrame(QWidget):
    """In a narrow window the tabs go over the whole width instead of being cut."""

    def __init__(self, board: ExploreBoard, side: ExploreSide, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._board, self._side = board, side
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(24, 8, 24, 16)
        self._grid.setSpacing(_GAP)
        self._grid.setColumnStretch(0, _LEFT)
        self._grid.setColumnStretch(1, _RIGHT)
        self._grid.setRowStretch(1, 1)
        for part in (board.tabs, board, side):  # the order in which Tab goes through them
            part.setParent(self)
        self._grid.addWidget(board, 1, 0)
        self._across: bool | None = None
        self._place_tabs(across=False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        margins = self._grid.contentsMargins()
        width = event.size().width() - margins.left() - margins.right() - _GAP
        beside = min(max(width * _RIGHT // (_LEFT + _RIGHT), NARROWEST), WIDEST)
        self._place_tabs(across=self._board.tabs.sizeHint().width() > width - beside)

    def _place_tabs(self, *, across: bool) -> None:
        if across == self._across:
            return
        self._across = across
        self._grid.addWidget(self._board.tabs, 0, 0, 1, 2 if across else 1)
        self._grid.addWidget(self._side, 1 if across else 0, 1, 1 if across else 2, 1)
