"""The task of most projects: each sample shows exactly one class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.core.events import Evaluated
from ml.core.messages import Message, msg
from ml.core.phrases import between, counted, counted_files, percent, things
from ml.core.types import KindName
from ml.scoring.calibration import apply_temperature, fit_temperature, softmax
from ml.scoring.metrics import (
    accuracy,
    accuracy_interval,
    confusion,
    expected_calibration_error,
    log_loss,
    per_class,
)
from ml.scoring.task import CARD_TABLE, NOT_CHECKED, CalibrationError, Interval, Part, Task, no_samples_message


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
            return no_samples_message(split, kind)
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
