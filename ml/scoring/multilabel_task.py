"""The task in which more than one class may be present in a sample, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.core.events import Evaluated
from ml.core.messages import Message, msg
from ml.core.phrases import counted, counted_files, of_hundred, things
from ml.core.types import KindName
from ml.scoring.calibration import fit_temperature
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
    sigmoid,
)
from ml.scoring.task import CARD_TABLE, NOT_CHECKED, CalibrationError, Interval, Part, Task, no_samples_message


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
        predicted = predicted_labels(probabilities, thresholds)
        scores = precision_recall(predicted, targets, names, sources=files)
        for name, average in zip(names, average_precisions(probabilities, targets), strict=True):
            scores[name]["average_precision"] = 0.0 if np.isnan(average) else float(average)
        return Evaluated(
            accuracy=self.score_and_loss(probabilities, targets)[0] or 0.0,
            n=len(labels),
            files=files,
            per_class=scores,
            confusion=tuple(tuple(int(count) for count in row) for row in multilabel_confusion(predicted, targets)),
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
            return no_samples_message(split, kind)
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
