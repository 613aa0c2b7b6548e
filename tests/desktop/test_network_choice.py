"""Choosing the ready-made network a training starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.pages.train import network_choice as train_network
from desktop.pages.train.network_choice import NetworkChoice
from ml.api import OFFERED, BackboneChecked, BackboneJob, Event, Job, Stop, english, msg

LICENCE = msg("The weights of {name} are for non-commercial use only.", name="resnet18")


def library(job: Job, _stop: Stop) -> Iterator[Event]:
    """Knows one network."""
    assert isinstance(job, BackboneJob)
    known = job.name == "resnet18"
    yield BackboneChecked(
        name=job.name,
        known=known,
        suggestions=() if known else ("resnet18", "resnet10t"),
        licence="cc-by-nc-4.0",
        sentence=LICENCE if known else msg(""),
        here=False,
    )


@pytest.fixture
def choice(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[NetworkChoice]:
    monkeypatch.setattr(train_network, "CHECK_AFTER_MS", 0)
    widget = NetworkChoice(runner=library)
    qtbot.addWidget(widget)
    widget.show()
    yield widget
    widget.close_checks()


def test_each_offered_network_says_size_speed_and_licence(choice: NetworkChoice) -> None:
    assert choice.name() == "tf_efficientnet_lite0"
    assert "It comes with Handlens." in choice.words.text()
    for row, offered in enumerate(OFFERED):
        choice.box.setCurrentIndex(row)
        assert choice.name() == offered.name
        assert offered.licence in choice.words.text()
        assert not choice.field.isVisible()
    assert "downloaded once (114 MB)" in choice.words.text()
    assert "times as long" in choice.words.text()


def test_another_name_is_checked_as_it_is_typed(choice: NetworkChoice, qtbot: QtBot) -> None:
    choice.box.setCurrentIndex(len(OFFERED))
    assert choice.field.isVisible() and choice.name() == ""
    qtbot.keyClicks(choice.field, "resnet-18")
    qtbot.waitUntil(lambda: "Similar names: resnet18 and resnet10t." in choice.words.text())
    choice.field.clear()
    qtbot.keyClicks(choice.field, "resnet18")
    qtbot.waitUntil(lambda: english(LICENCE) in choice.words.text())
    assert "downloaded once when you train" in choice.words.text()
    choice.set_file(Path("weights/mine.safetensors"))
    qtbot.waitUntil(lambda: "Nothing has to be downloaded." in choice.words.text())
    assert choice.weights() == Path("weights/mine.safetensors")
    choice.box.setCurrentIndex(0)
    assert choice.weights() is None
