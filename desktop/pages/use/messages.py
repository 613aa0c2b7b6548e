"""What the Use page says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from desktop.actions import action_named, keys_of
from desktop.i18n import KindName, class_caption, counted_files, number, printable, text, tr, trn
from desktop.models.answers import AnswersModel, state_text
from desktop.widgets.probability_bars import percent
from desktop.workers.answering import Answered
from ml.api import (
    FilePrediction,
    Message,
    ModelInfo,
    RunInfo,
    RunScore,
    Sample,
    UnreadableInput,
    accuracy_interval,
    between,
    duration,
    listed,
    msg,
    surest_start,
)
from ml.api import (
    files as file_names,
)


def drop_words(kind: KindName) -> str:
    """Return the sentence of the drop target."""
    match kind:
        case "images":
            keys = keys_of(action_named("paste"))
            if not keys:
                return tr("Drop pictures, videos or folders here.")
            return tr("Drop pictures, videos or folders here, or paste a picture with {key}.", key=keys)
        case "recordings":
            return tr("Drop recordings or folders here.")
        case "sensors":
            return tr("Drop logs or folders here.")
        case _:
            return tr("Drop files or folders here.")


def run_score(run: RunInfo, now: RunScore | None, samples: Sequence[Sample], *, several: bool) -> Message | None:
    """Return how good a run is, with the 95 % confidence interval of an accuracy; None where nothing was tested.

    `now` is its score by the present labels, None before that is computed.
    """
    if now is not None and now.score is not None and now.interval is not None and now.count and not several:
        return _score_message(now.score, now.count, now.interval)
    split, score = ("test", run.test_accuracy) if run.test_accuracy is not None else ("valid", run.valid_accuracy)
    judged = [sample for sample in samples if sample.split == split and sample.labelled]
    if score is None or not judged:
        return None
    if several:
        return msg("score {score} of 100", score=round(100 * score))
    files = len({sample.source_id for sample in judged})
    return _score_message(score, len(judged), accuracy_interval(score, files))


def _score_message(score: float, count: int, interval: tuple[float, float]) -> Message:
    return msg(
        "{right} of {count} right, which means {between} for new ones",
        right=round(score * count),
        count=count,
        between=between(interval),
    )


def model_line(info: ModelInfo, *, score: Message | str | None) -> str:
    """Return what the model is: its classes, how good it is, its data and when it was made."""
    day, classes = info.created_at[:10], listed(tuple(map(printable, info.classes)))
    if not score:
        return tr("{classes} · made on {day} from “{project}”", classes=classes, day=day, project=info.project)
    return tr(
        "{classes} · {score} · made on {day} from “{project}”",
        classes=classes,
        score=score,
        day=day,
        project=info.project,
    )


def card_score(card: str) -> str:
    """Return the first sentence of a model card that says how good the model is; empty where there is none."""
    lines = [line.strip() for line in card.splitlines() if line.strip()]
    place = next((at for at, line in enumerate(lines) if line.startswith("## ")), len(lines))
    found = lines[place + 1 : place + 2]
    return found[0] if found and not found[0].startswith(("#", "|", "-")) else ""


def headline(answered: Answered, info: ModelInfo) -> str:
    """Return the answer in large letters."""
    if isinstance(answered, UnreadableInput):
        return tr("No answer")
    names = tuple(map(printable, info.classes))
    present = info.predicted(answered.probabilities)
    if len(present) == 1:
        chance = percent(float(answered.probabilities[present[0]]))
        return tr("{name} · {percent}", name=names[present[0]], percent=chance)
    return class_caption(present, names)


def verdict(answered: Answered, info: ModelInfo) -> str:
    """Return whether the answer can be used, in a sentence."""
    if isinstance(answered, UnreadableInput):
        return text(answered.reason)
    if answered.cut:
        first = verdict(replace(answered, cut=False), info)
        damage = tr("The video is damaged or cut off. Only what comes before the damage is used.")
        return tr("{first} {second}", first=first, second=damage)
    if answered.unlike > info.unlike_above:
        return tr("Set aside: it is like nothing the model was shown.")
    if answered.decision == "accept":
        return tr("Accepted")
    return state_text(answered, info)


def shown_part(answered: FilePrediction, info: ModelInfo) -> str:
    """Return which window of a recording is shown; empty where there is only one."""
    if info.windowing is None or len(answered.windows) < 2:
        return ""
    start = surest_start(answered)
    end = start + info.windowing.seconds
    if info.windowing.clock == "none":
        return tr("Shown: rows {start:g}–{end:g}, where it is surest.", start=start, end=end)
    return tr("Shown: {start:g}–{end:g} s, where it is surest.", start=round(start, 2), end=round(end, 2))


def summary(model: AnswersModel, kind: KindName) -> str:
    """Return how many files were answered, set aside and unreadable."""
    return tr(
        "{files}: {accepted} accepted, {aside} set aside, {unreadable} unreadable",
        files=counted_files(len(model.answers), kind),
        accepted=number(model.count("accepted")),
        aside=number(model.count("aside")),
        unreadable=number(model.count("unreadable")),
    )


def progress(done: int, total: int, seconds: float | None, *, paused: bool) -> str:
    """Return how far it is."""
    if paused:
        return tr("Paused: {done} of {total} answered", done=number(done), total=number(total))
    if seconds is None or done < 3:
        return tr("Answering: {done} of {total}", done=number(done), total=number(total))
    left = duration(max(1.0, seconds))
    return tr("Answering: {done} of {total}, {time} left", done=number(done), total=number(total), time=left)


def ended(count: int) -> str:
    """Return what the strip says when everything is answered."""
    return trn("{count} file is answered", "{count} files are answered", count)


def no_model(kind: KindName) -> str:
    """Return why nothing can be answered yet, and what to do."""
    return tr("There is no trained model yet. Train one, and then use it on new {files} here.", files=file_names(kind))


def run_line(run: RunInfo, score: str, *, released: bool, name: str) -> str:
    """Return a run in the list of models."""
    number_of_run = str(run.number)
    if not released:
        return tr("Run {n} · {score}", n=number_of_run, score=score) if score else tr("Run {n}", n=number_of_run)
    if name:
        return tr("Run {n} · released as “{name}”", n=number_of_run, name=name)
    return tr("Run {n} · released", n=number_of_run)
