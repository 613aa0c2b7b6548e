"""The wizard: from a folder to a project in four pages."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QSize, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QWidget, QWizard

from desktop import settings, style
from desktop.dialogs.notice import Question
from desktop.i18n import msg, text, tr
from desktop.pages.wizard.draft import Draft
from desktop.pages.wizard.found_page import FoundPage
from desktop.pages.wizard.source_page import SourcePage
from desktop.pages.wizard.split import SplitPage
from desktop.pages.wizard.target_page import TargetPage
from ml.api import KindName, Runner, Worker

FRAME = QSize(16, 40)
"""A guess at the frame that the system puts around a window."""
LEAVE = msg("Leave without creating the project?")


class NewProjectWizard(QWizard):
    """Emits `created(path)` when the project is on disk. With kind and folder given it starts on page 2."""

    created = Signal(object)

    def __init__(
        self,
        *,
        kind: KindName | None = None,
        folder: Path | None = None,
        runner: Runner | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._draft = Draft(kind=kind, folder=folder.absolute() if folder is not None else None)
        self.setWindowTitle(tr("A new project"))
        self.setWizardStyle(QWizard.WizardStyle.ClassicStyle)
        self.setOption(QWizard.WizardOption.NoBackButtonOnStartPage)
        self.setOption(QWizard.WizardOption.CancelButtonOnLeft)
        self.resize(QSize(900, 620).boundedTo(self.screen().availableSize() - FRAME))
        self.source_page = SourcePage(self._draft)
        self.found_page = FoundPage(self._draft, runner=runner or Worker().run)
        self.found_page.labels_chosen.connect(self.source_page.labels.take)
        self.split_page = SplitPage(self._draft)
        # The preview writes nothing, so its process can be killed at once.
        self.target_page = TargetPage(self._draft, runner=runner or Worker(grace=0.0).run)
        self.target_page.created.connect(self._on_created)
        for page in (self.source_page, self.found_page, self.split_page, self.target_page):
            page.layout().setContentsMargins(0, 0, 0, 0)  # type: ignore[union-attr]
            self.addPage(page)
        for which, words in (
            (QWizard.WizardButton.NextButton, tr("Next")),
            (QWizard.WizardButton.BackButton, tr("Back")),
            (QWizard.WizardButton.FinishButton, tr("Create")),
            (QWizard.WizardButton.CancelButton, tr("Cancel")),
        ):
            self.setButtonText(which, words)
        for which in (QWizard.WizardButton.NextButton, QWizard.WizardButton.FinishButton):
            # QWizard has polished these buttons already, so the role must be set through `set_role`.
            style.set_role(self.button(which), "primary")
        self._order_buttons()
        self.currentIdChanged.connect(self._on_page)
        self.source_page.fill()

    def _order_buttons(self) -> None:
        """Let Tab reach Next before Back: the way forward is the usual one."""
        which = QWizard.WizardButton
        order = [
            self.button(each) for each in (which.NextButton, which.FinishButton, which.BackButton, which.CancelButton)
        ]
        for first, second in pairwise(order):
            QWidget.setTabOrder(first, second)

    def open(self) -> None:
        super().open()
        if self.source_page.isComplete() and self.currentPage() is self.source_page:
            self.next()
        else:
            self.source_page.take_focus()

    def accept(self) -> None:
        """Create the project. The wizard stays open until it exists."""
        self.target_page.make()

    def reject(self) -> None:
        """Ask before closing: scanning a large folder again takes minutes."""
        if self.target_page.making():
            return
        if not self._draft.in_progress() or Question.ask(
            self,
            text(LEAVE),
            yes=tr("Leave"),
            no=tr("Stay"),
        ):
            super().reject()

    def done(self, result: int) -> None:
        self.target_page.preview.cancel()
        self.source_page.shutdown()
        self.found_page.shutdown()
        self.target_page.shutdown()
        super().done(result)

    @Slot()
    def _on_page(self) -> None:
        look = style.current()
        self._order_buttons()  # QWizard orders them anew with every page
        # QWizard has no setter for its own margin, which is narrower than in the other windows.
        for part in self.children():
            layout = part.layout() if isinstance(part, QWidget) else None
            if isinstance(layout, QGridLayout):
                layout.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        if self.currentPage() is self.source_page:
            self.source_page.take_focus()
        if self.currentPage() in (self.split_page, self.target_page):
            self.target_page.begin_preview()
        else:
            self.target_page.preview.cancel()
        if self.currentPage() is self.target_page:
            self.target_page.show_pictures([row.images[0] for row in self.found_page.result.bars.rows() if row.images])

    @Slot(object)
    def _on_created(self, path: Path) -> None:
        settings.set_value(settings.PROJECTS_FOLDER, str(path.parent))
        self.created.emit(path)
        super().accept()
