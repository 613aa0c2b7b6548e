"""What a project learns: a `Task` turns labels into targets, logits into answers, answers into scores and sentences.

Exclusive tasks have targets (n,) of class indices, one for each sample. In the others each class is there or not, with
targets (n, classes) of 0 and 1. `ml.scoring.tasks` knows the tasks by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.core.events import Evaluated
from ml.core.jobs import WRONG_AT_MOST
from ml.core.messages import Message, msg
from ml.core.phrases import things
from ml.core.types import KindName, TaskName

Interval = tuple[float, float]
Part = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Probabilities (n, classes) of a split and its targets."""
CARD_TABLE = "| class |"
"""How the table of a model card begins, whatever version of Handlens wrote it."""


NOT_CHECKED = msg("The probabilities were not checked.")


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


def no_samples_message(split: Literal["valid", "test"], kind: KindName) -> Message:
    if split == "test":
        return msg("There were no labelled test {things}.", things=things(kind))
    return msg("There were no labelled validation {things}.", things=things(kind))
