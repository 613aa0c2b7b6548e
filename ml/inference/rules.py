"""Rules of a watched folder: “chainsaw at 0.9 or more, twice within 10 s” and what is done then, from a TOML file."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ml.core.errors import HandlensError
from ml.core.messages import Message, msg, verbatim
from ml.core.untrusted import LONGEST_NAME, LONGEST_PATH, read_toml

MOST_RULES = 1_000
MOST_TIMES = 1_000
LONGEST_SPAN = 31 * 86_400.0
"""Seconds of `within` and `cooldown`."""
_MOST_HITS = 2 * MOST_TIMES
_ACTIONS = ("notify", "webhook", "mqtt", "command")
_RULE_KEYS = ("name", "class", "at_least", "times", "within", "cooldown", *_ACTIONS)
_BROKER_KEYS = ("host", "port", "tls", "user", "password_file")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Fires where `class_name` is at least so probable so many `times` `within` seconds.

    It then does not fire again before `cooldown` seconds have passed. Of a recording every window counts.
    """

    name: str
    class_name: str
    at_least: float = 0.9
    times: int = 1
    within: float = 10.0
    cooldown: float = 60.0
    notify: bool = False
    webhook: str = ""
    mqtt: str = ""
    """The topic."""
    command: tuple[str, ...] = ()

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of what is done when the rule fires."""
        return tuple(name for name in _ACTIONS if getattr(self, name))


@dataclass(frozen=True, kw_only=True, slots=True)
class Broker:
    """The MQTT server. Its user and password may also stand in HANDLENS_MQTT_USER and HANDLENS_MQTT_PASSWORD."""

    host: str = "localhost"
    port: int = 1883
    tls: bool = False
    user: str = ""
    password_file: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSet:
    """The content of a rules file."""

    rules: tuple[Rule, ...] = ()
    broker: Broker = field(default_factory=Broker)


class Tally:
    """The hits of one rule that have not made it fire yet, as seconds since 1970, and when it last fired."""

    def __init__(self, hits: Iterable[float] = (), last: float | None = None) -> None:
        self.hits = sorted(hits)
        self.last = last

    def add(self, rule: Rule, at: float) -> bool:
        """Count a hit and return whether the rule fires now. Hits that made it fire are used up.

        Hits may come out of order: recordings arrive late.
        """
        if self.last is not None and abs(at - self.last) < rule.cooldown:
            return False
        insort(self.hits, at)
        del self.hits[: max(0, len(self.hits) - _MOST_HITS)]
        for end in range(rule.times, len(self.hits) + 1):
            group = self.hits[end - rule.times : end]
            if group[0] <= at <= group[-1] and group[-1] - group[0] <= rule.within:
                del self.hits[end - rule.times : end]
                self.last = at
                return True
        return False


def read_rules(path: Path, classes: Sequence[str]) -> RuleSet:
    """Return the rules of a file for a model of these `classes`.

    Raises HandlensError with one sentence that names the line, the key and what is allowed there.
    """
    try:
        values = read_toml(path)
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise HandlensError(
            msg("The rules {path} cannot be opened. Check the name.", path=str(path)), details=repr(error)
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise HandlensError(
            msg("{path} is not valid TOML: {reason}.", path=str(path), reason=verbatim(str(error))),
            details=repr(error),
        ) from error
    except ValueError as error:
        raise HandlensError(
            msg("{path} is too long or not a text file. Write the rules as TOML.", path=str(path)),
            details=repr(error),
        ) from error
    return _Reader(path, lines, classes).read(values)


def make_rules(values: Mapping[str, Any], classes: Sequence[str]) -> RuleSet:
    """Return the rules of `values`, which have the keys of a rules file.

    Raises HandlensError with one sentence that says what is wrong.
    """
    try:
        return _Reader(Path(), (), classes).read(values)
    except HandlensError as error:
        # There is no file whose line could be named.
        raise HandlensError(error.message.values["what"]) from error


class _Reader:
    """Turns the values of a file into rules, or into a sentence about the first mistake."""

    def __init__(self, path: Path, lines: Sequence[str], classes: Sequence[str]) -> None:
        self._path = path
        self._lines = lines
        self._classes = classes
        self._section = ""
        self._number = 0

    def read(self, values: Mapping[str, Any]) -> RuleSet:
        self._refuse_unknown(values, ("rule", "mqtt"))
        found = values.get("rule")
        if not isinstance(found, list) or not found or not all(isinstance(item, dict) for item in found):
            self._fail("rule", msg("Write at least one rule below the line {header}.", header="[[rule]]"))
        if len(found) > MOST_RULES:
            self._fail("rule", msg("There are more than {count} rules.", count=MOST_RULES))
        rules: list[Rule] = []
        for number, item in enumerate(found):
            self._section, self._number = "rule", number
            rule = self._rule(item)
            if rule.name in {other.name for other in rules}:
                self._fail("name", msg("Two rules are called “{name}”. Give each a name of its own.", name=rule.name))
            rules.append(rule)
        self._section, self._number = "mqtt", 0
        broker = values.get("mqtt", {})
        if not isinstance(broker, dict):
            self._fail("mqtt", msg("Write the server below the line {header}.", header="[mqtt]"))
        return RuleSet(rules=tuple(rules), broker=self._broker(broker))

    def _rule(self, values: Mapping[str, Any]) -> Rule:
        self._refuse_unknown(values, _RULE_KEYS)
        if "class" not in values:
            self._fail("", msg("The rule needs the key {key}.", key="class"))
        class_name = self._text(values, "class", "")
        if class_name not in self._classes:
            self._fail("class", self._no_such_class(class_name))
        rule = Rule(
            name=self._text(values, "name", class_name),
            class_name=class_name,
            at_least=self._number_in(values, "at_least", 0.9, 0.0, 1.0),
            times=int(self._number_in(values, "times", 1, 1, MOST_TIMES, whole=True)),
            within=self._number_in(values, "within", 10.0, 0.0, LONGEST_SPAN),
            cooldown=self._number_in(values, "cooldown", 60.0, 0.0, LONGEST_SPAN),
            notify=self._flag(values, "notify"),
            webhook=self._text(values, "webhook", "", longest=LONGEST_PATH),
            mqtt=self._text(values, "mqtt", ""),
            command=self._command(values),
        )
        if rule.webhook:
            self._check_address(rule.webhook)
        if any(mark in rule.mqtt for mark in "+#"):
            self._fail("mqtt", msg("A topic to publish to has no {marks}.", marks="+ #"))
        if not rule.actions:
            self._fail("", msg("The rule does nothing. Add one of: {choices}.", choices=", ".join(_ACTIONS)))
        return rule

    def _broker(self, values: Mapping[str, Any]) -> Broker:
        self._refuse_unknown(values, _BROKER_KEYS)
        tls = self._flag(values, "tls")
        file = self._text(values, "password_file", "", longest=LONGEST_PATH)
        return Broker(
            host=self._text(values, "host", "localhost"),
            port=int(self._number_in(values, "port", 8883 if tls else 1883, 1, 65_535, whole=True)),
            tls=tls,
            user=self._text(values, "user", ""),
            password_file=self._path.parent / Path(file).expanduser() if file else None,
        )

    def _command(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        words = values.get("command", [])
        good = isinstance(words, list) and all(isinstance(word, str) and "\0" not in word for word in words)
        if not good or ("command" in values and not (words and words[0])):
            self._fail(
                "command",
                msg("Write a list of the program and its arguments, such as {example}.", example='["python", "a.py"]'),
            )
        if words and words[0].lower().endswith((".bat", ".cmd")):
            # Windows hands these to its shell, which would obey what stands in names.
            self._fail("command", msg("Batch files are not run. Name a program instead."))
        return tuple(words)

    def _check_address(self, address: str) -> None:
        try:
            parts = urlsplit(address)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good or not address.isascii() or any(letter.isspace() for letter in address):
            self._fail("webhook", msg("Write an address that begins with {schemes}.", schemes="https:// or http://"))

    def _no_such_class(self, name: str) -> Message:
        near = difflib.get_close_matches(name, self._classes, n=1)
        near = near or [other for other in self._classes if other.casefold() == name.casefold()]
        if near:
            return msg("The model has no class “{name}”. Did you mean “{near}”?", name=name, near=near[0])
        shown = tuple(self._classes[:20])
        return msg("The model has no class “{name}”. Its classes: {classes}.", name=name, classes=shown)

    def _refuse_unknown(self, values: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in values:
            if key in known:
                continue
            near = difflib.get_close_matches(key, known, n=1)
            if near:
                self._fail(key, msg("There is no key “{key}”. Did you mean “{near}”?", key=key, near=near[0]))
            self._fail(key, msg("There is no key “{key}”. Choose one of: {keys}.", key=key, keys=", ".join(known)))

    def _text(self, values: Mapping[str, Any], key: str, default: str, *, longest: int = LONGEST_NAME) -> str:
        value = values.get(key, default)
        if not isinstance(value, str) or (key in values and not value) or len(value) > longest or "\0" in value:
            self._fail(key, msg("The value of “{key}” must be text in quotes.", key=key))
        return value

    def _flag(self, values: Mapping[str, Any], key: str) -> bool:
        value = values.get(key, False)
        if not isinstance(value, bool):
            self._fail(key, msg("The value of “{key}” must be {yes} or {no}.", key=key, yes="true", no="false"))
        return value

    def _number_in(
        self, values: Mapping[str, Any], key: str, default: float, low: float, high: float, *, whole: bool = False
    ) -> float:
        value = values.get(key, default)
        good = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not good or math.isnan(value) or not low <= value <= high:
            limits = {"key": key, "low": low, "high": high}
            if whole:
                self._fail(key, msg("The value of “{key}” must be a whole number from {low} to {high}.", **limits))
            self._fail(key, msg("The value of “{key}” must be a number from {low} to {high}.", **limits))
        return value  # type: ignore[no-any-return]

    def _fail(self, key: str, what: Message) -> NoReturn:
        line = self._line_of(key)
        raise HandlensError(msg("{path}, line {line}: {what}", path=self._path.name, line=str(line), what=what))

    def _line_of(self, key: str) -> int:
        """Return the line of a key, or of its section's header; 1 where neither is found."""
        header = re.compile(r"\s*\[+\s*" + re.escape(self._section) + r"\s*\]+") if self._section else None
        wanted = re.compile(r"\s*\[*\s*[\"']?" + re.escape(key) + r"[\"']?\s*[\]=]") if key else None
        start, seen = 0, -1
        for number, line in enumerate(self._lines):
            if header is not None and header.match(line):
                seen += 1
                if seen == self._number:
                    start = number
                    break
        if wanted is not None:
            for number, line in enumerate(self._lines[start:], start):
                if wanted.match(line):
                    return number + 1
        return start + 1
