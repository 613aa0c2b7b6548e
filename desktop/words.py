"""Words that several pages share, and marking texts in tables for translation."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QCoreApplication, QLocale

Kind = Literal["images", "recordings", "sensors"]
"""The same as `ml.api.Kind`; the start page must not load `ml`."""


def QT_TRANSLATE_NOOP(_context: str, text: str) -> str:
    """`text` itself; Qt's lupdate knows the name and collects it. Translate where it is shown."""
    return text


def number(count: int) -> str:
    """3670 as this country writes it."""
    return QLocale().toString(count)


def things(kind: Kind, count: int) -> str:
    """ "1 picture", "3,670 pictures", "40 sounds"."""
    tr = QCoreApplication.translate
    if kind == "images":
        text = tr("words", "{count} picture") if count == 1 else tr("words", "{count} pictures")
    elif kind == "recordings":
        text = tr("words", "{count} sound") if count == 1 else tr("words", "{count} sounds")
    else:
        text = tr("words", "{count} measurement") if count == 1 else tr("words", "{count} measurements")
    return text.format(count=number(count))


def classes(count: int) -> str:
    tr = QCoreApplication.translate
    text = tr("words", "{count} class") if count == 1 else tr("words", "{count} classes")
    return text.format(count=number(count))


def originals_gone(problem: str) -> str:
    """What other pages than Data say of it: `problem` is the core's sentence."""
    return QCoreApplication.translate("words", "{problem} You can do that on the page “Data”.").format(problem=problem)


def score(accuracy: float | None, count: int, *, several: bool = False) -> str:
    """How a run did on `count` samples it has never seen, in words. `several`: more than one class may be present."""
    tr = QCoreApplication.translate
    if accuracy is None or count == 0:
        return tr("words", "not tested")
    if several:
        return tr("words", "a score of {score} out of 100").format(score=round(100 * accuracy))
    return tr("words", "right on {right} of {count}").format(right=number(round(accuracy * count)), count=number(count))
