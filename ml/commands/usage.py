"""What the command line says of itself in the person's language: usage lines, help panels, and wrong usage.

Typer carries a Click that speaks English only, so its words are replaced and its errors are told anew here.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer import rich_utils
from typer.core import TyperCommand, TyperGroup

from ml.core.messages import Message, msg, text, tr, verbatim
from ml.core.printable import printable

# Of typer itself or of Click, by version.
_errors = importlib.import_module(typer.BadParameter.__module__)

_NO_COMMAND = re.compile(r"No such command ['\"](?P<name>.*?)['\"]\.(?: Did you mean (?P<others>.+)\?)?", re.DOTALL)
_TOO_MANY = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((?P<words>.*)\)", re.DOTALL)


class WrongUsageError(typer.BadParameter):
    """A value that cannot be used: `sentence` says what to write instead, `option` which option it was for."""

    def __init__(self, sentence: Message, *, option: str | None = None) -> None:
        super().__init__(text(sentence), param_hint=option)
        self.sentence = sentence


class Verb(TyperCommand):
    """A command whose usage line and `--help` are translated."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        _write_usage(self, ctx, formatter)

    def get_help_option(self, ctx: Any) -> Any:
        return _translated(super().get_help_option(ctx))


class Verbs(TyperGroup):
    """All commands; tells wrong usage in the person's language and ends the process with exit code 2."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        _write_usage(self, ctx, formatter)

    def get_help_option(self, ctx: Any) -> Any:
        return _translated(super().get_help_option(ctx))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        run = functools.partial(
            super().main,
            args,
            prog_name,
            complete_var,
            standalone_mode=False,
            windows_expand_args=windows_expand_args,
            **extra,
        )
        if not standalone_mode:
            return run()
        try:
            ended = run()
        except _errors.ClickException as error:
            _tell(error)
        except typer.Abort:
            sys.exit(1)
        sys.exit(ended if isinstance(ended, int) else 0)


def translate_help() -> None:
    """Give the panels of `--help` their titles in the person's language."""
    rich_utils.ARGUMENTS_PANEL_TITLE = tr("Arguments")
    rich_utils.OPTIONS_PANEL_TITLE = tr("Options")
    rich_utils.COMMANDS_PANEL_TITLE = tr("Commands")
    rich_utils.DEFAULT_STRING = tr("[default: {value}]", value="{}")
    rich_utils.REQUIRED_LONG_STRING = tr("[required]")


def told_of(error: Exception) -> Message:
    """What was wrong with the usage, and what to write instead if that is known."""
    error_text = str(getattr(error, "message", error))
    if isinstance(error, _errors.MissingParameter):
        name = _name_of(error)
        if getattr(error.param, "param_type_name", "") == "argument":
            return msg("The argument {name} is missing.", name=name)
        return msg("The option {name} is missing.", name=name)
    if isinstance(error, _errors.BadParameter):
        what = error.sentence if isinstance(error, WrongUsageError) else verbatim(error_text)
        return msg("The value of {name} cannot be used. {what}", name=_name_of(error), what=what)
    if isinstance(error, _errors.NoSuchOption):
        others = sorted(error.possibilities or ())
        if others:
            return msg(
                "There is no option {name}. Similar ones: {others}.", name=error.option_name, others=", ".join(others)
            )
        return msg("There is no option {name}.", name=error.option_name)
    if isinstance(error, _errors.BadOptionUsage):
        if "does not take" in error_text:
            return msg("The option {name} takes no value.", name=error.option_name)
        return msg("The option {name} needs a value.", name=error.option_name)
    return _message_of_words(error_text)


def _message_of_words(error_text: str) -> Message:
    """The errors that Click tells apart by their words alone."""
    if found := _NO_COMMAND.match(error_text):
        if found["others"]:
            others = re.sub(r"['\"]", "", found["others"])
            return msg("There is no command {name}. Similar ones: {others}.", name=found["name"], others=others)
        return msg("There is no command {name}.", name=found["name"])
    if found := _TOO_MANY.match(error_text):
        return msg("Too many arguments: {words}.", words=found["words"])
    if error_text.startswith("Missing command"):
        return msg("The command is missing.")
    return msg("The command could not be understood: {words}", words=verbatim(error_text))


def _name_of(error: Any) -> str:
    """The option or argument that an error is about, as it is typed."""
    if isinstance(error.param_hint, str):
        return error.param_hint
    param = error.param
    if param is None:
        return ""
    if param.param_type_name == "argument":
        return str(param.metavar or param.name).upper()
    return str(max(param.opts, key=len))


def _tell(error: Any) -> NoReturn:
    """Print the usage line, what was wrong with it, and how to get help; nothing where the help was printed already."""
    if type(error).__name__ != "NoArgsIsHelpError":
        context = getattr(error, "ctx", None)
        lines = [printable(text(told_of(error)))]
        if context is not None:
            command = f"{context.command_path} {context.help_option_names[-1]}"
            lines = [context.get_usage(), *lines, tr("For help: {command}", command=command)]
        sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.exit(error.exit_code)


def _write_usage(command: Any, context: Any, formatter: Any) -> None:
    pieces = " ".join(command.collect_usage_pieces(context))
    formatter.write_usage(context.command_path, pieces, prefix=tr("Usage:") + " ")


def _translated(option: Any) -> Any:
    if option is not None:
        option.help = tr("Show this help and exit.")
    return option
