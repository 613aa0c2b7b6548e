"""Sentences of the tab "Sure enough?"."""

from __future__ import annotations

import math

from desktop.i18n import Message, msg, nmsg, text, tr, trn
from desktop.pages.explore.thresholds.model import (
    ClassFigures,
    PresenceClassReport,
    PresenceThresholdReport,
    ThresholdReport,
)
from desktop.widgets.probability_bars import percent
from ml.api import KindName, counted, counted_files, things

DOT_OFF_CURVE = msg("The dot can lie off the curve: the curve uses one threshold for all classes.")


def asked(share: float) -> str:
    """Name the chosen error rate, above the slider."""
    of = _base(share)
    return tr("At most {n:g} of {of} accepted answers may be wrong", n=share * of, of=of)


def expected(kind: KindName, report: ThresholdReport) -> str:
    """Say for a hundred samples: how many are left to the user, and how many of the others may be wrong."""
    wanted, price = report.chosen.wanted, report.price
    if price.accepted == 0:
        return tr("The model is never sure enough: all {things} are left to you.", things=things(kind))
    of = _base(wanted)
    while wanted * price.accepted * of < price.n:  # so few allow no error at all: speak of more
        of *= 10
    rejected = round(price.rejected_share * of)
    most = max(1, math.floor(wanted * (of - rejected) + 1e-9))
    handed = msg(
        "Of {count_things}, Handlens leaves {rejected} to you.", count_things=counted(of, kind), rejected=rejected
    )
    if report.chosen.promised:
        wrong = nmsg(
            "Of the {count} accepted answer, at most {most} will be wrong.",
            "Of the {count} accepted answers, at most {most} will be wrong.",
            of - rejected,
            most=most,
        )
    else:
        wrong = nmsg(
            "The goal for the {count} accepted answer is at most {most} wrong.",
            "The goal for the {count} accepted answers is at most {most} wrong.",
            of - rejected,
            most=most,
        )
    return _two(handed, wrong)


def promise(kind: KindName, report: ThresholdReport) -> str:
    """Say whether the error rate is guaranteed, and what is missing if not."""
    chosen, more = report.chosen, _more(kind, unlabelled=report.unlabelled)
    if chosen.promised:
        return tr(
            "Guaranteed with 95 % confidence, as long as new {things} are like those in the validation set.",
            things=things(kind),
        )
    if chosen.files < chosen.needed:
        # Windows of one recording are right or wrong together, so files count.
        count_of = counted if chosen.files == chosen.price.n else counted_files
        needed = msg(
            "Not guaranteed: that needs {count_things} for validation without a single error. You have {n}.",
            count_things=count_of(chosen.needed, kind),
            n=chosen.files,
        )
        return _two(needed, more)
    often = msg("Not guaranteed: even the surest answers are wrong too often, or there are too few to tell.")
    return _two(often, more)


def stuck(kind: KindName, count: int) -> str:
    """Explain a slider that changes nothing. `count`: the samples of the validation set."""
    return tr(
        "The slider has no effect. With {count_things} for validation, there are too few samples or too few errors to "
        "tell these settings apart.",
        count_things=counted(count, kind),
    )


def headline(kind: KindName, report: ThresholdReport) -> str:
    """Say what was measured on the test set, or without one on the validation set."""
    price = report.price
    if price.n == 0:
        return tr("There are no {things} for validation or the test to measure this on.", things=things(kind))
    given = {
        "count_things": counted(price.n, kind),
        "accepted": price.accepted,
        "wrong": price.wrong,
        "rejected": price.n - price.accepted,
    }
    if report.tested:
        return tr(
            "Of the {count_things} in the test set, Handlens accepts {accepted} ({wrong} wrong) and leaves {rejected} "
            "to you.",
            **given,
        )
    return tr(
        "Of the {count_things} in the validation set, Handlens accepts {accepted} ({wrong} wrong) and leaves "
        "{rejected} to you.",
        **given,
    )


def below_curve(report: ThresholdReport) -> str:
    """Explain the plot, and why the dot can lie off the curve."""
    drawn = msg("Dashed: your limit. Shaded: where the true rate may lie. Dot: the result.")
    unlike = msg("Anything unlike the training data is left to you as well.")
    if len(set(report.chosen.per_class)) > 1:
        return tr("{first} {second} {third}", first=drawn, second=DOT_OFF_CURVE, third=unlike)
    return _two(drawn, unlike)


def in_use(share: float, *, shown: bool) -> str:
    """Name the error rate in use. `shown`: the slider stands at it."""
    of = _base(share)
    if shown:
        used = msg("In use: at most {n:g} of {of}.", n=share * of, of=of)
    else:
        used = msg("In use now: at most {n:g} of {of}.", n=share * of, of=of)
    return _two(used, msg("The next training uses it too."))


def accepted(count: int) -> str:
    return trn("{count} accepted", "{count} accepted", count)


def accepted_wrong(count: int) -> str:
    return trn("{count} of them wrong", "{count} of them wrong", count)


def left(count: int) -> str:
    return trn("{count} left to you", "{count} left to you", count)


def class_line(report: ClassFigures) -> tuple[str, str]:
    """Say the threshold of a class, and how many of its predictions are left to the user."""
    if report.threshold <= 0:
        begin = tr("always accepts")
    elif report.threshold >= 1:
        begin = tr("never accepts")
    else:
        begin = tr("accepts at {percent} or more", percent=percent(report.threshold))
    if report.named == 0:
        return begin, tr("never predicted")
    return begin, tr("{rejected} of {named} left to you", rejected=report.rejected, named=report.named)


def presence_asked(share: float | None) -> str:
    """Name the chosen error rate of a multi-label run; None: the thresholds from training are shown."""
    if share is None:
        return tr("Move the slider to set how many predictions of a class may be wrong")
    of = _base(share)
    return tr("At most {n:g} of {of} predictions of a class may be wrong", n=share * of, of=of)


def presence_headline(kind: KindName, report: PresenceThresholdReport) -> str:
    """Say how many labels are found, and how many predictions are wrong."""
    if report.tested:
        where = msg("Measured on the {count_things} in the test set.", count_things=counted(report.count, kind))
    else:
        where = msg("Measured on the {count_things} in the validation set.", count_things=counted(report.count, kind))
    if sum(each.named for each in report.classes) == 0:
        return _two(msg("The model predicts no class: it is never sure enough."), where)
    if report.wrongly == 0:
        found = msg(
            "The model finds {found} of the {there} labels and predicts no wrong ones.",
            found=report.found,
            there=report.there,
        )
    else:
        found = nmsg(
            "The model finds {found} of the {there} labels and predicts {count} wrong one.",
            "The model finds {found} of the {there} labels and predicts {count} wrong ones.",
            report.wrongly,
            found=report.found,
            there=report.there,
        )
    return _two(found, where)


def presence_promise(kind: KindName, report: PresenceThresholdReport) -> str:
    """Say whether the error rate of each class is guaranteed."""
    if report.wanted is None:
        return tr("Each class uses the threshold that was chosen in training.")
    if report.promised:
        return tr(
            "Guaranteed for each class with 95 % confidence, as long as new {things} are like those in the validation "
            "set.",
            things=things(kind),
        )
    aim = msg(
        "Not guaranteed: a class has too few {things} for validation, or its predictions are wrong too often even at "
        "the highest threshold.",
        things=things(kind),
    )
    return _two(aim, _more(kind, unlabelled=report.unlabelled))


def presence_in_use(share: float | None, *, shown: bool) -> str:
    """Name the error rate in use; None: the thresholds from training."""
    if share is not None:
        return in_use(share, shown=shown)
    return tr("In use: the thresholds from training.")


def presence_line(report: PresenceClassReport) -> tuple[str, str]:
    """Say the threshold of a class, how many of its samples are found, and how many predictions are wrong."""
    begin = tr("never predicted")
    if report.threshold < 1:
        begin = tr("predicted at {percent} or more", percent=percent(report.threshold))
    if report.named == 0:
        return begin, tr("none present") if report.there == 0 else tr(
            "finds {found} of {there}", found=report.found, there=report.there
        )
    if report.there == 0:
        return begin, tr("none present, {wrongly} of {named} wrong", wrongly=report.wrongly, named=report.named)
    return begin, tr(
        "finds {found} of {there}, {wrongly} of {named} wrong",
        found=report.found,
        there=report.there,
        wrongly=report.wrongly,
        named=report.named,
    )


def nothing(kind: KindName, *, unlabelled: bool) -> str:
    if unlabelled:
        return tr("There are no {things} for validation. Label more {things} and train again.", things=things(kind))
    return tr("There are no {things} for validation. Add more {things} and train again.", things=things(kind))


def _more(kind: KindName, *, unlabelled: bool) -> Message:
    """Say what to do about too few samples: label the present ones, or add others."""
    if unlabelled:
        return msg("Label more {things}, or allow more wrong answers.", things=things(kind))
    return msg("Add more {things}, or allow more wrong answers.", things=things(kind))


def _two(first: Message, second: Message) -> str:
    return text(msg("{first} {second}", first=first, second=second))


def _base(share: float) -> int:
    return 100 if share * 100 >= 1 - 1e-9 else 1000
