"""A watched folder: filled by another process, killed at any moment and started again, with a real receiver."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_model import write_colour_model

from tests.watchers import Receiver, picture, wait_until, watching

pytestmark = [
    pytest.mark.usefixtures("listening"),
    pytest.mark.skipif(os.name != "posix", reason="sends signals, which Windows does not have"),
]

FILLER = """
import io, sys, time
from pathlib import Path
from PIL import Image
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    data = io.BytesIO()
    Image.new("RGB", (96, 64), ((250, 0, 0), (0, 250, 0))[number % 2]).save(data, format="PNG")
    whole = data.getvalue() + number.to_bytes(2, "big")  # every file is another one
    with (Path(sys.argv[1]) / f"{number:03}.png").open("wb") as file:  # as a camera does that writes slowly
        file.write(whole[: len(whole) // 2])
        file.flush()
        time.sleep(0.2)
        file.write(whole[len(whole) // 2 :])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_colour_model(tmp_path / "model.onnx")


@pytest.mark.parametrize(("files", "kills"), [(20, 2), pytest.param(300, 20, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_a_rule_fires_once_per_event_also_across_kills(folder: Path, model: Path, files: int, kills: int) -> None:
    chance, fillers = random.Random(4), []
    answers, rules = folder.parent / "heard.csv", folder.parent / "rules.toml"
    with Receiver() as receiver:
        rules.write_text(f'[[rule]]\nclass = "red"\ncooldown = 0\nwebhook = "{receiver.address}"\n')
        arguments = (model, folder, "--csv", answers, "--rules", rules)
        for start in range(0, files, files // kills):  # however slow the machine is, every kill comes amid new files
            part = (str(folder), str(start), str(start + files // kills))
            fillers.append(subprocess.Popen([sys.executable, "-c", FILLER, *part]))
            with watching(*arguments) as watcher:
                watcher.wait_for("answered", chance.randrange(1, 8))
                watcher.kill()
        with watching(*arguments) as watcher:
            assert [filler.wait(120) for filler in fillers] == [0] * kills
            wait_until(lambda: len(_table(answers)) >= files and len(_keys(receiver)) >= files // 2, limit=300)
            code, error = watcher.interrupt()
    assert (code, error) == (0, ""), error
    assert sorted(Path(row["path"]).name for row in _table(answers)) == [f"{number:03}.png" for number in range(files)]
    assert {row["decision"] for row in _table(answers)} == {"accept"}
    fired = _log(answers.with_suffix(".alarms.jsonl"), "fired")
    assert sorted(Path(event["path"]).name for event in fired) == [f"{number:03}.png" for number in range(0, files, 2)]
    # A kill between a request and its receipt repeats it with the same key, by which the receiver tells.
    assert _keys(receiver) == {event["id"] for event in fired}
    assert len(receiver.events) <= len(fired) + kills


def test_ctrl_c_ends_with_one_sentence_and_the_next_start_sends_what_waits(folder: Path, model: Path) -> None:
    rules = folder.parent / "rules.toml"
    with Receiver(statuses=[503] * 3) as receiver:
        rules.write_text(f'[[rule]]\nclass = "red"\nwebhook = "{receiver.address}"\n')
        picture(folder / "a.png", "red")
        with watching(model, folder, "--rules", rules) as watcher:
            watcher.wait_for("undelivered")
            assert watcher.interrupt() == (0, "")
            assert watcher.lines[-1]["sentence"] == (
                "Ended: 1 file was answered, 1 message waits to be sent at the next start."
            )
        with watching(model, folder, "--rules", rules) as watcher:
            assert watcher.lines[0]["answered_before"] == 1
            watcher.wait_for("delivered")
            watcher.interrupt()
        assert not watcher.named("answered") and not watcher.named("fired")
    assert [Path(event["path"]).name for event in receiver.events] == ["a.png"]


def _table(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _log(path: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


def _keys(receiver: Receiver) -> set[str]:
    return {event["key"] for event in receiver.events}
