"""A watched folder: when files count as complete, what rules do, and mistakes in rules."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from paho.mqtt import client as mqtt
from tiny_model import write_colour_model, write_loudness_model

import ml.commands.watch as watch_command
from ml.core.errors import HandlensError
from ml.inference.actions import _notification
from ml.inference.rules import Rule, Tally, read_rules
from ml.inference.watch import memory_file
from ml.inference.watch_memory import Stamp, WatchMemory
from ml.runtime.folder import UnreadableInput
from tests.ml.terminal import Handlens
from tests.watchers import Receiver, broker, free_port, mosquitto, picture, wait_until, watching_here

CLASSES = ("chainsaw", "rain", "bird")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_colour_model(tmp_path / "model.onnx")


def rules(folder: Path, text: str) -> Path:
    file = folder.parent / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return file


def names(answers: list[Any]) -> list[str]:
    return [answer.path.name for answer in answers]


# -- files ---------------------------------------------------------------------------------------------------------


def test_files_are_answered_once_they_are_complete(folder: Path, model: Path) -> None:
    whole = picture(folder.parent / "draft.png", "blue").read_bytes()
    with watching_here(model, folder) as seen:
        slow = (folder / "slow.png").open("wb")
        slow.write(whole[:40])
        slow.flush()
        picture(folder / "sudden.png", "red")
        assert names(seen.wait_for("answered")) == ["sudden.png"]
        slow.write(whole[40:])
        slow.close()
        assert names(seen.wait_for("answered", 2)) == ["sudden.png", "slow.png"]
    assert not any(isinstance(answer, UnreadableInput) for answer in seen.named("answered"))


def test_a_file_that_stays_broken_is_named_once(folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.inference.arrivals.PATIENCE", 1.5)
    answers = folder.parent / "heard.csv"
    with watching_here(model, folder, csv=answers) as seen:
        (folder / "broken.png").write_bytes(picture(folder.parent / "draft.png", "blue").read_bytes()[:40])
        assert isinstance(seen.wait_for("answered")[0], UnreadableInput)
    with watching_here(model, folder, csv=answers) as seen:
        picture(folder / "good.png", "red")
        assert names(seen.wait_for("answered")) == ["good.png"]
    with answers.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(Path(row["path"]).name, row["decision"]) for row in rows] == [
        ("broken.png", "unreadable"),
        ("good.png", "accept"),
    ]


def test_a_file_that_is_replaced_is_answered_again_but_not_one_that_is_only_touched(folder: Path, model: Path) -> None:
    latest = folder / "latest.png"
    with watching_here(model, folder) as seen:
        picture(latest, "red")
        seen.wait_for("answered")
        latest.touch()
        picture(folder / "other.png", "red")
        seen.wait_for("answered", 2)
        picture(latest, "green")
        assert names(seen.wait_for("answered", 3)) == ["latest.png", "other.png", "latest.png"]


def test_a_folder_that_vanishes_is_waited_for(folder: Path, model: Path) -> None:
    picture(folder / "a.png", "red")
    unplugged = folder.parent / "unplugged"
    with watching_here(model, folder) as seen:
        seen.wait_for("answered")
        folder.rename(unplugged)
        seen.wait_for("gone")
        picture(unplugged / "b.png", "green")
        unplugged.rename(folder)
        seen.wait_for("back")
        assert names(seen.wait_for("answered", 2)) == ["a.png", "b.png"]


def test_a_full_folder_is_answered_a_part_at_a_time(folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.inference.arrivals.MOST_WAITING", 3)
    for number in range(8):
        picture(folder / f"{number}.png", "red")
    with watching_here(model, folder) as seen:
        assert sorted(names(seen.wait_for("answered", 8))) == [f"{number}.png" for number in range(8)]


def test_a_table_that_cannot_be_written_is_completed_later(folder: Path, model: Path) -> None:
    answers = folder.parent / "share" / "heard.csv"  # its folder is not there yet
    with watching_here(model, folder, csv=answers) as seen:
        picture(folder / "a.png", "red")
        seen.wait_for("unwritable")
        picture(folder / "b.png", "red")
        seen.wait_for("answered", 2)
        answers.parent.mkdir()
        wait_until(lambda: answers.exists() and answers.read_bytes().count(b"\n") == 3)
    assert len(seen.named("unwritable")) == 1


# -- actions -------------------------------------------------------------------------------------------------------


def test_a_webhook_that_fails_is_tried_again_and_delivered_once(folder: Path, model: Path) -> None:
    with Receiver(statuses=[503, 500]) as receiver:
        file = rules(folder, f'[[rule]]\nclass = "red"\nwebhook = "{receiver.address}"\n')
        with watching_here(model, folder, rules=file) as seen:
            picture(folder / "a.png", "red")
            seen.wait_for("delivered")
    assert receiver.refused == 2 and len(seen.named("undelivered")) == 1
    assert [(Path(event["path"]).name, event["class"]) for event in receiver.events] == [("a.png", "red")]
    log = [json.loads(line) for line in (folder.parent / "alarms.jsonl").read_text().splitlines()]
    assert [line["event"] for line in log] == ["fired", "retrying", "delivered"]


def test_a_webhook_does_not_follow_to_another_address(folder: Path, model: Path) -> None:
    with Receiver(statuses=[302]) as receiver:
        file = rules(folder, f'[[rule]]\nclass = "red"\nwebhook = "{receiver.address}"\n')
        with watching_here(model, folder, rules=file) as seen:
            picture(folder / "a.png", "red")
            _event, _action, problem, again = seen.wait_for("undelivered")[0]
    assert not again and problem.values["status"] == "302"


def test_a_command_gets_names_that_no_shell_obeys(folder: Path, model: Path) -> None:
    result, script = folder.parent / "result.json", folder.parent / "alarm.py"
    script.write_text(
        "import json, os, sys\n"
        "found = [sys.argv[2:], os.environ['HANDLENS_PATH'], os.environ['HANDLENS_CLASS']]\n"
        "open(sys.argv[1], 'w').write(json.dumps(found))"
    )
    command = json.dumps([sys.executable, str(script), str(result), "{path}", "{class}"])
    file = rules(folder, f'[[rule]]\nclass = "red"\ncommand = {command}\n')
    name = "$(touch obeyed);`touch obeyed` & touch obeyed.png"
    with watching_here(model, folder, rules=file) as seen:
        picture(folder / name, "red")
        seen.wait_for("delivered")
    assert json.loads(result.read_text()) == [[str(folder / name), "red"], str(folder / name), "red"]
    assert not list(folder.parent.rglob("obeyed")) and not Path("obeyed").exists()


@pytest.fixture
def subscriber() -> Iterator[tuple[mqtt.Client, list[dict[str, Any]], threading.Event]]:
    client, got, ready = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2), list[dict[str, Any]](), threading.Event()
    client.on_message = lambda _client, _data, message: got.append(json.loads(message.payload))
    client.on_subscribe = lambda *_: ready.set()
    client.on_connect = lambda *_: client.subscribe("forest/alarm", qos=1)
    yield client, got, ready
    client.disconnect()
    client.loop_stop()


def test_a_real_broker_gets_every_event_once_also_if_it_starts_late(
    folder: Path,
    model: Path,
    subscriber: tuple[mqtt.Client, list[dict[str, Any]], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = mosquitto()
    if program is None:
        pytest.skip("the MQTT broker Mosquitto is not installed")
    client, got, ready = subscriber
    port = free_port()
    server = f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
    file = rules(folder, f'[[rule]]\nclass = "red"\ncooldown = 0\nmqtt = "forest/alarm"\n{server}')
    monkeypatch.setenv("HANDLENS_MQTT_USER", "ranger")
    monkeypatch.setenv("HANDLENS_MQTT_PASSWORD", "s3cret")
    client.username_pw_set("ranger", "s3cret")
    with watching_here(model, folder, rules=file) as seen:
        picture(folder / "early.png", "red")
        seen.wait_for("undelivered")
        with broker(program, folder.parent, port, user="ranger", password="s3cret"):
            client.connect("127.0.0.1", port)
            client.loop_start()
            assert ready.wait(20)
            picture(folder / "late.png", "red")
            seen.wait_for("delivered", 2)
            wait_until(lambda: any(Path(event["path"]).name == "late.png" for event in got))
    assert len({event["id"] for event in got}) == len(got)


def test_a_refused_password_is_told(folder: Path, model: Path, handlens: Handlens) -> None:
    program = mosquitto()
    if program is None:
        pytest.skip("the MQTT broker Mosquitto is not installed")
    port = free_port()
    file = rules(folder, f'[[rule]]\nclass = "red"\nmqtt = "alarm"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n')
    with broker(program, folder.parent, port, user="ranger", password="s3cret"):
        done = handlens("watch", model, folder, "--rules", file, "--test-rules")
    assert done.code == 1
    assert "The MQTT server refused the connection: Not authorized." in done.err


def test_test_rules_tries_every_action(folder: Path, model: Path, handlens: Handlens) -> None:
    with Receiver() as receiver:
        text = f'[[rule]]\nclass = "red"\nwebhook = "{receiver.address}"\ncommand = ["/no/such/program"]\n'
        done = handlens("watch", model, folder, "--rules", rules(folder, text), "--test-rules")
    assert done.code == 1
    assert "Rule “red”, webhook: sent." in done.out
    reason = os.strerror(errno.ENOENT)  # in the language of the system
    assert f"/no/such/program could not be started: {reason}." in done.err
    assert [event["test"] for event in receiver.events] == [True]


# -- rules ---------------------------------------------------------------------------------------------------------


def test_windows_of_a_recording_count_at_the_time_in_its_name(folder: Path, tmp_path: Path) -> None:
    loud, quiet = np.full(8000, 0.5), np.zeros(8000)
    recordings = {
        "20240501_053000.wav": [quiet, loud, quiet, quiet, loud, loud],
        "20240501_053100.wav": [loud, loud, loud, loud, quiet],  # within the cooldown
        "20240501_060000.wav": [loud, quiet, quiet, quiet, loud],  # not twice within 2 s
    }
    for name, parts in recordings.items():
        soundfile.write(folder.parent / name, np.concatenate(parts), 8000)
        (folder.parent / name).replace(folder / name)
    command = json.dumps([sys.executable, "-c", "pass"])
    head = '[[rule]]\nname = "Twice"\nclass = "loud"\ntimes = 2\nwithin = 2\ncooldown = 600\n'
    file = rules(folder, f"{head}command = {command}\n")
    with watching_here(write_loudness_model(tmp_path / "sound.onnx"), folder, rules=file) as seen:
        seen.wait_for("answered", 3)
    (event,) = seen.named("fired")
    assert (Path(event["path"]).name, event["start"]) == ("20240501_053000.wav", 5.0)
    assert event["time"].startswith("2024-05-01T05:30:05")


@pytest.mark.parametrize(
    ("times", "within", "cooldown", "hits", "fires"),
    [
        (1, 10, 0, [0, 1], [0, 1]),
        (2, 10, 0, [0, 11, 20], [20]),
        (2, 10, 0, [0, 5, 6], [5]),  # the third stands alone again
        (2, 10, 60, [0, 5, 20, 30, 70, 75], [5, 75]),
        (3, 10, 0, [0, 8, 4], [4]),  # late arrivals count
    ],
)
def test_a_rule_counts_hits_in_time(
    times: int, within: float, cooldown: float, hits: list[float], fires: list[float]
) -> None:
    rule, tally = Rule(name="a", class_name="a", times=times, within=within, cooldown=cooldown), Tally()
    assert [at for at in hits if tally.add(rule, at)] == fires


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[[rule]]\nclass = "chainsw"\nnotify = true', "line 2: The model has no class “chainsw”. Did you mean “chain"),
        ('[[rule]]\nclass = "cat"\nnotify = true', "line 2: The model has no class “cat”. Its classes: chainsaw, rain"),
        (
            '[[rule]]\nclass = "rain"\natleast = 1\nnotify = true',
            "line 3: There is no key “atleast”. Did you mean “at_",
        ),
        ('[[rule]]\nclass = "rain"', "line 1: The rule does nothing. Add one of: notify, webhook, mqtt, command."),
        ("[[rule]]\nnotify = true", "line 1: The rule needs the key class."),
        (
            '[[rule]]\nclass = "bird"\nnotify = true\n\n[[rule]]\nclass = "rain"\nat_least = 90\nnotify = true',
            "line 7: The value of “at_least” must be a number from 0 to 1.",
        ),
        (
            '[[rule]]\nclass = "rain"\ntimes = 2.5\nnotify = true',
            "line 3: The value of “times” must be a whole number from 1 to 1,000.",
        ),
        ('[[rule]]\nclass = "rain"\nnotify = 1', "line 3: The value of “notify” must be true or false."),
        ('[[rule]]\nclass = "rain"\nwebhook = "file:///etc/passwd"', "line 3: Write an address that begins with https"),
        ('[[rule]]\nclass = "rain"\ncommand = "rm -rf"', "line 3: Write a list of the program and its arguments"),
        ('[[rule]]\nclass = "rain"\nmqtt = "a/#"', "line 3: A topic to publish to has no + #."),
        (
            '[[rule]]\nclass = "rain"\nnotify = true\n[mqtt]\nport = 99999',
            "line 5: The value of “port” must be a whole",
        ),
        ("rule = 3", "line 1: Write at least one rule below the line [[rule]]."),
        ("", "line 1: Write at least one rule below the line [[rule]]."),
        ('[[rule]]\nclass = "rain', "is not valid TOML: "),
    ],
)
def test_a_mistake_in_the_rules_is_named_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(HandlensError) as caught:
        read_rules(file, CLASSES)
    assert sentence in str(caught.value)


def test_a_folder_is_watched_by_one_process_at_a_time(folder: Path, model: Path) -> None:
    with watching_here(model, folder) as seen:
        picture(folder / "a.png", "red")
        seen.wait_for("answered")
        with pytest.raises(HandlensError, match="already watched by another Handlens"):
            WatchMemory(memory_file(folder, None))


def test_a_transaction_that_ctrl_c_breaks_off_leaves_nothing_open(tmp_path: Path) -> None:
    memory = WatchMemory(tmp_path / "memory.db")
    with memory.transaction():
        memory.put("log", {"text": "kept"})
    with pytest.raises(KeyboardInterrupt), memory.transaction():
        memory.put("log", {"text": "broken off"})
        raise KeyboardInterrupt
    database = memory._db
    memory._db = InterruptedDatabase(database)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt), memory.transaction():
        pass
    memory._db = database
    with memory.transaction():
        memory.put("log", {"text": "kept, too"})
    assert [item.payload["text"] for item in memory.all_due("log", 9)] == ["kept", "kept, too"]
    memory.close()


class InterruptedDatabase:
    """A database at which Ctrl+C comes as soon as it has begun a transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def execute(self, statement: str) -> None:
        self._database.execute(statement)
        if statement.startswith("BEGIN"):
            raise KeyboardInterrupt

    @property
    def in_transaction(self) -> bool:
        return self._database.in_transaction


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_between_two_lines_of_an_answer_does_not_cut_it_off(
    folder: Path, model: Path, handlens: Handlens, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    class InterruptedMemory(WatchMemory):
        def remember(self, path: Path, stamp: Stamp, digest: bytes) -> None:
            signal.raise_signal(number)
            super().remember(path, stamp, digest)

    monkeypatch.setattr(watch_command, "WatchMemory", InterruptedMemory)
    for name in ("a", "b"):
        picture(folder / f"{name}.png", "red")
    table = folder.parent / "answers.csv"
    ended = handlens("watch", model, folder, "--csv", table, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines[-1]["sentence"] == "Ended: 1 file was answered."
    assert table.read_text(encoding="utf-8-sig").count("\n") == 2  # the header, and the first file
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_words_of_strangers_are_never_part_of_a_script_that_notifies() -> None:
    title, body = '" & do shell script "rm', "$(calc) <b>"
    for platform in ("darwin", "win32"):
        words, environment = _notification(platform, title, body)
        scripts = [word for word in words if word not in (title, body)]
        assert not any("rm" in word.split() or "calc" in word for word in scripts)
        assert (title in words and body in words) or set(environment.values()) == {title, body}
    assert _notification("linux", title, body)[0][-1] == "$(calc) &lt;b&gt;"
