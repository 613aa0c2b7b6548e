"""What it means to be sure enough, in sentences."""

from __future__ import annotations

import math

from PySide6.QtCore import QCoreApplication

from desktop.pages.enough_figures import ClassFigures, Figures
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


def headline(kind: Kind, told: Figures) -> str:
    """Of a hundred pieces: how many it hands over, and how many of the others are wrong."""
    wanted, price = told.chosen.wanted, told.price
    of = _base(wanted)
    rejected = round(price.rejected_share * of)
    many = _many(kind)
    if price.accepted == 0 or rejected == of:
        return tr("It would hand all {things} to you: it is never sure enough.").format(things=many)
    most = max(1, math.ceil(wanted * (of - rejected) - 1e-9))
    begin = tr("Of {of} {things} it would hand {n} to you").format(of=f"{of:,}", things=many, n=_number(rejected))
    if told.chosen.promised:
        rest = tr("and of the {n} it decides, at most {most} will be wrong.")
    else:
        rest = tr("and of the {n} it decides, it aims at no more than {most} wrong.")
    return f"{begin}, {rest.format(n=f'{of - rejected:,}', most=most)}"


def promise(kind: Kind, told: Figures) -> str:
    """Whether that is a promise, and what is missing for one."""
    chosen = told.chosen
    if chosen.promised:
        return tr("It keeps that promise with 95 % confidence, as long as new ones are like those it was tested on.")
    if chosen.files < chosen.needed:
        # Windows of one recording are right or wrong together.
        things = _many(kind) if chosen.files == chosen.price.n else tr("files")
        text = tr(
            "That is no promise: {needed} {things} to choose by are needed for one, all of them right, "
            "and there are {n}. Label more, or allow more to be wrong."
        )
        return text.format(needed=f"{chosen.needed:,}", things=things, n=f"{chosen.files:,}")
    return tr(
        "That is no promise: it is wrong too often even where it is most sure, or there are too few to tell. "
        "Label more, or allow more to be wrong."
    )


def seen(kind: Kind, told: Figures) -> str:
    """What happens to the samples that were kept aside."""
    price = told.price
    if price.n == 0:
        return tr("Nothing was kept aside to see that on.")
    where = tr("kept aside for the test") if told.tested else tr("it was chosen by")
    text = tr("On the {n} {things} {where} it would decide {accepted} and be wrong on {wrong} of them.")
    return text.format(
        n=f"{price.n:,}", things=_many(kind), where=where, accepted=f"{price.accepted:,}", wrong=f"{price.wrong:,}"
    )


def in_use(share: float, *, shown: bool) -> str:
    """What is used now. `shown`: that is also what the slider stands at."""
    text = tr("In use: at most {rate}.") if shown else tr("In use now: at most {rate}.")
    after = tr("Exporting, predicting and the next training keep to it.")
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


def several(names: tuple[str, ...]) -> str:
    """Where more than one class may be present."""
    return tr(
        "Here more than one class may be present, so each of the {n} is decided by itself: from its own mark on, "
        "which the bars beside a sample show. There is nothing to choose for the whole. A model that names each class "
        "wrongly only so often comes from: handlens export --wrong-at-most."
    ).format(n=len(names))


def nothing(kind: Kind) -> str:
    text = tr("Nothing was kept aside to choose by. Label more {things} and train again.")
    return text.format(things=_many(kind))


def _base(share: float) -> int:
    return 100 if share * 100 >= 1 - 1e-9 else 1000


def _number(count: int) -> str:
    return tr("none") if count == 0 else f"{count:,}"


def _many(kind: Kind) -> str:
    return {"images": tr("pictures"), "recordings": tr("sounds"), "sensors": tr("stretches")}[kind]
