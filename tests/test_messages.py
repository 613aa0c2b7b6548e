"""Every sentence can be translated: what makes one is a literal template, and every catalogue has all of them."""

from __future__ import annotations

import ast
import importlib.util
import string
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.xdist_group("messages")  # what one of them has parsed, the next need not
TEMPLATES = {"msg": 1, "tr": 1, "nmsg": 2, "trn": 2}
"""The functions that take templates, and how many they take first."""
SHOWN = ("tr", "trn", "text")
THEMSELVES = ROOT / "ml" / "core" / "messages.py"


@cache
def _nodes() -> tuple[tuple[str, ast.AST], ...]:
    """Every node of the product's code, and where it stands."""
    paths = [path for package in ("ml", "desktop") for path in sorted((ROOT / package).rglob("*.py"))]
    return tuple(
        (f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node)
        for path in paths
        if path != THEMSELVES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call | ast.JoinedStr)
    )


def _calls() -> Iterator[tuple[str, ast.Call, tuple[ast.expr, ...]]]:
    """Where each call stands, the call, and its templates."""
    for where, node in _nodes():
        if isinstance(node, ast.Call) and _called(node) in TEMPLATES:
            yield where, node, tuple(node.args[: TEMPLATES[_called(node)]])


def _called(node: ast.AST) -> str:
    # By its bare name only: widgets have methods called `text` and `tr`, which are not meant.
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _literal(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_templates_are_literals() -> None:
    """Only these are found by the tool that collects texts."""
    wrong = [
        where
        for where, call, templates in _calls()
        if len(templates) < TEMPLATES[_called(call)] or any(_literal(template) is None for template in templates)
    ]
    assert not wrong, "no literal template:\n" + "\n".join(wrong)


def test_every_name_in_a_template_has_its_value_and_every_value_its_name() -> None:
    """A message without any value may be filled in later; `tr` and `trn` are shown at once."""
    wrong = []
    for where, call, templates in _calls():
        texts = [_literal(template) or "" for template in templates]
        wanted = {name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        given = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
        later = any(keyword.arg is None for keyword in call.keywords)
        later |= not call.keywords and _called(call) in ("msg", "nmsg")
        missing = set() if later else wanted - given - ({"count"} if len(templates) == 2 else set())
        if missing or given - wanted or not all(name.isidentifier() for name in wanted):
            wrong.append(f"{where}: {sorted(missing)} without a value, {sorted(given - wanted)} without a place")
    assert not wrong, "\n".join(wrong)


def test_no_sentence_is_glued_from_translated_parts() -> None:
    """Words around a part that is translated by itself leave no language its own order, case and gender."""
    wrong = []
    for where, node in _nodes():
        values = node.args + [keyword.value for keyword in node.keywords] if _called(node) in TEMPLATES else [node]
        for value in values:
            glued = isinstance(value, ast.JoinedStr) and any(_called(part) in SHOWN for part in ast.walk(value))
            words = [_literal(part) or "" for part in value.values] if isinstance(value, ast.JoinedStr) else []
            if glued and (value is not node or any(map(str.isalpha, "".join(words)))):
                wrong.append(where)
    assert not wrong, "words glued to a translation:\n" + "\n".join(wrong)


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    specification = importlib.util.spec_from_file_location("handlens_i18n", ROOT / "tools" / "i18n.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.extract = cache(module.extract)  # type: ignore[attr-defined] # it reads every file of the product
    return module


def test_the_collected_texts_are_those_of_the_code(tool: ModuleType) -> None:
    """`python tools/i18n.py extract` was run after the last sentence was written."""
    with tool.TEMPLATE.open("rb") as file:
        kept = tool.read_po(file)
    wanted, found = ({(entry.id, entry.context) for entry in catalog if entry.id} for catalog in (tool.extract(), kept))
    assert wanted == found, f"missing: {_some(wanted - found)}\nno longer there: {_some(found - wanted)}"


def _some(entries: set[tuple[object, object]]) -> str:
    return "; ".join(sorted(str(text) for text, _ in entries)[:5])


def test_every_catalogue_is_complete_and_compiled(tool: ModuleType) -> None:
    """Nothing is missing or fuzzy, and the file that is read says what the file that is written says."""
    for path in tool.catalogues():
        problems = tool.problems(path)
        assert not problems, f"{path.relative_to(ROOT)}:\n" + "\n".join(problems)
        compiled = BytesIO()
        tool.write_mo(compiled, tool.load(path))
        assert path.with_suffix(".mo").read_bytes() == compiled.getvalue(), f"compile {path.relative_to(ROOT)} again"
