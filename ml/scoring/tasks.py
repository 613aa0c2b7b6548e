"""What a project learns: a `Task` turns labels into targets, logits into answers, answers into scores and sentences.

Exclusive tasks have targets (n,) of class indices, one for each sample. In the others each class is there or not, with
targets (n, classes) of 0 and 1. Another module may register a task of its own with `register_task`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import Evaluated
from ml.core.jobs import WRONG_AT_MOST
from ml.core.messages import Message, english, msg
from ml.core.phrases import between, counted, counted_files, of_hundred, percent, things
from ml.core.plugins import note_plugin
from ml.core.types import KindName, TaskName
from ml.scoring.calibration import apply_temperature, fit_temperature, softmax
from ml.scoring.metrics import (
    accuracy,
    accuracy_interval,
    confusion,
    expected_calibration_error,
    log_loss,
    per_class,
)
from ml.scoring.multilabel import (
    average_precisions,
    best_thresholds,
    binary_log_loss,
    calibration_error,
    error_controlled_thresholds,
    mean_average_precision,
    multilabel_confusion,
    precision_recall,
    predicted_labels,
    rule_of,
    sigmoid,
)

Interval = tuple[float, float]
Part = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Probabilities (n, classes) of a split and its targets."""
CARD_TABLE = "| class |"
"""How the table of a model card begins, whatever version of Handlens wrote it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationError:
    """How far off probabilities are on held-out samples, before and after the temperature; None without samples."""

    before: float | None
    after: float | None
    temperature: float


class Task(ABC):
    """One task. Probabilities are (n, classes), labels class indices."""

    name: TaskName
    exclusive: bool
    """Whether each sample has exactly one class. Then the model names the likeliest class and hands unsure answers to
    the user; otherwise each class has a threshold from which it counts as present, and a sample may show none."""
    score_meaning: Message | None = None
    """What the score is, where it does not speak for itself."""

    @property
    def default_error_rate(self) -> float | None:
        """The share of wrong answers to keep to where the user chose none; None: thresholds that keep to none."""
        return WRONG_AT_MOST if self.exclusive else None

    @abstractmethod
    def targets(self, labels: Sequence[tuple[int, ...]], *, classes: int) -> NDArray[np.int64]:
        """Return the targets of samples with these labels."""

    @abstractmethod
    def activation(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        """Turn logits (n, classes) into probabilities."""

    @abstractmethod
    def score_and_loss(
        self, probabilities: NDArray[np.floating], targets: NDArray[np.integer]
    ) -> tuple[float | None, float | None]:
        """Return the score (0…1, more is better) and the mean loss in nats; None for no rows."""

    @abstractmethod
    def score_interval(self, score: float | None, files: int) -> Interval | None:
        """Return the 95 % confidence interval of a score on samples from so many files, if there is one."""

    @abstractmethod
    def fit_temperature(self, stored: NDArray[np.floating], targets: NDArray[np.integer]) -> float:
        """Return the temperature for answers as `predict_all` stores them: probabilities, logits if not exclusive."""

    @abstractmethod
    def calibrated(self, stored: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
        """Return the probabilities for stored answers at a temperature."""

    @abstractmethod
    def presence_thresholds(
        self, part: Part, *, wanted: float | None, sources: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.float32] | None, bool]:
        """Return (classes,) from where on a class counts as present, for an error rate, and whether that is guaranteed.

        None for exclusive tasks.
        """

    @abstractmethod
    def predicted(self, probabilities: NDArray[np.floating], thresholds: Sequence[float] | None) -> tuple[int, ...]:
        """Return the classes that are said of one sample (classes,), the likeliest first."""

    @abstractmethod
    def over_windows(self, probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return (classes,) what is said of a file from its windows."""

    @abstractmethod
    def report(
        self,
        probabilities: NDArray[np.float32],
        labels: Sequence[tuple[int, ...]],
        names: tuple[str, ...],
        *,
        files: int,
        thresholds: NDArray[np.floating] | None = None,
        temperature: float | None = None,
    ) -> Evaluated:
        """Return every score of calibrated probabilities. `names` may be longer than the columns: classes that the run
        did not know. `temperature` is what they were calibrated by."""

    # -- sentences -----------------------------------------------------------------------------------------------

    @abstractmethod
    def result(
        self, score: float, n: int, kind: KindName, *, files: int | None = None, interval: Interval | None = None
    ) -> Message:
        """Say what a run reached on n samples; of windows also from how many `files` they are."""

    @abstractmethod
    def validated(self, score: float) -> Message:
        """Return the score of an epoch on the validation set, as a part of a line."""

    @abstractmethod
    def score_text(self, score: float) -> Message:
        """Return a score for a table."""

    @abstractmethod
    def purpose(self, names: tuple[str, ...], kind: KindName) -> Message:
        """Say in the model card what the model does."""

    @abstractmethod
    def card_score(
        self, part: Part, split: Literal["valid", "test"], kind: KindName, interval: Interval | None
    ) -> Message:
        """Say in the model card how good the model is on a split."""

    @abstractmethod
    def card_calibration(self, valid: Part, error: CalibrationError) -> Message:
        """Say in the model card how far off its probabilities are."""

    @abstractmethod
    def card_table(self, part: Part, names: tuple[str, ...], *, files: int, thresholds: Sequence[float]) -> list[str]:
        """Return the table of the model card, Markdown."""

    def card_notes(self) -> tuple[Message, ...]:
        """Return what else the model card says below the scores."""
        return ()


class SingleLabel(Task):
    """Each sample shows exactly one class."""

    name = "single"
    exclusive = True

    def targets(self, labels: Sequence[tuple[int, ...]], *, classes: int) -> NDArray[np.int64]:  # noqa: ARG002
        return np.array([each[0] for each in labels], dtype=np.int64)

    def activation(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        return softmax(logits)

    def score_and_loss(
        self, probabilities: NDArray[np.floating], targets: NDArray[np.integer]
    ) -> tuple[float | None, float | None]:
        return accuracy(probabilities, targets), log_loss(probabilities, targets)

    def score_interval(self, score: float | None, files: int) -> Interval | None:
        return None if score is None else accuracy_interval(score, files)

    def fit_temperature(self, stored: NDArray[np.floating], targets: NDArray[np.integer]) -> float:
        return fit_temperature(np.log(np.maximum(stored, 1e-12)), targets)

    def calibrated(self, stored: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
        return apply_temperature(stored, temperature)

    def presence_thresholds(
        self,
        part: Part,  # noqa: ARG002 - others need them
        *,
        wanted: float | None,  # noqa: ARG002
        sources: NDArray[np.integer] | None = None,  # noqa: ARG002
    ) -> tuple[NDArray[np.float32] | None, bool]:
        return None, False

    def predicted(
        self,
        probabilities: NDArray[np.floating],
        thresholds: Sequence[float] | None,  # noqa: ARG002 - others need it
    ) -> tuple[int, ...]:
        return (int(np.argmax(probabilities)),)

    def over_windows(self, probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(probabilities.mean(axis=0), dtype=np.float32)

    def report(
        self,
        probabilities: NDArray[np.float32],
        labels: Sequence[tuple[int, ...]],
        names: tuple[str, ...],
        *,
        files: int,
        thresholds: NDArray[np.floating] | None = None,  # noqa: ARG002 - others need it
        temperature: float | None = None,
    ) -> Evaluated:
        raw = None if temperature is None else apply_temperature(probabilities, 1.0 / temperature)
        missing = max(0, len(names) - probabilities.shape[1])
        probabilities = np.pad(probabilities, ((0, 0), (0, missing)))
        truth = self.targets(labels, classes=len(names))
        score = self.score_and_loss(probabilities, truth)[0] or 0.0
        matrix = confusion(truth, probabilities.argmax(axis=1), classes=len(names))
        return Evaluated(
            accuracy=score,
            n=len(truth),
            files=files,
            per_class=per_class(matrix, names, sources=files),
            confusion=tuple(tuple(int(count) for count in row) for row in matrix),
            ece=expected_calibration_error(probabilities, truth),
            ece_before=None if raw is None else expected_calibration_error(raw, truth),
            interval=self.score_interval(score, files),
            task=self.name,
        )

    def result(
        self, score: float, n: int, kind: KindName, *, files: int | None = None, interval: Interval | None = None
    ) -> Message:
        right, samples = round(score * n), counted(n, kind)
        if files is None:
            first = msg("The model is correct on {right} of {samples} it has never seen.", right=right, samples=samples)
        else:
            first = msg(
                "The model is correct on {right} of {samples} (from {files}) it has never seen.",
                right=right,
                samples=samples,
                files=counted_files(files, kind),
            )
        if interval is None:
            return first
        return msg("{first} With 95 % confidence, it is correct on {between}.", first=first, between=between(interval))

    def validated(self, score: float) -> Message:
        return msg("validation accuracy {accuracy}", accuracy=percent(score))

    def score_text(self, score: float) -> Message:
        return percent(score)

    def purpose(self, names: tuple[str, ...], kind: KindName) -> Message:
        return msg("Tells {n} classes of {things} apart: {classes}.", n=len(names), things=things(kind), classes=names)

    def card_score(
        self, part: Part, split: Literal["valid", "test"], kind: KindName, interval: Interval | None
    ) -> Message:
        n = len(part[1])
        if n == 0 or interval is None:
            return _no_samples(split, kind)
        right = int((part[0].argmax(axis=1) == part[1]).sum())
        values = {"right": right, "n": n, "share": right / n, "low": interval[0], "high": interval[1]}
        if split == "test":
            return msg(
                "Right on {right} of {n} test {things}, {share:.1%} (95 % confidence: {low:.1%} to {high:.1%}).",
                things=things(kind),
                **values,
            )
        return msg(
            "Right on {right} of {n} validation {things}, {share:.1%} (95 % confidence: {low:.1%} to {high:.1%}).",
            things=things(kind),
            **values,
        )

    def card_calibration(self, valid: Part, error: CalibrationError) -> Message:  # noqa: ARG002 - others need it
        if error.after is None or error.before is None:
            return NOT_CHECKED
        return msg(
            "Its probabilities are off by {error:.3f} on average (0 is perfect: “90 % sure” is right 90 times in 100). "
            "Before calibration they were off by {before:.3f}. Temperature {temperature:.2f}.",
            error=error.after,
            before=error.before,
            temperature=error.temperature,
        )

    def card_table(
        self,
        part: Part,
        names: tuple[str, ...],
        *,
        files: int,
        thresholds: Sequence[float],  # noqa: ARG002 - others need it
    ) -> list[str]:
        matrix = confusion(part[1], part[0].argmax(axis=1), classes=len(names))
        lines = [f"{CARD_TABLE} samples | found | correct when predicted |", "|---|---|---|---|"]
        for name, score in per_class(matrix, names, sources=files).items():
            found = f"{score['recall']:.0%} ({score['recall_low']:.0%}–{score['recall_high']:.0%})"
            named = f"{score['precision']:.0%} ({score['precision_low']:.0%}–{score['precision_high']:.0%})"
            lines.append(f"| {name} | {score['n']:.0f} | {found} | {named} |")
        return lines


class MultiLabel(Task):
    """More than one class may be present in a sample, or none. The score is the mean average precision."""

    name = "multi"
    exclusive = False
    score_meaning = msg(
        "The score (mean average precision) says how well the model ranks samples that show a class above those that "
        "do not. 100 is perfect."
    )

    def targets(self, labels: Sequence[tuple[int, ...]], *, classes: int) -> NDArray[np.int64]:
        targets = np.zeros((len(labels), classes), dtype=np.int64)
        for row, shown in enumerate(labels):
            targets[row, [index for index in shown if index < classes]] = 1
        return targets

    def activation(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        return sigmoid(logits)

    def score_and_loss(
        self, probabilities: NDArray[np.floating], targets: NDArray[np.integer]
    ) -> tuple[float | None, float | None]:
        return mean_average_precision(probabilities, targets), binary_log_loss(probabilities, targets)

    def score_interval(self, score: float | None, files: int) -> Interval | None:  # noqa: ARG002 - others need them
        return None

    def fit_temperature(self, stored: NDArray[np.floating], targets: NDArray[np.integer]) -> float:
        return fit_temperature(stored, targets)

    def calibrated(self, stored: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
        return sigmoid(stored / temperature)

    def presence_thresholds(
        self, part: Part, *, wanted: float | None, sources: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.float32] | None, bool]:
        if wanted is None:
            return best_thresholds(*part, sources=sources), False
        return error_controlled_thresholds(*part, wanted=wanted, sources=sources)

    def predicted(self, probabilities: NDArray[np.floating], thresholds: Sequence[float] | None) -> tuple[int, ...]:
        assert thresholds is not None
        order = np.argsort(-np.asarray(probabilities), kind="stable")
        return tuple(int(index) for index in order if probabilities[index] >= thresholds[index])

    def over_windows(self, probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
        # What is heard in one window is there.
        return np.asarray(probabilities.max(axis=0), dtype=np.float32)

    def report(
        self,
        probabilities: NDArray[np.float32],
        labels: Sequence[tuple[int, ...]],
        names: tuple[str, ...],
        *,
        files: int,
        thresholds: NDArray[np.floating] | None = None,
        temperature: float | None = None,  # noqa: ARG002 - others need it
    ) -> Evaluated:
        assert thresholds is not None
        # A class that the run did not know is never predicted.
        missing = max(0, len(names) - probabilities.shape[1])
        probabilities = np.pad(probabilities, ((0, 0), (0, missing)))
        thresholds = np.pad(thresholds, (0, missing), constant_values=0.5)
        targets = self.targets(labels, classes=len(names))
        said = predicted_labels(probabilities, thresholds)
        scores = precision_recall(said, targets, names, sources=files)
        for name, average in zip(names, average_precisions(probabilities, targets), strict=True):
            scores[name]["average_precision"] = 0.0 if np.isnan(average) else float(average)
        return Evaluated(
            accuracy=self.score_and_loss(probabilities, targets)[0] or 0.0,
            n=len(labels),
            files=files,
            per_class=scores,
            confusion=tuple(tuple(int(count) for count in row) for row in multilabel_confusion(said, targets)),
            ece=calibration_error(probabilities, targets),
            task=self.name,
        )

    def result(
        self,
        score: float,
        n: int,
        kind: KindName,
        *,
        files: int | None = None,
        interval: Interval | None = None,  # noqa: ARG002 - others need it
    ) -> Message:
        shown, samples = round(score * 100), counted(n, kind)
        if files is None:
            first = msg(
                "The model scores {score} out of 100 on {samples} it has never seen.", score=shown, samples=samples
            )
        else:
            first = msg(
                "The model scores {score} out of 100 on {samples} (from {files}) it has never seen.",
                score=shown,
                samples=samples,
                files=counted_files(files, kind),
            )
        return msg("{first} {second}", first=first, second=self.score_meaning)

    def validated(self, score: float) -> Message:
        return msg("validation score {score} out of 100", score=round(score * 100))

    def score_text(self, score: float) -> Message:
        return of_hundred(score)

    def purpose(self, names: tuple[str, ...], kind: KindName) -> Message:
        return msg(
            "Predicts which of {n} classes are present in {things}, any number of them: {classes}.",
            n=len(names),
            things=things(kind),
            classes=names,
        )

    def card_score(
        self,
        part: Part,
        split: Literal["valid", "test"],
        kind: KindName,
        interval: Interval | None,  # noqa: ARG002 - others need it
    ) -> Message:
        score = mean_average_precision(*part)
        if score is None:
            return _no_samples(split, kind)
        if split == "test":
            return msg(
                "Mean average precision on {samples} in the test set: {score:.1%}.",
                samples=counted(len(part[1]), kind),
                score=score,
            )
        return msg(
            "Mean average precision on {samples} in the validation set: {score:.1%}.",
            samples=counted(len(part[1]), kind),
            score=score,
        )

    def card_notes(self) -> tuple[Message, ...]:
        return (
            msg(
                "Mean average precision: how well samples that show a class rank before those that do not; 100 % is "
                "perfect."
            ),
        )

    def card_calibration(self, valid: Part, error: CalibrationError) -> Message:  # noqa: ARG002 - others need it
        if not len(valid[1]):
            return NOT_CHECKED
        return msg(
            "Calibration error on the validation set: {error:.3f} (0 is perfect: “90 % sure” is right 90 times in "
            "100).",
            error=calibration_error(*valid),
        )

    def card_table(self, part: Part, names: tuple[str, ...], *, files: int, thresholds: Sequence[float]) -> list[str]:
        lines = [
            f"{CARD_TABLE} found | wrongly predicted | average precision | present from |",
            "|---|---|---|---|---|",
        ]
        scores = precision_recall(predicted_labels(part[0], np.asarray(thresholds)), part[1], names, sources=files)
        precisions = average_precisions(*part)
        for place, (name, score) in enumerate(scores.items()):
            found = f"{score['found']:.0f} of {score['n']:.0f} ({score['recall_low']:.0%}–{score['recall_high']:.0%})"
            average = "–" if np.isnan(precisions[place]) else f"{precisions[place]:.0%}"
            wrongly = f"{score['wrongly']:.0f} of {score['named']:.0f}"
            lines.append(f"| {name} | {found} | {wrongly} | {average} | {thresholds[place]:.0%} |")
        return lines


NOT_CHECKED = msg("The probabilities were not checked.")


def _no_samples(split: Literal["valid", "test"], kind: KindName) -> Message:
    if split == "test":
        return msg("There were no labelled test {things}.", things=things(kind))
    return msg("There were no labelled validation {things}.", things=things(kind))


def with_rule(card: str, wanted: float, *, promised: bool, instead: Message) -> str:
    """Return a model card, in English, that says above its table by which rule classes count as present now."""
    lines = card.split("\n")
    table = next((number for number, line in enumerate(lines) if line.startswith(CARD_TABLE)), 0)
    if table < 2:  # no sample was left to judge by, so the card has no table
        return card
    rule = msg("{first} {second}", first=rule_of(wanted, promised=promised), second=instead)
    return "\n".join([*lines[: table - 2], english(rule), *lines[table - 1 :]])


def task_for(targets: NDArray[np.integer]) -> Task:
    """Return the built-in task that has targets of this shape."""
    return task_named("single" if targets.ndim == 1 else "multi")


_tasks: dict[TaskName, Task] = {task.name: task for task in (SingleLabel(), MultiLabel())}


def register_task(task: Task) -> None:
    """Make a task known in this process, and through jobs in those it starts."""
    _tasks[task.name] = task
    note_plugin(type(task).__module__)


def task_named(name: TaskName) -> Task:
    """Return the task of this name. Raises HandlensError where no such task is known."""
    task = _tasks.get(name)
    if task is None:
        raise HandlensError(
            msg(
                "This version of Handlens does not know the task “{name}”. Install what created the project.", name=name
            )
        )
    return task
