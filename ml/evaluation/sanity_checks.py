"""What a run should say about itself when it ends: is it sure of nonsense, has a class collapsed, can it be believed?

Reads the finished model's answers; the judging is pure array functions. Remarks about single answers are for exclusive
tasks only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import SAMPLES, between, counted, counted_files, files, listed, of_hundred, thing, things
from ml.core.types import SPLITS, KindName, Split
from ml.evaluation.run_finding import Nonsense, RunFinding
from ml.media.kinds import InputName, kind_named
from ml.project.predictions import SPLIT_CODES, Predictions
from ml.runtime.contract import ModelInfo
from ml.runtime.decision import decide
from ml.runtime.model import Outputs
from ml.scoring.metrics import accuracy_interval
from ml.scoring.tasks import task_named
from ml.scoring.thresholds import SelectiveRisk, Thresholds

SURE = 0.9
FEWEST = 10
"""A class with fewer samples to test with cannot be judged."""
GAP = 0.1
BY_HEART = 0.2
"""A first model on few samples is always right on those; only a larger gap than its usual one is worth a remark."""
COPY = 0.995
"""Two samples whose embeddings have a larger cosine look the same to the network."""
COPIES = 0.05
MOST_COMPARED = 4000
NOTHING = frozenset(
    ["background", "blank", "empty", "idle", "negative", "noise", "none", "nothing", "off", "quiet", "silence", "still"]
)
"""Classes with such names are the right answer to nonsense."""


def run_sanity_checks(
    predictions: Predictions,
    info: ModelInfo,
    odd: Mapping[Nonsense, Outputs],
    *,
    sources: NDArray[np.integer] | None = None,
) -> tuple[RunFinding, ...]:
    """Every remark about a finished run, the gravest first. `predictions` are calibrated; `sources` (N,) name the file
    of each, by default each its own."""
    origin = np.arange(len(predictions)) if sources is None else sources
    splits = {name: predictions.labelled(name) for name in SPLITS}
    learned = _files_of_each(predictions, splits["train"], origin, info)
    held_out = _files_of_each(predictions, splits["valid"] | splits["test"], origin, info)
    tested = _files_of_each(predictions, splits["test" if splits["test"].any() else "valid"], origin, info)
    found = list(_ood_inputs_accepted(odd, info))
    found += _train_test_duplicates(predictions, info)
    found += _untrained_classes(learned, held_out, info)
    found += _small_test_classes(tested, info)
    if not task_named(info.task).exclusive:
        return _by_severity(found)
    probabilities = np.asarray(predictions.probabilities)
    right = probabilities.argmax(axis=1) == np.asarray(predictions.labels)
    found += _collapsed_predictions(
        probabilities[splits["valid"] | splits["test"]], np.where(learned > 0, held_out, 0), info
    )
    found += _confident_mistakes(probabilities, right, splits["train"], info)
    found += _overfitting(right, splits, info, origin)
    return _by_severity(found)


def _files_of_each(
    predictions: Predictions, rows: NDArray[np.bool_], files: NDArray[np.integer], info: ModelInfo
) -> NDArray[np.int64]:
    """(classes,) from how many files the samples of each class are, of those in `rows`: windows of one recording are
    right or wrong together."""
    if predictions.targets is None:
        shown, of = np.asarray(predictions.labels[rows]), files[rows]
    else:
        row, shown = np.nonzero(np.asarray(predictions.targets[rows]))
        of = files[rows][row]
    pairs = np.unique(np.stack([shown, of]), axis=1)
    return np.bincount(pairs[0], minlength=len(info.classes))


def _by_severity(found: Sequence[RunFinding]) -> tuple[RunFinding, ...]:
    return tuple(sorted(found, key=lambda remark: ("warning", "note", "good").index(remark.level)))


def _ood_inputs_accepted(odd: Mapping[Nonsense, Outputs], info: ModelInfo) -> Iterator[RunFinding]:
    taken: list[Message] = []
    many = things(info.kind)
    total = 0
    for what, outputs in odd.items():
        best = outputs.probabilities.argmax(axis=1)
        fooled = [
            int(best[row])
            for row, (probabilities, unlike) in enumerate(zip(outputs.probabilities, outputs.unlike, strict=True))
            if decide(probabilities, float(unlike), info) == "accept"
            and info.predicted(probabilities)
            and info.classes[int(best[row])].lower() not in NOTHING
        ]
        total += len(best)
        if fooled:
            taken.append(_fooled(fooled, len(best), what, info))
    if taken:
        yield RunFinding(
            about="nonsense",
            level="warning",
            sentence=msg(
                "The model is confident about {things} that mean nothing: {examples}. Add a class “nothing” with "
                "typical background {things}.",
                things=many,
                examples=tuple(taken),
            ),
        )
    elif total:
        yield RunFinding(
            about="nonsense",
            level="good",
            sentence=msg(
                "Handlens tested the model with {made_up} that mean nothing ({kinds}). The model was not confident "
                "about any of them.",
                made_up=counted(total, info.kind),
                kinds=listed([_odd_ones(what, info.kind) for what in odd]),
            ),
        )


def _fooled(fooled: Sequence[int], total: int, what: Nonsense, info: ModelInfo) -> Message:
    """“it predicts “rose” for 2 of 8 blank pictures”; `fooled` are the classes."""
    commonest = info.classes[int(np.bincount(fooled).argmax())]
    values = {"name": commonest, "n": len(fooled), "total": total, "odd": _odd_ones(what, info.kind)}
    if len(set(fooled)) > 1:
        return msg("it predicts a class for {n} of {total} {odd} (mostly “{name}”)", **values)
    return msg("it predicts “{name}” for {n} of {total} {odd}", **values)


def _odd_ones(what: Nonsense, kind: KindName) -> Message:
    """“blank pictures”, “recordings of noise”."""
    match what:
        case "blank":
            return msg("blank pictures")
        case "patterns":
            return msg("pictures of patterns")
        case "pictures of sounds":
            return msg("pictures of sounds")
        case "silence":
            return msg("recordings of silence")
        case "tones":
            return msg("tones")
        case "standing still":
            return msg("stretches without any movement")
        case "noise":
            by_input: dict[InputName, Message] = {
                "pixels": msg("pictures of noise"),
                "waveform": msg("recordings of noise"),
                "readings": msg("measurements of noise"),
            }
            return by_input[kind_named(kind).input_name]


def _untrained_classes(
    learned: NDArray[np.integer], held_out: NDArray[np.integer], info: ModelInfo
) -> Iterator[RunFinding]:
    """`learned` and `held_out` (classes,) files."""
    missed = [index for index in range(len(info.classes)) if held_out[index] and not learned[index]]
    if not missed:
        return
    many = files(info.kind)
    if len(missed) == 1:
        sentence = nmsg(
            "The model had no training {files} of “{name}”: the only one is in the validation or test set. So the "
            "model never predicts this class. Label more {files} of it.",
            "The model had no training {files} of “{name}”: all {count} are in the validation or test set. So the "
            "model never predicts this class. Label more {files} of it.",
            int(held_out[missed[0]]),
            files=many,
            name=info.classes[missed[0]],
        )
    else:
        sentence = msg(
            "The model had no training {files} of {names}: all of them are in the validation or test set. So the "
            "model never predicts these classes. Label more {files} of them.",
            files=many,
            names=listed([msg("“{name}”", name=info.classes[index]) for index in missed]),
        )
    yield RunFinding(about="untaught", level="warning", sentence=sentence)


def _collapsed_predictions(
    probabilities: NDArray[np.floating], counts: NDArray[np.integer], info: ModelInfo
) -> Iterator[RunFinding]:
    """`probabilities` (n, classes) of held-out samples, `counts` (classes,) of the files they are from."""
    named = np.bincount(probabilities.argmax(axis=1), minlength=len(info.classes))
    for index, name in enumerate(info.classes):
        if counts[index] >= FEWEST // 2 and named[index] == 0:
            yield RunFinding(
                about="collapsed",
                level="warning",
                sentence=msg(
                    "The model never predicts “{name}”, although {files} in the validation and test sets show it. Add "
                    "more {things} of this class, or merge it with the class it is confused with.",
                    name=name,
                    files=counted_files(int(counts[index]), info.kind),
                    things=things(info.kind),
                ),
            )


def _confident_mistakes(
    probabilities: NDArray[np.floating], right: NDArray[np.bool_], train: NDArray[np.bool_], info: ModelInfo
) -> Iterator[RunFinding]:
    wrong = int((train & ~right & (probabilities.max(axis=1) >= SURE)).sum())
    if wrong:
        yield RunFinding(
            about="sure and wrong",
            level="warning",
            sentence=nmsg(
                "The training set has {samples}. For {count} of them the model is confident of another class than the "
                "label. Either the label or the {thing} is probably wrong. Check the suspicious labels.",
                "The training set has {samples}. For {count} of them the model is confident of another class than the "
                "label. Either the labels or the {things} are probably wrong. Check the suspicious labels.",
                wrong,
                samples=counted(int(train.sum()), info.kind),
                thing=thing(info.kind),
                things=things(info.kind),
            ),
        )


def _overfitting(
    right: NDArray[np.bool_], splits: Mapping[Split, NDArray[np.bool_]], info: ModelInfo, sources: NDArray[np.integer]
) -> Iterator[RunFinding]:
    many = things(info.kind)
    train, valid, test = (_accuracy_on(right, splits[name], sources) for name in SPLITS)
    unseen = test if test is not None else valid
    if train is not None and unseen is not None and train[0] - unseen[0] > BY_HEART and train[1][0] > unseen[1][1]:
        yield RunFinding(
            about="by heart",
            level="note",
            sentence=msg(
                "The model is right on {train} training {things}, but only on {unseen} new ones. It has memorised part "
                "of the training set. More and more varied samples help.",
                train=of_hundred(train[0]),
                things=many,
                unseen=of_hundred(unseen[0]),
            ),
        )
    if train is not None and unseen is not None and unseen[0] - train[0] > GAP / 2 and unseen[1][0] > train[1][1]:
        yield RunFinding(
            about="unequal",
            level="warning",
            sentence=msg(
                "The model is right on {unseen} new {things}, more than the {train} in the training set. The two sets "
                "differ, so the score may be too good. Test the model on samples from elsewhere before you trust it.",
                unseen=of_hundred(unseen[0]),
                things=many,
                train=of_hundred(train[0]),
            ),
        )
    if valid is not None and test is not None and valid[0] - test[0] > GAP and valid[1][0] > test[1][1]:
        yield RunFinding(
            about="unequal",
            level="warning",
            sentence=msg(
                "The model is right on {valid} validation {things}, but only on {test} test {things} ({between}). The "
                "two sets differ. Trust the lower number.",
                valid=of_hundred(valid[0]),
                things=many,
                test=of_hundred(test[0]),
                between=between(test[1]),
            ),
        )


def _train_test_duplicates(predictions: Predictions, info: ModelInfo) -> Iterator[RunFinding]:
    """Held-out samples that look the same as one it learned from: the split leaks."""
    splits = np.asarray(predictions.splits)
    held_out = np.flatnonzero((splits == SPLIT_CODES.index("test")) | (splits == SPLIT_CODES.index("valid")))
    train = np.flatnonzero(splits == SPLIT_CODES.index("train"))
    rng = np.random.default_rng(0)
    held_out, train = (np.sort(rng.permutation(rows)[:MOST_COMPARED]) for rows in (held_out, train))
    if not len(held_out) or not len(train):
        return
    known = _unit_length(np.asarray(predictions.embeddings[train], dtype=np.float32))
    same = 0
    for start in range(0, len(held_out), 512):
        rows = np.asarray(predictions.embeddings[held_out[start : start + 512]], dtype=np.float32)
        same += int(((_unit_length(rows) @ known.T).max(axis=1) > COPY).sum())
    if same > COPIES * len(held_out):
        yield RunFinding(
            about="copies",
            level="warning",
            sentence=nmsg(
                "The validation and test sets have {samples}. {count} of them looks almost the same as a training "
                "{thing}, so the score may be too good. If they belong together, make a project that keeps them "
                "together (by folder, or by a part of the file name).",
                "The validation and test sets have {samples}. {count} of them look almost the same as a training "
                "{thing}, so the score may be too good. If they belong together, make a project that keeps them "
                "together (by folder, or by a part of the file name).",
                same,
                samples=counted(len(held_out), info.kind),
                thing=thing(info.kind),
            ),
        )


def _small_test_classes(counts: NDArray[np.integer], info: ModelInfo) -> Iterator[RunFinding]:
    """`counts` (classes,) files to test with."""
    few: list[str | Message] = [
        msg("{name} ({n})", name=name, n=int(counts[index]))
        for index, name in enumerate(info.classes)
        if counts[index] < FEWEST
    ]
    if few:
        yield RunFinding(
            about="small",
            level="note",
            sentence=msg(
                "There are too few {files} to test these classes: {classes}. With fewer than {fewest} {files}, the "
                "score of a class says little. Label more of them.",
                files=files(info.kind),
                classes=listed(few),
                fewest=FEWEST,
            ),
        )


def _accuracy_on(
    right: NDArray[np.bool_], rows: NDArray[np.bool_], sources: NDArray[np.integer]
) -> tuple[float, tuple[float, float]] | None:
    if not rows.any():
        return None
    share = float(right[rows].mean())
    return share, accuracy_interval(share, len(np.unique(sources[rows])))


def _unit_length(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(embeddings / (np.linalg.norm(embeddings, axis=1, keepdims=True) + 1e-9), dtype=np.float32)


def error_rate_finding(chosen: Thresholds, tested: SelectiveRisk, kind: KindName) -> RunFinding:
    """What the wanted error rate costs, and whether it is a promise. `tested`: the thresholds on the test split."""
    price = tested if tested.n else chosen.price
    if chosen.price.n == 0:
        sentence = msg(
            "There are no validation {things} to choose a threshold by, so the model accepts every answer.",
            things=things(kind),
        )
        return RunFinding(about="promise", level="note", sentence=sentence)
    seen = msg(
        "{first} {second} {third}",
        first=msg("At most {wanted} accepted answers should be wrong.", wanted=of_hundred(chosen.wanted)),
        second=_accepted_told(price, kind, in_test=tested.n > 0),
        third=_wrong_told(price.wrong),
    )
    if chosen.promised:
        kept = msg(
            "With 95 % confidence the model keeps to this rate, as long as new {things} are like the tested ones.",
            things=things(kind),
        )
        return RunFinding(about="promise", level="good", sentence=msg("{first} {second}", first=seen, second=kept))
    not_kept = msg(
        "This is not guaranteed: up to {limit} may be wrong. {why} Label more, or allow more wrong answers.",
        limit=of_hundred(price.error_at_most),
        why=_why_not_promised(chosen, kind),
    )
    return RunFinding(about="promise", level="note", sentence=msg("{first} {second}", first=seen, second=not_kept))


def _accepted_told(price: SelectiveRisk, kind: KindName, *, in_test: bool) -> Message:
    samples, aside = counted(price.n, kind), price.n - price.accepted
    if in_test and aside:
        return msg(
            "In the test the model accepted {accepted} of {samples} and left {aside} to you.",
            accepted=price.accepted,
            samples=samples,
            aside=aside,
        )
    if in_test:
        return msg("In the test the model accepted all {samples}.", samples=samples)
    if aside:
        return msg(
            "On the validation set the model accepted {accepted} of {samples} and left {aside} to you.",
            accepted=price.accepted,
            samples=samples,
            aside=aside,
        )
    return msg("On the validation set the model accepted all {samples}.", samples=samples)


def _wrong_told(wrong: int) -> Message:
    if not wrong:
        return msg("None of the accepted answers was wrong.")
    return nmsg("{count} accepted answer was wrong.", "{count} accepted answers were wrong.", wrong)


def _why_not_promised(chosen: Thresholds, kind: KindName) -> Message:
    if chosen.files >= chosen.needed:
        return msg(
            "The model is wrong too often even where it is most confident, or there are too few samples to tell."
        )
    needed, there = counted(chosen.needed, kind), counted(chosen.price.n, kind)
    if chosen.files < chosen.price.n:
        # Windows of one recording are right or wrong together, and so are frames of one video.
        many = SAMPLES.counted_files if kind == "images" else partial(counted_files, kind=kind)
        needed = many(chosen.needed)
        there = msg("{files} ({samples})", files=many(chosen.files), samples=there)
    return msg(
        "A guarantee needs {needed} in the validation set without a single error. You have {there}.",
        needed=needed,
        there=there,
    )


def new_groups_finding(
    score: float, interval: tuple[float, float], *, worth: float, groups: int, kind: KindName
) -> RunFinding:
    """How it does on sources it has never met. `worth`: how much more of them it would name if it knew the source."""
    more = round(worth * 100)
    told = nmsg(
        "The model is right on {score} {things} from {count} source it has never seen ({between}).",
        "The model is right on {score} {things} from {count} sources it has never seen ({between}).",
        groups,
        score=of_hundred(score),
        things=things(kind),
        between=between(interval),
    )
    if more > 2:
        sentence = msg(
            "{told} From known sources it would be right on about {more} more of 100. Samples from more sources help "
            "more than more samples from the same ones.",
            told=told,
            more=more,
        )
        return RunFinding(about="new source", level="note", sentence=sentence)
    sentence = msg("{told} That is hardly fewer than from known sources.", told=told)
    return RunFinding(about="new source", level="good", sentence=sentence)
