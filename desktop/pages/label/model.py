"""What the Label page shows and changes: labels, classes, guesses. Every change can be undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoCommand, QUndoStack

from desktop import style
from desktop.i18n import printable, text, tr
from desktop.models.prediction_table import PredictionTable, table_of
from desktop.models.undo import (
    AddClass,
    ChangeClass,
    Labels,
    Relabel,
    RemarkSamples,
    give_labels,
    parts_now,
    toggle_class,
)
from desktop.pages.changes import RunChanges, marked
from desktop.pages.label import messages
from desktop.pages.label.filters import Filters, accepts
from desktop.pages.label.ghosts import Ghost, Ghosts, RejectGhost
from desktop.session import Session
from desktop.widgets.probability_bars import percent
from desktop.widgets.thumbnail_grid import Ids
from desktop.widgets.tiles import Tile
from desktop.workers.suggester import Suggester
from ml.api import (
    LONGEST_NOTE,
    ClassInfo,
    HandlensError,
    LabelChange,
    LabelSpan,
    MergePlan,
    Remark,
    RunInfo,
    Runner,
    Sample,
    edit_spans,
    missing_labels,
    spans_in,
    task_named,
)

Show = Literal["all", "unlabelled", "labelled", "ignored", "look", "flagged", "noted"]
SHOWN: tuple[Show, ...] = ("all", "unlabelled", "look", "labelled", "ignored", "flagged", "noted")
ANY_CLASS = -1
NO_FILTERS = Filters()


class LabelModel(QObject):
    """The one thing that the parts of this page share. Widgets never see it."""

    labels_changed = Signal()
    classes_changed = Signal()
    guesses_changed = Signal()
    originals_found = Signal()
    samples_changed = Signal()
    remarks_changed = Signal()
    problem_changed = Signal(str)

    def __init__(self, parent: QObject | None = None, *, runner: Runner | None = None) -> None:
        super().__init__(parent)
        self.undo_stack = QUndoStack(self)
        self.suggester = Suggester(self, runner=runner)
        self.suggester.changed.connect(self.guesses_changed)
        self.ghosts = Ghosts(self)
        self.session: Session | None = None
        self.changes = RunChanges()
        self._extents: Mapping[str, tuple[float, int]] | None = None

    # -- the project ---------------------------------------------------------------------------------------------

    def set_session(self, session: Session) -> None:
        self.session = session
        self.suggester.set_project(session.project, session.samples, len(session.classes))
        session.labels_changed.connect(self._on_labels_changed)
        session.classes_changed.connect(self._on_classes_changed)
        session.samples_changed.connect(self._on_samples_changed)
        session.originals_found.connect(self.originals_found)
        session.remarks_changed.connect(self._on_remarks)
        self.ghosts.set_session(session)

    def close(self) -> None:
        """End what runs in the background."""
        if self.session is not None:
            self.session.finish_writing()
            self.session.labels_changed.disconnect(self._on_labels_changed)
            self.session.classes_changed.disconnect(self._on_classes_changed)
            self.session.samples_changed.disconnect(self._on_samples_changed)
            self.session.originals_found.disconnect(self.originals_found)
            self.session.remarks_changed.disconnect(self._on_remarks)
        self.suggester.close()
        self.ghosts.close()
        self.undo_stack.clear()
        self.session = self._extents = None

    @property
    def several(self) -> bool:
        """Whether a sample may show several classes."""
        return self.session is not None and not task_named(self.session.project.task).exclusive

    def classes(self) -> tuple[ClassInfo, ...]:
        """Return the classes in use."""
        return () if self.session is None else self.session.active_classes()

    @Slot()
    def _on_samples_changed(self) -> None:
        """Files were added: what is suggested has to know them."""
        if self.session is not None:
            self._extents = None
            self.suggester.set_samples(self.session.samples, len(self.session.classes))
            self.samples_changed.emit()

    @Slot(object)
    def _on_remarks(self, _sample_ids: object) -> None:
        self.remarks_changed.emit()

    @Slot(object)
    def _on_labels_changed(self, changes: tuple[LabelChange, ...]) -> None:
        if self.session is not None:
            samples = self.session.samples_of({change.sample_id for change in changes})
            self.suggester.follow(samples)
            self.changes.update(samples)
            self.labels_changed.emit()

    @Slot()
    def _on_classes_changed(self) -> None:
        if self.session is not None:
            self.suggester.set_class_count(len(self.session.classes))
            self.classes_changed.emit()

    # -- what there is -------------------------------------------------------------------------------------------

    def ids(self, show: Show, class_index: int = ANY_CLASS, filters: Filters = NO_FILTERS) -> Ids:
        """Return the samples in this state, of the class or guessed as such, in the order of the files."""
        if self.session is None:
            return np.zeros(0, dtype=np.int64)
        if show == "look" and class_index == ANY_CLASS and filters == NO_FILTERS:
            return np.sort(self.suggester.in_doubt())
        doubtful = set(self.suggester.in_doubt().tolist()) if show == "look" else set()
        tests: dict[Show, Callable[[Sample], bool]] = {
            "all": lambda _sample: True,
            "unlabelled": lambda sample: not sample.labelled and not sample.ignored,
            "labelled": lambda sample: sample.labelled,
            "ignored": lambda sample: sample.ignored,
            "look": lambda sample: sample.id in doubtful,
            "flagged": lambda sample: self.remark(sample.id).flagged,
            "noted": lambda sample: bool(self.remark(sample.id).note),
        }
        fits = accepts(filters, self._sizes(), self.guess) if filters != NO_FILTERS else tests["all"]
        wanted = [
            sample.id
            for sample in self.session.samples
            if tests[show](sample)
            and (class_index == ANY_CLASS or class_index in self._shown_classes(sample))
            and fits(sample)
        ]
        return np.array(wanted, dtype=np.int64)

    def _sizes(self) -> Mapping[str, tuple[float, int]]:
        assert self.session is not None
        if self._extents is None:
            self._extents = self.session.project.extents()
        return self._extents

    # -- what a training changes ---------------------------------------------------------------------------------

    def remember_run(self) -> None:
        """Keep in mind what the run says, before a training makes another one."""
        table = self._table()
        if self.session is None or self.session.run is None or table is None:
            self.changes.forget()
        else:
            self.changes.remember(self.session.run.number, table)

    def follow_run(self, run: RunInfo) -> None:
        """Compare the run with the one that was kept in mind."""
        self.changes.follow(run.number, self._table())

    def _table(self) -> PredictionTable | None:
        """Return the predictions of the run; None where there are none or they cannot be read."""
        if self.session is None:
            return None
        try:
            predictions = self.session.predictions()
        except HandlensError:
            return None
        return None if predictions is None else table_of(predictions, self.session.samples)

    def remark(self, sample_id: int) -> Remark:
        """Return the flag and the note of a sample."""
        return Remark() if self.session is None else self.session.remarks().get(sample_id, Remark())

    def history(self, sample_id: int) -> tuple[LabelChange, ...]:
        """Return who gave the sample which label, the oldest first."""
        return () if self.session is None else self.session.project.history(sample_id)

    def useful(self) -> Ids:
        """Return all samples without a label, those first that are most useful to label."""
        first = [each for each in self.suggester.useful() if self._is_free(each)]
        rest = self.ids("unlabelled")
        return np.concatenate([np.array(first, dtype=np.int64), rest[~np.isin(rest, first)]])

    def _is_free(self, sample_id: int) -> bool:
        assert self.session is not None
        sample = self.session.sample(sample_id)
        return not sample.labelled and not sample.ignored

    def needs_label(self, sample_id: int) -> bool:
        """Return whether the sample has no label and is not to be ignored."""
        return self.session is not None and self._is_free(sample_id)

    def _shown_classes(self, sample: Sample) -> tuple[int, ...]:
        if sample.labelled or sample.ignored:
            return sample.labels
        guess = self.guess(sample.id)
        return () if guess is None else guess[0]

    def guess(self, sample_id: int) -> tuple[tuple[int, ...], float] | None:
        """Return the classes a sample probably shows, and how sure that is."""
        guess = self.suggester.guess(sample_id)
        if guess is None or self.session is None:
            return None
        retired = {item.index for item in self.session.classes if item.retired}
        return None if retired.intersection(guess[0]) else guess

    def counts(self) -> Counter[str]:
        """Count the labels of each class in use by its name."""
        counts: Counter[str] = Counter()
        if self.session is not None:
            names = {item.index: name for item, name in self._named() if not item.retired}
            for (labels, _split, _set_by), count in self.session.tally().items():
                for index in labels:
                    if index in names:
                        counts[names[index]] += count
        return counts

    def missing(self) -> str:
        """Say how many labels are missing for a training; empty where there are enough."""
        sentence = missing_labels(self.counts())
        return "" if sentence is None or self.several else text(sentence)

    def progress(self) -> str:
        """Say in words how far the person is."""
        if self.session is None:
            return ""
        labelled = ignored = 0
        for (labels, _split, set_by), count in self.session.tally().items():
            ignored += count if set_by == "ignored" else 0
            labelled += count if labels or set_by not in (None, "ignored") else 0
        return messages.progress(
            labelled=labelled,
            total=len(self.session.samples) - ignored,
            guessed=self.suggester.guesses is not None and self.suggester.enough(),
            look=len(self.suggester.in_doubt()),
        )

    def tile(self, sample_id: int) -> Tile:
        """Return what the grid shows of a sample: its label, or the guess, and a mark where it has a flag or a note."""
        tile, remark = marked(self._bare_tile(sample_id), self.changes.flip(sample_id)), self.remark(sample_id)
        if remark == Remark():
            return tile
        spoken = tr("{tile}, flagged", tile=tile.spoken) if remark.flagged else tile.spoken
        if remark.note:
            spoken = tr("{tile}. Note: {note}", tile=spoken, note=printable(remark.note))
        return replace(tile, flagged=remark.flagged, noted=bool(remark.note), spoken=spoken)

    def _bare_tile(self, sample_id: int) -> Tile:
        if self.session is None:
            return Tile(caption="")
        sample, names = self.session.sample(sample_id), self.session.class_names
        name = messages.sample_name(self.session, sample)
        if sample.ignored:
            words = tr("not used")
            return Tile(caption=words, faded=True, spoken=tr("{name}: {labels}", name=name, labels=words))
        if sample.labelled:
            words = messages.class_names(sample.labels, names)
            colour = style.class_colour(sample.labels[0]) if sample.labels else None
            return Tile(caption=words, colour=colour, spoken=tr("{name}: {labels}", name=name, labels=words))
        guess = self.guess(sample_id)
        if guess is None:
            return Tile(caption="", spoken=tr("{name}: no label", name=name))
        words = tr("{labels}?", labels=messages.class_names(guess[0], names))
        return Tile(
            caption=words,
            number=percent(guess[1]),
            colour=style.class_colour(guess[0][0]) if guess[0] else None,
            guessed=True,
            spoken=tr("{name}: perhaps {labels}", name=name, labels=words),
        )

    def _named(self) -> list[tuple[ClassInfo, str]]:
        assert self.session is not None
        return list(zip(self.session.classes, self.session.class_names, strict=True))

    # -- labels --------------------------------------------------------------------------------------------------

    def label(self, sample_ids: Sequence[int], class_index: int) -> None:
        """Give the samples this class; where several may be present, add it or take it away."""
        self._edit(partial(self._label, tuple(sample_ids), class_index))

    def accept(self, sample_ids: Sequence[int]) -> None:
        """Give those of the samples that have none the label that is guessed."""
        self._edit(partial(self._accept, tuple(sample_ids)))

    def ignore(self, sample_ids: Sequence[int]) -> None:
        """Do not use the samples; where all of them are ignored already, use them again."""
        self._edit(partial(self._ignore, tuple(sample_ids)))

    def undo(self) -> tuple[int, ...]:
        """Take back the last step, when it is on disk. Return the samples that it changed."""
        command = self.undo_stack.command(self.undo_stack.index() - 1) if self.undo_stack.canUndo() else None
        self._edit(self.undo_stack.undo)
        return command.sample_ids if isinstance(command, Relabel | RemarkSamples | RejectGhost) else ()

    def redo(self) -> None:
        self._edit(self.undo_stack.redo)

    def _edit(self, edit: Callable[[], None]) -> None:
        if self.session is not None:
            self.set_problem("")
            self.session.after_writing(edit)

    def _label(self, sample_ids: Sequence[int], class_index: int) -> None:
        if self.session is None:
            return
        samples, names = self.session.samples_of(sample_ids), self.session.class_names
        after: Mapping[int, Labels]
        if self.several:
            _before, after, words = toggle_class(samples, class_index, names)
            after = {sample.id: after.get(sample.id, sample.labels) for sample in samples}
        else:
            after, words = dict.fromkeys(sample_ids, (class_index,)), tr("Label as {name}", name=names[class_index])
        self._push(give_labels(self.session, samples, after, text=words, on_problem=self.set_problem))

    def _accept(self, sample_ids: Sequence[int]) -> None:
        if self.session is None:
            return
        guesses = {each: self.guess(each) for each in sample_ids if self._is_free(each)}
        after: dict[int, Labels] = {each: guess[0] for each, guess in guesses.items() if guess is not None}
        samples = self.session.samples_of(after)
        words = tr("Accept the suggestion")
        self._push(give_labels(self.session, samples, after, text=words, on_problem=self.set_problem))

    def _ignore(self, sample_ids: Sequence[int]) -> None:
        if self.session is None:
            return
        samples = self.session.samples_of(sample_ids)
        again = all(sample.ignored for sample in samples)
        after: dict[int, Labels] = dict.fromkeys(sample_ids, None if again else ())
        words = tr("Use again") if again else tr("Do not use")
        self._push(give_labels(self.session, samples, after, text=words, on_problem=self.set_problem, ignore=not again))

    def flag(self, sample_ids: Sequence[int]) -> None:
        """Flag the samples; where all of them are flagged already, take the flags away."""
        if self.session is None or not sample_ids:
            return
        before = {each: self.remark(each) for each in sample_ids}
        flagged = not all(remark.flagged for remark in before.values())
        after = {each: remark._replace(flagged=flagged) for each, remark in before.items()}
        self._note(before, after, tr("Flag") if flagged else tr("Remove the flag"))

    def write_note(self, sample_id: int, note: str) -> None:
        """Write a note on a sample; an empty one takes it away."""
        before = self.remark(sample_id)
        after = before._replace(note=note.strip()[:LONGEST_NOTE])
        if self.session is not None and after != before:
            self._note({sample_id: before}, {sample_id: after}, tr("Write a note"))

    def _note(self, before: Mapping[int, Remark], after: Mapping[int, Remark], words: str) -> None:
        assert self.session is not None
        self.set_problem("")
        self._push(RemarkSamples(self.session, before=before, after=after, text=words, on_problem=self.set_problem))

    # -- spans on recordings -------------------------------------------------------------------------------------

    def spans(self, sample_id: int) -> tuple[LabelSpan, ...]:
        """Return the labelled spans of the recording that reach into this window of it."""
        if self.session is None:
            return ()
        sample = self.session.sample(sample_id)
        if sample.start is None or sample.end is None:
            return ()
        return tuple(each for each in self._all_spans(sample) if each.end > sample.start and each.start < sample.end)

    def _all_spans(self, sample: Sample) -> tuple[LabelSpan, ...]:
        assert self.session is not None
        return spans_in(self.session.project.label_spans(sample.path))

    def add_span(self, sample_id: int, class_index: int, start: float, end: float) -> None:
        """Label a part of the recording that this sample is a window of."""
        new = LabelSpan(self._class(class_index).name, round(start, 3), round(end, 3))
        words = tr("Label as {name}", name=printable(new.class_name))
        self._edit(partial(self._edit_spans, sample_id, None, new, words))

    def move_span(self, sample_id: int, old: LabelSpan, start: float, end: float) -> None:
        """Give a span another start and end."""
        new = LabelSpan(old.class_name, round(start, 3), round(end, 3))
        words = tr("Move {name}", name=printable(old.class_name))
        self._edit(partial(self._edit_spans, sample_id, old, new, words))

    def remove_span(self, sample_id: int, old: LabelSpan) -> None:
        """Remove a span, and the labels that windows have by it."""
        words = tr("Remove {name}", name=printable(old.class_name))
        self._edit(partial(self._edit_spans, sample_id, old, None, words))

    def ghosts_of(self, sample_id: int) -> tuple[Ghost, ...]:
        """Return what the model in use suggests in the window of this sample."""
        if self.session is None:
            return ()
        sample = self.session.sample(sample_id)
        return self.ghosts.of(sample, self.spans(sample_id))

    def accept_ghost(self, sample_id: int, ghost: Ghost) -> None:
        """Label the part of the recording that was suggested, as if it had been drawn."""
        self.add_span(sample_id, ghost.class_index, ghost.start, ghost.end)

    def reject_ghost(self, sample_id: int, ghost: Ghost) -> None:
        """Do not suggest this any more."""
        if self.session is not None:
            self.set_problem("")
            self._push(self.ghosts.reject_command(self.session.sample(sample_id), ghost))

    def _edit_spans(self, sample_id: int, old: LabelSpan | None, new: LabelSpan | None, words: str) -> None:
        session = self.session
        if session is None:
            return
        path = session.sample(sample_id).path
        windows = [sample for sample in session.samples if sample.path == path]
        before = self._all_spans(windows[0])
        after = tuple(span for span in before if span != old) + (() if new is None else (new,))
        names = [item.name for item in session.classes]
        edit = edit_spans(windows, before, after, names, exclusive=not self.several)
        if new is not None and new in edit.outdone:
            self.set_problem(
                tr(
                    "{name} was not kept: another span covers more of the sample, which can have one class only.",
                    name=printable(new.class_name),
                )
            )
            return
        samples = session.samples_of(edit.windows)
        command = Relabel(
            session,
            before={s.id: s.labels if s.labelled or s.ignored else None for s in samples},
            after={each: window.labels for each, window in edit.windows.items()},
            text=words,
            on_problem=self.set_problem,
            origins_before={s.id: s.set_by for s in samples if s.set_by is not None},
        )
        command.parts_before = parts_now(session, edit.windows, path)
        command.parts_after = {each: window.parts for each, window in edit.windows.items()}
        self._push(command)

    def take_over(self, plan: MergePlan) -> None:
        """Take over what a colleague's copy says, in one step."""
        session = self.session
        if session is None or not (plan.taken or plan.remarks):
            return
        self.set_problem("")
        words = tr("Merge {name}", name=printable(plan.copy.name))
        self.undo_stack.beginMacro(words)
        for name in plan.new_classes:
            self._push(AddClass(session, name, on_problem=self.set_problem))
        indices = {item.name: item.index for item in session.classes}
        if plan.taken and {name for each in plan.taken for name, _start, _end in each.labels} <= indices.keys():
            self._push(self._merge_command(session, plan, indices, words))
        if plan.remarks:
            before = dict.fromkeys(plan.remarks, Remark())
            self._push(
                RemarkSamples(session, before=before, after=plan.remarks, text=words, on_problem=self.set_problem)
            )
        self.undo_stack.endMacro()

    def _merge_command(self, session: Session, plan: MergePlan, indices: Mapping[str, int], words: str) -> Relabel:
        samples = session.samples_of(each.sample_id for each in plan.taken)
        command = Relabel(
            session,
            before={s.id: s.labels if s.labelled or s.ignored else None for s in samples},
            after=plan.wanted(indices),
            text=words,
            on_problem=self.set_problem,
            origins_before={s.id: s.set_by for s in samples if s.set_by is not None},
            origins_after=plan.origins(),
        )
        command.annotators_after, command.parts_after = plan.annotators(), plan.parts(indices)
        command.parts_before = parts_now(session, [sample.id for sample in samples])
        return command

    # -- classes -------------------------------------------------------------------------------------------------

    def add_class(self, name: str) -> int | None:
        """Add a class, or find the one of that name; None, and a sentence, where that cannot be."""
        if self.session is None or not name.strip():
            return None
        known = {item.name: item.index for item in self.classes()}
        if name.strip() in known:
            return known[name.strip()]
        self.set_problem("")
        command = AddClass(self.session, name.strip(), on_problem=self.set_problem)
        self._push(command)
        return command.index

    def rename_class(self, index: int, name: str) -> None:
        old = self._class(index)
        if name.strip() and name.strip() != old.name:
            self._change_class(index, {"name": old.name}, {"name": name.strip()}, tr("Rename {name}", name=old.name))

    def recolour_class(self, index: int, colour: str) -> None:
        old = self._class(index)
        words = tr("Another colour for {name}", name=old.name)
        self._change_class(index, {"colour": old.colour}, {"colour": colour}, words)

    def merge_class(self, index: int, into: int) -> None:
        """Give the samples of a class to another one, which then stands for both."""
        words = tr("Merge {name} into {other}", name=self._class(index).name, other=self._class(into).name)
        self._retire(index, into, words)

    def remove_class(self, index: int) -> None:
        """Remove a class; its samples lose that label."""
        self._retire(index, None, tr("Delete {name}", name=self._class(index).name))

    def _class(self, index: int) -> ClassInfo:
        assert self.session is not None
        return self.session.classes[index]

    def _change_class(self, index: int, before: dict[str, str], after: dict[str, str], words: str) -> None:
        assert self.session is not None
        self.set_problem("")
        self._push(
            ChangeClass(
                self.session,
                index,
                before=before,  # type: ignore[arg-type]
                after=after,  # type: ignore[arg-type]
                text=words,
                on_problem=self.set_problem,
            )
        )

    def _retire(self, index: int, into: int | None, words: str) -> None:
        session = self.session
        if session is None:
            return
        session.finish_writing()
        self.set_problem("")
        samples = [sample for sample in session.samples if index in sample.labels]
        after: dict[int, Labels] = {}
        for sample in samples:
            rest = {each for each in sample.labels if each != index} | (set() if into is None else {into})
            after[sample.id] = tuple(sorted(rest)) or None
        relabel = give_labels(session, samples, after, text=words, on_problem=self.set_problem)
        self.undo_stack.beginMacro(words)
        if relabel is not None:
            self.undo_stack.push(relabel)
        self.undo_stack.push(
            ChangeClass(
                session,
                index,
                before={"retired": False},
                after={"retired": True},
                text=words,
                on_problem=self.set_problem,
            )
        )
        self.undo_stack.endMacro()

    def _push(self, command: QUndoCommand | None) -> None:
        if command is not None:
            if isinstance(command, Relabel):
                command.stack = self.undo_stack
            self.undo_stack.push(command)

    def set_problem(self, sentence: str) -> None:
        self.problem_changed.emit(sentence)
