"""The detections of one long recording under review: what thresholds keep, what a person said of them, what follows.

Detections are searched with low thresholds once. What a person chooses later only hides some of them, so that a slider
answers at once and finds what the same threshold would find from the start.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import duration, percent
from ml.inference.detections import Detection, DetectionOptions
from ml.inference.review import FEWEST, PrecisionEstimate, estimate_precision, propose_threshold, review_sample
from ml.runtime.contract import ModelInfo

SAMPLE = 30
"""Detections that are proposed for a review."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Consequence:
    """What the limits of a class keep: `shown` detections of `found`, `seconds` long together."""

    shown: int
    found: int
    seconds: float


class DetectionReview:
    """Detections, limits and answers. Places are those in `detections`, which are in the order of their beginnings."""

    def __init__(self, info: ModelInfo) -> None:
        """Raise HandlensError for a model of pictures."""
        limits = DetectionOptions().limits(info)
        reported = [(name, each) for name, each in zip(info.classes, limits, strict=True) if each is not None]
        self.classes = tuple(name for name, _each in reported)
        self.thresholds = {name: each.threshold for name, each in reported}
        self.lowest = {name: each.lower for name, each in reported}
        self.shortest = reported[0][1].shortest if reported else 0.0
        self.detections: list[Detection] = []
        self.answers: dict[int, bool] = {}

    def options(self) -> DetectionOptions:
        """Return what to search with, so that all thresholds can be chosen later."""
        # Hysteresis ends a detection where it would with the usual thresholds; see `DetectionOptions.limits`.
        return DetectionOptions(thresholds=self.lowest, lower=1.0, shortest=0.0)

    def add(self, detections: Iterable[Detection]) -> None:
        """Take in what was found next."""
        self.detections.extend(detections)

    def shows(self, place: int) -> bool:
        """Return whether the limits keep a detection."""
        each = self.detections[place]
        return each.score >= self.thresholds[each.label] and self._long_enough(each)

    def shown(self, label: str | None = None) -> list[int]:
        """Return what the limits keep, of one class or of all."""
        return [
            place
            for place, each in enumerate(self.detections)
            if (label is None or each.label == label) and self.shows(place)
        ]

    def exported(self) -> list[Detection]:
        """Return what the limits keep without what a person found wrong."""
        return [self.detections[place] for place in self.shown() if self.answers.get(place, True)]

    def set_threshold(self, threshold: float, label: str | None = None) -> None:
        """Set the threshold of one class, or of all; never below what was searched for."""
        for name in self.classes if label is None else (label,):
            self.thresholds[name] = max(threshold, self.lowest[name])

    def answer(self, place: int, right: bool | None) -> None:
        """Note whether a detection is right; None takes the answer back."""
        if right is None:
            self.answers.pop(place, None)
        else:
            self.answers[place] = right

    def to_review(self, label: str | None = None, *, count: int = SAMPLE) -> tuple[int, ...]:
        """Return a sample stratified by score of what nobody has answered yet, in the order of time."""
        places = self._candidates(label)
        chosen = review_sample([self.detections[place].score for place in places], count=count)
        return tuple(sorted(places[each] for each in chosen if places[each] not in self.answers))

    def consequence(self, label: str | None = None) -> Consequence:
        """Return what the limits keep of a class, or of all."""
        shown = self.shown(label)
        return Consequence(
            shown=len(shown),
            found=sum(label is None or each.label == label for each in self.detections),
            seconds=sum(self.detections[place].end - self.detections[place].start for place in shown),
        )

    def precision(self, label: str) -> PrecisionEstimate | None:
        """Return how many detections of a class are right at its threshold; None before enough were answered."""
        scores, answers = self._reviewed(label)
        threshold = self.thresholds[label]
        if sum(scores[place] >= threshold for place in answers) < FEWEST:
            return None
        return estimate_precision(scores, answers, threshold=threshold)

    def proposal(self, label: str) -> PrecisionEstimate | None:
        """Return the lowest threshold of a class at which nearly all detections are right, if the answers tell."""
        scores, answers = self._reviewed(label)
        return propose_threshold(scores, answers) if answers else None

    def _reviewed(self, label: str) -> tuple[list[float], dict[int, bool]]:
        places = self._candidates(label)
        answers = {number: self.answers[place] for number, place in enumerate(places) if place in self.answers}
        return [self.detections[place].score for place in places], answers

    def _candidates(self, label: str | None) -> list[int]:
        return [
            place
            for place, each in enumerate(self.detections)
            if (label is None or each.label == label) and self._long_enough(each)
        ]

    def _long_enough(self, each: Detection) -> bool:
        return each.end - each.start >= self.shortest - 1e-6


def consequence_sentence(found: Consequence, *, threshold: float | None, shortest: float) -> Message:
    """Say what the limits keep. `threshold` is None where the classes have different ones."""
    if not found.shown:
        return nmsg(
            "No detection is left: {count} is less sure or shorter.",
            "No detection is left: {count} are less sure or shorter.",
            found.found,
        )
    values = {"length": duration(found.seconds), "hidden": found.found - found.shown, "shortest": float(shortest)}
    if threshold is None:
        return nmsg(
            "{count} detection, {length} in all: sure enough for its class, and at least {shortest} s long. "
            "Hidden: {hidden}.",
            "{count} detections, {length} in all: sure enough for their class, and at least {shortest} s long. "
            "Hidden: {hidden}.",
            found.shown,
            **values,
        )
    return nmsg(
        "{count} detection, {length} in all: at least {threshold} sure and {shortest} s long. Hidden: {hidden}.",
        "{count} detections, {length} in all: at least {threshold} sure and {shortest} s long. Hidden: {hidden}.",
        found.shown,
        threshold=percent(threshold),
        **values,
    )


def review_sentence(review: DetectionReview, label: str) -> Message:
    """Say how many detections of a class are right, or how many to answer before that can be told."""
    estimate = review.precision(label)
    if estimate is not None:
        return estimate.sentence()
    answered = sum(review.detections[place].label == label for place in review.answers)
    if not answered:
        return msg(
            "To learn how many detections are right, review a sample: Y is right, N is wrong, arrows go on.",
        )
    return nmsg(
        "{count} detection is reviewed. At least {fewest} above the threshold are needed to say how many are right.",
        "{count} detections are reviewed. At least {fewest} above the threshold are needed to say how many are right.",
        answered,
        fewest=FEWEST,
    )
