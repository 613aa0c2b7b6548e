"""Rename, recolour, merge and delete classes. Each step can be undone on the page."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QColorDialog,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.i18n import tr
from desktop.pages.label.model import LabelModel
from desktop.plain_text import button_text
from desktop.widgets.scrolling import scrolling
from desktop.widgets.text_field import TextField
from ml.api import ClassInfo


class ClassesDialog(QDialog):
    """One row for each class. What is changed is on disk at once."""

    def __init__(self, model: LabelModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self._model = model
        self.setWindowTitle(tr("Classes"))
        self.resize(620, 420)
        self._rows = QWidget()
        self.names: dict[int, TextField] = {}
        self._column = QVBoxLayout(self._rows)
        self._column.setContentsMargins(0, 0, 0, 0)
        note = QLabel(tr("Every change can be undone on the page. Your own files stay as they are."))
        note.setProperty("role", "muted")
        note.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setAutoDefault(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.m)
        column.addWidget(scrolling(self._rows), 1)
        column.addWidget(note)
        column.addWidget(buttons)
        model.classes_changed.connect(self._show_rows)
        self._show_rows()

    @classmethod
    def show_classes(cls, parent: QWidget, model: LabelModel) -> ClassesDialog:
        dialog = cls(model, parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    @Slot()
    def _show_rows(self) -> None:
        while (item := self._column.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        table = QWidget()
        grid = QGridLayout(table)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        self.names = {}
        counts = self._model.counts()
        for row, each in enumerate(self._model.classes()):
            for place, widget in enumerate(self._row(each, counts[each.name])):
                grid.addWidget(widget, row, place)
        self._column.addWidget(table)
        self._column.addStretch(1)
        table.show()

    def _row(self, item: ClassInfo, count: int) -> tuple[QWidget, ...]:
        index = item.index
        colour = QPushButton()
        colour.setFixedWidth(36)
        colour.setStyleSheet(f"background: {style.class_colour(index).name()}")
        colour.setAccessibleName(tr("Colour of {name}", name=item.name))
        colour.setToolTip(colour.accessibleName())
        colour.clicked.connect(partial(self._recolour, index))
        name = TextField()
        name.setText(item.name)
        name.setAccessibleName(tr("Name of {name}", name=item.name))
        name.editingFinished.connect(partial(self._rename, index, name))
        self.names[index] = name
        number = QLabel(str(count))
        number.setProperty("role", "muted")
        merge = QPushButton(tr("Merge into"))
        menu = QMenu(merge)
        for other in self._model.classes():
            if other.index != index:
                menu.addAction(button_text(other.name), partial(self._model.merge_class, index, other.index))
        merge.setMenu(menu)
        merge.setEnabled(not menu.isEmpty())
        delete = QPushButton(tr("Delete"))
        delete.setAccessibleName(tr("Delete {name}", name=item.name))
        delete.clicked.connect(partial(self._delete, index))
        for button in (colour, merge, delete):
            button.setAutoDefault(False)
        return colour, name, number, merge, delete

    def _rename(self, index: int, field: TextField) -> None:
        self._model.rename_class(index, field.text())

    def _delete(self, index: int) -> None:
        self._model.remove_class(index)

    def _recolour(self, index: int) -> None:
        chosen = QColorDialog.getColor(QColor(style.class_colour(index)), self)
        if chosen.isValid():
            self._model.recolour_class(index, chosen.name())
