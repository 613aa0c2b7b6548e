"""What happened: frozen values, yielded by a job in order. A job ends with exactly one of `TERMINAL`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import FailureReason
from ml.core.messages import Message, english, to_json
from ml.core.scan_report import ScanReport
from ml.core.stages import Stage, stage_message
from ml.core.types import TaskName


@dataclass(frozen=True, kw_only=True, slots=True)
class StageStarted:
    """A new part of the job began; `ml.core.stages` has the sentence that says what happens in it."""

    stage: Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """`done` of `total` units of the stage, bytes where it downloads. `total` is 0 while unknown: a scan counts what it
    finds first. `seconds_left` is for the whole job, None while unknown."""

    stage: Stage
    done: int
    total: int
    per_second: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something the user should know that does not end the job, e.g. "The batch was halved: memory is short.".

    What the self-test at the end of a run finds says in a word what it is `about`; its `level` is "good" where all is
    well, "note" or "warning".
    """

    sentence: Message
    about: str = ""
    level: str = "note"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stalled:
    """Nothing happened for `seconds`; `sentence` says while doing what. `answers`: the process shows signs of life.

    The job goes on, see `ml.pipeline.watchdog`; any other event means that it has woken up.
    """

    sentence: Message
    seconds: float
    answers: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """The run has its number and its folder exists. `valid`: the samples that models are chosen by; a class with
    nothing to learn from is not among them, nor in the accuracies until the run has finished."""

    run: int
    resumed: bool
    train: int
    valid: int
    test: int
    class_names: tuple[str, ...]
    task: TaskName = "single"
    """In a multi-label run every accuracy in the events is a mean average precision, see `ml.scoring.tasks`."""
    showcase: tuple[int, ...] = ()
    """The samples that `Showcase` will be about, unless their files turn out to be unreadable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeDone:
    """The first model: logistic regression on frozen features. Accuracies are fractions."""

    seconds: float
    train_loss: float
    valid_loss: float | None
    valid_accuracy: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchDone:
    """One optimiser step. `loss` is the mean over the batch, `rate` the head's learning rate."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    rate: float
    samples_per_second: float
    seconds_left: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochDone:
    """One pass over the training split, scored on the validation split."""

    epoch: int
    epochs: int
    train_loss: float
    valid_loss: float | None
    valid_accuracy: float | None
    rate: float
    best: bool
    """Whether this is the best model so far, the probe included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Showcase:
    """What the present model says of a few fixed validation samples (at most 12).

    `probabilities` (n, classes) float32; `maps` (n, classes, h, w) float32, see `ml.pictures.heatmap`.
    """

    epoch: int
    """0 for the probe."""
    sample_ids: tuple[int, ...]
    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scanned:
    """A `ScanJob` ended."""

    report: ScanReport


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstModel:
    """The run has a complete first model, which can be used and explored while the network is adjusted.

    The fields of `Finished`, which may replace it. `gain`: how many more of 100 new samples adjusting is expected to
    get right, from and to; `advice` says it in words.
    """

    run: int
    seconds: float
    valid_accuracy: float | None
    test_accuracy: float | None
    probe_accuracy: float | None
    early: bool = False
    valid_interval: tuple[float, float] | None = None
    test_interval: tuple[float, float] | None = None
    gain: tuple[float, float] | None = None
    advice: Message | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A `TrainJob` ended with a usable run. `early` if the user stopped it and kept the best."""

    run: int
    seconds: float
    valid_accuracy: float | None
    test_accuracy: float | None
    probe_accuracy: float | None
    early: bool = False
    valid_interval: tuple[float, float] | None = None
    """The 95 % confidence interval of the accuracy."""
    test_interval: tuple[float, float] | None = None
    first_model_kept: bool = False
    """Whether the network was to be adjusted, and the first model is what remains."""
    more_right: int | None = None
    """Of the samples that runs are scored on: how many only the adjusted model predicts correctly…"""
    more_wrong: int | None = None
    """…and how many only the first model does. None without both."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepting:
    """What setting unsure answers aside does to the samples of a test, single-label only.

    `wrong_at_most` is the wanted share of wrong answers among the accepted ones. `promised`: with 95 % confidence it is
    kept; else at least `needed` samples that are right would have had to be there to choose by. `wrong` of the
    `accepted` answers are wrong; their share is below `error_at_most` with 95 % confidence.
    """

    wrong_at_most: float
    promised: bool
    threshold: float
    accepted: int
    rejected: int
    wrong: int
    error_at_most: float
    needed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """An `EvaluateJob` ended. `n` samples of so many `files`; `confusion[i][j]`: samples labelled i and predicted j.

    `ece` is the calibration error, `ece_before` what it would be without calibration. `interval` is where the accuracy
    lies with 95 % confidence.

    Multi-label: `accuracy` is the mean average precision; `confusion` as in `scoring.multilabel.multilabel_confusion`;
    `per_class`
    also says average_precision, found, named and wrongly (of those named).
    """

    accuracy: float
    n: int
    files: int
    per_class: dict[str, dict[str, float]]
    confusion: tuple[tuple[int, ...], ...]
    ece: float
    task: TaskName = "single"
    ece_before: float | None = None
    interval: tuple[float, float] | None = None
    accepting: Accepting | None = None
    findings: tuple[Message, ...] = ()
    """What the run said about itself when it ended, the gravest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """A `LookJob` ended: for each picture, in order, the likeliest of ImageNet's thousand things and its probability.

    A picture that cannot be read has no words and probability 0.
    """

    words: tuple[str, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneChecked:
    """A `BackboneJob` ended. Where the name is not `known` there may be `suggestions`; else `sentence` says what its
    licence allows, and `here` whether its weights need no download."""

    name: str
    known: bool
    suggestions: tuple[str, ...]
    licence: str
    sentence: Message
    here: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspected:
    """A `SuspectJob` ended: every labelled sample but those confirmed to be right, the most suspicious label first.

    `labels` are class indices, one of each sample, or as many as are present. `suggested`: the class it looks like
    instead; where more than one may be present, the class that seems to be missing, or that is labelled and does not
    seem to be there. `scores` are 0…1, 1 is most probably wrong; `flagged` says how many samples' labels are taken for
    wrong, `confirmed` how many were left out.
    """

    run: int
    sample_ids: tuple[int, ...]
    labels: tuple[tuple[int, ...], ...]
    suggested: tuple[int, ...]
    scores: tuple[float, ...]
    flagged: int
    confirmed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FeaturesReady:
    """A `FeaturesJob` ended: the embeddings of `sample_ids` lie in the folder `folder` of the project's cache."""

    folder: str
    sample_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MapReady:
    """A `DataMapJob` ended: the points (n, 2) of run `run`, in the order of its predictions, are in `file` of the
    project's cache."""

    run: int
    file: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """An `ExportJob` ended: run `run` (None for a notebook) is in the file or folder `path`.

    At most `wrong_at_most` of its accepted answers are wrong (0: nobody chose a rate), with 95 % confidence where
    `promised`. `compared`: how the model in floats and in whole numbers did on the same samples, if both were tried.
    """

    run: int | None
    path: str
    wrong_at_most: float = 0.0
    promised: bool = False
    compared: tuple[Message, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopped:
    """The user ended it and there is no result: what the job had made was discarded, or can be gone on with."""

    resumable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The job could not end well. `message` is one sentence for the user, `details` is for the curious.

    With the `reason` "changed_weights" the same job works with `accept_changed_weights`.
    """

    message: Message
    details: str = ""
    reason: FailureReason = ""


Event = (
    StageStarted
    | Progress
    | Note
    | Stalled
    | RunStarted
    | ProbeDone
    | BatchDone
    | EpochDone
    | Showcase
    | Scanned
    | FirstModel
    | Finished
    | Evaluated
    | Looked
    | BackboneChecked
    | Suspected
    | FeaturesReady
    | MapReady
    | Exported
    | Stopped
    | Failed
)
TERMINAL = (
    Scanned,
    Finished,
    Evaluated,
    Looked,
    BackboneChecked,
    Suspected,
    FeaturesReady,
    MapReady,
    Exported,
    Stopped,
    Failed,
)

_NAMES = {
    StageStarted: "stage",
    Progress: "progress",
    Note: "note",
    Stalled: "stalled",
    RunStarted: "started",
    ProbeDone: "probe",
    BatchDone: "batch",
    EpochDone: "epoch",
    Showcase: "showcase",
    Scanned: "scanned",
    FirstModel: "first_model",
    Finished: "finished",
    Evaluated: "evaluated",
    Looked: "looked",
    BackboneChecked: "backbone",
    Suspected: "suspected",
    FeaturesReady: "features_ready",
    MapReady: "map",
    Exported: "exported",
    Stopped: "stopped",
    Failed: "failed",
}


def as_json(event: Event) -> dict[str, Any]:
    """The event as the command line prints it with `--json`; arrays become nested lists, rounded to 4 places."""
    fields = plain_fields({name: getattr(event, name) for name in event.__slots__})
    if isinstance(event, StageStarted):
        fields |= plain_fields({"sentence": stage_message(event.stage)})
    return {"event": _NAMES[type(event)], **fields}


def plain_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as `--json` prints them. A message becomes its English sentence, with `template` and `values` beside it;
    a list of messages gets a second list, `…_messages`."""
    fields: dict[str, Any] = {}
    for name, value in values.items():
        fields[name] = _plain(value)
        if isinstance(value, Message):
            fields |= to_json(value)
        elif isinstance(value, tuple | list) and value and all(isinstance(item, Message) for item in value):
            fields[f"{name}_messages"] = [to_json(item) for item in value]
    return fields


def without_untested(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of `Evaluated` with null for what is not known of a class that no sample shows."""
    for scores in fields["per_class"].values():
        if not scores["n"]:
            scores.update(dict.fromkeys(scores.keys() & _OF_SAMPLES))
    return fields


_OF_SAMPLES = frozenset(["recall", "f1", "recall_low", "recall_high", "average_precision"])


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.round(value.astype(float), 4).tolist()
    if isinstance(value, Message):
        return english(value)
    if hasattr(value, "__dataclass_fields__"):
        return plain_fields({name: getattr(value, name) for name in value.__dataclass_fields__})
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
