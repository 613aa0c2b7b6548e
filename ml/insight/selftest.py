"""What a run should say about itself when it ends: is it sure of nonsense, has a class collapsed, can it be believed?

Reads the finished model's answers; the judging is pure array functions. Remarks about classes are for single-label
projects only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.insight.metrics import accuracy_interval
from ml.insight.nonsense import Nonsense, odd_logs, odd_pictures, odd_sounds
from ml.insight.thresholds import Price, Thresholds
from ml.project.predictions import SPLIT_CODES, Predictions
from ml.project.samples import SPLITS, Kind, Split
from ml.runtime.contract import ModelInfo
from ml.runtime.decision import decide, present_classes
from ml.runtime.model import Outputs
from ml.wording import FILES, NOUNS, between, counted, counted_files, listed, of_hundred

Level = Literal["good", "note", "warning"]
About = Literal[
    "nonsense",
    "untaught",
    "collapsed",
    "sure and wrong",
    "by heart",
    "unequal",
    "copies",
    "small",
    "promise",
    "new source",
]

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """One thing found, as a sentence for the user."""

    about: About
    level: Level
    sentence: str


def ask_nonsense(ask: Callable[[NDArray[np.generic]], Outputs], info: ModelInfo) -> dict[Nonsense, Outputs]:
    """What the model says of input that shows nothing."""
    odd: Mapping[Nonsense, NDArray[np.generic]]
    if info.windowing is None:
        odd = odd_pictures(info.size)
    else:
        odd = odd_logs(info.windowing) if info.kind == "sensors" else odd_sounds(info.windowing)
    return {what: ask(rows) for what, rows in odd.items()}


def self_test(
    predictions: Predictions,
    info: ModelInfo,
    odd: Mapping[Nonsense, Outputs],
    *,
    sources: NDArray[np.integer] | None = None,
) -> tuple[Remark, ...]:
    """Every remark about a finished run, the gravest first. `predictions` are calibrated; `sources` (N,) name the file
    of each, by default each its own."""
    files = np.arange(len(predictions)) if sources is None else sources
    splits = {name: predictions.labelled(name) for name in SPLITS}
    learned = _files_of_each(predictions, splits["train"], files, info)
    held_out = _files_of_each(predictions, splits["valid"] | splits["test"], files, info)
    tested = _files_of_each(predictions, splits["test" if splits["test"].any() else "valid"], files, info)
    found = list(_nonsense(odd, info))
    found += _copies(predictions, info)
    found += _untaught(learned, held_out, info)
    found += _small(tested, info)
    if info.task == "multi":
        return _gravest_first(found)
    probabilities = np.asarray(predictions.probabilities)
    right = probabilities.argmax(axis=1) == np.asarray(predictions.labels)
    found += _collapsed(probabilities[splits["valid"] | splits["test"]], np.where(learned > 0, held_out, 0), info)
    found += _sure_and_wrong(probabilities, right, splits["train"], info)
    found += _by_heart(right, splits, info, files)
    return _gravest_first(found)


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


def _gravest_first(found: Sequence[Remark]) -> tuple[Remark, ...]:
    return tuple(sorted(found, key=lambda remark: ("warning", "note", "good").index(remark.level)))


def _nonsense(odd: Mapping[Nonsense, Outputs], info: ModelInfo) -> Iterator[Remark]:
    taken: list[str] = []
    many = NOUNS[info.kind][1]
    total = accepted = 0
    for what, said in odd.items():
        best = said.probabilities.argmax(axis=1)
        fooled = [
            int(best[row])
            for row, (probabilities, unlike) in enumerate(zip(said.probabilities, said.unlike, strict=True))
            if decide(probabilities, float(unlike), info) == "accept"
            and (info.task == "single" or present_classes(probabilities, info))
            and info.classes[int(best[row])].lower() not in NOTHING
        ]
        total += len(best)
        accepted += len(fooled)
        if fooled:
            commonest = info.classes[int(np.bincount(fooled).argmax())]
            mostly = "something, mostly " if len(set(fooled)) > 1 else ""
            taken.append(f"it calls {len(fooled)} of {len(best)} {_odd_ones(what, info.kind)} {mostly}“{commonest}”")
    if taken:
        yield Remark(
            about="nonsense",
            level="warning",
            sentence=f"It is sure of nonsense: of {many} that Handlens made up to try it, none of yours, "
            f"{listed(taken)}. Give it a class “nothing” with {many} of what comes by when nothing is there.",
        )
    elif total:
        kinds = listed([_odd_ones(what, info.kind) for what in odd])
        made_up = counted(total, info.kind)
        yield Remark(
            about="nonsense",
            level="good",
            sentence=f"It is not sure of nonsense: Handlens made up {made_up} to try it ({kinds}), and it has no name "
            "for any of them.",
        )


def _odd_ones(what: Nonsense, kind: Kind) -> str:
    """“blank pictures”, “stretches of noise”."""
    if what in ("blank", "standing still"):
        return "blank pictures" if what == "blank" else "stretches in which nothing moves"
    if what in ("pictures of sounds", "tones"):
        return what
    return f"{NOUNS[kind][1]} of {what}" if kind != "recordings" else f"recordings of {what}"


def _untaught(learned: NDArray[np.integer], held_out: NDArray[np.integer], info: ModelInfo) -> Iterator[Remark]:
    """`learned` and `held_out` (classes,) files."""
    missed = [index for index in range(len(info.classes)) if held_out[index] and not learned[index]]
    if missed:
        names = listed([f"“{info.classes[index]}”" for index in missed])
        all_of_it = _all_of(int(held_out[missed[0]]), info.kind) if len(missed) == 1 else "all that shows them was"
        never = "so it never says so" if len(missed) == 1 else "so it never says any of these"
        yield Remark(
            about="untaught",
            level="warning",
            sentence=f"It had nothing to learn {names} from: {all_of_it} kept aside to check it with, {never}. "
            "Label more of them.",
        )


def _all_of(number: int, kind: Kind) -> str:
    """“the only picture of it was”, “both pictures of it were”, “all 3 pictures of it were”."""
    one, many = FILES[kind]
    if number == 1:
        return f"the only {one} of it was"
    return f"both {many} of it were" if number == 2 else f"all {number:,} {many} of it were"


def _collapsed(probabilities: NDArray[np.floating], counts: NDArray[np.integer], info: ModelInfo) -> Iterator[Remark]:
    """`probabilities` (n, classes) of held-out samples, `counts` (classes,) of the files they are from."""
    named = np.bincount(probabilities.argmax(axis=1), minlength=len(info.classes))
    for index, name in enumerate(info.classes):
        if counts[index] >= FEWEST // 2 and named[index] == 0:
            yield Remark(
                about="collapsed",
                level="warning",
                sentence=f"It never says “{name}”, although {counted_files(int(counts[index]), info.kind)} of those it "
                "was checked on are that; give it more of them, or join the class with the one it is taken for.",
            )


def _sure_and_wrong(
    probabilities: NDArray[np.floating], right: NDArray[np.bool_], train: NDArray[np.bool_], info: ModelInfo
) -> Iterator[Remark]:
    wrong = int((train & ~right & (probabilities.max(axis=1) >= SURE)).sum())
    if wrong:
        yield Remark(
            about="sure and wrong",
            level="warning",
            sentence=f"Of the {counted(int(train.sum()), info.kind)} it learned from, it is sure of another class than "
            f"the label for {wrong:,}: there the label, or what can be seen of it, is probably wrong. Look at the "
            "suspicious labels.",
        )


def _by_heart(
    right: NDArray[np.bool_], splits: Mapping[Split, NDArray[np.bool_]], info: ModelInfo, sources: NDArray[np.integer]
) -> Iterator[Remark]:
    many = NOUNS[info.kind][1]
    train, valid, test = (_share(right, splits[name], sources) for name in SPLITS)
    unseen = test if test is not None else valid
    if train is not None and unseen is not None and train[0] - unseen[0] > BY_HEART and train[1][0] > unseen[1][1]:
        yield Remark(
            about="by heart",
            level="note",
            sentence=f"It is right on {of_hundred(train[0])} {many} it learned from, but on {of_hundred(unseen[0])} "
            "it had never seen: part of what it learned, it learned by heart. More and more varied samples help.",
        )
    if train is not None and unseen is not None and unseen[0] - train[0] > GAP / 2 and unseen[1][0] > train[1][1]:
        yield Remark(
            about="unequal",
            level="warning",
            sentence=f"It is right on {of_hundred(unseen[0])} {many} it had never seen, more than the "
            f"{of_hundred(train[0])} it learned from: the two are not alike, so the score may be too good. "
            "Test it on samples from elsewhere before you trust it.",
        )
    if valid is not None and test is not None and valid[0] - test[0] > GAP and valid[1][0] > test[1][1]:
        yield Remark(
            about="unequal",
            level="warning",
            sentence=f"It is right on {of_hundred(valid[0])} {many} it was checked by, but only on "
            f"{of_hundred(test[0])} kept aside for the test ({between(test[1])}): the two are not alike. "
            "Believe the lower number.",
        )


def _copies(predictions: Predictions, info: ModelInfo) -> Iterator[Remark]:
    """Held-out samples that look the same as one it learned from: the split leaks."""
    splits = np.asarray(predictions.splits)
    held_out = np.flatnonzero((splits == SPLIT_CODES.index("test")) | (splits == SPLIT_CODES.index("valid")))
    train = np.flatnonzero(splits == SPLIT_CODES.index("train"))
    rng = np.random.default_rng(0)
    held_out, train = (np.sort(rng.permutation(rows)[:MOST_COMPARED]) for rows in (held_out, train))
    if not len(held_out) or not len(train):
        return
    known = _lengthless(np.asarray(predictions.embeddings[train], dtype=np.float32))
    same = 0
    for start in range(0, len(held_out), 512):
        rows = np.asarray(predictions.embeddings[held_out[start : start + 512]], dtype=np.float32)
        same += int(((_lengthless(rows) @ known.T).max(axis=1) > COPY).sum())
    if same > COPIES * len(held_out):
        yield Remark(
            about="copies",
            level="warning",
            sentence=f"{same:,} of the {counted(len(held_out), info.kind)} it is checked on look almost the same as "
            "one it learned from, so its score may be too good; if they belong together, make a project that "
            "keeps them together (by folder, or by a part of the file name).",
        )


def _small(counts: NDArray[np.integer], info: ModelInfo) -> Iterator[Remark]:
    """`counts` (classes,) files to test with."""
    few = [f"{name} ({counts[index]})" for index, name in enumerate(info.classes) if counts[index] < FEWEST]
    if few:
        yield Remark(
            about="small",
            level="note",
            sentence=f"Too few to judge by: {listed(few)}. With fewer than {FEWEST} {FILES[info.kind][1]} to test a "
            "class with, its score says little; label more of them.",
        )


def _share(
    right: NDArray[np.bool_], rows: NDArray[np.bool_], sources: NDArray[np.integer]
) -> tuple[float, tuple[float, float]] | None:
    if not rows.any():
        return None
    share = float(right[rows].mean())
    return share, accuracy_interval(share, len(np.unique(sources[rows])))


def _lengthless(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(embeddings / (np.linalg.norm(embeddings, axis=1, keepdims=True) + 1e-9), dtype=np.float32)


def promise_remark(chosen: Thresholds, tested: Price, kind: Kind) -> Remark:
    """What the wanted error rate costs, and whether it is a promise. `tested`: the thresholds on the test split."""
    wanted, many = of_hundred(chosen.wanted), NOUNS[kind][1]
    if chosen.price.n == 0:
        return Remark(
            about="promise",
            level="note",
            sentence=f"No {many} were kept aside to choose a threshold by, so it accepts everything.",
        )
    price = tested if tested.n else chosen.price
    aside = price.n - price.accepted
    of_all = f"{price.accepted:,} of {counted(price.n, kind)}" if aside else f"all {counted(price.n, kind)}"
    where = "In the test" if tested.n else "Of those it was checked by,"
    seen = f"{where} it accepted {of_all}, {f'{price.wrong:,}' if price.wrong else 'none'} of them wrongly"
    seen += f", and set {aside:,} aside." if aside else "."
    aim = f"Of what it accepts, at most {wanted} should be wrong. {seen}"
    if chosen.promised:
        sentence = f"{aim} With 95 % confidence it keeps to that, as long as new ones are like those it was tested on."
        return Remark(about="promise", level="good", sentence=sentence)
    there, needed = counted(chosen.price.n, kind), f"{chosen.needed:,}"
    if chosen.files < chosen.price.n:
        # Windows of one recording are right or wrong together.
        there = f"{counted_files(chosen.files, kind)} ({there})"
        needed = counted_files(chosen.needed, kind)
    only = "was only" if chosen.files == 1 else "were only"
    why = (
        f"there {only} {there} to choose by; {needed} that it is right on are needed"
        if chosen.files < chosen.needed
        else "it is wrong too often even where it is most sure, or there were too few to tell"
    )
    sentence = (
        f"{aim} That is no promise: as many as {of_hundred(price.error_at_most)} may be wrong, because {why}. "
        "Label more, or allow more to be wrong."
    )
    return Remark(about="promise", level="note", sentence=sentence)


def source_remark(score: float, interval: tuple[float, float], *, worth: float, groups: int, kind: Kind) -> Remark:
    """How it does on sources it has never met. `worth`: how much more of them it would name if it knew the source."""
    more = round(worth * 100)
    told = (
        f"On sources it has never met ({groups:,} of them, kept whole for the test) it is right on "
        f"{of_hundred(score)} {NOUNS[kind][1]} ({between(interval)})"
    )
    if more > 2:
        return Remark(
            about="new source",
            level="note",
            sentence=f"{told}; on sources it knows, about {more} more of 100 would be. "
            "Samples from more sources help more than more samples from the same.",
        )
    return Remark(about="new source", level="good", sentence=f"{told}, hardly fewer than on sources it knows.")
