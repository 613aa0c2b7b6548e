"""What it means to be sure enough, in sentences."""

from __future__ import annotations

import math

from PySide6.QtCore import QCoreApplication

from desktop.pages.enough_figures import ClassFigures, Figures
from desktop.pages.enough_several import SeveralClassFigures, SeveralFigures
from desktop.widgets.probability_bars import percent
from ml.api import Kind


def tr(text: str) -> str:
    return QCoreApplication.translate("EnoughWords", text)


def rate(share: float) -> str:
    """A share as a person says it: “5 of 100”, “2 of 1,000”."""
    of = _base(share)
    return tr("{n} of {of}").format(n=f"{share * of:g}", of=f"{of:,}")


def asked(share: float) -> str:
    """Above the slider."""
    return tr("Of the answers it gives, at most {rate} may be wrong").format(rate=rate(share))


def expected(kind: Kind, told: Figures) -> str:
    """Of a hundred pieces: how many it would hand over, and how many of the others may be wrong."""
    wanted, price = told.chosen.wanted, told.price
    many = _many(kind)
    if price.accepted == 0:
        return tr("It would hand all {things} to you: it is never sure enough.").format(things=many)
    of = _base(wanted)
    while wanted * price.accepted * of < price.n:  # of so few not one may be wrong: say it of more
        of *= 10
    rejected = round(price.rejected_share * of)
    most = max(1, math.floor(wanted * (of - rejected) + 1e-9))
    begin = tr("Of {of} {things} it would hand {n} to you").format(of=f"{of:,}", things=many, n=_number(rejected))
    if told.chosen.promised:
        rest = tr("and of the {n} it decides, at most {most} will be wrong.")
    else:
        rest = tr("and of the {n} it decides, it aims at no more than {most} wrong.")
    return f"{begin}, {rest.format(n=f'{of - rejected:,}', most=f'{most:,}')}"


def promise(kind: Kind, told: Figures) -> str:
    """Whether that is a promise, and what is missing for one."""
    chosen, more = told.chosen, _more(kind, unlabelled=told.unlabelled)
    if chosen.promised:
        return tr("It keeps that promise with 95 % confidence, as long as new ones are like those it was tested on.")
    if chosen.files < chosen.needed:
        # Windows of one recording are right or wrong together.
        things = _many(kind) if chosen.files == chosen.price.n else tr("files")
        text = tr(
            "That is no promise: {needed} {things} kept aside to check by are needed for one, all of them right, "
            "and there are {n}. {more}, or allow more to be wrong."
        )
        return text.format(needed=f"{chosen.needed:,}", things=things, n=f"{chosen.files:,}", more=more)
    text = tr(
        "That is no promise: it is wrong too often even where it is most sure, or there are too few to tell. "
        "{more}, or allow more to be wrong."
    )
    return text.format(more=more)


def stuck(kind: Kind, count: int) -> str:
    """Below a slider that changes nothing. `count` samples are there to choose by."""
    text = tr(
        "Moving it changes nothing: the {n} {things} kept aside to check by are too few, or too seldom wrong, to tell "
        "these shares apart."
    )
    return text.format(n=f"{count:,}", things=_many(kind))


def headline(kind: Kind, told: Figures) -> str:
    """What was measured on the samples that were kept aside."""
    price = told.price
    if price.n == 0:
        return tr("Nothing was kept aside to see that on.")
    where = tr("kept aside for the test") if told.tested else tr("kept aside to check by")
    text = tr(
        "Of the {n} {things} {where} it hands {rejected} to you, decides {accepted} and is wrong on {wrong} of them."
    )
    return text.format(
        n=f"{price.n:,}",
        things=_many(kind),
        where=where,
        rejected=_number(price.n - price.accepted),
        accepted=_number(price.accepted),
        wrong=_number(price.wrong),
    )


def below_curve(told: Figures) -> str:
    """What is drawn, and why the dot need not lie on the curve."""
    drawn = tr("Dashed: what you allow. Shaded: what chance leaves open. The dot: what comes of it.")
    apart = tr("It need not lie on the curve, which asks the same of every class.")
    unlike = tr("What is unlike anything it was shown is handed to you as well.")
    return f"{drawn} {apart} {unlike}" if len(set(told.chosen.per_class)) > 1 else f"{drawn} {unlike}"


def in_use(share: float, *, shown: bool) -> str:
    """What is used now. `shown`: that is also what the slider stands at."""
    text = tr("In use: at most {rate}.") if shown else tr("In use now: at most {rate}.")
    after = tr("The next training keeps to it.")
    return f"{text.format(rate=rate(share))} {after}"


def class_line(told: ClassFigures) -> tuple[str, str]:
    """From where on a class is decided, and how many of those named so are handed over."""
    if told.threshold <= 0:
        begin = tr("always decided")
    elif told.threshold >= 1:
        begin = tr("never decided")
    else:
        begin = tr("from {percent} sure on").format(percent=percent(told.threshold))
    if told.named == 0:
        return begin, tr("never named")
    return begin, tr("{rejected} of {named} to you").format(rejected=f"{told.rejected:,}", named=f"{told.named:,}")


def asked_of_several(share: float | None) -> str:
    """Above the slider, where more than one class may be present; None: its own marks are shown."""
    if share is None:
        return tr("Move the slider to choose how many of those it says show a class may not show it")
    return tr("Of those it says show a class, at most {rate} may not show it").format(rate=rate(share))


def headline_of_several(kind: Kind, told: SeveralFigures) -> str:
    """What would be found of what is there, and how often it would be wrong."""
    where = tr("kept aside for the test") if told.tested else tr("kept aside to check by")
    named = sum(each.named for each in told.classes)
    if named == 0:
        text = tr("On the {n} {things} {where} it would name no class: it is never sure enough.")
        return text.format(n=f"{told.count:,}", things=_many(kind), where=where)
    text = tr("On the {n} {things} {where} it would find {found} of the {there} classes that are there")
    begin = text.format(
        n=f"{told.count:,}", things=_many(kind), where=where, found=f"{told.found:,}", there=f"{told.there:,}"
    )
    if told.wrongly == 0:
        return tr("{begin}, and name none that is not.").format(begin=begin)
    return tr("{begin}, and name {wrongly} that are not.").format(begin=begin, wrongly=f"{told.wrongly:,}")


def promise_of_several(kind: Kind, told: SeveralFigures) -> str:
    """Whether that is a promise."""
    if told.wanted is None:
        return tr("Every class counts as present from its own mark on, as this run was made.")
    if told.promised:
        return tr(
            "It keeps to that with 95 % confidence, each class by itself, as long as new ones are like those it was "
            "tested on."
        )
    text = tr(
        "That is an aim and no promise: some class has too few to check by, or is named wrongly too often even where "
        "it is most sure. {more}, or allow more to be wrong."
    )
    return text.format(more=_more(kind, unlabelled=told.unlabelled))


def in_use_of_several(share: float | None, *, shown: bool) -> str:
    """What is used now; None: the marks that the run was made with."""
    if share is not None:
        return in_use(share, shown=shown)
    return tr("In use: each class from the mark on that it was made with.")


def several_line(told: SeveralClassFigures) -> tuple[str, str]:
    """From where on a class is named, what that finds and what it costs."""
    begin = tr("never named")
    if told.threshold < 1:
        begin = tr("from {percent} sure on").format(percent=percent(told.threshold))
    found = tr("none is there") if told.there == 0 else tr("finds {found} of {there}")
    wrongly = "" if told.named == 0 else tr(", {wrongly} of {named} named wrongly")
    return begin, f"{found}{wrongly}".format(
        found=f"{told.found:,}", there=f"{told.there:,}", wrongly=f"{told.wrongly:,}", named=f"{told.named:,}"
    )


def nothing(kind: Kind, *, unlabelled: bool) -> str:
    text = tr("Nothing was kept aside to check by. {more} and train again.")
    return text.format(more=_more(kind, unlabelled=unlabelled))


def _more(kind: Kind, *, unlabelled: bool) -> str:
    """What can be done about too few: label those that are there, or bring others."""
    text = tr("Label more {things}") if unlabelled else tr("Add more {things}")
    return text.format(things=_many(kind))


def _base(share: float) -> int:
    return 100 if share * 100 >= 1 - 1e-9 else 1000


def _number(count: int) -> str:
    return tr("none") if count == 0 else f"{count:,}"


def _many(kind: Kind) -> str:
    return {"images": tr("pictures"), "recordings": tr("sounds"), "sensors": tr("measurements")}[kind]
