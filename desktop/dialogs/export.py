"""Export a run: one dialog for every form in which a model can be handed on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QUrl, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDesktopServices, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.dialogs.folder import FileSaver, FolderChooser
from desktop.i18n import Message, error_text, msg, text, tr
from desktop.session import Session
from desktop.workers.job_thread import JobThread
from desktop.workers.pdf import write_pdf
from desktop.workers.tasks import Tasks
from ml.api import (
    PACKAGE_SUFFIX,
    PAGE_RUNTIME_MEGABYTES,
    PAGE_RUNTIME_NAME,
    Event,
    Exported,
    ExportJob,
    Failed,
    HandlensError,
    Progress,
    Runner,
    StageStarted,
    Stopped,
    Worker,
    has_page_runtime,
    kind_named,
    of_hundred,
)

PDF, PAGE = ".pdf", ".web"
_MODELS = (".onnx", PACKAGE_SUFFIX)
_STEPS = 1000
_INDENT = 26
"""Pixels: where the words of a radio button begin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A form in which a run is exported: its ending, its name and what it is good for."""

    suffix: str
    title: Message
    words: Message
    filter: Message


FORMS = (
    Form(
        suffix=".onnx",
        title=msg("Model (.onnx)"),
        words=msg("Runs in Handlens and in any program that reads ONNX."),
        filter=msg("Model for Handlens and ONNX Runtime (*.onnx)"),
    ),
    Form(
        suffix=PACKAGE_SUFFIX,
        title=msg("Package (.handlensmodel)"),
        words=msg("Model, card and checksums in one file. Anybody with Handlens opens it by double click."),
        filter=msg("Package for Handlens (*.handlensmodel)"),
    ),
    Form(
        suffix=PAGE,
        title=msg("Page for a phone (folder)"),
        words=msg("A folder for a web server. Phones take a picture there and get the answer without sending it."),
        filter=msg("Page for a phone (*.web)"),
    ),
    Form(
        suffix=".html",
        title=msg("Report as a web page (.html)"),
        words=msg("Score, confusions, worst mistakes and limits in one file for any browser."),
        filter=msg("Web page (*.html)"),
    ),
    Form(
        suffix=PDF,
        title=msg("Report to print (.pdf)"),
        words=msg("The same report as a document."),
        filter=msg("PDF document (*.pdf)"),
    ),
    Form(
        suffix=".csv",
        title=msg("Table for Kaggle (.csv)"),
        words=msg("The predictions of the test samples, one line for each file."),
        filter=msg("Text (*.csv)"),
    ),
    Form(
        suffix=".ipynb",
        title=msg("Notebook (.ipynb)"),
        words=msg("Six lines of Python that train this project and show its results in Jupyter."),
        filter=msg("Jupyter notebook (*.ipynb)"),
    ),
)


class ExportDialog(QDialog):
    """Asks for a form and a place, exports in the background and shows the result. `told` repeats its last sentence."""

    notice = Signal(str, bool)

    def __init__(
        self, session: Session, run: int, *, runner: Runner | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._run = session, run
        self._runner = runner
        self._thread: JobThread | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._target = Path()
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_pdf)
        self._tasks.failed.connect(self._on_pdf_failed)
        self.setWindowTitle(tr("Export run {n}", n=str(run)))
        self.setMinimumWidth(640)
        self.forms = QButtonGroup(self)
        self.int8_box = QCheckBox(tr("Smaller and quicker: calculate in whole numbers (int8)"))
        self.int8_box.setToolTip(tr("Handlens measures accuracy, size and speed of both forms and shows them."))
        self.probabilities_box = QCheckBox(tr("A column for each class with its probability"))
        self.download_box = QCheckBox(
            tr(
                "Download {name} once ({size} MB, licence MIT), which runs the model in the browser",
                name=PAGE_RUNTIME_NAME,
                size=str(PAGE_RUNTIME_MEGABYTES),
            )
        )
        self.bar, self.sentence = QProgressBar(), QLabel()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.sentence.setWordWrap(True)
        self.show_button = QPushButton(tr("Show in folder"))
        self.cancel_button, self.export_button = QPushButton(tr("Close")), QPushButton(tr("Export…"))
        self.export_button.setProperty("role", "primary")
        self.export_button.setDefault(True)
        self._lay_out()
        self.forms.idClicked.connect(self._on_form)
        self.export_button.clicked.connect(self._choose_place)
        self.cancel_button.clicked.connect(self.reject)
        self.show_button.clicked.connect(self._show_folder)
        self.choose(".onnx")
        self._show_busy(False)

    def _lay_out(self) -> None:
        look = style.current()
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.s)
        self._lines: list[QWidget] = []
        for number, form in enumerate(FORMS):
            column.addWidget(self._line(number, form))
            if form.suffix == PACKAGE_SUFFIX:
                column.addWidget(self._indented(self.int8_box))
            elif form.suffix == PAGE:
                column.addWidget(self._indented(self.download_box))
            elif form.suffix == ".csv":
                column.addWidget(self._indented(self.probabilities_box))
        buttons = QHBoxLayout()
        buttons.setSpacing(look.s)
        buttons.addWidget(self.show_button)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.export_button)
        column.addSpacing(look.s)
        column.addWidget(self.bar)
        column.addWidget(self.sentence)
        column.addLayout(buttons)

    def _line(self, number: int, form: Form) -> QWidget:
        why_not = self._why_not(form.suffix)
        button, words = QRadioButton(text(form.title)), QLabel(why_not or text(form.words))
        button.setAccessibleDescription(words.text())
        button.setEnabled(not why_not)
        words.setProperty("role", "caption")
        words.setWordWrap(True)
        words.setIndent(_INDENT)
        self.forms.addButton(button, number)
        line = QWidget()
        rows = QVBoxLayout(line)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(button)
        rows.addWidget(words)
        self._lines.append(line)
        return line

    def _indented(self, box: QCheckBox) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(_INDENT, 0, 0, 0)
        row.addWidget(box)
        return holder

    def _why_not(self, suffix: str) -> str:
        """Return why this project has nothing to export in this form, else nothing."""
        if suffix == PAGE and kind_named(self._session.project.kind).input_name != "pixels":
            return tr("Only for models that read pictures.")
        if suffix == ".csv" and not any(sample.split == "test" for sample in self._session.samples):
            return tr("Only for projects with test samples.")
        return ""

    # -- choosing ------------------------------------------------------------------------------------------------

    def form(self) -> Form:
        return FORMS[self.forms.checkedId()]

    def choose(self, suffix: str) -> None:
        """Choose the form with this ending."""
        number = next(place for place, form in enumerate(FORMS) if form.suffix == suffix)
        self.forms.button(number).setChecked(True)
        self._on_form()

    @Slot()
    def _on_form(self) -> None:
        suffix = self.form().suffix
        for box, there in (
            (self.int8_box, suffix in _MODELS),
            (self.probabilities_box, suffix == ".csv"),
            (self.download_box, suffix == PAGE and not has_page_runtime()),
        ):
            holder = box.parentWidget()
            assert holder is not None
            holder.setVisible(there)
        self._fit()

    @Slot()
    def _choose_place(self) -> None:
        form, name = self.form(), f"{self._session.project.name} {self._run}"
        if form.suffix == PAGE:
            if not has_page_runtime() and not self.download_box.isChecked():
                self._say(tr("The page needs {name}. Allow the download above.", name=PAGE_RUNTIME_NAME), False)
                return
            parent = FolderChooser.ask(self, tr("Where to put the folder of the page"))
            target = None if parent is None else parent / f"{name}{PAGE}"
        else:
            title = tr("Export run {n}", n=str(self._run))
            target = FileSaver.ask(self, title, f"{name}{form.suffix}", text(form.filter), suffix=form.suffix)
        if target is not None:
            self.export_to(target)

    # -- exporting -----------------------------------------------------------------------------------------------

    def busy(self) -> bool:
        """Return whether an export is running."""
        return self._thread is not None or self._scratch is not None

    def export_to(self, target: Path) -> None:
        """Write the chosen form to this place, in the background."""
        suffix = self.form().suffix
        if self.busy():
            return
        if target.suffix.lower() != suffix:
            target = target.with_name(target.name + suffix)
        self._session.finish_writing()  # the thresholds follow the labels
        self._target = written = target
        if suffix == PDF:
            self._scratch = tempfile.TemporaryDirectory(prefix="handlens-", ignore_cleanup_errors=True)
            written = Path(self._scratch.name) / "report.html"
        job = ExportJob(
            project=self._session.project.path,
            to=written,
            run=self._run,
            int8=suffix in _MODELS and self.int8_box.isChecked(),
            probabilities=suffix == ".csv" and self.probabilities_box.isChecked(),
            printed=suffix == PDF,
            download=suffix == PAGE and self.download_box.isChecked(),
        )
        self._thread = JobThread(job, self._runner or Worker().run, self)
        self._thread.happened.connect(self._on_event)
        self._thread.ended.connect(self._on_ended)
        self._show_busy(True)
        self._say(tr("Exporting {file}…", file=target.name), True)
        self._thread.start()

    def shut(self) -> None:
        """End an export; no file is left half written."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
        self._tasks.close()
        self._forget_scratch()

    def reject(self) -> None:
        """Cancel the export, or close the dialog if there is none."""
        if self._thread is None:
            super().reject()
            return
        self._thread.cancel()
        self.cancel_button.setEnabled(False)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._thread is None:
            super().closeEvent(event)
        else:
            self.reject()
            event.ignore()

    def _forget_scratch(self) -> None:
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            scratch.cleanup()

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        match event:
            case StageStarted():
                self.bar.setRange(0, 0)
            case Progress(done=done, total=total) if total:
                self.bar.setRange(0, _STEPS)
                self.bar.setValue(done * _STEPS // total)
            case _:
                pass

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.wait()
            thread.deleteLater()
        if isinstance(event, Exported) and self._scratch is not None:
            html = Path(event.path).read_text(encoding="utf-8")
            title = f"{self._session.project.name} {self._run}"
            self._tasks.submit(_pdf_of(html, title, self._target))
            return
        self._forget_scratch()
        self._show_busy(False)
        match event:
            case Exported():
                self._done(_exported(event, self._target))
            case Failed():
                self._say(text(event.message), False)
            case Stopped():
                self._say(tr("Cancelled. No file was written."), False)
            case _:
                self._say(tr("The run was not exported."), False)

    @Slot(int, object)
    def _on_pdf(self, _number: int, _nothing: object) -> None:
        self._forget_scratch()
        self._show_busy(False)
        self._done(tr("The report on run {n} is in {path}.", n=str(self._run), path=str(self._target)))

    @Slot(int, object)
    def _on_pdf_failed(self, _number: int, error: object) -> None:
        self._forget_scratch()
        self._show_busy(False)
        if isinstance(error, HandlensError):
            self._say(error_text(error), False)
        else:
            self._say(tr("The report could not be written. Try again."), False)

    def _done(self, sentence: str) -> None:
        self.show_button.show()
        self._say(sentence, True)

    def _say(self, sentence: str, good: bool) -> None:
        self.sentence.setText(sentence)
        style.set_role(self.sentence, "" if good else "error")
        self.sentence.setVisible(bool(sentence))
        self._fit()
        self.notice.emit(sentence, good)

    def _show_busy(self, busy: bool) -> None:
        for line in self._lines:
            line.setEnabled(not busy)
        for box in (self.int8_box, self.probabilities_box, self.download_box, self.export_button):
            box.setEnabled(not busy)
        self.bar.setVisible(busy)
        self.cancel_button.setEnabled(True)
        self.cancel_button.setText(tr("Cancel") if busy else tr("Close"))
        self.show_button.hide()
        if not busy:
            self.sentence.setVisible(bool(self.sentence.text()))
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Give all words their lines: a dialog does not grow by itself for wrapped text."""
        layout = self.layout()
        assert layout is not None
        layout.activate()
        width = max(self.width(), self.minimumWidth())
        self.resize(width, layout.totalHeightForWidth(width))

    @Slot()
    def _show_folder(self) -> None:
        folder = self._target if self._target.is_dir() else self._target.parent
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._say(tr("The folder cannot be shown here. Open it yourself: {folder}", folder=str(folder)), False)


def _pdf_of(html: str, title: str, target: Path) -> Callable[[], object]:
    return lambda: write_pdf(html, title, target)


def _exported(event: Exported, target: Path) -> str:
    """Return what was written, and how both forms of a model did."""
    path, suffix = str(target), target.suffix.lower()
    if suffix == PAGE:
        return tr(
            "The page is in {path}. Put the folder on a web server, or show it to phones nearby: {command}",
            path=path,
            command=f'handlens serve "{path}" --lan',
        )
    if suffix == ".html":
        return tr("The report on run {n} is in {path}.", n=str(event.run), path=path)
    if suffix == ".ipynb":
        return tr("The notebook is in {path}. Open it with Jupyter.", path=path)
    if suffix == ".csv":
        return tr("The predictions of run {n} are in {path}.", n=str(event.run), path=path)
    if event.promised:
        sentence = tr(
            "Run {n} is in {path}. At most {rate} accepted answers are wrong, with 95 % confidence.",
            n=str(event.run),
            path=path,
            rate=of_hundred(event.wrong_at_most),
        )
    else:
        sentence = tr("Run {n} is in {path}. Anybody with Handlens can open it.", n=str(event.run), path=path)
    return "\n".join((*map(text, event.compared), sentence))
