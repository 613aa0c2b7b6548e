"""Before a training: one button, and folded details with the presets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop import settings, style
from desktop.i18n import originals_gone, text, tr
from desktop.models.run_scores import RunScores, preset_name
from desktop.pages.train import messages
from desktop.pages.train.network_choice import NetworkChoice
from desktop.pages.train.runs import RunList
from desktop.pages.train.state import ResumableRun, resume_offer
from desktop.session import Session
from desktop.workers.tasks import Tasks
from ml.api import (
    DEFAULT_EAR,
    DEFAULT_FRONT,
    EARS,
    FRONTS,
    PRESETS,
    Ear,
    KindName,
    Preset,
    Project,
    Runner,
    TimePlan,
    can_finetune,
    kind_named,
    missing_labels,
    plan_time,
    task_named,
)

COLUMN_WIDTH = 900
DETAILS_WIDTH = 760
NUMBER_WIDTH = 200


class PresetCard(QFrame):
    """One preset: name, expected duration on this machine, description."""

    def __init__(self, preset: Preset, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.preset = preset
        self.button = QRadioButton(preset_name(preset))
        self.button.setProperty("role", "emphasis")
        self.button.toggled.connect(self._on_toggled)
        self.time_label = QLabel(tr("measuring …"))
        self.time_label.setProperty("role", "muted")
        self.promise = QLabel(messages.preset_promise(preset))
        self.promise.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.time_label)
        layout.addWidget(self.promise)
        layout.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def set_available(self, available: bool) -> None:
        """Whether it can be chosen; if not, say what it needs."""
        self.button.setEnabled(available)
        self.time_label.setVisible(available)
        self.promise.setText(messages.preset_promise(self.preset) if available else messages.preset_unavailable())

    def set_seconds(self, seconds: float) -> None:
        time = messages.duration(seconds)
        self.time_label.setText(time)
        name = preset_name(self.preset)
        self.button.setAccessibleName(tr("{preset}, {time}", preset=name, time=time))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.button.isEnabled():
            self.button.setChecked(True)
            self.button.setFocus()

    def _on_toggled(self, on: bool) -> None:
        style.set_property(self, "selected", on)


class TrainSetup(QWidget):
    """Emits `train_pressed(preset, epochs or None, seed)`, `resume_pressed` and `lessons_pressed`."""

    train_pressed = Signal(str, object, int)
    resume_pressed = Signal()
    lessons_pressed = Signal()

    def __init__(self, parent: QWidget | None = None, *, runner: Runner | None = None) -> None:
        super().__init__(parent)
        self.headline = QLabel()
        self.headline.setProperty("role", "emphasis")
        self.headline.setWordWrap(True)
        self.plan_label = QLabel()
        self.plan_label.setProperty("role", "muted")
        self.plan_label.setWordWrap(True)
        self._seconds: Mapping[Preset, float] = {}
        self.cards = {preset: PresetCard(preset) for preset in PRESETS}
        self._group = QButtonGroup(self)
        for card in self.cards.values():
            self._group.addButton(card.button)
        self.resume_box, self.resume_label, self.resume_button = self._make_resume()
        self.train_button = QPushButton(tr("Train"))
        self.train_button.setProperty("role", "primary")
        self.train_button.setDefault(True)
        self.train_button.setMinimumWidth(140)
        self.train_button.clicked.connect(self._on_train)
        self.fold = QToolButton()
        self.fold.setText(tr("Details"))
        self.fold.setProperty("role", "fold")
        self.fold.setCheckable(True)
        self.fold.setArrowType(Qt.ArrowType.RightArrow)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.toggled.connect(self._on_fold)
        self.lessons_button = QPushButton(tr("How it learns"))
        self.lessons_button.setProperty("role", "link")
        self.lessons_button.clicked.connect(self.lessons_pressed)
        self.network = NetworkChoice(runner=runner)
        self.front = self._make_front()
        self.ear, self.ear_note, self._ear_choice = self._make_ear()
        self.epochs, self.seed, self._details = self._make_details()
        finetuning = can_finetune()
        for preset, card in self.cards.items():
            card.set_available(finetuning or preset == "quick")
        self.cards["standard" if finetuning else "quick"].button.setChecked(True)
        self._group.buttonToggled.connect(self._on_preset)
        self._on_preset()
        self.runs = RunList()
        self._lay_out()
        self.setTabOrder(self.seed, self.lessons_button)  # it stands beside Details, and is needed least

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_headline(self, sentence: str, *, ready: bool) -> None:
        """Say what there is to train on; enable the button if `ready`."""
        self.headline.setText(sentence)
        self.train_button.setEnabled(ready)

    def set_seconds(self, seconds: Mapping[Preset, float]) -> None:
        self._seconds = seconds
        for preset, value in seconds.items():
            self.cards[preset].set_seconds(value)
        self._show_plan()

    def offer_resume(self, run: ResumableRun | None) -> None:
        """Offer to resume a run; None hides the offer."""
        self.resume_box.setVisible(run is not None)
        style.set_role(self.train_button, "primary" if run is None else "")
        self.train_button.setDefault(run is None)
        self.resume_button.setDefault(run is not None)
        self.train_button.setText(tr("Train") if run is None else tr("Train a new run"))
        if run is None:
            return
        self.resume_label.setText(resume_offer(run))
        self.resume_button.setText(tr("Resume run {n}", n=str(run.run)))

    def primary_button(self) -> QPushButton:
        """Return the button for the usual next step: resume a run if there is one, else train."""
        return self.train_button if self.resume_box.isHidden() else self.resume_button

    def set_kind(self, kind: KindName) -> None:
        """Offer a choice of front ends, which only sensor logs have, or of networks for recordings."""
        self._form.setRowVisible(self.front, kind_named(kind).input_name == "readings")
        self._form.setRowVisible(self._ear_choice, kind_named(kind).input_name == "waveform")

    def options(self) -> dict[str, Any]:
        """Return the choices of the details as arguments of `Session.train_job`."""
        return {
            "backbone": self.network.name(),
            "weights": self.network.weights(),
            "front": self.front.currentData(),
            "ear": self.ear.currentData(),
        }

    def choose(self, preset: Preset) -> None:
        """Choose a preset."""
        self.cards[preset].button.setChecked(True)

    def preset(self) -> Preset:
        for preset, card in self.cards.items():
            if card.button.isChecked():
                return preset
        return "standard"

    # -- parts ---------------------------------------------------------------------------------------------------

    def _make_resume(self) -> tuple[QFrame, QLabel, QPushButton]:
        box = QFrame()
        box.setProperty("role", "card")
        label, button = QLabel(), QPushButton()
        label.setWordWrap(True)
        button.setProperty("role", "primary")
        button.clicked.connect(self.resume_pressed)
        row = QHBoxLayout(box)
        row.setContentsMargins(16, 8, 8, 8)
        row.addWidget(label, 1)
        row.addWidget(button)
        box.hide()
        return box, label, button

    def _make_details(self) -> tuple[QSpinBox, QSpinBox, QWidget]:
        epochs, seed = QSpinBox(), QSpinBox()
        epochs.setRange(0, 500)
        epochs.setSpecialValueText(tr("set by the preset"))
        seed.setRange(0, 999_999)
        for number in (epochs, seed):
            number.setFixedWidth(max(NUMBER_WIDTH, number.sizeHint().width() + 16))
            number.lineEdit().setTextMargins(6, 0, 0, 0)  # the style sheet's padding does not reach inside
        details = QWidget()
        details.setMaximumWidth(DETAILS_WIDTH)
        form = QFormLayout(details)
        form.setContentsMargins(16, 4, 0, 0)
        form.addRow(tr("Pretrained network"), self.network)
        form.addRow(tr("Input picture"), self.front)
        form.addRow(tr("Network for sound"), self._ear_choice)
        form.addRow(tr("Passes over the data"), epochs)
        form.addRow(tr("Seed"), seed)
        note = QLabel(tr("The same seed and the same data give the same run."))
        note.setProperty("role", "caption")
        note.setWordWrap(True)
        form.addRow("", note)
        details.hide()
        self._form = form
        return epochs, seed, details

    def _make_front(self) -> QComboBox:
        box = QComboBox()
        for front in FRONTS:
            box.addItem(messages.front_words(front), front)
        box.setCurrentIndex(FRONTS.index(DEFAULT_FRONT))
        return box

    def _make_ear(self) -> tuple[QComboBox, QLabel, QWidget]:
        choice = QWidget()
        box, note = QComboBox(), QLabel()
        for ear in (DEFAULT_EAR, *EARS):
            box.addItem(messages.ear_words(ear), ear)
        note.setProperty("role", "caption")
        note.setWordWrap(True)
        note.setText(messages.ear_meaning(DEFAULT_EAR))
        box.currentIndexChanged.connect(lambda _index: note.setText(messages.ear_meaning(box.currentData())))
        column = QVBoxLayout(choice)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(box)
        column.addWidget(note)
        return box, note, choice

    def _lay_out(self) -> None:
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(16)
        column.addWidget(self.resume_box)
        column.addWidget(self.headline)
        column.addWidget(self.plan_label)
        row = QHBoxLayout()
        row.addWidget(self.train_button)
        row.addSpacing(8)
        row.addWidget(self.fold)
        row.addStretch(1)
        row.addWidget(self.lessons_button)
        column.addLayout(row)
        self._cards = QWidget()
        cards = QHBoxLayout(self._cards)
        cards.setContentsMargins(0, 0, 0, 0)
        cards.setSpacing(12)
        for card in self.cards.values():
            cards.addWidget(card, 1)
        self._cards.hide()
        column.addWidget(self._cards)
        column.addWidget(self._details)
        column.addWidget(self.runs)
        column.addStretch(1)
        holder = QWidget()
        holder.setMaximumWidth(COLUMN_WIDTH)
        holder.setLayout(column)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(24, 12, 24, 24)
        outer.addWidget(holder, 10)
        outer.addStretch(1)

    def _on_fold(self, opened: bool) -> None:
        self._cards.setVisible(opened)
        self._details.setVisible(opened)
        self.fold.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)

    def _on_preset(self) -> None:
        self.epochs.setEnabled(self.preset() != "quick")
        self._show_plan()
        # Tab goes to the checked button. Qt does that by itself only after one of them has had the focus.
        for card in self.cards.values():
            strong, click = Qt.FocusPolicy.StrongFocus, Qt.FocusPolicy.ClickFocus
            card.button.setFocusPolicy(strong if card.button.isChecked() else click)

    def _show_plan(self) -> None:
        """Say what the button does with the chosen preset."""
        preset, first = self.preset(), self._seconds.get("quick")
        whole = self._seconds.get(preset)
        sentence = messages.plan_sentence(preset, first=first, seconds=whole)
        if not can_finetune():
            sentence = tr("{first} {second}", first=sentence, second=messages.adjusting_unavailable())
        self.plan_label.setText(sentence)

    def _on_train(self) -> None:
        if not self.network.name():
            self.fold.setChecked(True)
            self.network.ask_for_name()
            return
        epochs = self.epochs.value() if self.epochs.isEnabled() else 0
        self.train_pressed.emit(self.preset(), epochs or None, self.seed.value())


class SetupController(QObject):
    """Keeps a `TrainSetup` up to date: readiness, durations, a run to resume, the runs so far."""

    readiness_changed = Signal()

    def __init__(self, view: TrainSetup, run_scores: RunScores, parent: QWidget) -> None:
        super().__init__(parent)
        self._view = view
        self._run_scores = run_scores
        self._session: Session | None = None
        self._plans: dict[Preset, TimePlan] = {}
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._on_estimated)
        run_scores.changed.connect(self._show_runs)
        view.network.changed.connect(self._request_estimates)
        view.ear.currentIndexChanged.connect(self._request_estimates)

    def set_session(self, session: Session) -> None:
        self._let_go()
        self._session, self._plans = session, {}
        session.labels_changed.connect(self._on_labels_changed)
        session.originals_found.connect(self.check_readiness)
        self._view.set_kind(session.project.kind)
        if session.planted is not None:
            self._view.choose("quick")  # who tries a sample wants to see a result soon

    def refresh(self) -> None:
        """Bring everything up to date."""
        session = self._session
        if session is None:
            return
        self._view.offer_resume(_resumable(session))
        self.check_readiness()
        self._view.primary_button().setFocus()
        self._show_runs()
        self._request_estimates()

    @Slot()
    def check_readiness(self) -> None:
        """Say what there is to train on, and whether that is enough."""
        session = self._session
        if session is None:
            return
        sentence, ready = _readiness(session)
        missing = session.missing_originals()
        if missing:
            sentence, ready = originals_gone(text(missing)), False
        self._view.set_headline(sentence, ready=ready)
        self._view.resume_button.setEnabled(not missing)
        self.readiness_changed.emit()

    def refusal(self) -> str:
        """Return why no training can begin now; empty if one can."""
        session = self._session
        if session is None:
            return tr("No project is open.")
        missing = session.missing_originals()
        sentence, ready = _readiness(session)
        return originals_gone(text(missing)) if missing else "" if ready else sentence

    def plan(self, preset: Preset) -> TimePlan | None:
        """Return the expected times of a training; None while unknown."""
        plan = self._plans.get(preset)
        return plan if plan is not None and plan.known else None

    def close(self) -> None:
        self._tasks.close()
        self._view.network.close_checks()
        self._let_go()

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.labels_changed.disconnect(self._on_labels_changed)
            session.originals_found.disconnect(self.check_readiness)

    @Slot(object)
    def _on_labels_changed(self, _changes: object) -> None:
        # Counting while the page is hidden would slow down every key press on another page.
        page = self._view.parentWidget()
        if page is not None and page.isVisible():
            self.check_readiness()

    @Slot()
    def _show_runs(self) -> None:
        session = self._session
        if session is None:
            return
        finished = [run for run in reversed(session.project.runs.all()) if run.state == "finished"]
        counts, task, score_of = session.split_counts(), session.project.task, self._run_scores.of
        self._view.runs.show_runs(
            [(run.number, messages.run_cells(run, score_of(run.number), counts, task)) for run in finished]
        )

    @Slot()
    def _request_estimates(self) -> None:
        if self._session is not None:
            project, network = self._session.project, self._view.network.name()
            ear = self._view.ear.currentData()
            self._tasks.submit(_plan_all, project, network, ear, settings.speeds(project.kind, network))

    @Slot(int, object)
    def _on_estimated(self, _number: int, estimates: object) -> None:
        assert isinstance(estimates, dict)
        self._plans = estimates
        self._view.set_seconds({preset: plan.seconds for preset, plan in self._plans.items()})


def _readiness(session: Session) -> tuple[str, bool]:
    """Return a sentence on what there is to train on, and whether training is possible."""
    labelled: Counter[tuple[int, ...]] = Counter()
    for (labels, _split, set_by), count in session.tally().items():
        if count and (labels or set_by not in (None, "ignored")):
            labelled[labels] += count
    classes = len({index for labels in labelled for index in labels})
    imported = any(count and set_by == "import" for (_labels, _split, set_by), count in session.tally().items())
    if not imported and task_named(session.project.task).exclusive:
        names = session.class_names
        counts = {names[index]: labelled[(index,)] for index in range(len(names))}
        missing = missing_labels(counts)
        if missing is not None:
            return text(missing), False
    # One class is enough where some samples are known not to show it.
    ready = len(set(map(frozenset, labelled))) >= 2
    return messages.readiness(session.project.kind, labelled=labelled.total(), classes=classes, ready=ready), ready


def _resumable(session: Session) -> ResumableRun | None:
    run = session.resumable_run()
    if run is None:
        return None
    has_checkpoint = session.project.runs.has_checkpoint(run.number)
    return ResumableRun(run=run.number, has_checkpoint=has_checkpoint, failed=run.state == "failed")


def _plan_all(project: Project, backbone: str, ear: Ear, speeds: Mapping[str, float]) -> dict[Preset, TimePlan]:
    """Return the expected times of each preset on this machine."""
    return {preset: plan_time(project, preset, backbone=backbone, speeds=speeds, ear=ear) for preset in PRESETS}
