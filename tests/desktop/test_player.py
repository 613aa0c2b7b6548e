"""Sound where there may be none: what is said, and that nothing breaks."""

from __future__ import annotations

import importlib
import types

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop.workers.player import Player


def test_a_missing_library_is_named_with_what_to_do(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> types.ModuleType:
        raise ImportError("libpulse.so.0: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(importlib, "import_module", absent)
    player = Player()
    assert "libpulse.so.0" in player.problem() and "handlens doctor" in player.problem()
    player.set_sound(np.zeros(100, dtype=np.float32), 100)
    with qtbot.waitSignal(player.problem_found):
        player.play()
    assert not player.playing()


def test_no_loudspeaker_is_said_when_play_is_pressed(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = types.SimpleNamespace(isNull=lambda: True)
    module = types.SimpleNamespace(QMediaDevices=types.SimpleNamespace(defaultAudioOutput=lambda: nothing))
    monkeypatch.setattr(importlib, "import_module", lambda name: module)
    player = Player()
    assert player.problem() == ""
    player.set_sound(np.zeros(100, dtype=np.float32), 100)
    with qtbot.waitSignal(player.problem_found) as said:
        player.play()
    assert said.args == ["Sounds cannot be played: no loudspeaker was found. Connect one and start again."]


def test_a_sound_knows_how_long_it_is() -> None:
    player = Player()
    player.set_sound(np.ones(24_000, dtype=np.float32), 16_000)
    assert player.seconds() == pytest.approx(1.5)
    player.set_sound(None, 16_000)
    player.play()
    assert player.seconds() == 0 and not player.playing()
