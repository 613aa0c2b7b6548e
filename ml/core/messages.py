"""Sentences for people, as data: written here in English, stored as template and values, shown in any language.

`ml` makes messages and never finished sentences; the command line and the window render them. The texts are collected
by `tools/i18n.py`, which knows `msg`, `nmsg`, `tr` and `trn` by name, so their templates must be literals.
"""

from __future__ import annotations

import gettext
import json
import os
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.lists import format_list
from babel.numbers import format_decimal, get_decimal_symbol, get_group_symbol

from ml.core.printable import printable
from ml.core.untrusted import parse_json

Value = "str | int | float | Message | Sequence[Value]"

DOMAIN = "handlens"
PSEUDO = "en_XA"
"""The pseudo-locale: English with accents between ⟦ and ⟧, which shows what nobody can translate."""
SOURCE = "en"

_VERBATIM = "{text}"
"""The template that has no words of its own: text of a library may have several lines, names have one."""
_NUMBER_FORMAT = re.compile(r",?(\.\d{1,2})?[dfgx%]?")
_MOST_VALUES = 50
_LONGEST = 20_000
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence, or a part of one such as a counted noun, in English and untranslated.

    `template` has `{names}` in it that `values` fill in: text, numbers, further messages, or a list of these, which
    is joined as the language does ("a, b and c"). Where `count` is not None, `template` is the singular and `plural`
    the plural, and `{count}` is filled in. A format may follow a name: for numbers Python's (`{rate:.1f}`), for
    messages the grammatical form (`{things:dative}`, see `ml.core.phrases`) or `capital` for a capital first letter.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    plural: str | None = None
    count: int | None = None

    def __str__(self) -> str:
        """In English, for developers and logs. What people read goes through `text`."""
        return english(self)


def msg(template: str, /, **values: Any) -> Message:
    """A message with one form. `template` must be a literal: it is collected for translation."""
    return Message(template, values)


def nmsg(singular: str, plural: str, count: int, /, **values: Any) -> Message:
    """A message whose form depends on `count` (gettext's ngettext); `{count}` is filled in."""
    return Message(singular, values, plural, count)


def verbatim(words: str) -> Message:
    """Text that nobody translates: what a library or an older Handlens said."""
    return Message(_VERBATIM, {"text": words})


class Language:
    """One language with its translations, plural rules and way of writing numbers and lists."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._catalog = _Pseudo() if tag == PSEUDO else _catalog(tag)
        self.locale = Locale.parse("en_GB" if tag in (PSEUDO, SOURCE) else tag)

    def render(self, message: Message | str, form: str = "") -> str:
        """The finished text. Plain text is given back as it is."""
        if isinstance(message, str):
            return message
        context, capital = _context_of(form)
        template = self._template(message, context)
        values = {**message.values} if message.count is None else {"count": message.count, **message.values}
        try:
            words = self._filled(template, values, keep="\n" if template == _VERBATIM else "")
        except (ValueError, LookupError):  # a translation with a mistake in it must not cost the sentence
            words = message.template
        return words[:1].upper() + words[1:] if capital else words

    def number(self, value: float, spec: str = "") -> str:
        """A number as this language writes it; `spec` as in Python's formats."""
        if not spec and isinstance(value, int):
            return _whole_number(value, self.locale)
        if not _NUMBER_FORMAT.fullmatch(spec):
            spec = ""
        return format(value, spec or "g").translate(self._marks)

    @cached_property
    def _marks(self) -> dict[int, str]:
        return str.maketrans({",": str(get_group_symbol(self.locale)), ".": str(get_decimal_symbol(self.locale))})

    def join(self, words: Sequence[str]) -> str:
        """ "a, b and c"."""
        return str(format_list(list(words), locale=self.locale))

    def _filled(self, template: str, values: Mapping[str, Any], *, keep: str) -> str:
        """Fill a template in. It may come from a stranger's project, so only plain names and harmless formats count.

        Text that is filled in may be a name: see `ml.core.printable`, with `keep` as there.
        """
        words: list[str] = []
        for literal, name, spec in _parts(template):
            words.append(literal)
            if name is not None:
                words.append(self._value(values.get(name, "{" + name + "}"), spec, keep=keep))
        return "".join(words)

    def _value(self, value: Any, spec: str, *, keep: str = "") -> str:
        if isinstance(value, str):
            words = printable(value, keep=keep)
            return words[:1].upper() + words[1:] if spec == "capital" else words
        if isinstance(value, Message):
            return self.render(value, spec)
        if isinstance(value, bool) or value is None:
            return str(value)
        if isinstance(value, int | float):
            return self.number(value, spec)
        if isinstance(value, list | tuple):
            return self.join([self._value(item, spec) for item in value])
        return self._value(str(value), spec, keep=keep)

    def _template(self, message: Message, context: str) -> str:
        catalog = self._catalog
        if message.template == _VERBATIM:
            return message.template
        if message.plural is None or message.count is None:
            if context:
                found = catalog.pgettext(context, message.template)
                if found != message.template:
                    return found
            return catalog.gettext(message.template)
        if context:
            found = catalog.npgettext(context, message.template, message.plural, message.count)
            if found not in (message.template, message.plural):
                return found
        return catalog.ngettext(message.template, message.plural, message.count)


@lru_cache(maxsize=4096)
def _whole_number(value: int, locale: Locale) -> str:
    return str(format_decimal(value, locale=locale))


@lru_cache(maxsize=4096)
def _parts(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """Return the words of a template, each with the name and the format that follow. Raises ValueError."""
    return tuple((words, name, spec or "") for words, name, spec, _ in string.Formatter().parse(template))


class _Pseudo(gettext.NullTranslations):
    """A translation that needs no translator: letters with accents, a third longer, in brackets."""

    _LETTERS = str.maketrans("aceinorsuyACEINORSUYz", "áçéíñóřšúýÁÇÉÍÑÓŘŠÚÝž")

    def gettext(self, message: str) -> str:
        return f"⟦{''.join(self._accented(message))}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:  # noqa: ARG002
        return self.gettext(message)

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:  # noqa: ARG002
        return self.ngettext(msgid1, msgid2, n)

    def _accented(self, message: str) -> Iterator[str]:
        for literal, name, spec, _ in string.Formatter().parse(message):
            yield literal.translate(self._LETTERS).replace("{", "{{").replace("}", "}}")
            if name is not None:
                yield "{" + name + (f":{spec}" if spec else "") + "}"


def _catalog(tag: str) -> gettext.NullTranslations:
    if tag == SOURCE:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, str(translations_folder()), languages=[tag], fallback=True)


def translations_folder() -> Path:
    """Where the catalogues lie: `de/LC_MESSAGES/handlens.mo` and so on."""
    return Path(str(resources.files("resources"))) / "translations"


@cache
def language(tag: str) -> Language:
    """The language of that tag, loaded once."""
    return Language(tag)


def available() -> tuple[str, ...]:
    """Tags of the languages Handlens speaks, English first."""
    folder = translations_folder()
    found = sorted(path.parent.parent.name for path in folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return (SOURCE, *(tag for tag in found if tag != SOURCE))


def best_match(wanted: Sequence[str]) -> str:
    """The first of the wanted tags ("de_AT.UTF-8", "de-AT", "de") that Handlens speaks; English where there is none."""
    ours = available()
    for tag in wanted:
        plain = tag.split(".")[0].split("@")[0].replace("-", "_")
        if plain == PSEUDO:
            return PSEUDO
        if plain in ("C", "POSIX"):
            return SOURCE
        try:
            parsed = Locale.parse(plain)
        except (ValueError, UnknownLocaleError):
            continue
        for name in (str(parsed), parsed.language):
            if name in ours:
                return name
    return SOURCE


def environment_languages() -> tuple[str, ...]:
    """What the terminal asks for, the first choice first: LANGUAGE, LC_ALL, LC_MESSAGES, LANG."""
    wanted = [tag for tag in os.environ.get("LANGUAGE", "").split(":") if tag]
    wanted += [os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)]
    return tuple(wanted)


class _Current:
    language: Language | None = None


def use_language(tag: str) -> None:
    """From now on `text`, `tr` and `trn` speak it. An unknown tag means English."""
    _Current.language = language(tag if tag == PSEUDO or tag in available() else SOURCE)


def current_language() -> Language:
    """The language that people are spoken to in; English unless `use_language` was called."""
    return _Current.language or language(SOURCE)


def text(message: Message | str) -> str:
    """The message in the language of the person. Plain text is given back as it is."""
    return current_language().render(message)


def english(message: Message | str) -> str:
    """The message in English, for `--json`, for model cards and for logs."""
    return language(SOURCE).render(message)


def tr(template: str, /, **values: Any) -> str:
    """`text(msg(…))`: for the window and the command line, which show it at once."""
    return text(Message(template, values))


def trn(singular: str, plural: str, count: int, /, **values: Any) -> str:
    """`text(nmsg(…))`."""
    return text(Message(singular, values, plural, count))


def to_json(message: Message) -> dict[str, Any]:
    """Template and values, as they are stored in projects and printed by `--json`."""
    plain: dict[str, Any] = {"template": message.template, "values": _plain(message.values)}
    if message.plural is not None:
        plain |= {"plural": message.plural, "count": message.count}
    return plain


def from_json(found: object) -> Message:
    """The message that `to_json` wrote. Raises ValueError for anything else: it may be a stranger's."""
    return _from_json(found, 0)


def dumps(message: Message) -> str:
    """As text for a column of a database."""
    return json.dumps(to_json(message), ensure_ascii=False)


def loads(stored: str) -> Message:
    """What `dumps` wrote; text that an older Handlens stored as a finished sentence stays as it is."""
    try:
        return from_json(parse_json(stored))
    except ValueError:  # no message of ours, so it is a sentence, or a stranger's text
        return verbatim(stored)


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str | int | float):
        return value
    return str(value)


def _from_json(found: object, depth: int) -> Message:
    if not isinstance(found, dict) or depth > _DEEPEST:
        raise ValueError("not a message")
    template, values = found.get("template"), found.get("values", {})
    plural, count = found.get("plural"), found.get("count")
    if not isinstance(template, str) or len(template) > _LONGEST or not isinstance(values, dict):
        raise ValueError("not a message")
    if plural is not None and not (isinstance(plural, str) and isinstance(count, int)):
        raise ValueError("a plural without a count")
    if len(values) > _MOST_VALUES:
        raise ValueError("too many values")
    read = {str(key): _value(item, depth + 1) for key, item in values.items()}
    return Message(template, read, plural, count if plural is not None else None)


def _value(item: object, depth: int) -> Any:
    if isinstance(item, dict):
        return _from_json(item, depth)
    if isinstance(item, list):
        if len(item) > _LONGEST or depth > _DEEPEST:
            raise ValueError("not a message")
        return tuple(_value(part, depth + 1) for part in item)
    if isinstance(item, str | int | float) or item is None:
        return item
    raise ValueError("not a message")


@lru_cache(maxsize=256)
def _context_of(form: str) -> tuple[str, bool]:
    words = [word for word in form.replace(" ", "").split(",") if word]
    return " ".join(word for word in words if word != "capital"), "capital" in words
