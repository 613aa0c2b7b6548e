"""The timeline of a long recording: searches it, shows what was found, and lets a person review and export it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.dialogs.counts import CountsDialog
from desktop.dialogs.folder import FileSaver, FolderChooser
from desktop.i18n import error_text, printable, text, tr, trn
from desktop.pages.use.timeline_panel import TimelinePanel
from desktop.widgets.probability_bars import percent
from desktop.widgets.timeline_view import Lane, Mark
from desktop.workers.player import Player
from desktop.workers.recording_thread import RecordingThread, load_close, load_sound
from desktop.workers.tasks import Tasks
from ml.api import (
    Detection,
    DetectionReview,
    FileEnd,
    HandlensError,
    ModelInfo,
    ReleasedModel,
    claimed_seconds,
    clock_time,
    consequence_sentence,
    duration,
    export_detections,
    kind_named,
    review_sentence,
    tally_detections,
)

FEW_WINDOWS = 8
"""A recording of more windows is long: when something was heard then matters more than one answer."""
CLOSE_SECONDS = 300.0
"""A part that is not longer gets a spectrogram of its own, finer than the overview."""
BEFORE = 0.5
"""Seconds that are played before a detection."""
_CLOSE_AFTER_MS = 120
_SHOWN_AROUND = 12.0
"""A detection is shown with so many times its length, if the person has not zoomed closer."""
_OF_SOUND = ("audacity", "raven", "birdnet", "clips")
_NAMES = {
    "csv": ("detections.csv", ".csv"),
    "audacity": ("audacity-labels.txt", ".txt"),
    "raven": ("raven-selections.txt", ".txt"),
    "birdnet": ("birdnet-results.csv", ".csv"),
    "counts": ("detections-per-hour.csv", ".csv"),
}


def is_long(path: Path, info: ModelInfo) -> bool:
    """Return whether a timeline shows more of this file than one answer does."""
    kind = kind_named(info.kind)
    if info.windowing is None or not kind.audible or path.suffix.lower() not in kind.suffixes or not path.is_file():
        return False
    return claimed_seconds(path) > FEW_WINDOWS * info.windowing.seconds


class TimelineController(QObject):
    """Drives a `TimelinePanel`. One recording at a time."""

    closed = Signal()
    """The person goes back to the answers."""
    progressed = Signal(str, float)

    def __init__(self, panel: TimelinePanel, player: Player, parent: QWidget) -> None:
        super().__init__(parent)
        self._panel, self._player, self._page = panel, player, parent
        self._model: ReleasedModel | None = None
        self._path: Path | None = None
        self._thread: RecordingThread | None = None
        self._end: FileEnd | None = None
        self.review: DetectionReview | None = None
        self._current = -1
        self._sample: tuple[int, ...] = ()
        self._audible = True
        self._played_from = 0.0
        self._pending: dict[int, tuple[str, float, float]] = {}
        self._tasks, self._saving = Tasks(self, threads=1), Tasks(self, threads=1)
        self._tasks.done.connect(self._on_loaded)
        self._tasks.failed.connect(self._on_load_failed)
        self._saving.done.connect(self._on_saved)
        self._saving.failed.connect(self._on_save_failed)
        self._closer = QTimer(self, singleShot=True, interval=_CLOSE_AFTER_MS)
        self._closer.timeout.connect(self._load_close)
        self._connect()

    def _connect(self) -> None:
        panel, view, player = self._panel, self._panel.view, self._player
        panel.back_pressed.connect(self._leave)
        panel.class_chosen.connect(self._show_limits)
        panel.threshold_moved.connect(self._set_threshold)
        panel.length_moved.connect(self._set_shortest)
        panel.review_toggled.connect(self._toggle_review)
        panel.proposal_taken.connect(self._take_proposal)
        panel.export_pressed.connect(self._export)
        panel.counts_button.clicked.connect(self._show_counts)
        view.stepped.connect(self.step)
        view.answered.connect(self.answer)
        view.mark_chosen.connect(partial(self.choose, move=False))
        view.position_chosen.connect(self._play_from)
        view.play_pressed.connect(self.toggle_playing)
        view.view_changed.connect(self._closer.start)
        player.position_changed.connect(self._on_position)
        player.playing_changed.connect(self._on_playing)
        player.problem_found.connect(self._on_sound_problem)

    # -- one recording -------------------------------------------------------------------------------------------

    def open(self, model: ReleasedModel, path: Path) -> None:
        """Show a recording and search it. Raises HandlensError for a model of pictures."""
        self.clear()
        review = self.review = DetectionReview(model.info)
        self._model, self._path = model, path
        panel, view = self._panel, self._panel.view
        panel.file_name.setText(str(path))
        panel.set_classes(review.classes, tuple(map(printable, review.classes)))
        panel.show_problem("")
        self._audible = kind_named(model.info.kind).audible
        panel.play_button.setVisible(self._audible)
        panel.set_sound_problem(self._player.problem() if self._audible else "")
        for form in _OF_SOUND:
            panel.exports[form].setVisible(self._audible)
        panel.show_saved("")
        self._set_exports(False)
        view.set_length(claimed_seconds(path) if self._audible else 0.0, whole=True)
        self._show_limits()
        self._choose_none()
        thread = self._thread = RecordingThread(model, review, path, self)
        thread.pictured.connect(self._on_pictured)
        thread.arrived.connect(self._take)
        thread.progressed.connect(self._on_progress)
        thread.ended.connect(self._on_ended)
        thread.start()
        panel.show_progress(tr("Reading the recording…"))
        view.setFocus()

    def clear(self) -> None:
        """Forget the recording."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()
            self.progressed.emit("", -1.0)
        self._tasks.forget_all()
        self._closer.stop()
        self._player.stop()
        self._pending.clear()
        self._model = self._path = self._end = self.review = None
        self._sample = ()
        view = self._panel.view
        view.set_overview(None, 0.0)
        view.set_close(None, 0.0, 0.0)
        view.set_marks((), ())
        view.set_cursor(None)
        self._panel.review_button.setChecked(False)

    @property
    def path(self) -> Path | None:
        """The recording that is shown."""
        return self._path

    def close(self) -> None:
        """End all background work."""
        self.clear()
        self._tasks.close()
        self._saving.close()

    @Slot()
    def _leave(self) -> None:
        self.clear()
        self.closed.emit()

    @Slot(object, float)
    def _on_pictured(self, picture: QImage, seconds: float) -> None:
        if self.sender() is self._thread:
            view = self._panel.view
            view.set_length(max(view.length(), seconds))
            view.set_overview(picture, seconds)
            self._closer.start()

    @Slot(float)
    def _on_progress(self, seconds: float) -> None:
        if self.sender() is self._thread:
            self._take()
            share = min(1.0, seconds / self._panel.view.length())
            words = tr("Searching: {percent}", percent=percent(share))
            self._panel.show_progress(words)
            self.progressed.emit(words, share)

    @Slot(object, str)
    def _on_ended(self, end: FileEnd | None, problem: str) -> None:
        if self.sender() is not self._thread or self.review is None or self._path is None:
            return
        self._take()
        view = self._panel.view
        heard = end.seconds if end is not None else view.length()
        self._end = end or FileEnd(path=self._path, seconds=heard, detections=len(self.review.detections))
        if end is not None:
            view.set_length(end.seconds)
        self._panel.show_problem(problem)
        self._panel.show_progress(text(duration(heard)))
        self._set_exports(True)
        self.progressed.emit(
            trn("{count} detection was found", "{count} detections were found", len(self.review.shown())), -1.0
        )
        if self._current < 0:
            self._choose_none()

    @Slot()
    def _take(self) -> None:
        if self._thread is None or self.review is None:
            return
        found = self._thread.take()
        if found:
            self.review.add(found)
            self._show_marks()
            self._show_words()

    # -- limits --------------------------------------------------------------------------------------------------

    @Slot()
    def _show_limits(self) -> None:
        review, model = self.review, self._model
        if review is None or model is None or model.info.windowing is None:
            return
        label = self._panel.class_name()
        names = review.classes if label is None else (label,)
        self._panel.set_limits(
            max((review.thresholds[name] for name in names), default=0.5),
            review.shortest,
            lowest=min((review.lowest[name] for name in names), default=0.0),
            longest=3 * model.info.windowing.seconds,
        )
        if self._panel.review_button.isChecked():
            self._sample = review.to_review(label)
        self._show_words()

    @Slot(float)
    def _set_threshold(self, threshold: float) -> None:
        if self.review is not None:
            self.review.set_threshold(threshold, self._panel.class_name())
            self._after_limits()

    @Slot(float)
    def _set_shortest(self, seconds: float) -> None:
        if self.review is not None:
            self.review.shortest = seconds
            self._after_limits()

    def _after_limits(self) -> None:
        self._show_marks()
        self._show_words()

    def _show_marks(self) -> None:
        review, model = self.review, self._model
        assert review is not None and model is not None
        shown = {*review.shown(), *self._sample}
        if self._current >= 0:
            shown.add(self._current)
        labels = [name for name in review.classes if any(review.detections[place].label == name for place in shown)]
        lanes = [Lane(printable(name), style.class_colour(model.info.classes.index(name))) for name in labels]
        where = {name: at for at, name in enumerate(labels)}
        marks = [
            Mark(place, where[each.label], each.start, each.end, review.answers.get(place))
            for place, each in ((place, review.detections[place]) for place in sorted(shown))
        ]
        self._panel.view.set_marks(lanes, marks)

    def _show_words(self) -> None:
        review, panel = self.review, self._panel
        if review is None:
            return
        label = panel.class_name()
        names = review.classes if label is None else (label,)
        thresholds = {review.thresholds[name] for name in names}
        threshold = thresholds.pop() if len(thresholds) == 1 else None
        found = review.consequence(label)
        words = text(consequence_sentence(found, threshold=threshold, shortest=round(review.shortest, 2)))
        about = label if label is not None else self._only_class()
        if about is None:
            panel.set_words(words, tr("Choose a class to learn how many of its detections are right."))
            panel.set_proposal("", 0.0)
            return
        panel.set_words(words, text(review_sentence(review, about)))
        proposal = review.proposal(about)
        if proposal is not None and abs(proposal.threshold - review.thresholds[about]) > 0.004:
            panel.set_proposal(text(proposal.sentence()), proposal.threshold)
        else:
            panel.set_proposal("", 0.0)

    def _only_class(self) -> str | None:
        review = self.review
        return review.classes[0] if review is not None and len(review.classes) == 1 else None

    # -- reviewing -----------------------------------------------------------------------------------------------

    @Slot(bool)
    def _toggle_review(self, on: bool) -> None:
        review = self.review
        self._sample = review.to_review(self._panel.class_name()) if on and review is not None else ()
        if review is None:
            return
        self._show_marks()
        if self._sample:
            self.choose(self._sample[0])
        elif on:
            self._panel.review_button.setChecked(False)
        self._panel.view.setFocus()

    def _listed(self) -> list[int]:
        """Return what the arrows go through: the sample under review, or what is shown of the class."""
        assert self.review is not None
        return list(self._sample) or self.review.shown(self._panel.class_name())

    @Slot(int)
    def step(self, by: int) -> None:
        """Choose the next detection, or the one before; from where the person looks if none is chosen."""
        review = self.review
        if review is None or not (places := self._listed()):
            return
        if self._current in places:
            at = places.index(self._current) + by
        else:
            start, seconds = self._panel.view.visible()
            origin = review.detections[self._current].start if self._current >= 0 else start
            origin = origin if start <= origin <= start + seconds else start
            later = [at for at, place in enumerate(places) if review.detections[place].start >= origin]
            at = (later[0] if later else len(places)) - (by < 0)
        self.choose(places[min(max(at, 0), len(places) - 1)])

    @Slot(int)
    def choose(self, place: int, *, move: bool = True) -> None:
        """Choose a detection, show it and play it."""
        if self.review is None:
            return
        self._current = place
        each = self.review.detections[place]
        view = self._panel.view
        view.set_current(place)
        if move:
            seconds = view.visible()[1]
            wanted = _SHOWN_AROUND * max(each.end - each.start, 0.5)
            if seconds > wanted:
                view.show_part((each.start + each.end - wanted) / 2, wanted)
            else:
                view.reveal(each.start, each.end)
        self._describe()
        self._play_from(max(0.0, each.start - BEFORE))

    @Slot(bool)
    def answer(self, right: bool) -> None:
        """Note whether the chosen detection is right, and go on to the next."""
        review = self.review
        if review is None or self._current < 0:
            return
        again = review.answers.get(self._current) is right
        review.answer(self._current, None if again else right)
        self._show_marks()
        self._show_words()
        self._describe()
        if again:
            return
        if self._sample:
            left = [place for place in self._sample if place not in review.answers]
            if not left:
                self._panel.review_button.setChecked(False)
                return
            later = [place for place in left if place > self._current]
            self.choose((later or left)[0])
        else:
            self.step(1)

    @Slot()
    def _take_proposal(self) -> None:
        review, label = self.review, self._panel.class_name() or self._only_class()
        proposal = None if review is None or label is None else review.proposal(label)
        if review is not None and proposal is not None:
            review.set_threshold(proposal.threshold, label)
            self._show_limits()
            self._show_marks()

    def _choose_none(self) -> None:
        self._current = -1
        self._panel.view.set_current(-1)
        words = (
            tr("Arrows go from detection to detection, Y and N answer, Space plays, the wheel zooms.")
            if self._audible
            else tr("Arrows go from detection to detection, Y and N answer, the wheel zooms.")
        )
        self._panel.set_current(words, there=False)

    def _describe(self) -> None:
        review = self.review
        assert review is not None
        each: Detection = review.detections[self._current]
        fine = each.end - each.start < 10
        state = {None: "", True: tr("right"), False: tr("wrong")}[review.answers.get(self._current)]
        words = tr(
            "{name} · {start} to {end} · {percent}",
            name=printable(each.label),
            start=clock_time(each.start, fine=fine),
            end=clock_time(each.end, fine=fine),
            percent=percent(each.score),
        )
        self._panel.set_current(tr("{words} · {state}", words=words, state=state) if state else words, there=True)

    # -- pictures and sound --------------------------------------------------------------------------------------

    @Slot()
    def _load_close(self) -> None:
        model, path = self._model, self._path
        if model is None or path is None or model.info.windowing is None:
            return
        start, seconds = self._panel.view.visible()
        if seconds > CLOSE_SECONDS:
            self._panel.view.set_close(None, 0.0, 0.0)
            return
        # Half a screen on either side, so that moving does not lead into a coarse picture at once.
        begin = max(0.0, start - seconds / 2)
        length = min(self._panel.view.length() - begin, 2 * seconds)
        self._forget("picture")
        dark = None if self._audible else style.current().theme == "dark"
        task = self._tasks.submit(load_close, path, model.info.windowing, begin, length, dark)
        self._pending[task] = ("picture", begin, length)

    def _forget(self, what: str) -> None:
        for task in [task for task, (each, _start, _seconds) in self._pending.items() if each == what]:
            self._tasks.forget(task)
            del self._pending[task]

    @Slot(float)
    def _play_from(self, seconds: float) -> None:
        model, path = self._model, self._path
        if model is None or path is None or model.info.windowing is None:
            return
        self._player.stop()
        self._forget("sound")
        self._panel.view.set_cursor(seconds)
        if not self._audible or self._player.problem():
            return
        task = self._tasks.submit(load_sound, path, model.info.windowing, seconds)
        self._pending[task] = ("sound", seconds, 0.0)

    @Slot()
    def toggle_playing(self) -> None:
        """Stop, or play from the cursor, or from where the person looks."""
        if self._player.playing():
            self._player.stop()
            return
        if self.review is not None and self._current >= 0:
            self._play_from(max(0.0, self.review.detections[self._current].start - BEFORE))
        else:
            self._play_from(self._panel.view.visible()[0])

    @Slot(int, object)
    def _on_loaded(self, task: int, result: object) -> None:
        what, start, seconds = self._pending.pop(task, ("", 0.0, 0.0))
        if what == "picture" and isinstance(result, QImage):
            self._panel.view.set_close(result, start, seconds)
        elif what == "sound" and isinstance(result, np.ndarray) and self._model is not None:
            windowing = self._model.info.windowing
            assert windowing is not None
            self._played_from = start
            self._player.set_sound(result, round(windowing.rate), time_expansion=windowing.time_expansion)
            self._player.play()

    @Slot(int, object)
    def _on_load_failed(self, task: int, error: object) -> None:
        self._pending.pop(task, None)
        if isinstance(error, HandlensError):
            self._panel.show_problem(error_text(error))

    @Slot(float)
    def _on_position(self, seconds: float) -> None:
        if self._path is not None:
            self._panel.view.set_cursor(self._played_from + seconds)

    @Slot(bool)
    def _on_playing(self, playing: bool) -> None:
        self._panel.set_playing(playing)

    @Slot(str)
    def _on_sound_problem(self, sentence: str) -> None:
        if self._path is not None:
            self._panel.set_sound_problem(sentence)

    # -- exporting -----------------------------------------------------------------------------------------------

    def _set_exports(self, there: bool) -> None:
        for button in (self._panel.counts_button, *self._panel.exports.values()):
            button.setEnabled(there)

    @Slot()
    def _show_counts(self) -> None:
        """Show how many detections there were when, as the limits and the review are now."""
        review, model, end = self.review, self._model, self._end
        if review is None or model is None or end is None:
            return
        colours = [style.class_colour(model.info.classes.index(name)) for name in review.classes]
        count = partial(tally_detections, review.exported(), end)
        self.counts = CountsDialog(count, review.classes, colours, self._page)
        self.counts.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.counts.show()

    @Slot(str)
    def _export(self, form: str) -> None:
        review, model, end = self.review, self._model, self._end
        if review is None or model is None or end is None or self._path is None:
            return
        if form == "clips":
            target = FolderChooser.ask(self._page, tr("A folder for the clips"))
        else:
            name, suffix = _NAMES[form]
            names = tr("Text (*{suffix})", suffix=suffix)
            name = f"{self._path.stem}-{name}"
            target = FileSaver.ask(self._page, tr("Save the detections"), name, names, suffix=suffix)
        if target is not None:
            self._set_exports(False)
            self._saving.submit_stoppable(_export, form, target, review.exported(), end, model.info)

    @Slot(int, object)
    def _on_saved(self, _task: int, sentence: object) -> None:
        self._set_exports(self._end is not None)
        self._panel.show_saved(str(sentence))

    @Slot(int, object)
    def _on_save_failed(self, _task: int, error: object) -> None:
        self._set_exports(self._end is not None)
        if isinstance(error, HandlensError):
            self._panel.show_saved(error_text(error), good=False)
        else:
            fault = type(error).__name__
            self._panel.show_saved(tr("A fault in Handlens ended this ({fault}). Try again.", fault=fault), good=False)


def _export(
    form: str, target: Path, detections: list[Detection], end: FileEnd, info: ModelInfo, *, stopped: Callable[[], bool]
) -> str:
    count = export_detections(form, target, detections, end, info, stopped)
    return trn("{count} detection is in {path}.", "{count} detections are in {path}.", count, path=str(target))
