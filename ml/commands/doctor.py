"""`handlens doctor`: the machine in words, and the one command that installs what it lacks."""

from __future__ import annotations

import platform
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ml import doctor as facts
from ml.commands.common import JsonOption, print_json, verb, words

_PURPOSES = {"tests": "any window, even without a screen", "window": "a window on a screen", "sound": "playing sounds"}


@verb()
def doctor(
    packages: Annotated[
        bool, typer.Option("--packages", help="Print only the names of the missing system packages.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what this machine has, what it lacks, and the one command that installs it."""
    missing = facts.missing_libraries()
    manager = facts.package_manager()
    if packages:
        if missing:
            words().print(" ".join(facts.package_names(missing, manager or "apt-get")), markup=False)
        return
    command = facts.install_command(missing, manager)
    versions, (weights_good, weights_words) = facts.versions(), facts.weights()
    devices = facts.devices()
    qt_ready = versions["PySide6"] is not None and not any(library.purpose == "tests" for library in missing)
    if json:
        print_json(
            {
                "event": "doctor",
                "python": platform.python_version(),
                "system": facts.system(),
                "devices": devices,
                "versions": versions,
                "weights": {"good": weights_good, "message": weights_words},
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
            }
        )
        return
    console = words()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("Python", platform.python_version())
    table.add_row("System", facts.system())
    for name, description in devices.items():
        table.add_row(f"Device {name}", description)
    table.add_row("Pretrained network", weights_words)
    for name, version in versions.items():
        lacking = ", ".join(["not installed", *([facts.OPTIONAL[name]] if name in facts.OPTIONAL else [])])
        table.add_row(name, version or f"[dim]{escape(lacking)}[/]")
    console.print(table)
    console.print()
    for line in _advice(missing, command, versions["PySide6"] is not None, versions["torch"] is not None):
        console.print(line, markup=False)


def _advice(missing: tuple[facts.SystemLibrary, ...], command: str, has_qt: bool, has_torch: bool) -> list[str]:
    lines = []
    if not has_torch or not has_qt:
        lines.append(
            "This installation runs finished models. To train and to open the studio, run in the Handlens folder: "
            'pip install -e ".[studio]"'
        )
    if missing:
        lines += [f"Missing for {_PURPOSES[library.purpose]}: {library.file}" for library in missing]
        lines.append(
            f"One command installs them: {command}"
            if command
            else "Install the packages of your system that bring these files."
        )
    return lines or ["Nothing is missing."]
