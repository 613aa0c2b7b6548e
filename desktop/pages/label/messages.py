"""The sentences of the Label page."""

from __future__ import annotations

from collections.abc import Sequence

from desktop.actions import action_named, keys_of
from desktop.i18n import current_language, text, tr, trn
from desktop.models.run_scores import score_text
from desktop.session import Session
from desktop.widgets.probability_bars import percent
from ml.api import HandlensError, RunInfo, Sample, counted, frame_of


def progress(*, labelled: int, total: int, guessed: bool, look: int) -> str:
    """Say how far the person is; without samples to ignore."""
    if labelled >= total > 0:
        return tr("All {total} labelled.", total=total)
    if not guessed:
        return tr("{labelled} of {total} labelled.", labelled=labelled, total=total)
    return trn(
        "{labelled} of {total} labelled, the rest guessed, {count} worth a look.",
        "{labelled} of {total} labelled, the rest guessed, {count} worth a look.",
        look,
        labelled=labelled,
        total=total,
    )


def name_first_class(kind: str, count: int) -> str:
    """Say how to begin."""
    return tr(
        "None of the {things} has a label yet. Press {key} and type what the first one shows.",
        things=counted(count, kind),
        key=keys_of(action_named("label_new")) or tr("New class…"),
    )


def preparing(fraction: float) -> str:
    return tr("Looking at every sample once, for suggestions: {part}", part=percent(max(0.0, fraction)))


def class_names(indices: Sequence[int], names: Sequence[str]) -> str:
    """Return the names of classes, or that there is none."""
    return current_language().join([names[index] for index in indices]) if indices else tr("none of them")


def selected(count: int) -> str:
    return trn("{count} selected", "{count} selected", count)


def sample_name(session: Session, sample: Sample) -> str:
    """Return the file, and for a window its place in the file."""
    windowing = session.project.windowing
    if sample.start is None:
        return sample.path
    if windowing is None:
        return text(frame_of(sample.path, sample.start))
    if windowing.clock == "none":
        return tr("{path} · rows {start:g}–{end:g}", path=sample.path, start=sample.start, end=sample.end)
    return tr("{path} · {start:g}–{end:g} s", path=sample.path, start=sample.start, end=sample.end)


def ghost_line(name: str, start: float, end: float, score: float, *, timed: bool) -> str:
    """Say what the model suggests, and when; not `timed`: in rows of a log."""
    if timed:
        return tr("{name}? {start:.2f}–{end:.2f} s, {sure}", name=name, start=start, end=end, sure=percent(score))
    return tr("{name}? rows {start:.0f}–{end:.0f}, {sure}", name=name, start=start, end=end, sure=percent(score))


def no_ghost(*, searching: bool) -> str:
    """Say why no span is suggested."""
    if searching:
        return tr("Searching the recording for spans to suggest…")
    return tr("The model suggests no further span here.")


def cannot_show(session: Session, error: Exception) -> str:
    """Say why a sample cannot be shown."""
    missing = session.missing_originals()
    if missing is not None:
        return text(missing)
    return text(error.message) if isinstance(error, HandlensError) else tr("This sample could not be shown.")


def trained_again(session: Session, before: RunInfo, after: RunInfo) -> str:
    """Say how a run compares with the one before it."""
    counts, task = session.split_counts(), session.project.task
    now, was = score_text(after, None, counts, task), score_text(before, None, counts, task)
    return tr(
        "Run {after} is ready: {now}. Run {before}: {was}.",
        after=str(after.number),
        now=now or tr("no score"),
        before=str(before.number),
        was=was or tr("no score"),
    )
