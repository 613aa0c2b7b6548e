"""The terminal speaks one language: everything it prints goes through messages, and JSON stays English."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from ml.commands.usage import WrongUsageError, told_of
from ml.core import messages, preferences, terminal_language
from ml.core.backbone_catalog import OFFERED
from ml.core.jobs import EARS, FRONTS
from ml.core.messages import PSEUDO, Message, msg
from ml.core.types import PAGE_CHOICES, PRESETS
from ml.media.kinds import kinds
from tests.ml.terminal import Done

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "add",
    "demo",
    "new",
    "train",
    "evaluate",
    "suspicious",
    "predict",
    "export",
    "runs",
    "relink",
    "restore",
    "labels",
    "merge",
    "rename",
    "duplicate",
    "archive",
    "doctor",
    "serve",
    "studio",
    "watch",
)

_RUN_ALL = """
import contextlib, io, json, sys
from desktop.__main__ import main

if __name__ == "__main__":
    done = []
    for arguments in json.loads(sys.argv[1]):
        out, err, code = io.StringIO(), io.StringIO(), 0
        sys.argv = ["handlens", *arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as ended:
                code = ended.code or 0
        done.append([code, out.getvalue(), err.getvalue()])
    print(json.dumps(done))
"""


def spoken(script: Path, *commands: list[str]) -> list[Done]:
    """What the commands print in the pseudo-locale; all in one process, which is faster."""
    script.write_text(_RUN_ALL, encoding="utf-8")
    environment = os.environ | {"LANGUAGE": PSEUDO, "COLUMNS": "240", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(commands)],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Done(*one) for one in json.loads(done.stdout.splitlines()[-1])]


_NAMES = re.compile(
    r"""
    https?://\S+ | --[\w-]+ | <[^<>]+> | (?:/[^\s/"”]+)+ | onnxruntime-web |
    [\w./-]*\.(?:png|tif|zip|onnx|pth|csv|xlsx|html|ipynb|web|toml|handlensmodel|handlens)\b |
    (?:handlens|pip)\ (?:[a-z]+\b\ ?)+ | \b[A-Z_|]{2,}\b
    """,
    re.VERBOSE,
)
_PLAIN = re.compile(r"[aceinorsuyzACEINORSUYZ]")
_VALUES = {
    *COMMANDS, *PRESETS, *(kind.name for kind in kinds()), *FRONTS, *EARS, *PAGE_CHOICES,
    "auto", "cpu", "cuda", "mps", "folder", "recording", "pattern", "none",
    "handlens", "Handlens", "Python", "red", "green", "blue", "colours",
    "csv", "audacity", "raven", "label", "studio", "folders",
    "and",  # Babel's, which knows no pseudo-locale
}  # fmt: skip
"""Words that no translation changes: names of commands and options, what can be chosen, classes, projects."""


def english_words(printed: str) -> list[str]:
    """The words that did not go through a message: the pseudo-locale has an accent on nearly every letter."""
    for network in OFFERED:
        printed = printed.replace(network.name, " ")
    words = re.findall(r"[^\W\d_]{2,}", _NAMES.sub(" ", printed))
    return [word for word in words if _PLAIN.search(word) and word not in _VALUES]


def test_the_help_of_every_command_is_translated(tmp_path: Path) -> None:
    every = [["--help"], *([command, "--help"] for command in COMMANDS)]
    for arguments, done in zip(every, spoken(tmp_path / "run.py", *every), strict=True):
        assert "⟦" in done.out, arguments
        assert english_words(done.out) == [], arguments
        assert (done.code, done.err) == (0, ""), arguments


def test_wrong_usage_is_told_in_the_language(tmp_path: Path) -> None:
    wrong = [
        ["sing"],
        ["trai"],
        ["train"],
        ["new", "p"],
        ["train", "p", "--colour"],
        ["train", "p", "--presett", "quick"],
        ["train", "p", "--preset", "fast"],
        ["train", "p", "--device", "abacus"],
        ["train", "p", "--json=yes"],
        ["train", "p", "--preset"],
        ["train", "p", "--epochs", "-1"],
        ["train", "p", "--wrong-at-most", "1000%"],
        ["runs", "p", "q"],
        ["new", "p", "--from", ".", "--rate", "9q"],
        ["new", "p", "--from", ".", "--split-by", "moon"],
        ["new", "p", "--from", ".", "--kind", "moon"],
        ["predict", "m.onnx", "a.png", "--ray", "--overlays", "b"],
    ]
    allowed = {"sing", "trai", "fast", "abacus", "moon"}
    for arguments, done in zip(wrong, spoken(tmp_path / "run.py", *wrong), strict=True):
        assert (done.code, done.out) == (2, ""), arguments
        assert "⟦" in done.err, arguments
        assert set(english_words(done.err)) <= allowed, arguments


def test_what_commands_print_is_translated(trained: Path, folder: Path, tmp_path: Path) -> None:
    absent, target = str(tmp_path / "absent"), str(tmp_path / "m.onnx")
    commands = [
        ["new", str(tmp_path / "p"), "--from", str(folder)],
        ["new", str(trained), "--from", str(folder)],
        ["new", str(trained), "--from", str(folder), "--split-by", "folder"],
        ["runs", str(trained)],
        ["runs", str(tmp_path / "p")],
        ["evaluate", str(trained)],
        ["predict", str(trained), str(folder / "red" / "0.png"), str(folder / "red" / "broken.png")],
        ["export", str(trained), "--to", target],
        ["relink", str(trained), "--to", str(folder)],
        ["relink", str(trained), "--to", absent],
        ["evaluate", str(trained), "--on", absent],
        ["new", str(tmp_path / "q"), "--from", absent],
    ]
    for arguments, done in zip(commands, spoken(tmp_path / "run.py", *commands), strict=True):
        assert "⟦" in done.out + done.err, arguments
        assert english_words(done.out + done.err) == [], arguments


def test_the_doctor_is_translated_but_for_names(tmp_path: Path) -> None:
    (done,) = spoken(tmp_path / "run.py", ["doctor"])
    told = [line for line in done.out.splitlines() if "⟦" in line]
    assert len(told) >= 4, "system, device, network, and what is missing"
    assert {"⟦Šýštém⟧", "⟦Dévíçé cpu⟧", "⟦Přétřáíñéd ñétwóřk⟧"} <= set(re.findall(r"⟦[^⟧]*⟧", done.out))
    assert "not installed" not in done.out


def test_json_is_english_in_every_language(tmp_path: Path, trained: Path) -> None:
    commands = [
        ["train", str(tmp_path / "absent"), "--json"],
        ["doctor", "--json"],
        ["evaluate", str(trained), "--json"],
    ]
    failed, doctor, evaluated = spoken(tmp_path / "run.py", *commands)
    for done in (failed, doctor, evaluated):
        assert "⟦" not in done.out
    assert failed.lines[-1]["event"] == "failed"
    assert doctor.lines[0]["weights"]["template"]
    assert evaluated.lines[-1]["event"] == "evaluated"


@dataclass
class Person:
    """What somebody has chosen in the window's preferences."""

    config: Path

    def prefers(self, line: str) -> None:
        (self.config / "Handlens").mkdir(exist_ok=True)
        (self.config / "Handlens" / "studio.ini").write_text(f"[General]\n{line}\ntheme=x\n", encoding="utf-8")


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for module in (messages, terminal_language):
        monkeypatch.setattr(module, "available", lambda: ("en", "de", "fr", "pl"))
    return Person(tmp_path)


def test_the_preferences_of_the_window_come_first(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert terminal_language.terminal_language() == "en"
    for name, value, spoken_then in (
        ("LANG", "pl_PL.UTF-8", "pl"),
        ("LC_MESSAGES", "fr_FR.UTF-8", "fr"),
        ("LC_ALL", "de_AT.UTF-8", "de"),
        ("LANGUAGE", "xx:fr:de", "fr"),
    ):
        monkeypatch.setenv(name, value)
        assert terminal_language.terminal_language() == spoken_then, name
    person.prefers(r"language=\"pl\"")
    assert terminal_language.terminal_language() == "pl"
    monkeypatch.setenv("LANGUAGE", PSEUDO)
    assert terminal_language.terminal_language() == PSEUDO


@pytest.mark.parametrize(
    ("line", "language"),
    [
        (r"language=\"de\"", "de"),
        (r'language="\"de\""', "de"),
        (r"language=\"system\"", "fr"),
        (r"language=\"xx\"", "fr"),
        ("language=", "fr"),
        ("language=[1", "fr"),
        ('languages=\\"de\\"', "fr"),
    ],
)
def test_preferences_are_read_as_qt_writes_them(
    person: Person, monkeypatch: pytest.MonkeyPatch, line: str, language: str
) -> None:
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    person.prefers(line)
    assert terminal_language.terminal_language() == language


def test_preferences_are_where_qt_puts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("APPDATA", str(tmp_path))
    assert preferences.preferences_file() == tmp_path / "Handlens" / "studio.ini"
    for platform in ("linux", "darwin"):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        assert preferences.preferences_file() == Path.home() / ".config" / "Handlens" / "studio.ini"
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert preferences.preferences_file() == tmp_path / "Handlens" / "studio.ini"


def test_the_window_stores_its_language_there(tmp_path: Path) -> None:
    pytest.importorskip("PySide6.QtCore")
    program = (
        "from PySide6.QtCore import QSettings\n"
        "store = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, 'Handlens', 'studio')\n"
        "store.setValue('recent_projects', '[[\"language=x\"]]')\n"
        "store.setValue('language', '\"de\"')\n"
        "store.sync()\n"
        "from ml.core.terminal_language import preferred_language\n"
        "print(preferred_language())\n"
    )
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "de"


_USAGE: Any = typer.BadParameter.__base__


@pytest.mark.parametrize(
    ("error", "template"),
    [
        (WrongUsageError(msg("Write a share."), option="--x"), "The value of {name} cannot be used. {what}"),
        (typer.BadParameter("It is too large", param_hint="--x"), "The value of {name} cannot be used. {what}"),
        (_USAGE("Got unexpected extra argument (q)"), "Too many arguments: {words}."),
        (_USAGE("No such command 'sing'."), "There is no command {name}."),
        (_USAGE("Missing command."), "The command is missing."),
        (_USAGE("Nobody knows."), "The command could not be understood: {words}"),
    ],
)
def test_every_usage_error_has_a_sentence_of_ours(error: Exception, template: str) -> None:
    told = told_of(error)
    assert isinstance(told, Message)
    assert told.template == template
    assert "{" not in str(told)
