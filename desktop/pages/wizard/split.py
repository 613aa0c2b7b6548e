"""Page 3 of the wizard: the split into training, validation and test set."""

from __future__ import annotations

from itertools import chain, repeat

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
    QWizardPage,
)

from desktop import style
from desktop.i18n import text, tr
from desktop.pages.wizard.draft import Draft
from desktop.widgets.collapsible import Collapsible
from desktop.widgets.split_picture import SplitPicture, split_parts
from desktop.widgets.text_field import TextField
from ml.api import HandlensError, kind_named, plan_split, samples_by_file

PATTERN = "pattern:"


class SplitPage(QWizardPage):
    """Shows the split; other ways to split are folded away."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        look = style.current()
        self._draft = draft
        self._usable = True
        head = QLabel(tr("How it will be tested"))
        head.setProperty("role", "title")
        lead = QLabel(
            tr("A fair test needs files that the training never used. So your files are split before the training.")
        )
        lead.setProperty("role", "muted")
        lead.setWordWrap(True)
        self.picture = SplitPicture()
        self._why = QLabel()
        self._why.setWordWrap(True)
        self.fold = Collapsible(tr("Details"), self._build_details())
        self._error = QLabel()
        self._error.setProperty("role", "error")
        self._error.setWordWrap(True)
        self._error.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.l)
        column.addWidget(head)
        column.addWidget(lead)
        column.addSpacing(look.s)
        column.addWidget(self.picture)
        column.addWidget(self._why)
        column.addWidget(self.fold)
        column.addWidget(self._error)
        column.addStretch(1)

    def _build_details(self) -> QWidget:
        look = style.current()
        part = QWidget()
        self.ways = {
            "auto": QRadioButton(tr("Automatic: every file on its own, copies kept together")),
            "folder": QRadioButton(tr("By sub-folder: files of one session, site or day stay together")),
            "recording": QRadioButton(tr("By recording: all pieces of one recording stay together")),
            PATTERN: QRadioButton(tr("By a part of the file name:")),
        }
        self._group = QButtonGroup(self)
        self.pattern_edit = TextField()
        self.pattern_edit.setPlaceholderText(tr("such as  _([a-z]+)_  for digit_anna_3.wav"))
        self.pattern_edit.setAccessibleName(tr("Regular expression. Its first group tells what stays together"))
        self.pattern_edit.setEnabled(False)
        self.pattern_edit.textEdited.connect(self._replan)
        column = QVBoxLayout(part)
        column.setContentsMargins(look.xl, 0, 0, 0)
        column.setSpacing(look.s)
        for name, button in self.ways.items():
            self._group.addButton(button)
            button.clicked.connect(self._replan)
            if name == PATTERN:
                row = QHBoxLayout()
                row.setSpacing(look.s)
                row.addWidget(button)
                row.addWidget(self.pattern_edit, 1)
                column.addLayout(row)
            else:
                column.addWidget(button)
        self.ways["auto"].setChecked(True)
        return part

    def initializePage(self) -> None:
        report = self._draft.report
        self.ways["recording"].setVisible(report is not None and kind_named(report.kind).audible)
        self._replan()

    def isComplete(self) -> bool:
        return self._usable

    def split_by(self) -> str:
        chosen = next(name for name, button in self.ways.items() if button.isChecked())
        return PATTERN + self.pattern_edit.text() if chosen == PATTERN else chosen

    @Slot()
    def _replan(self) -> None:
        by_pattern = self.ways[PATTERN].isChecked()
        self.pattern_edit.setEnabled(by_pattern)
        if self._draft.report is None:
            return
        if by_pattern and not self.pattern_edit.text():
            self._refuse(tr("Enter the part of the file name that tells what belongs together."))
            return
        try:
            plan = plan_split(self._draft.report, split_by=self.split_by())
        except HandlensError as error:
            self._refuse(text(error.message))
            return
        self._usable = True
        self._draft.plan = plan
        self._error.hide()
        self._why.setText(text(plan.why))
        each = samples_by_file(self._draft.report)
        # Counted in samples, as on the page Data.
        samples = chain.from_iterable(repeat(split, each.get(path, 1)) for path, split in plan.splits.items())
        self.picture.set_parts(split_parts(samples))
        self.completeChanged.emit()

    def _refuse(self, sentence: str) -> None:
        self._usable = False
        self._error.setText(sentence)
        self._error.show()
        self.completeChanged.emit()
