"""Labels on their way to the disk: a few at once, many in a thread, always in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal, Slot

from ml.api import HandlensError, LabelChange, LabelParts, Origin, Project, Sample, Split, task_named

Wanted = Sequence[tuple[int, tuple[int, ...] | None]]
"""Samples and the labels they are to have; None for no label."""
FEW = 300
"""So many labels are written while the user waits for it: they take less time than a key press may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelFacts:
    """What belongs to labels beside the classes, by sample, see `Project.restore_labels`."""

    origins: Mapping[int, Origin] = field(default_factory=dict)
    annotators: Mapping[int, str] = field(default_factory=dict)
    """Only of labels that somebody else gave."""
    parts: Mapping[int, LabelParts] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What has reached the disk, the samples as they are now, and what kept the rest from it."""

    changes: tuple[LabelChange, ...]
    samples: dict[int, Sample]
    error: HandlensError | None = None


OnEnd = Callable[[Written], None]


class LabelWriter(QObject):
    """Writes labels in the order of the calls. `samples` are the present ones by id; the owner keeps them up to date.

    `written` and then the caller's own `on_end` follow when the labels are on disk; for a few, before `write` returns.
    """

    written = Signal(object)
    """A `Written`; many labels come in several of them."""
    busy_changed = Signal(int, float)
    """How many labels are being written in the background, and the fraction that is done; 0: none."""
    _progressed = Signal(int, float)
    _ended = Signal(object)

    def __init__(self, project: Project, annotator: str, samples: dict[int, Sample], parent: QObject) -> None:
        super().__init__(parent)
        self._project, self._annotator, self._samples = project, annotator, samples
        self._threads: ThreadPoolExecutor | None = None
        self._running: Future[Written] | None = None
        self._on_end: OnEnd | None = None
        self._waiting: deque[Callable[[], None]] = deque()
        self._pieces: deque[Written] = deque()
        """What has reached the disk and is not shown yet: all at once would keep the window from answering."""
        self._progressed.connect(self._on_progressed, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    def busy(self) -> bool:
        return self._running is not None

    def after(self, edit: Callable[[], None]) -> None:
        """Call `edit` when everything before it is on disk: at once if nothing is being written."""
        self._waiting.append(edit)
        self._go_on()

    def write(self, wanted: Wanted, facts: LabelFacts, on_end: OnEnd) -> None:
        """Write labels, see `Project.restore_labels`."""
        if self.busy():
            self._waiting.append(partial(self._start, wanted, facts, on_end))
        else:  # also while an edit runs that was waiting: what waits behind it comes later
            self._start(wanted, facts, on_end)

    def finish(self) -> None:
        """Return when everything is on disk, also the edits that still wait."""
        while self._running is not None:
            self._end(self._running)

    def close(self) -> None:
        self.finish()
        if self._threads is not None:
            self._threads.shutdown()

    def _go_on(self) -> None:
        while self._waiting and self._running is None:
            self._waiting.popleft()()

    def _start(self, wanted: Wanted, facts: LabelFacts, on_end: OnEnd) -> None:
        if len(wanted) <= FEW:
            self._report(self._write(wanted, facts), on_end)
            return
        self._on_end = on_end
        self._threads = self._threads or ThreadPoolExecutor(max_workers=1, thread_name_prefix="labels")
        self._running = self._threads.submit(self._write_many, wanted, facts)
        self.busy_changed.emit(len(wanted), 0.0)
        self._running.add_done_callback(self._ended.emit)

    @Slot(int, float)
    def _on_progressed(self, count: int, fraction: float) -> None:
        if self._running is not None:
            self._show_pieces()
            self.busy_changed.emit(count, fraction)

    @Slot(object)
    def _on_ended(self, running: Future[Written]) -> None:
        if running is self._running:  # else `finish` was first
            self._end(running)

    def _end(self, running: Future[Written]) -> None:
        on_end, self._running, self._on_end = self._on_end, None, None
        self.busy_changed.emit(0, 1.0)
        assert on_end is not None
        try:
            written = running.result()
            self._show_pieces()
            on_end(written)
        finally:
            self._go_on()

    def _show_pieces(self) -> None:
        while self._pieces:
            self.written.emit(self._pieces.popleft())

    def _report(self, written: Written, on_end: OnEnd) -> None:
        if written.changes:
            self.written.emit(written)
        on_end(written)

    # -- in the thread -------------------------------------------------------------------------------------------

    def _write_many(self, wanted: Wanted, facts: LabelFacts) -> Written:
        return self._write(wanted, facts, progress=True)

    def _write(self, wanted: Wanted, facts: LabelFacts, *, progress: bool = False) -> Written:
        changes: list[LabelChange] = []
        samples: dict[int, Sample] = {}
        error: HandlensError | None = None
        try:
            for piece in self._project.restore_in_pieces(
                wanted,
                annotator=self._annotator,
                origins=facts.origins,
                annotators=facts.annotators,
                parts=facts.parts,
            ):
                changes += piece
                self._apply(piece, samples)
                if progress:
                    now = {change.sample_id: samples[change.sample_id] for change in piece}
                    self._pieces.append(Written(changes=piece, samples=now))
                    self._progressed.emit(len(wanted), len(changes) / len(wanted))
        except HandlensError as raised:
            error = raised
        return Written(changes=tuple(changes), samples=samples, error=error)

    def _apply(self, changes: Sequence[LabelChange], found: dict[int, Sample]) -> None:
        """Put the changed samples into `found`."""
        several = not task_named(self._project.task).exclusive
        splits: dict[str, Split] | None = None
        for change in changes:
            old = found.get(change.sample_id) or self._samples[change.sample_id]
            # In a multi-label project "none of them" is a label.
            ignored = change.origin == "ignored" and not change.unsaid
            labelled = bool(change.new) or (several and not change.unsaid and not ignored)
            split = old.split if labelled else None
            if labelled and split is None:
                splits = self._project.splits() if splits is None else splits
                split = splits.get(old.path)
            set_by = change.origin if labelled or ignored else None
            found[change.sample_id] = Sample(
                old.id, old.source_id, old.path, change.new, split, old.start, old.end, set_by, old.digest
            )
