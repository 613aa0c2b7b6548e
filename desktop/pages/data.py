"""The Data page: the samples of the project, files that join it, and the folder of the original files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop import settings, style
from desktop.dialogs.folder import FolderChooser
from desktop.dialogs.items import ItemsDialog
from desktop.dialogs.notice import Question
from desktop.i18n import Message, msg, nmsg, text, tr, trn
from desktop.pages.added_folders import AddedFolders
from desktop.pages.adding import AddingBox
from desktop.pages.ids import DATA, TRAIN
from desktop.session import Session
from desktop.widgets.bar_list import BarList, BarRow
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.finding_lines import FindingLines
from desktop.widgets.split_picture import SplitPicture, split_parts
from desktop.workers.sample_renderer import examples, spread
from desktop.workers.tasks import Tasks
from ml.api import (
    Finding,
    Found,
    HandlensError,
    Project,
    Sample,
    Unreadable,
    cache_bytes,
    counted,
    counted_classes,
    counted_samples,
    reading_sentences,
    shrink_cache,
)

_EXAMPLE_SIZE = 128
_MOST_EXAMPLES = 200
"""The number of classes that get examples."""


class DataPage(QWidget):
    """Shows the classes with examples, the split, and the files that were left out."""

    page_id = DATA
    title = msg("Data")
    icon = "ph.stack"
    sentence_changed = Signal(str)
    job_progress = Signal(str, float)
    page_requested = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._stale = True
        self._unreadable: tuple[Unreadable, ...] = ()
        self._conflicting: list[Sample] = []
        self._requests: dict[int, int] = {}
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._show_examples)
        self._relinking = Tasks(self, threads=1)
        self._relinking.done.connect(self._on_relinked)
        self._relinking.failed.connect(self._refuse_folder)
        look = style.current()
        self.bars = BarList(row_height=60)
        self.bars.setAccessibleName(tr("Classes"))
        self.adding, self.folders = self._make_adding(), AddedFolders()
        self.split = SplitPicture()
        self._why = _line("muted")
        self._place = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self._place.setProperty("role", "muted")
        self.missing_label = _line("error")
        self.find_button = QPushButton(tr("Find the folder…"))
        self.find_button.clicked.connect(self._find_folder)
        self.sample_label = _line("muted")
        self.reading_label = _line("muted")
        self._left_out = _line("warn")
        self.show_button = _link(tr("Show"), tr("Show the files that were left out"))
        self.show_button.clicked.connect(self._show_left_out)
        self.copies_label, self.copies_button = self._make_copies()
        self.findings = FindingLines()
        self.findings.show_asked.connect(self._show_finding)
        self.cache_label = _line("muted")
        self.cache_button = _link(tr("Clear the cache…"), tr("Clear the cache of this project"))
        self.cache_button.clicked.connect(self._ask_to_clear)
        self._cache = Tasks(self, threads=1)
        self._cache.done.connect(self._show_cache)
        self._cache.failed.connect(self._refuse_to_clear)
        self.train_button = QPushButton(tr("Continue to training"))
        self.train_button.setProperty("role", "primary")
        self.train_button.clicked.connect(self._request_train)
        whole = QGridLayout(self)
        whole.setContentsMargins(look.xl, look.s, look.xl, look.xl)
        whole.setHorizontalSpacing(look.xxl)
        whole.setColumnStretch(0, 5)
        whole.setColumnStretch(1, 4)
        left = QVBoxLayout()
        left.addWidget(self.bars, 1)
        left.addStretch(0)
        left.addWidget(self.adding)
        whole.addLayout(left, 0, 0)
        whole.addLayout(self._right(), 0, 1)

    def _make_copies(self) -> tuple[QLabel, QPushButton]:
        label = _line("warn")
        label.setWordWrap(True)
        button = _link(tr("Show"), tr("Show the copies with different labels"))
        button.clicked.connect(self._show_copies)
        return label, button

    def _make_adding(self) -> AddingBox:
        box = AddingBox()
        box.adding.progressed.connect(self.job_progress)
        return box

    def _right(self) -> QVBoxLayout:
        look = style.current()
        right = QVBoxLayout()
        right.setSpacing(look.s)
        right.addWidget(_head(tr("Training, validation and test")))
        right.addSpacing(look.xs)
        right.addWidget(self.split)
        right.addWidget(self._why)
        right.addSpacing(look.xl)
        right.addWidget(_head(tr("Your files")))
        right.addWidget(self._place)
        right.addWidget(self.sample_label)
        right.addWidget(self.reading_label)
        right.addWidget(self.missing_label)
        right.addWidget(self.find_button, 0, Qt.AlignmentFlag.AlignLeft)
        right.addWidget(self.folders)
        for line, button in ((self._left_out, self.show_button), (self.copies_label, self.copies_button)):
            row = QHBoxLayout()
            row.setSpacing(look.s)
            row.addWidget(line, 1 if line.wordWrap() else 0)
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
            row.addStretch(0 if line.wordWrap() else 1)
            right.addLayout(row)
        right.addWidget(self.findings)
        right.addSpacing(look.xl)
        right.addWidget(_head(tr("Disk space")))
        right.addWidget(self.cache_label)
        right.addWidget(self.cache_button, 0, Qt.AlignmentFlag.AlignLeft)
        right.addStretch(1)
        right.addWidget(self.train_button, 0, Qt.AlignmentFlag.AlignRight)
        return right

    def widget(self) -> QWidget:
        return self

    def title_widget(self) -> None:
        return None

    def set_session(self, session: Session) -> None:
        self._session = session
        session.labels_changed.connect(self._refresh)
        session.classes_changed.connect(self._refresh)
        session.samples_changed.connect(self._say_left_out)
        self.adding.set_session(session)
        self.folders.set_session(session)
        self._say_left_out()
        self.findings.show_findings(session.project.data_findings().warnings)
        self.sample_label.setText(about_sample(session.planted))
        self.sample_label.setVisible(session.planted is not None)
        self.reading_label.setText(_about_reading(session.project))
        self.reading_label.setVisible(bool(self.reading_label.text()))
        session.originals_found.connect(self._on_originals_found)
        session.training_changed.connect(self._on_training_changed)
        self._on_training_changed(training=False)
        self._say_originals()
        self._refresh()

    @Slot()
    def _say_left_out(self) -> None:
        if self._session is None:
            return
        self._unreadable = self._session.project.unreadable()
        self._left_out.setVisible(bool(self._unreadable))
        self.show_button.setVisible(bool(self._unreadable))
        count = len(self._unreadable)
        self._left_out.setText(trn("{count} file could not be read.", "{count} files could not be read.", count))

    def opened(self) -> None:
        self._say_originals()
        self.folders.look()
        if self._stale:
            self._refresh()
        self._measure_cache()

    def show_view(self, view: str) -> None:
        """Do nothing: there is one view."""

    def show_job(self) -> None:
        """Do nothing: there is one view."""

    def can_close(self) -> bool:
        return True

    def shutdown(self) -> None:
        self.adding.close_adding()
        self.folders.close_folders()
        self._tasks.close()
        self._relinking.close()
        self._cache.close()
        self._session = None

    @Slot()
    def _request_train(self) -> None:
        self.page_requested.emit(TRAIN, "")

    # -- where the originals are -------------------------------------------------------------------------------

    @Slot()
    def _say_originals(self) -> None:
        """Show the folder of the original files, or that it is missing: training is impossible then."""
        if self._session is None:
            return
        problem = self._session.missing_originals()
        if not problem:
            self._place.setText(str(self._session.project.source_folder))
        self._place.setVisible(not problem)
        if problem:
            self.missing_label.setText(tr("{problem} Until then, training is not possible.", problem=problem))
        self.missing_label.setVisible(bool(problem))
        self.find_button.setVisible(bool(problem))
        self.train_button.setEnabled(not problem)

    @Slot(int, object)
    def _on_relinked(self, _number: int, found: Found) -> None:
        self._say_originals()
        self.folders.tell(found)

    @Slot()
    def _on_originals_found(self) -> None:
        self._say_originals()
        self._refresh()

    @Slot()
    def _find_folder(self) -> None:
        folder = FolderChooser.ask(self, tr("The folder that holds your files now"))
        if folder is not None:
            self.relink(folder)

    def relink(self, folder: Path) -> None:
        """Use `folder` for the original files. In the background, because a drive may be slow."""
        if self._session is not None:
            self._relinking.submit(self._session.project.relink, folder)

    @Slot(int, object)
    def _refuse_folder(self, _number: int, error: Exception) -> None:
        self.missing_label.setText(text(error.message) if isinstance(error, HandlensError) else str(error))

    # -- disk space ----------------------------------------------------------------------------------------------

    @Slot(bool)
    def _on_training_changed(self, training: bool) -> None:
        """Keep to the limit of the settings; a training needs its cache until it ends."""
        self.cache_button.setEnabled(not training)
        limit = settings.value(settings.CACHE_LIMIT)
        if self._session is not None and not training and limit and not self._session.project.read_only:
            self._cache.submit(_shrink, self._session.project, limit * settings.GIGABYTE)

    def _measure_cache(self) -> None:
        if self._session is not None:
            self._cache.submit(cache_bytes, self._session.project.path)

    @Slot()
    def _ask_to_clear(self) -> None:
        question = tr(
            "Clear the cache? Labels, runs and models stay. The next training opens every file again, so it takes "
            "longer to begin."
        )
        if Question.ask(self, question, yes=tr("Clear the cache"), no=tr("Keep it")):
            self.clear_cache()

    def clear_cache(self) -> None:
        """Remove what can be computed again. In the background, because it may be many files."""
        if self._session is not None:
            self.cache_button.setEnabled(False)
            self._cache.submit(_shrink, self._session.project, 0)

    @Slot(int, object)
    def _show_cache(self, _number: int, size: object) -> None:
        assert isinstance(size, int) and self._session is not None
        self.cache_label.setText(
            tr("The cache of this project takes {size}. It makes trainings and pictures faster.", size=_size(size))
        )
        self.cache_button.setVisible(size > 0 and not self._session.project.read_only)
        self.cache_button.setEnabled(not self._session.training)

    @Slot(int, object)
    def _refuse_to_clear(self, _number: int, error: Exception) -> None:
        self.cache_label.setText(text(error.message) if isinstance(error, HandlensError) else str(error))

    # -- what there is -----------------------------------------------------------------------------------------

    @Slot()
    def _refresh(self) -> None:
        """Count again, but only while visible: with 100,000 samples that takes longer than a key press may."""
        session = self._session
        self._stale = not self.isVisible()
        if session is None or self._stale:
            return
        kind = session.project.kind
        by_class: dict[int, list[str]] = defaultdict(list)
        for sample in session.samples:
            for index in sample.labels:
                by_class[index].append(sample.path)
        rows = []
        for item in session.active_classes():
            name = session.class_names[item.index]
            count = len(by_class[item.index])
            words = tr("{name}: {count_things}", name=name, count_things=counted(count, kind))
            rows.append(BarRow(name=name, count=count, colour=style.class_colour(item.index), words=words))
        self.bars.set_rows(rows)
        self.split.set_parts(split_parts(sample.split for sample in session.samples if sample.labelled))
        self._why.setText(text(session.project.split_why))
        self._say_copies(session)
        self.sentence_changed.emit(self._sentence(session))
        self._ask_for_examples(session, by_class)

    def _say_copies(self, session: Session) -> None:
        """Say how many identical files have different labels, which makes training contradictory."""
        sets = conflicting_copies(session.samples)
        self._conflicting = [sample for copies in sets for sample in copies]
        self.copies_label.setText(
            trn(
                "{count_things} exists more than once, with different labels.",
                "{count_things} exist more than once, with different labels.",
                len(sets),
                count_things=counted(len(sets), session.project.kind),
            )
        )
        for part in (self.copies_label, self.copies_button):
            part.setVisible(bool(sets))

    def _sentence(self, session: Session) -> str:
        unlabelled = sum(not sample.labelled for sample in session.samples)
        sentence = msg(
            "{count_things} in {classes}.",
            count_things=counted_samples(session.samples, session.project.kind),
            classes=counted_classes(len(session.active_classes())),
        )
        if not unlabelled:
            return text(sentence)
        bare = nmsg("{count} of them has no label.", "{count} of them have no label.", unlabelled)
        return tr("{first} {second}", first=sentence, second=bare)

    def _ask_for_examples(self, session: Session, by_class: dict[int, list[str]]) -> None:
        self._tasks.forget_all()
        self._requests.clear()
        try:
            _ = session.project.source_folder
        except HandlensError:
            return  # `_say_originals` shows the reason
        project = session.project
        for place, item in enumerate(session.active_classes()[:_MOST_EXAMPLES]):
            paths = spread(sorted(set(by_class[item.index])), 3)
            number = self._tasks.submit(examples, project.file, paths, project.kind, project.reading, _EXAMPLE_SIZE)
            self._requests[number] = place

    @Slot(int, object)
    def _show_examples(self, number: int, images: object) -> None:
        place = self._requests.pop(number)
        assert isinstance(images, tuple)
        self.bars.set_images(place, images)

    @Slot()
    def _show_copies(self) -> None:
        assert self._session is not None
        names = self._session.class_names
        ItemsDialog.show_items(
            self,
            title=tr("Copies"),
            sentence=tr("These are identical, but their labels differ. Fix the labels on the page “Explore”."),
            heads=(tr("File"), tr("Class")),
            rows=[(sample.path, ", ".join(names[index] for index in sample.labels)) for sample in self._conflicting],
        )

    @Slot(object)
    def _show_finding(self, finding: Finding) -> None:
        assert self._session is not None
        names = self._session.class_names
        shown = {sample.path: sample for sample in self._session.samples if sample.path in {*finding.paths}}
        ItemsDialog.show_items(
            self,
            title=tr("Files to look at"),
            sentence=text(finding.sentence),
            heads=(tr("File"), tr("Class")),
            rows=[
                (path, ", ".join(names[index] for index in shown[path].labels) if path in shown else "")
                for path in finding.paths
            ],
        )

    @Slot()
    def _show_left_out(self) -> None:
        ItemsDialog.show_items(
            self,
            title=tr("Left out"),
            sentence=tr("These files could not be read and were left out."),
            heads=(tr("File"), tr("Why")),
            rows=[(item.path, text(item.reason)) for item in self._unreadable],
        )


def _shrink(project: Project, most: int) -> int:
    """Shrink the cache, and return what is left of it."""
    shrink_cache(project, most=most)
    return cache_bytes(project.path)


def _size(count: int) -> Message:
    """Return a number of bytes in words, as disks count them."""
    if count >= settings.GIGABYTE:
        return msg("{n:.1f} GB", n=count / settings.GIGABYTE)
    return msg("{n:.0f} MB", n=count / 1_000_000)


def conflicting_copies(samples: Iterable[Sample]) -> list[list[Sample]]:
    """Return the sets of samples with identical bytes but different labels."""
    same: dict[tuple[str, float | None], list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.labelled and sample.digest:
            same[sample.digest, sample.start].append(sample)
    return [copies for copies in same.values() if len({frozenset(sample.labels) for sample in copies}) > 1]


def about_sample(planted: int | None) -> str:
    """Say that the project is a built-in sample, and that some of its labels are wrong on purpose."""
    if not planted:
        return tr("Handlens made these files on this computer, to try it with.")
    return trn(
        "Handlens made these files on this computer, to try it with. {count} label is wrong on purpose: after the "
        "training, “Suspicious labels” on the page Explore can find it.",
        "Handlens made these files on this computer, to try it with. {count} labels are wrong on purpose: after the "
        "training, “Suspicious labels” on the page Explore can find them.",
        planted,
    )


def _about_reading(project: Project) -> str:
    """Say which range, bands and page of its pictures a project uses; "" where nothing had to be chosen."""
    reading = project.picture_reading
    return "" if reading is None else " ".join(map(text, reading_sentences(reading)))


def _link(text: str, spoken: str) -> QPushButton:
    button = QPushButton(text)
    button.setProperty("role", "link")
    button.setAccessibleName(spoken)
    return button


def _head(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "emphasis")
    return label


def _line(role: str) -> QLabel:
    label = QLabel()
    label.setProperty("role", role)
    label.setWordWrap(role != "warn")
    return label
