"""Live answers on the Use page: opens a camera, a microphone or a file in their place, and shows what is answered."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.dialogs.folder import FileChooser, FolderChooser
from desktop.i18n import class_caption, printable, tr, trn
from desktop.pages.use.live_panel import LivePanel
from desktop.widgets.pixels import rgb_image
from desktop.widgets.probability_bars import Bar, percent
from desktop.workers.live_sources import (
    LiveSource,
    Microphone,
    MovingPicture,
    PicturesOfFolder,
    SoundFile,
    SystemCamera,
    Video,
)
from desktop.workers.live_thread import PictureThread, SeenPicture, SoundThread
from desktop.workers.sample_renderer import overlay_image
from ml.api import HeardSound, LiveAnswer, ModelInfo, ReleasedModel, clock_time, kind_named

MAX_BARS = 5
MOVING = (".gif", ".apng")
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ogv")


def can_be_live(info: ModelInfo) -> bool:
    """Return whether a camera or a microphone gives what this model takes."""
    return kind_named(info.kind).input_name in ("pixels", "waveform")


class LiveController(QObject):
    """Drives a `LivePanel`. One source at a time."""

    closed = Signal()
    """The person goes back to the answers."""

    def __init__(self, panel: LivePanel, parent: QWidget) -> None:
        super().__init__(parent)
        self._panel, self._page = panel, parent
        self._model: ReleasedModel | None = None
        self._source: LiveSource | None = None
        self.thread_in_use: PictureThread | SoundThread | None = None
        self._frozen = False
        self._folder: Path | None = None
        self._saved = 0
        panel.back_pressed.connect(self._leave)
        panel.hidden.connect(self._on_hidden)
        panel.freeze_toggled.connect(self._freeze)
        panel.file_pressed.connect(self._choose_file)
        panel.device_pressed.connect(self._open_device)
        panel.record_toggled.connect(self._record)

    def open(self, model: ReleasedModel) -> None:
        """Show what the camera or the microphone of this computer gives."""
        self.close()
        self._model, self._folder, self._saved = model, None, 0
        self._panel.begin(audible=self._audible(), source="")
        self._open_device()

    def play(self, path: Path) -> None:
        """Show a file, or the pictures of a folder, as if they were live."""
        model = self._model
        if model is None:
            return
        if self._audible():
            assert model.info.windowing is not None
            source: LiveSource = SoundFile(path, round(model.info.windowing.rate), self)
        elif path.suffix.lower() in VIDEOS:
            source = Video(path, self)
        elif path.suffix.lower() in MOVING:
            source = MovingPicture(path, self)
        else:
            source = PicturesOfFolder(path, self)
        self._begin(source, path.name)

    def close(self) -> None:
        """End all background work."""
        source, self._source = self._source, None
        thread, self.thread_in_use = self.thread_in_use, None
        if source is not None:
            source.stop()
            source.deleteLater()
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()

    def running(self) -> bool:
        """Return whether a source is open."""
        return self._source is not None

    # -- sources -------------------------------------------------------------------------------------------------

    def _audible(self) -> bool:
        return self._model is not None and kind_named(self._model.info.kind).audible

    @Slot()
    def _open_device(self) -> None:
        model = self._model
        if model is None:
            return
        if self._audible():
            assert model.info.windowing is not None
            self._begin(Microphone(round(model.info.windowing.rate), self), tr("Microphone"))
        else:
            self._begin(SystemCamera(self), tr("Camera"))

    def _begin(self, source: LiveSource, name: str) -> None:
        model = self._model
        assert model is not None
        self.close()
        self._panel.show_source(name)
        self._panel.set_frozen(False)
        thread = SoundThread(model, name, self) if self._audible() else PictureThread(model, self)
        if isinstance(thread, SoundThread):
            thread.save_to(self._folder)
        thread.arrived.connect(self._on_arrived)
        thread.failed.connect(self._on_problem)
        self._source, self.thread_in_use = source, thread
        source.arrived.connect(self._on_input)
        source.problem_found.connect(self._on_problem)
        thread.start()
        source.start()

    @Slot(object)
    def _on_input(self, newest: object) -> None:
        # A frozen spectrogram still hears: nothing that should be saved is missed.
        if self.thread_in_use is not None and (self._audible() or not self._frozen):
            self.thread_in_use.offer(newest)  # type: ignore[arg-type]

    @Slot(str)
    def _on_problem(self, sentence: str) -> None:
        self._panel.show_problem(sentence)

    @Slot()
    def _choose_file(self) -> None:
        if self._audible():
            endings = " ".join(f"*{suffix}" for suffix in sorted(kind_named("recordings").suffixes))
            names = tr("Files it can read ({endings})", endings=endings)
            path = FileChooser.ask(self._page, tr("Choose a recording to play"), names)
        else:
            endings = " ".join(f"*{each}" for each in (*MOVING, *VIDEOS, *sorted(kind_named("images").suffixes)))
            names = tr("Files it can read ({endings})", endings=endings)
            path = FileChooser.ask(self._page, tr("Choose a video or a picture; of a picture, its folder"), names)
            if path is not None and path.suffix.lower() not in (*MOVING, *VIDEOS):
                path = path.parent
        if path is not None:
            self.play(path)

    # -- what the person presses ---------------------------------------------------------------------------------

    @Slot()
    def _leave(self) -> None:
        self.close()
        self._model = None
        self.closed.emit()

    @Slot()
    def _on_hidden(self) -> None:
        """Do not leave a camera on that nobody looks through."""
        if self.running():
            self._leave()

    @Slot(bool)
    def _freeze(self, frozen: bool) -> None:
        self._frozen = frozen
        self._panel.set_frozen(frozen)

    @Slot(bool)
    def _record(self, on: bool) -> None:
        self._folder = FolderChooser.ask(self._page, tr("A folder for what is detected")) if on else None
        self._saved = 0
        if isinstance(self.thread_in_use, SoundThread):
            self.thread_in_use.save_to(self._folder)
        self._panel.set_recording("" if self._folder is None else str(self._folder))

    # -- answers -------------------------------------------------------------------------------------------------

    @Slot()
    def _on_arrived(self) -> None:
        thread = self.thread_in_use
        if thread is None or self.sender() is not thread:
            return
        newest = thread.take()
        if isinstance(thread, SoundThread):
            self._note_found(thread)
        if newest is None or self._frozen:
            return
        if isinstance(newest, SeenPicture):
            self._panel.picture.set_picture(newest.image)
        else:
            self._show_sound(newest)
        maps = newest.maps if isinstance(newest, HeardSound) else newest.answer.maps
        self._show_answer(newest.answer)
        assert self._model is not None
        self._panel.view().set_overlay(overlay_image(maps, newest.answer.best, kind=self._model.info.kind))

    def _show_sound(self, heard: HeardSound) -> None:
        thread, view = self.thread_in_use, self._panel.sound
        assert isinstance(thread, SoundThread)
        low, high = thread.frequencies
        view.set_picture(rgb_image(heard.picture))
        assert self._model is not None and self._model.info.windowing is not None
        times = self._model.info.windowing.time_expansion
        view.set_axes(start=heard.start, seconds=heard.seconds, f_min=low, f_max=high, time_expansion=times)

    def _note_found(self, thread: SoundThread) -> None:
        found, saved = thread.take_found()
        for each in found:
            fine = each.end - each.start < 10
            words = tr(
                "{name} · {start} to {end} · {percent}",
                name=printable(each.label),
                start=clock_time(each.start, fine=fine),
                end=clock_time(each.end, fine=fine),
                percent=percent(each.score),
            )
            self._panel.add_heard(words)
        self._saved += len(saved)
        if saved and self._folder is not None:
            self._panel.show_saved(
                trn(
                    "{count} sound is in {folder}.",
                    "{count} sounds are in {folder}.",
                    self._saved,
                    folder=str(self._folder),
                )
            )

    def _show_answer(self, answer: LiveAnswer) -> None:
        assert self._model is not None
        info = self._model.info
        names = tuple(map(printable, info.classes))
        present = info.predicted(answer.probabilities)
        if len(present) == 1:
            chance = percent(float(answer.probabilities[present[0]]))
            headline = tr("{name} · {percent}", name=names[present[0]], percent=chance)
        else:
            headline = class_caption(present, names)
        if answer.unlike > info.unlike_above:
            verdict = tr("It is like nothing the model was shown.")
        elif answer.decision == "accept":
            verdict = tr("Sure enough")
        else:
            verdict = tr("Not sure enough")
        bars = tuple(
            Bar(
                name=names[index],
                fraction=float(answer.probabilities[index]),
                colour=style.class_colour(int(index)),
                labelled=int(index) in present,
                threshold=float(info.present_above[index]) if info.present_above else None,
            )
            for index in answer.probabilities.argsort()[::-1][:MAX_BARS]
        )
        self._panel.show_answer(headline, verdict, good=answer.decision == "accept", bars=bars)
