"""Page 2 of the wizard: the contents of the folder. Every file is decoded once, in the background."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QLabel,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
    QWizard,
    QWizardPage,
)

from desktop import style
from desktop.i18n import counted_classes, msg, text, tr, trn
from desktop.pages.wizard.draft import Draft, counted_report
from desktop.pages.wizard.scan_result import ScanResult
from desktop.widgets.scrolling import scrolling
from desktop.workers.job_thread import JobThread
from ml.api import (
    Event,
    Failed,
    PageChoice,
    PictureReading,
    Progress,
    Runner,
    ScanJob,
    Scanned,
    ScanReport,
    Stopped,
    TaskName,
)

STOPPED = msg("You stopped this before every file was read. Look again, or go back and choose another folder.")


class FoundPage(QWizardPage):
    """Scans the folder and shows one of three widgets: the progress, the result, or why there is none."""

    labels_chosen = Signal(object)
    """The folder has no labels, and the person chose a table that lies in it."""

    def __init__(self, draft: Draft, *, runner: Runner) -> None:
        super().__init__()
        look = style.current()
        self._draft = draft
        self._runner = runner
        self._thread: JobThread | None = None
        self._head = QLabel()
        self._head.setProperty("role", "title")
        self._head.setWordWrap(True)
        self.progress, self.result, self.failure = ScanProgress(), ScanResult(), ScanFailure()
        self.progress.stop_button.clicked.connect(self._stop_scan)
        self.result.task_chosen.connect(self._on_task)
        self.result.frames.chosen.connect(self._on_frames)
        self.result.speed_chosen.connect(self._on_speed)
        self.result.table_chosen.connect(self._use_table)
        self.result.reading.reading_chosen.connect(self._on_reading)
        self.result.reading.page_chosen.connect(self._on_page)
        self.failure.again_button.clicked.connect(self._scan)
        self.failure.unlabelled_button.clicked.connect(self._scan_without_labels)
        self.result.unlabelled_chosen.connect(self._scan_without_labels)
        self._stack = QStackedWidget()
        self._scrolled_result = scrolling(self.result)
        for part in (self.progress, self._scrolled_result, self.failure):
            self._stack.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.l)
        column.addWidget(self._head)
        column.addWidget(self._stack, 1)

    # -- the wizard's side -------------------------------------------------------------------------------------

    def initializePage(self) -> None:
        if not self._draft.fits(self._draft.report):
            self._draft.unlabelled = False  # another folder may have classes
            self._draft.forget_reading()
            self._scan()

    def validatePage(self) -> bool:
        self.result.reading.finish()
        return True

    def cleanupPage(self) -> None:
        self._end_thread()

    def isComplete(self) -> bool:
        return self._thread is None and self._draft.can_go_on()

    def shutdown(self) -> None:
        """End what runs in the background."""
        self._end_thread()
        self.result.shutdown()

    # -- the scan ----------------------------------------------------------------------------------------------

    @Slot()
    def _scan(self) -> None:
        self._end_thread()
        self._draft.report = None
        if self._draft.folder is None or self._draft.kind is None:
            return
        self._head.setText(tr("Looking at every file once"))
        self.progress.begin(self._draft.folder)
        self._stack.setCurrentWidget(self.progress)
        job = ScanJob(
            folder=self._draft.folder,
            kind=self._draft.kind,
            labels=self._draft.labels,
            rate=self._draft.rate,
            new=True,
            unlabelled=self._draft.unlabelled,
            columns=self._draft.columns,
            page=self._draft.page,
            value_range=self._draft.value_range,
            bands=self._draft.bands,
        )
        self._thread = JobThread(job, self._runner, self)
        self._thread.happened.connect(self._on_event)
        self._thread.ended.connect(self._on_ended)
        self._thread.start()
        self.completeChanged.emit()

    @Slot()
    def _scan_without_labels(self) -> None:
        """Look again: the folders name no classes, and the user will label the files."""
        self._draft.unlabelled, self._draft.labels, self._draft.columns = True, (), None
        self._scan()

    @Slot()
    def _stop_scan(self) -> None:
        self._end_thread()
        self._show_failure(text(STOPPED))

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress.update_count(event.done, event.total)

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        self._end_thread()
        match event:
            case Scanned(report=report):
                self._draft.set_report(report)
                self._show_report()
            case Failed(message=message):
                self._show_failure(text(message), one_class=not self._draft.unlabelled and not self._draft.labels)
            case Stopped():
                self._show_failure(text(STOPPED))
            case _:
                raise AssertionError(f"A scan does not end with {type(event).__name__}.")
        self.completeChanged.emit()
        self.wizard().button(QWizard.WizardButton.NextButton).setFocus()

    @Slot(str)
    def _on_task(self, task: TaskName) -> None:
        self._draft.set_task(task)
        self._show_report()
        self.completeChanged.emit()

    @Slot(float)
    def _on_frames(self, seconds: float) -> None:
        self._draft.set_frames(seconds)
        self._show_report()

    @Slot(object)
    def _on_reading(self, reading: PictureReading) -> None:
        """Use another range or other bands: what was read of the files stays true."""
        if self._draft.scanned is not None:
            self._draft.set_reading(reading)
            self._show_report()

    @Slot(str)
    def _on_page(self, page: PageChoice) -> None:
        """Look again at another page of every picture."""
        self._draft.page, self._draft.value_range = page, None
        self._scan()

    @Slot(int)
    def _on_speed(self, times: int) -> None:
        self._draft.set_time_expansion(times)
        self._show_report()

    @Slot(object)
    def _use_table(self, table: Path) -> None:
        self.labels_chosen.emit(table)
        self._scan()

    # -- showing -----------------------------------------------------------------------------------------------

    def _show_report(self) -> None:
        report, folder = self._draft.report, self._draft.folder
        assert report is not None and folder is not None
        self._head.setText(_headline(report))
        self._stack.setCurrentWidget(self._scrolled_result)
        self.result.show_report(report, folder, self._draft.plan)

    def _show_failure(self, sentence: str, *, one_class: bool = False) -> None:
        """`one_class`: the folders may be the reason, so offer to label the files by hand."""
        self._head.setText(tr("Nothing to learn from yet"))
        self.failure.unlabelled_button.setVisible(one_class)
        self.failure.error.setText(sentence)
        self._stack.setCurrentWidget(self.failure)
        self.completeChanged.emit()


class ScanProgress(QWidget):
    """How many files have been read, and a button to stop."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._now = QLabel()
        self._now.setProperty("role", "muted")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self.stop_button = QPushButton(tr("Stop looking"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.current().m)
        column.addWidget(self._now)
        column.addWidget(self._bar)
        column.addWidget(self.stop_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)

    def begin(self, folder: Path) -> None:
        """Show the folder until the number of files is known."""
        self._now.setText(str(folder))
        self._bar.setRange(0, 0)

    def update_count(self, done: int, total: int) -> None:
        """Show how many files were read, or how many were found so far where `total` is 0."""
        if not total:
            self._bar.setRange(0, 0)
            self._now.setText(trn("{count} file found so far", "{count} files found so far", done))
            return
        self._bar.setRange(0, max(total, 1))
        self._bar.setValue(done)
        self._now.setText(trn("{done} of {count} file", "{done} of {count} files", total, done=done))


class ScanFailure(QWidget):
    """Why there is no result, and a button to scan again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.error = QLabel()
        self.error.setProperty("role", "error")
        self.error.setWordWrap(True)
        self.again_button = QPushButton(tr("Look again"))
        self.unlabelled_button = QPushButton(tr("The folders are no classes: label the files myself"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.current().m)
        column.addWidget(self.error)
        column.addWidget(self.again_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.unlabelled_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)


def _headline(report: ScanReport) -> str:
    counts, files = report.class_counts, counted_report(report)
    if counts:
        return tr("Here is what I found: {classes}, {things}", classes=counted_classes(len(counts)), things=files)
    return tr("Here is what I found: {things}, none with a label", things=files)
