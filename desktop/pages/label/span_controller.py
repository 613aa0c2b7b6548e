"""The spans on the Label page: those that are labelled, and those that the model suggests."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QObject, Slot

from desktop import style
from desktop.pages.label import messages
from desktop.pages.label.ghost_bar import GhostBar
from desktop.pages.label.ghosts import Ghost
from desktop.pages.label.model import LabelModel
from desktop.pages.label.sound_tools import SoundTools
from desktop.widgets.span_view import ShownSpan, SpanTraceView, SpanView
from ml.api import LabelSpan


class SpanPanel(Protocol):
    """The part of the panel on which spans are shown."""

    sound: SpanView
    traces: SpanTraceView
    tools: SoundTools
    trace_tools: SoundTools
    ghost_bar: GhostBar

    def span_view(self) -> SpanView | None: ...

    def selection(self) -> tuple[float, float] | None: ...


class SpanController(QObject):
    """Shows the spans of one sample at a time, and takes what the person does to them to the model."""

    def __init__(self, panel: SpanPanel, model: LabelModel, parent: QObject) -> None:
        super().__init__(parent)
        self._panel, self._model = panel, model
        self._sample_id: int | None = None
        self._spans: tuple[LabelSpan, ...] = ()
        self._ghosts: tuple[Ghost, ...] = ()
        """What is suggested in this window; on the view these come after the labelled spans."""
        for tools in (panel.tools, panel.trace_tools):
            tools.remove_pressed.connect(self.remove_span)
        for view in (panel.sound, panel.traces):
            view.span_moved.connect(self._on_span_moved)
            view.span_removed.connect(self.remove_span)
            view.span_chosen.connect(self._show_ghost)
        panel.ghost_bar.accept_pressed.connect(self.accept_ghost)
        panel.ghost_bar.reject_pressed.connect(self.reject_ghost)
        model.ghosts.changed.connect(self._show_spans)

    def forget(self) -> None:
        """No key may speak of a span in another sample."""
        self._sample_id, self._spans, self._ghosts = None, (), ()
        view = self._panel.span_view()
        if view is not None:
            view.set_spans(())
        self._show_ghost()

    def show(self, sample_id: int | None) -> None:
        """Show the spans of another sample, or the same ones again."""
        self._sample_id = sample_id
        self._show_spans()

    @Slot()
    def _show_spans(self) -> None:
        """Show the labelled spans that reach into this window, and those that the model suggests."""
        session, view = self._model.session, self._panel.span_view()
        if session is None or self._sample_id is None or view is None:
            return
        if view.is_dragging():
            return  # it is shown again when the button is released
        self._model.ghosts.want(session.sample(self._sample_id))
        indices = {item.name: item.index for item in session.classes}
        chosen = self._chosen()
        self._spans, self._ghosts = self._model.spans(self._sample_id), self._model.ghosts_of(self._sample_id)
        shown = [(indices[span.class_name], span.start, span.end, False) for span in self._spans]
        shown += [(ghost.class_index, ghost.start, ghost.end, True) for ghost in self._ghosts]
        view.set_spans(
            [
                ShownSpan(
                    start=start,
                    end=end,
                    name=session.class_names[index],
                    colour=style.class_colour(index),
                    ghost=ghost,
                )
                for index, start, end, ghost in shown
            ]
        )
        there = [*self._spans, *self._ghosts]
        view.choose(there.index(chosen) if chosen in there else -1)
        self._show_ghost()

    def _chosen(self) -> LabelSpan | Ghost | None:
        """Return the span that is chosen on the view."""
        view = self._panel.span_view()
        there: list[LabelSpan | Ghost] = [*self._spans, *self._ghosts]
        place = -1 if view is None else view.chosen()
        return there[place] if 0 <= place < len(there) else None

    def _choose(self, place: int) -> None:
        view = self._panel.span_view()
        if view is not None:
            view.choose(place)

    # -- what the model suggests ---------------------------------------------------------------------------------

    def _ghost(self) -> Ghost | None:
        """Return the suggested span that the keys speak of: the chosen one, else the first."""
        chosen = self._chosen()
        return chosen if isinstance(chosen, Ghost) else next(iter(self._ghosts), None)

    @Slot()
    def _show_ghost(self) -> None:
        """Say which span is suggested, or why none is."""
        session, bar, ghosts = self._model.session, self._panel.ghost_bar, self._model.ghosts
        bar.setVisible(ghosts.possible() and self._sample_id is not None)
        if session is None or self._sample_id is None or not ghosts.possible():
            return
        ghost = self._ghost()
        if ghost is not None:
            name, windowing = session.class_names[ghost.class_index], session.project.windowing
            timed = windowing is None or windowing.clock != "none"
            words = messages.ghost_line(name, ghost.start, ghost.end, ghost.score, timed=timed)
            bar.show_ghost(words, there=True)
            return
        state, problem = ghosts.state(session.sample(self._sample_id))
        # Where nothing was searched yet, for instance while a training has the machine, there is nothing to say.
        words = "" if state == "none" else messages.no_ghost(searching=state == "searching")
        bar.show_ghost(problem or words, there=False)

    @Slot()
    def accept_ghost(self) -> None:
        """Make the suggested span a label, and choose the next one."""
        ghost = self._ghost()
        if ghost is not None and self._sample_id is not None:
            self._model.accept_ghost(self._sample_id, ghost)
            self._after_ghost(ghost)

    @Slot()
    def reject_ghost(self) -> None:
        """Take the suggested span away, and choose the next one."""
        ghost = self._ghost()
        if ghost is not None and self._sample_id is not None:
            self._model.reject_ghost(self._sample_id, ghost)
            self._after_ghost(ghost)

    @Slot()
    def next_ghost(self) -> None:
        """Choose the suggested span after the chosen one, or the first."""
        chosen = self._chosen()
        later = self._ghosts.index(chosen) + 1 if isinstance(chosen, Ghost) else 0
        if self._ghosts:
            self._choose(len(self._spans) + later % len(self._ghosts))

    def _after_ghost(self, ghost: Ghost) -> None:
        self._show_spans()
        later = (place for place, each in enumerate(self._ghosts) if each.start >= ghost.start)
        place = next(later, None)
        self._choose(-1 if place is None else len(self._spans) + place)

    @Slot(int, float, float)
    def _on_span_moved(self, place: int, start: float, end: float) -> None:
        """An end that lies outside of this window stays where it is."""
        if self._sample_id is not None and place < len(self._spans):
            self._model.move_span(self._sample_id, self._spans[place], start, end)
            self._show_spans()

    @Slot()
    def remove_span(self) -> None:
        """Remove the chosen span; of a suggested one nothing is left."""
        chosen = self._chosen()
        if isinstance(chosen, Ghost):
            self.reject_ghost()
        elif self._sample_id is not None and chosen is not None:
            self._model.remove_span(self._sample_id, chosen)
            self._choose(-1)
            self._show_spans()

    def label_selection(self, class_index: int) -> bool:
        """Label the selected time of the recording; False where nothing is selected."""
        span = self._panel.selection()
        if span is None or self._sample_id is None:
            return False
        self._model.add_span(self._sample_id, class_index, *span)
        self.select_nothing()
        self._show_spans()
        return True

    def select_nothing(self) -> None:
        view = self._panel.span_view()
        if view is not None:
            view.select(None)
