"""The German catalogue: complete, with plurals, cases and numbers as German writes them."""

from __future__ import annotations

import re
import string

import pytest
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry

from ml.core.messages import Language, Message, msg, nmsg
from ml.core.phrases import (
    FORMS,
    between,
    counted,
    counted_classes,
    counted_files,
    duration,
    files,
    listed,
    of_hundred,
    percent,
    thing,
    things,
)
from ml.core.stages import stage_message
from ml.core.types import KindName
from tools.i18n import FOLDER, extract, load, problems

CATALOG = FOLDER / "de" / "LC_MESSAGES" / "handlens.po"
KINDS: tuple[KindName, ...] = ("images", "recordings", "sensors")
COLUMNS = 44
"""What a button of the window has room for, in letters."""


@pytest.fixture(scope="module")
def german() -> Language:
    return Language("de")


def test_nothing_is_missing() -> None:
    assert problems(CATALOG) == []


def test_the_compiled_catalogue_is_current(german: Language) -> None:
    """`tools/i18n.py compile` was run after the last change."""
    for entry in load(CATALOG):
        if isinstance(entry.id, str) and entry.id and not entry.context and "{" not in entry.id:
            assert german.render(Message(entry.id)) == entry.string


def test_nouns_have_every_form() -> None:
    catalog = load(CATALOG)
    empty = [(entry.context, entry.id) for entry in extract() if entry.context and not _filled(catalog, entry)]
    assert empty == []


def _filled(catalog: Catalog, entry: Entry) -> bool:
    own = catalog.get(entry.id, entry.context)
    return own is not None and all(_forms(own))


def _forms(entry: Entry) -> tuple[str, ...]:
    return (entry.string,) if isinstance(entry.string, str) else tuple(entry.string)


def test_translations_ask_only_for_forms_that_exist() -> None:
    """`{things:dativ}` would be shown in the nominative without a word."""
    strange = []
    for entry in load(CATALOG):
        for text in _forms(entry):
            for _, name, spec, _ in string.Formatter().parse(text):
                if name and spec and not re.fullmatch(r",?(\.\d+)?[dfgx%]?", spec) and spec not in (*FORMS, "capital"):
                    strange.append((name, spec))
    assert strange == []


def test_quotes_are_german() -> None:
    texts = [text for entry in load(CATALOG) if entry.id for text in _forms(entry)]
    assert [text for text in texts if "”" in text or text.count("„") != text.count("“")] == []


@pytest.mark.parametrize(
    ("kind", "one", "many"),
    [
        ("images", "1 Bild", "3.670 Bilder"),
        ("recordings", "1 Geräusch", "3.670 Geräusche"),
        ("sensors", "1 Messung", "3.670 Messungen"),
    ],
)
def test_counted_samples(german: Language, kind: KindName, one: str, many: str) -> None:
    assert german.render(counted(1, kind)) == one
    assert german.render(counted(3670, kind)) == many


def test_counted_files_and_classes(german: Language) -> None:
    assert [german.render(counted_files(2, kind)) for kind in KINDS] == ["2 Bilder", "2 Aufnahmen", "2 Messreihen"]
    assert [german.render(counted_classes(count)) for count in (1, 5)] == ["1 Klasse", "5 Klassen"]


def test_nouns_in_cases(german: Language) -> None:
    assert german.render(things("images"), "dative") == "Bildern"
    assert german.render(things("recordings"), "accusative") == "Geräusche"
    assert german.render(thing("images"), "genitive") == "Bilds"
    assert german.render(counted(3, "images"), "dative") == "3 Bildern"
    assert german.render(files("sensors"), "dative,capital") == "Messreihen"


def test_shares_times_and_lists(german: Language) -> None:
    assert german.render(of_hundred(0.001)) == "weniger als 1 von 100"
    assert german.render(between((0.88, 0.97))) == "88 bis 97 von 100"
    assert german.render(percent(0.5)) == "50 %"
    assert german.render(duration(4800)) == "80 min"
    assert german.render(duration(6000)) == "1 h 40 min"
    assert german.render(listed(["a", "b", "c"])) == "a, b und c"
    assert german.render(listed(["a", "b", "c", "d"], most=2)) == "a, b und 2 weitere"


def test_decimal_commas(german: Language) -> None:
    assert german.number(0.5, ".2f") == "0,50"
    assert german.number(12345.6, ",.1f") == "12.345,6"
    loss = msg("Pass {epoch} of {epochs}: loss {loss:.3f}, {score}.", epoch=2, epochs=9, loss=1.25, score="–")
    assert german.render(loss) == "Durchgang 2 von 9: Verlust 1,250, –."


def test_one_sentence_of_every_area(german: Language) -> None:
    """A case, a plural or a number in each: of the window, the command line, training, projects and models."""
    images, sounds = counted(12, "images"), counted(40, "recordings")
    left = msg("Of {count_things}, Handlens leaves {rejected} to you.", count_things=counted(100, "images"), rejected=7)
    stalled = msg("No progress for {time} while starting.", time=duration(120))
    for message, expected in (
        (left, "Von 100 Bildern überlässt Handlens Ihnen 7."),
        (
            msg("Ready for training: {count_things} in {classes}.", count_things=images, classes=counted_classes(3)),
            "Bereit zum Trainieren: 12 Bilder in 3 Klassen.",
        ),
        (
            msg(
                "The model is correct on {right} of {samples} (from {files}) it has never seen.",
                right=38,
                samples=sounds,
                files=counted_files(9, "recordings"),
            ),
            "Bei 38 von 40 Geräuschen (aus 9 Aufnahmen), die das Modell nie gesehen hat, liegt es richtig.",
        ),
        (
            nmsg(
                "{count} of the {files} shows more than one class.",
                "{count} of the {files} show more than one class.",
                4,
                files=files("images"),
            ),
            "Unter den Bildern zeigen 4 mehr als eine Klasse.",
        ),
        (
            msg("{files:capital} from one folder stay together, so the test is honest.", files=files("sensors")),
            "Messreihen aus einem Ordner bleiben zusammen, damit der Test ehrlich ist.",
        ),
        (stalled, "Seit 2 min kein Fortschritt beim Starten."),
    ):
        assert german.render(message) == expected
    assert german.render(stage_message("decode")) == "Jede Datei wird einmal geöffnet."


def test_buttons_are_short() -> None:
    """Texts of a word or four are buttons, tabs and headings: German must not push them out of their place."""
    long = []
    for entry in load(CATALOG):
        if isinstance(entry.id, str) and entry.id and len(entry.id) <= 16 and entry.context is None:
            assert isinstance(entry.string, str)
            if len(entry.string) > COLUMNS:
                long.append(entry.string)
    assert long == []
