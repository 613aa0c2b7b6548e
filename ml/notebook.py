"""A project in a notebook: `from ml import notebook as handlens`, then `handlens.open(…)`.

What the methods return shows itself as a picture or a table in Jupyter, and as plain text elsewhere.
"""

from __future__ import annotations

import functools
import html
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import EpochDone, Evaluated, Failed, Finished, StageStarted, Stopped
from ml.core.jobs import NeverStop, TrainJob
from ml.core.messages import Message, msg, text, tr, use_language
from ml.core.phrases import percent, things
from ml.core.printable import printable
from ml.core.stages import stage_message
from ml.core.terminal_language import terminal_language
from ml.core.types import PRESETS
from ml.evaluation.run_view import Order, RunView
from ml.media.kinds import kind_named
from ml.pictures.contact_sheet import contact_sheet
from ml.pipeline.dispatch import run as run_job
from ml.project.project import SUFFIX, Project
from ml.scoring.tasks import task_named

__all__ = ["Confusion", "Gallery", "NotebookProject", "NotebookScore", "Run", "open"]

P = ParamSpec("P")
R = TypeVar("R")
_EDGE = 360
_COLUMNS = 4


class NotebookError(HandlensError):
    """What went wrong, which a notebook shows as a sentence and without lines of code."""

    def _render_traceback_(self) -> list[str]:
        return [text(self.message)]


def _in_words(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function raise NotebookError instead of HandlensError."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except HandlensError as error:
            raise NotebookError(error.message, details=error.details) from error

    return wrapped


@_in_words
def open(path: str | Path) -> NotebookProject:
    """Open a project by its folder. Raises NotebookError where there is none."""
    use_language(terminal_language())
    return NotebookProject(Path(path))


class NotebookProject:
    """A project of Handlens."""

    def __init__(self, path: Path) -> None:
        path = path.expanduser().absolute()
        named = path.with_name(path.name + SUFFIX)
        self.path = named if not path.exists() and named.is_dir() else path
        with self._opened() as stored:
            self.name = stored.name
            self.classes = tuple(item.name for item in stored.classes())
            self._kind = stored.kind
            self._samples = len(stored.samples())

    @_in_words
    def train(self, preset: str = "quick", *, seed: int = 0) -> Run:
        """Train a model and return its run. Raises NotebookError where that fails."""
        chosen = next((name for name in PRESETS if name == preset), None)
        if chosen is None:
            raise HandlensError(msg("Choose one of: {choices}.", choices=", ".join(PRESETS)))
        for event in run_job(TrainJob(project=self.path, preset=chosen, seed=seed), NeverStop()):
            if isinstance(event, StageStarted):
                _say(stage_message(event.stage))
            elif isinstance(event, EpochDone) and event.valid_accuracy is not None:
                _say(msg("Pass {number}: {score}", number=event.epoch, score=percent(event.valid_accuracy)))
            elif isinstance(event, Failed):
                raise HandlensError(event.message, details=event.details)
            elif isinstance(event, Stopped):
                raise HandlensError(msg("The work was cancelled and its unfinished results were removed."))
            elif isinstance(event, Finished):
                return self.run(event.run)
        raise HandlensError(msg("The work ended without a result. Try again."))

    @_in_words
    def run(self, number: int | None = None) -> Run:
        """Return a finished run, the newest one if no number is given."""
        with self._opened() as stored:
            return Run(self, stored.runs.finished(number).number)

    def _opened(self) -> Project:
        return Project.open(self.path, to_read=True)

    def __repr__(self) -> str:
        values = {"name": self.name, "number": self._samples, "things": things(self._kind), "classes": self.classes}
        return printable(tr("Project “{name}”: {number} {things} of {classes}", **values))

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>"


class Run:
    """A finished run of a project."""

    def __init__(self, project: NotebookProject, number: int) -> None:
        self.project = project
        self.number = number

    @property
    def model(self) -> Path:
        """The file of the model."""
        with self.project._opened() as stored:
            return stored.runs.results(self.number) / "model.onnx"

    @_in_words
    def score(self) -> NotebookScore:
        """Return how good it is on the test samples."""
        with self.project._opened() as stored:
            view = RunView(stored, self.number)
            scores, kind = view.evaluated, stored.kind
        files = scores.files if kind_named(kind).windowed else None
        words = task_named(scores.task).result(scores.accuracy, scores.n, kind, files=files, interval=scores.interval)
        return NotebookScore(words, scores)

    def most_wrong(self, count: int = 12) -> Gallery:
        """Return its worst mistakes on the test samples, with what spoke for each answer."""
        return self._gallery("most wrong", count, msg("Its worst mistakes"))

    def surest(self, count: int = 12) -> Gallery:
        """Return the right answers it is most certain of."""
        return self._gallery("surest", count, msg("What it is most certain of"))

    @_in_words
    def confusion(self) -> Confusion:
        """Return how often each class was predicted for samples of each class."""
        with self.project._opened() as stored:
            view = RunView(stored, self.number)
        return Confusion(tuple(view.evaluated.per_class), np.array(view.evaluated.confusion))

    @_in_words
    def _gallery(self, order: Order, count: int, title: Message) -> Gallery:
        with self.project._opened() as stored:
            view = RunView(stored, self.number)
            tiles = [tile for item in view.chosen(order, count) if (tile := view.tile(item, _EDGE)) is not None]
        if not tiles:
            return Gallery(b"", text(msg("There is nothing to show.")))
        subtitle = tr("Left: the sample. Right: what spoke for the answer.")
        drawn = io.BytesIO()
        contact_sheet(tiles, title=text(title), subtitle=subtitle, columns=_COLUMNS).save(drawn, format="PNG")
        words = ", ".join(f"{tile.label} → {tile.predicted}" for tile in tiles)
        return Gallery(drawn.getvalue(), printable(words))

    def __repr__(self) -> str:
        return printable(tr("{project}, run {run}", project=self.project.name, run=str(self.number)))

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>"


class NotebookScore:
    """The scores of a run; `accuracy` and `interval` are shares."""

    def __init__(self, words: Message, scores: Evaluated) -> None:
        self._words = words
        self.accuracy = scores.accuracy
        self.interval = scores.interval
        self.per_class = scores.per_class

    def __repr__(self) -> str:
        return text(self._words)

    def _repr_html_(self) -> str:
        rows = [
            [name, f"{scores['n']:.0f}", text(percent(scores["recall"]))]
            for name, scores in sorted(self.per_class.items(), key=lambda item: item[1]["recall"])
            if scores["n"]
        ]
        table = _table([tr("class"), tr("samples"), tr("found")], rows)
        words = html.escape(text(self._words))
        return f"<p><strong>{words}</strong></p>{table}"


class Gallery:
    """Samples with what the model looked at, as one picture (`png`)."""

    def __init__(self, png: bytes, words: str) -> None:
        self.png = png
        self._words = words

    def __repr__(self) -> str:
        return self._words

    def _repr_png_(self) -> bytes | None:
        return self.png or None


class Confusion:
    """`counts[labelled, predicted]` of the classes `names`."""

    def __init__(self, names: Sequence[str], counts: NDArray[np.integer]) -> None:
        self.names = tuple(names)
        self.counts = counts

    def __repr__(self) -> str:
        width = max(len(printable(name)) for name in self.names)
        lines = zip(self.names, self.counts, strict=False)
        return "\n".join(
            f"{printable(name):>{width}} {' '.join(f'{count:5d}' for count in row)}" for name, row in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(printable(name))}</th>" for name in ("", *self.names))
        body = ""
        for number, (name, row) in enumerate(zip(self.names, self.counts.tolist(), strict=False)):
            cells = "".join(
                f'<td style="background: rgb({"15 118 110" if number == column else "185 28 28"} / '
                f'{0.6 * count / max(1, sum(row)):.2f})">{count or ""}</td>'
                for column, count in enumerate(row)
            )
            body += f"<tr><th>{html.escape(printable(name))}</th>{cells}</tr>"
        hint = html.escape(tr("Rows: the labels. Columns: the predictions."))
        return f"<p>{hint}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(printable(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _say(words: Message) -> None:
    sys.stdout.write(text(words) + "\n")
