"""Collects the texts of the product and keeps the catalogues of the languages true to them.

python tools/i18n.py extract        writes resources/translations/handlens.pot
python tools/i18n.py update [TAG]   merges it into TAG/LC_MESSAGES/handlens.po beside it (of all languages)
python tools/i18n.py compile        writes the .mo files that the product reads
python tools/i18n.py check          says what is missing, fuzzy, or has other {names} than the English
"""

from __future__ import annotations

import string
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ml.core.phrases import FORMS  # noqa: E402 - the tool runs from anywhere

FOLDER = ROOT / "resources" / "translations"
TEMPLATE = FOLDER / "handlens.pot"
KEYWORDS = {"msg": None, "tr": None, "nmsg": (1, 2), "trn": (1, 2)}
NOUNS = "ml/core/phrases.py"
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
"""The same date in every catalogue: the real one would change with every run and collide in every merge."""


def extract() -> Catalog:
    """Every text of `ml` and `desktop`; those of `NOUNS` once more in each grammatical form."""
    catalog = Catalog(
        project="Handlens", version="1", copyright_holder="Handlens", charset="utf-8", creation_date=CREATED
    )
    for package in ("ml", "desktop"):
        found = extract_from_dir(
            str(ROOT / package), method_map=[("**.py", "python")], keywords=KEYWORDS, comment_tags=("Translators:",)
        )
        for name, _line, message, comments, _context in sorted(found, key=lambda item: (item[0], item[1])):
            place = f"{package}/{name}".replace("\\", "/")
            # No line numbers: they would change with every edit.
            catalog.add(message, None, [(place, 1)], auto_comments=comments)
            if place == NOUNS:
                for form in FORMS:
                    catalog.add(message, None, [(place, 1)], context=form)
    return catalog


def write_template() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TEMPLATE.open("wb") as file:
        write_po(file, extract(), width=120, omit_header=False, include_lineno=False, sort_output=True)


def catalogues(tag: str | None = None) -> list[Path]:
    return sorted(FOLDER.glob(f"{tag or '*'}/LC_MESSAGES/handlens.po"))


def load(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def update(tag: str | None) -> None:
    template = extract()
    for path in catalogues(tag):
        catalog = load(path)
        catalog.update(template, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        with path.open("wb") as file:
            write_po(file, catalog, width=120, include_lineno=False, sort_output=True)


def compile_all() -> None:
    for path in catalogues():
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, load(path))


def problems(path: Path) -> list[str]:
    """What is wrong with a catalogue, a line each."""
    catalog, template, found = load(path), extract(), []
    for message in template:
        if not message.id:
            continue
        own = catalog.get(message.id, message.context)
        singular = message.id if isinstance(message.id, str) else message.id[0]
        if own is None or not own.string or (isinstance(own.string, tuple) and not all(own.string)):
            if not message.context:
                found.append(f"missing: {singular!r}")
            continue
        if own.fuzzy:
            found.append(f"fuzzy: {singular!r}")
        ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
        wanted = set().union(*(_names(text) for text in ids))
        for text in (own.string,) if isinstance(own.string, str) else own.string:
            if not _names(text) <= wanted | {"count"}:
                found.append(f"other names: {singular!r} → {text!r}")
            if isinstance(own.string, str) and _names(text) != wanted:
                found.append(f"a name is left out: {singular!r} → {text!r}")
    return found


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def main(arguments: list[str]) -> int:
    match arguments:
        case ["extract"]:
            write_template()
        case ["update", *rest]:
            write_template()
            update(rest[0] if rest else None)
        case ["compile"]:
            compile_all()
        case ["check"]:
            found = [f"{path.parent.parent.name}: {line}" for path in catalogues() for line in problems(path)]
            sys.stdout.write("".join(f"{line}\n" for line in found))
            return 1 if found else 0
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
