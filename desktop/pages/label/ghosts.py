"""Ghost spans: what the model in use detects in the recording that is shown, until a person accepts or rejects it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoCommand

from desktop.i18n import printable, tr
from desktop.session import Session
from desktop.workers.span_finder import SearchState, SpanFinder
from ml.api import HandlensError, LabelSpan, ReleasedModel, Sample, Windowing, kind_named, model_path, open_run_model

SAME = 0.5
"""From this share of a ghost on, a label or a rejected ghost of its class means the same."""
WHOLE = 0.9
"""A ghost that covers this share of a window says of it what the label of the whole window says."""


class Ghost(NamedTuple):
    """A suggested span in seconds of the recording, and how sure the model is."""

    class_index: int
    start: float
    end: float
    score: float

    def share_in(self, start: float, end: float) -> float:
        """Return which share of this ghost lies within these times."""
        return max(0.0, min(self.end, end) - max(self.start, start)) / max(self.end - self.start, 1e-6)


class Ghosts(QObject):
    """Follows the model in use. What was rejected stays away as long as the project is open."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._finder = SpanFinder(self)
        self._finder.changed.connect(self.changed)
        self._session: Session | None = None
        self._model: Path | None = None
        self._classes: tuple[str, ...] = ()
        self._rejected: dict[str, list[Ghost]] = {}

    # -- the project ---------------------------------------------------------------------------------------------

    def set_session(self, session: Session) -> None:
        self._session, self._model = session, None
        self._rejected.clear()
        session.runs_changed.connect(self._follow)
        session.released_changed.connect(self._follow)
        session.training_changed.connect(self._on_training)
        self._follow()

    def close(self) -> None:
        """End what runs in the background, without another signal."""
        self.blockSignals(True)
        session, self._session = self._session, None
        if session is not None:
            session.runs_changed.disconnect(self._follow)
            session.released_changed.disconnect(self._follow)
            session.training_changed.disconnect(self._on_training)
        self._finder.close()

    @Slot()
    def _follow(self) -> None:
        """Suggest with the released run, else the newest one; with none of them, nothing."""
        session = self._session
        if session is None or not _has_times(session):
            return
        try:
            run = session.project.run_in_use()
            path = model_path(session.project, run.number)
        except HandlensError:  # there is no run yet, or it left no model
            self._model = None
            self._finder.set_model(None)
            return
        if path != self._model:
            self._model, self._classes = path, run.class_names
            self._finder.set_model(partial(_load, session, run.number))

    @Slot(bool)
    def _on_training(self, training: bool) -> None:
        """Leave the machine to a training; later the shown recording is searched again."""
        if training:
            self._finder.stop()
        self.changed.emit()

    # -- what is suggested ---------------------------------------------------------------------------------------

    def possible(self) -> bool:
        """Return whether there is a model that can suggest spans."""
        return self._finder.has_model()

    def want(self, sample: Sample) -> None:
        """Search the recording of this sample, if that was not done."""
        if self._session is None or self._session.training or not self.possible():
            return
        try:
            self._finder.want(self._session.project.file(sample.path))
        except HandlensError:  # its drive is not there; the picture of the sample says so
            return

    def state(self, sample: Sample) -> tuple[SearchState, str]:
        """Return how far the search of this recording is, and why it failed."""
        path = self._path(sample)
        return ("none", "") if path is None else (self._finder.state(path), self._finder.problem(path))

    def of(self, sample: Sample, spans: Sequence[LabelSpan]) -> tuple[Ghost, ...]:
        """Return what is suggested in the window of a sample whose recording has these labelled spans."""
        session, path = self._session, self._path(sample)
        if session is None or path is None or sample.start is None or sample.end is None or sample.ignored:
            return ()
        places = {item.name: item.index for item in session.classes}
        own = [(places[span.class_name], span.start, span.end) for span in spans if span.class_name in places]
        ghosts = [
            Ghost(index, each.start, each.end, each.score)
            for each in self._finder.found(path)
            if each.start < sample.end and each.end > sample.start
            if (index := self._index(each.label)) is not None
        ]
        return tuple(ghost for ghost in ghosts if self._is_news(ghost, sample, own))

    def _is_news(self, ghost: Ghost, sample: Sample, spans: Sequence[tuple[int, float, float]]) -> bool:
        """Return whether neither a label says this already nor a person rejected it."""
        assert sample.start is not None and sample.end is not None
        if sum(ghost.share_in(start, end) for index, start, end in spans if index == ghost.class_index) >= SAME:
            return False
        covered = min(ghost.end, sample.end) - max(ghost.start, sample.start)
        if ghost.class_index in sample.labels and covered >= WHOLE * (sample.end - sample.start):
            return False
        rejected = self._rejected.get(sample.path, ())
        return not any(
            each.class_index == ghost.class_index and ghost.share_in(each.start, each.end) >= SAME for each in rejected
        )

    def _index(self, label: str) -> int | None:
        """Return the class that a model calls by this name, which it may have had when the model was made."""
        assert self._session is not None
        classes = self._session.classes
        index = self._classes.index(label) if label in self._classes else len(classes)
        return index if index < len(classes) and not classes[index].retired else None

    def _path(self, sample: Sample) -> Path | None:
        try:
            return None if self._session is None else self._session.project.file(sample.path)
        except HandlensError:
            return None

    # -- what a person says --------------------------------------------------------------------------------------

    def reject_command(self, sample: Sample, ghost: Ghost) -> RejectGhost:
        """Return the step that takes a ghost away from this recording."""
        assert self._session is not None
        name = printable(self._session.classes[ghost.class_index].name)
        return RejectGhost(
            tr("Reject the suggested span {name}", name=name),
            sample.id,
            reject=partial(self._reject, sample.path, ghost),
            restore=partial(self._restore, sample.path, ghost),
        )

    def _reject(self, path: str, ghost: Ghost) -> None:
        self._rejected.setdefault(path, []).append(ghost)
        self.changed.emit()

    def _restore(self, path: str, ghost: Ghost) -> None:
        self._rejected[path].remove(ghost)
        self.changed.emit()


class RejectGhost(QUndoCommand):
    """Nothing of this is on disk: it is a wish about what is shown."""

    def __init__(self, text: str, sample_id: int, *, reject: Callable[[], None], restore: Callable[[], None]) -> None:
        super().__init__(text)
        self.sample_ids = (sample_id,)
        self._reject, self._restore = reject, restore

    def redo(self) -> None:
        self._reject()

    def undo(self) -> None:
        self._restore()


def _has_times(session: Session) -> bool:
    """Return whether samples are parts of recordings whose times a model shares with the project."""
    windowing = session.project.windowing
    if not kind_named(session.project.kind).windowed or not isinstance(windowing, Windowing):
        return False
    return not windowing.without_pauses  # logs of version 0.1 count time in another way than their models


def _load(session: Session, run: int) -> ReleasedModel:
    return open_run_model(session.project, run)[1]
