"""Names are text in the terminal and in pictures: none is obeyed, and none changes how a command ends."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from hostile_names import BOLD, FORGED, IMAGE
from PIL import Image, ImageDraw

from ml.commands.common import PlainConsole, make_table
from ml.commands.progress import LiveReport
from ml.core.events import Note
from ml.core.messages import english, msg, verbatim
from ml.core.printable import markdown, printable, printable_json
from ml.pictures.axes import write
from ml.project.scan.layout import clean_name
from tests.ml.conftest import add_colour_run
from tests.ml.terminal import Done, Handlens

FOLDERS = (IMAGE, BOLD, FORGED)
NAMES = tuple(map(clean_name, FOLDERS))
"""The classes that are red, green and blue: what nobody sees is no part of their names."""


@pytest.fixture
def hostile(handlens: Handlens, folder: Path, tmp_path: Path) -> Path:
    """The place of a trained project in which everything has a hostile name; `folder_of` has its originals."""
    for colour, name in zip(("red", "green", "blue"), FOLDERS, strict=True):
        for path in sorted((folder / colour).iterdir()):
            path.rename(path.with_name(f"{name}{path.name}"))
        (folder / colour).rename(folder / name)
    originals = folder.rename(tmp_path / f"{FORGED}{IMAGE}")
    project = tmp_path / f"{BOLD}{FORGED}.handlens"
    done = handlens("new", project, "--from", originals)
    assert done.code == 0 and "broken.png" in done.out
    obeys_nothing(done)
    add_colour_run(project, NAMES)
    return project


def folder_of(project: Path) -> Path:
    return project.parent / f"{FORGED}{IMAGE}"


def obeys_nothing(done: Done) -> None:
    for words in (done.out, done.err):
        assert printable(words, keep="\n") == words
        assert not any(line.startswith("✓ done") for line in words.splitlines())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_every_command_shows_hostile_names_as_text(handlens: Handlens, hostile: Path, tmp_path: Path) -> None:
    originals, pictures = folder_of(hostile), tmp_path / f"pictures{FORGED}"
    missing = tmp_path / f"gone{FORGED}"
    inputs = sorted(originals.rglob("*0.png")) + sorted(originals.rglob("*broken.png"))
    wanted: list[tuple[int, tuple[object, ...]]] = [
        (0, ("evaluate", hostile)),
        (0, ("evaluate", hostile, "--on", originals)),
        (0, ("suspicious", hostile)),
        (0, ("suspicious", hostile, "--json")),
        (0, ("runs", hostile)),
        (0, ("export", hostile, "--to", tmp_path / f"{FORGED}.onnx")),
        (0, ("new", hostile, "--from", originals)),
        (0, ("relink", hostile, "--to", originals)),
        (1, ("predict", hostile, *inputs, "--overlays", pictures, "--csv", tmp_path / f"{FORGED}.csv")),
        (1, ("predict", hostile, originals, "--json")),
        (1, ("train", hostile, "--resume")),
        (1, ("evaluate", missing)),
        (1, ("relink", hostile, "--to", missing)),
        (2, ("evaluate", hostile, "--run", FORGED)),
        (2, (FORGED,)),
        (2, ("runs", hostile, f"--{FORGED}")),
        (2, ("runs", hostile, FORGED)),
    ]
    for code, arguments in wanted:
        done = handlens(*arguments)
        assert done.code == code, (arguments, done)
        assert done.out or done.err
        obeys_nothing(done)
        if "--json" in arguments:
            assert all(isinstance(line, dict) for line in done.lines)
    drawn = sorted(pictures.rglob("*.png"))
    assert len(drawn) == 3
    with Image.open(drawn[0]) as picture:
        picture.verify()
    with (tmp_path / f"{FORGED}.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["label"] for row in rows} >= {IMAGE, BOLD}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_json_reads_back_the_names_as_they_are(handlens: Handlens, hostile: Path) -> None:
    done = handlens("predict", hostile, folder_of(hostile), "--json")
    assert {line["label"] for line in done.lines} == set(NAMES)


def test_names_in_a_model_card_are_neither_html_nor_links_nor_cells() -> None:
    assert markdown(f"{IMAGE}|![x](http://host/x)\\[y]") == r"\<img src=secret>\|!\[x](http://host/x)\\\[y]"
    assert markdown("plastic_bag (2)") == "plastic_bag (2)"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not text")
def test_a_file_name_that_is_no_text_is_predicted_and_drawn(
    handlens: Handlens, trained: Path, folder: Path, tmp_path: Path
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\xff.png"))
    shutil.copy(folder / "red" / "0.png", odd)
    for more in ((), ("--json",), ("--overlays", tmp_path / "seen"), ("--csv", tmp_path / "answers.csv")):
        done = handlens("predict", trained, odd, *more)
        assert (done.code, done.err) == (0, "")
        assert ("caf\\udce9\\udcff.png" in done.out) != ("--csv" in done.out)
        obeys_nothing(done)
    assert len(list((tmp_path / "seen").iterdir())) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not text")
def test_a_project_of_files_whose_names_are_no_text_says_so(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "red" / "0.png", os.fsencode(folder) + b"/red/caf\xe9.png")
    done = handlens("new", tmp_path / "p", "--from", folder)
    obeys_nothing(done)
    assert done.code == 0, done
    assert "caf\\udce9.png" in done.out


@pytest.mark.parametrize("text", [*NAMES, "\ud800", "a\x00b", "x" * 20_000, "", "\u200fשלום"])
def test_any_name_can_be_written_into_a_picture(text: str) -> None:
    draw = ImageDraw.Draw(Image.new("RGB", (400, 60), "white"))
    assert 0 <= write(draw, (4, 4), text, size=20, width=300) <= 300


def test_what_is_filled_into_a_sentence_is_one_line(tmp_path: Path) -> None:
    sentence = english(msg("{names} and {name}: {why}", names=(FORGED, "b\n"), name="a\nb", why=verbatim("1\n2\x1b")))
    assert sentence == "\\x1b[2J\\u202egpj\\n✓ done\\x9b1m\\r and b\\n and a\\nb: 1\n2\\x1b"
    assert printable("Größe 苹果 👨‍👩‍👧 \u00a0|") == "Größe 苹果 👨‍👩‍👧 \u00a0|"


def test_json_stays_the_same_value() -> None:
    value = {name: name for name in (*NAMES, "\udcff", "\u2028", "👨‍👩‍👧")}
    line = printable_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(line) == value
    assert printable(line) == line and line.encode("utf-8")


def test_the_console_keeps_its_own_styles_and_obeys_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    console = PlainConsole(file=stream, force_terminal=True, color_system="standard", highlight=False, soft_wrap=True)
    with LiveReport(console) as live:
        live.show(Note(level="warning", sentence=msg("{name} is odd.", name=FORGED)))
        live.move(1, 2, f"[red]{FORGED}")
    table = make_table("class")
    table.add_words(FORGED)
    console.print(table)
    console.print(f"raw {FORGED}", markup=False)
    written = stream.getvalue()
    assert "\x1b[1;33mWarning:\x1b[0m \\x1b[2J\\u202egpj\\n✓ done\\x9b1m\\r is odd." in written
    assert "\x1b[2J" not in written and "\x9b" not in written and "\u202e" not in written
    assert "raw \\x1b[2J\\u202egpj\n" in written
