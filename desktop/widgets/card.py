"""A card for a recent project: pictures of its data, its name and the score of its last run."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QContextMenuEvent, QEnterEvent, QImage, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from desktop import icons, style
from desktop.i18n import tr
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.picture_row import PictureRow


class ProjectCard(QFrame):
    """Chosen by click, Enter or Space. A missing project can only be removed from the list."""

    chosen = Signal()
    removed = Signal()
    restore_requested = Signal()
    menu_requested = Signal(object)
    """The global point at which the menu of the project is to open."""

    def __init__(self, *, name: str, caption: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self._missing = False
        self.setProperty("role", "card")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.pictures = PictureRow(count=4, height=64)
        self._name = ElidedLabel(name)
        self._name.setProperty("role", "emphasis")
        self._caption = ElidedLabel(caption)
        self._caption.setProperty("role", "caption")
        self._remove = QPushButton(tr("Remove"))
        self._remove.setProperty("role", "link")
        self._remove.setCursor(Qt.CursorShape.PointingHandCursor)
        self._remove.clicked.connect(self.removed)
        self._remove.hide()
        self._restore = QPushButton(tr("Restore the backup"))
        self._restore.setProperty("role", "link")
        self._restore.setCursor(Qt.CursorShape.PointingHandCursor)
        self._restore.clicked.connect(self.restore_requested)
        self._restore.hide()
        self.menu_button = QToolButton()
        self.menu_button.setProperty("role", "quiet")
        self.menu_button.setCursor(Qt.CursorShape.PointingHandCursor)
        icons.set_icon(self.menu_button, "ph.dots-three")
        self.menu_button.clicked.connect(self._ask_for_menu)
        self.menu_button.hide()
        last = QHBoxLayout()
        last.setSpacing(look.s)
        last.addWidget(self._caption, 1)
        last.addWidget(self._restore)
        last.addWidget(self._remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.m, look.m, look.m, look.m)
        column.setSpacing(look.xs)
        column.addWidget(self.pictures)
        column.addSpacing(look.xs)
        first = QHBoxLayout()
        first.addWidget(self._name, 1)
        first.addWidget(self.menu_button)
        column.addLayout(first)
        column.addLayout(last)
        self._say()

    def show_facts(self, *, name: str, caption: str, images: Sequence[QImage]) -> None:
        self._name.setText(name)
        self._caption.setText(caption)
        self.pictures.set_images(images)
        self.menu_button.setAccessibleName(tr("What to do with {name}", name=name))
        self.menu_button.setToolTip(self.menu_button.accessibleName())
        self.menu_button.show()
        self._say()

    @property
    def name(self) -> str:
        return self._name.text()

    def show_progress(self, sentence: str) -> None:
        """Say what is being done with the project; until the card is shown anew it cannot be chosen."""
        self._caption.setText(sentence)
        self.setEnabled(False)
        self._say()

    def show_missing(self, sentence: str) -> None:
        """Say why the project cannot be opened."""
        self._missing = True
        self._caption.setText(sentence)
        style.set_role(self._name, "emphasis_muted")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self._remove.setAccessibleName(tr("Remove {name} from this list", name=self._name.text()))
        self._remove.show()
        self._say()

    def offer_restore(self) -> None:
        """Show the button that restores a backup, on the card of a damaged project."""
        self._restore.setAccessibleName(tr("Restore the backup of {name}", name=self._name.text()))
        self._restore.show()

    @property
    def restore_button(self) -> QPushButton:
        return self._restore

    @property
    def missing(self) -> bool:
        return self._missing

    @property
    def remove_button(self) -> QPushButton:
        return self._remove

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self._choose()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._choose()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit()
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The right button of the mouse and the menu key open the same menu."""
        if not self.menu_button.isHidden():
            self.menu_requested.emit(event.globalPos())

    @Slot()
    def _ask_for_menu(self) -> None:
        self.menu_requested.emit(self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))

    @Slot()
    def _choose(self) -> None:
        if not self._missing:
            self.chosen.emit()

    def _say(self) -> None:
        self.setAccessibleName(f"{self._name.text()}. {self._caption.text()}")
