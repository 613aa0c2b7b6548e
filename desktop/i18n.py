"""The words of the window: the only place that turns messages into text. Loads of `ml` nothing but its messages."""

from __future__ import annotations

import os
from collections.abc import Sequence

from babel import Locale
from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

from ml.core.messages import (
    PSEUDO,
    SOURCE,
    Message,
    available,
    best_match,
    current_language,
    msg,
    nmsg,
    text,
    tr,
    trn,
    use_language,
)
from ml.core.phrases import counted, counted_classes, counted_files
from ml.core.printable import printable
from ml.core.types import KindName

__all__ = [
    "NONE_OF_THEM",
    "PSEUDO",
    "KindName",
    "Message",
    "available",
    "best_match",
    "class_caption",
    "classes",
    "counted",
    "counted_classes",
    "counted_files",
    "current_language",
    "error_text",
    "msg",
    "nmsg",
    "number",
    "originals_gone",
    "own_name",
    "printable",
    "score",
    "speak",
    "system_language",
    "text",
    "things",
    "tr",
    "trn",
    "use_language",
]


def number(count: int) -> str:
    """Format a number in the language of the window."""
    return current_language().number(count)


def things(kind: KindName, count: int) -> str:
    """ "1 picture", "3,670 pictures", "40 sounds"."""
    return text(counted(count, kind))


def classes(count: int) -> str:
    """ "1 class", "5 classes"."""
    return text(counted_classes(count))


NONE_OF_THEM = msg("none of them")


def class_caption(indices: Sequence[int], names: Sequence[str]) -> str:
    """Join the names of the classes for a caption, or say that there are none."""
    return ", ".join(names[index] for index in indices) or text(NONE_OF_THEM)


def error_text(error: BaseException) -> str:
    """Return the message of a HandlensError, or `str` of any other error."""
    message = getattr(error, "message", None)
    return text(message) if isinstance(message, Message | str) else str(error)


def originals_gone(problem: Message | str) -> str:
    """Return the sentence for pages other than Data while the original files are missing. `problem` comes from `ml`."""
    return tr("{problem} You can do that on the page “Data”.", problem=problem)


def score(accuracy: float | None, count: int, *, several: bool = False) -> str:
    """Return the score of a run on `count` unseen samples. `several`: it is a multi-label run."""
    if accuracy is None or count == 0:
        return tr("not tested")
    if several:
        return tr("a score of {score} out of 100", score=round(100 * accuracy))
    return tr("{right} of {count} correct", right=round(accuracy * count), count=count)


# -- languages -------------------------------------------------------------------------------------------------------


def own_name(tag: str) -> str:
    """Return the language's own name: “English”, “Deutsch”, “Français”."""
    if tag == PSEUDO:
        return "⟦Pšéúdó⟧"
    name = Locale.parse(tag).get_display_name() or tag
    return name[:1].upper() + name[1:]


def system_language() -> str:
    """Return the best available language for this system. Qt drops languages it does not know, hence LANGUAGE."""
    requested = [tag for tag in os.environ.get("LANGUAGE", "").split(":") if tag]
    return best_match([*requested, *QLocale.system().uiLanguages()])


def speak(app: QApplication, tag: str) -> None:
    """Switch to the language `tag`: our messages, numbers in fields, and Qt's own buttons."""
    use_language(tag)
    tag = current_language().tag
    wanted = QLocale("en_GB" if tag == PSEUDO else tag)
    system = QLocale.system()
    # The system's country decides between dialects, as long as it is the same language.
    QLocale.setDefault(system if system.language() == wanted.language() else wanted)
    for old in app.findChildren(QTranslator):
        app.removeTranslator(old)
        old.deleteLater()
    if tag in (SOURCE, PSEUDO):
        return
    translator = QTranslator(app)
    if translator.load(wanted, "qtbase", "_", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        app.installTranslator(translator)
