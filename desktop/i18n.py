"""The words of the window: the only place that turns messages into text. Loads of `ml` nothing but its messages."""

from __future__ import annotations

import os

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
from ml.core.types import Kind

__all__ = [
    "PSEUDO",
    "Kind",
    "Message",
    "available",
    "best_match",
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
    """3670 as the language of the window writes it."""
    return current_language().number(count)


def things(kind: Kind, count: int) -> str:
    """ "1 picture", "3,670 pictures", "40 sounds"."""
    return text(counted(count, kind))


def classes(count: int) -> str:
    """ "1 class", "5 classes"."""
    return text(counted_classes(count))


def error_text(error: BaseException) -> str:
    """What to show of an error: the message of a HandlensError, else whatever it says of itself."""
    message = getattr(error, "message", None)
    return text(message) if isinstance(message, Message | str) else str(error)


def originals_gone(problem: Message | str) -> str:
    """What other pages than Data show while the original files are gone: `problem` is the core's sentence."""
    return tr("{problem} You can do that on the page “Data”.", problem=problem)


def score(accuracy: float | None, count: int, *, several: bool = False) -> str:
    """How a run did on `count` samples it has never seen. `several`: more than one class may be present."""
    if accuracy is None or count == 0:
        return tr("not tested")
    if several:
        return tr("a score of {score} out of 100", score=round(100 * accuracy))
    return tr("{right} of {count} correct", right=round(accuracy * count), count=count)


# -- languages -------------------------------------------------------------------------------------------------------


def own_name(tag: str) -> str:
    """The language in its own words: “English”, “Deutsch”, “Français”."""
    if tag == PSEUDO:
        return "⟦Pšéúdó⟧"
    name = Locale.parse(tag).get_display_name() or tag
    return name[:1].upper() + name[1:]


def system_language() -> str:
    """The language of ours that the system asks for. Qt does not pass on what it does not know, hence LANGUAGE."""
    asked = [tag for tag in os.environ.get("LANGUAGE", "").split(":") if tag]
    return best_match([*asked, *QLocale.system().uiLanguages()])


def speak(app: QApplication, tag: str) -> None:
    """Show everything in the language `tag` from now on: our words, numbers in fields, and Qt's own buttons."""
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
