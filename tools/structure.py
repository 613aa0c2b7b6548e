"""Prints how the code is built: who imports what, how long files and functions are, and what is too small or too wide.

python tools/structure.py [importers | files | functions | parameters | small]     everything, or one part
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ml", "desktop")
SHORT = 60
"""Lines; a module below it that one other imports usually belongs into that one."""
MOST = 25
"""Rows of a list of extremes."""


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    lines: int
    tree: ast.Module


@dataclass(frozen=True)
class Function:
    name: str
    place: str
    lines: int
    parameters: int


def modules() -> dict[str, Module]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path.relative_to(ROOT), source.count("\n"), ast.parse(source))
    return found


def imported_by(module: Module, known: dict[str, Module]) -> set[str]:
    """The known modules that it imports, those inside functions too; a package counts if something of it is used."""
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return (found & known.keys()) - {module.name}


def importers(known: dict[str, Module]) -> dict[str, list[str]]:
    """For each module those that import it, sorted."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, module in known.items():
        for other in imported_by(module, known):
            found[other].append(name)
    return {name: sorted(found[name]) for name in known}


def functions(known: dict[str, Module]) -> Iterator[Function]:
    for module in known.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                names = [parameter.arg for parameter in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
                parameters = len([name for name in names if name not in ("self", "cls")])
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                yield Function(node.name, f"{module.path}:{node.lineno}", length, parameters)


def small(known: dict[str, Module]) -> list[tuple[Module, str]]:
    """Modules with one importer and fewer than `SHORT` lines, and that importer."""
    return [
        (known[name], users[0])
        for name, users in importers(known).items()
        if len(users) == 1 and known[name].lines < SHORT and known[name].path.name != "__init__.py"
    ]


def print_importers(known: dict[str, Module]) -> None:
    for name, users in importers(known).items():
        _say(f"{name} ({len(users)}): {', '.join(users)}")


def print_files(known: dict[str, Module]) -> None:
    for module in sorted(known.values(), key=lambda module: -module.lines):
        _say(f"{module.lines:5}  {module.path}")
    lengths = sorted(module.lines for module in known.values())
    _say(f"{sum(lengths)} lines in {len(lengths)} files, median {lengths[len(lengths) // 2]}")


def print_functions(known: dict[str, Module]) -> None:
    for function in sorted(functions(known), key=lambda function: -function.lines)[:MOST]:
        _say(f"{function.lines:5}  {function.place} {function.name}")


def print_parameters(known: dict[str, Module]) -> None:
    for function in sorted(functions(known), key=lambda function: -function.parameters)[:MOST]:
        _say(f"{function.parameters:5}  {function.place} {function.name}")


def print_small(known: dict[str, Module]) -> None:
    found = small(known)
    for module, user in sorted(found, key=lambda pair: pair[0].lines):
        _say(f"{module.lines:5}  {module.path}, only for {user}")
    _say(f"{len(found)} modules")


PARTS: dict[str, tuple[str, Callable[[dict[str, Module]], None]]] = {
    "importers": ("Importers of every module", print_importers),
    "files": ("Files by length", print_files),
    "functions": ("The longest functions", print_functions),
    "parameters": ("Functions with the most parameters", print_parameters),
    "small": (f"Modules with one importer and under {SHORT} lines", print_small),
}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main(arguments: list[str]) -> int:
    if not set(arguments) <= PARTS.keys():
        sys.stderr.write(__doc__ or "")
        return 2
    known = modules()
    for name in arguments or PARTS:
        title, show = PARTS[name]
        _say(f"\n== {title}")
        show(known)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
