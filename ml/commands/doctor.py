"""`handlens doctor`: the machine in words, and the one command that installs what it lacks."""

from __future__ import annotations

import platform
from typing import Annotated

import typer
from rich.text import Text

from ml import doctor as facts
from ml.commands.common import JsonOption, command, make_console, make_table, print_json, say
from ml.core.engine import BUILT
from ml.core.logs import log_file
from ml.core.messages import Message, english, msg, text, to_json, tr


@command()
def doctor(
    packages: Annotated[
        bool, typer.Option("--packages", help=tr("Print only the names of the missing system packages."))
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what this machine has, what it lacks, and the one command that installs it."""
    missing = facts.missing_libraries()
    manager = facts.package_manager()
    if packages:
        if missing:
            make_console().print(" ".join(facts.package_names(missing, manager or "apt-get")), markup=False)
        return
    command = facts.install_command(missing, manager)
    versions, (weights_good, weights_told) = facts.versions(), facts.weights()
    devices = facts.devices()
    qt_ready = versions["PySide6"] is not None and not any(library.purpose == "tests" for library in missing)
    if json:
        print_json(
            {
                "event": "doctor",
                "python": platform.python_version(),
                "system": facts.system(),
                "devices": {name: english(description) for name, description in devices.items()},
                "versions": versions,
                "weights": {"good": weights_good, "message": english(weights_told), **to_json(weights_told)},
                "window": qt_ready,
                "missing": [
                    {
                        "library": library.file,
                        "purpose": library.purpose,
                        "package": library.packages[manager or "apt-get"],
                    }
                    for library in missing
                ],
                "command": command,
                "log": str(log_file()),
            }
        )
        return
    console = make_console()
    table = make_table()
    table.add_words("Python", platform.python_version())
    table.add_words(tr("System"), facts.system())
    for name, description in devices.items():
        table.add_words(tr("Device {name}", name=name), text(description))
    table.add_words(tr("Pretrained network"), text(weights_told))
    table.add_words(tr("Log"), str(log_file()))
    for name, version in versions.items():
        table.add_words(name, version or Text(_lacking(name), style="dim"))
    console.print(table)
    console.print()
    for line in _advice(missing, command, versions["PySide6"] is not None, versions["torch"] is not None):
        say(console, line)


def _lacking(library: str) -> str:
    if library in facts.OPTIONAL:
        return tr(
            "not installed; only {use} needs it: {command}",
            use="handlens predict --ray",
            command=facts.OPTIONAL[library],
        )
    return tr("not installed")


def _advice(missing: tuple[facts.SystemLibrary, ...], command: str, has_qt: bool, has_torch: bool) -> list[Message]:
    lines = []
    if not has_qt:
        lines.append(
            msg(
                "This installation has no window. To add it, run this in the Handlens folder: {command}",
                command='pip install -e ".[studio]"',
            )
        )
    elif not has_torch and BUILT:
        lines.append(
            msg(
                "This edition of Handlens trains with the preset Quick. For Standard and Thorough, install Handlens "
                "with Python."
            )
        )
    elif not has_torch:
        lines.append(
            msg(
                "This installation trains with the preset Quick. To add Standard and Thorough, run this in the "
                "Handlens folder: {command}",
                command='pip install -e ".[studio]"',
            )
        )
    if missing:
        lines += [_missing(library) for library in missing]
        if command:
            lines.append(msg("One command installs them: {command}", command=command))
        else:
            lines.append(msg("Install the packages of your system that contain these files."))
    return lines or [msg("Nothing is missing.")]


def _missing(library: facts.SystemLibrary) -> Message:
    match library.purpose:
        case "tests":
            return msg("Missing for any window, even without a screen: {file}", file=library.file)
        case "window":
            return msg("Missing for a window on a screen: {file}", file=library.file)
        case "sound":
            return msg("Missing for playing sounds: {file}", file=library.file)
