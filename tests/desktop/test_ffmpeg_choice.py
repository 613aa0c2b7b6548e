"""The field for FFmpeg in the settings: checked at once, and only what works is kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop import settings
from desktop.dialogs.folder import FileChooser
from desktop.dialogs.preferences import PreferencesDialog

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the program of this test is a shell script")


def test_a_program_is_checked_at_once_and_kept_only_if_it_works(
    studio: QApplication, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANDLENS_FFMPEG", raising=False)
    mine = tmp_path / "ffmpeg"
    mine.write_text("#!/bin/sh\necho ffmpeg version 7.1-mine\n", encoding="utf-8")
    mine.chmod(0o755)
    dialog = PreferencesDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    choice = dialog.ffmpeg
    qtbot.waitUntil(lambda: "FFmpeg" in choice.sentence.text())
    monkeypatch.setattr(FileChooser, "ask", lambda *_: mine)
    choice.choose_button.click()
    qtbot.waitUntil(lambda: choice.sentence.text() == "FFmpeg 7.1-mine works and is used.")
    assert settings.value(settings.FFMPEG) == str(mine)
    choice.edit.setText(str(tmp_path / "nothing"))
    choice.edit.editingFinished.emit()
    qtbot.waitUntil(lambda: "no such file" in choice.sentence.text())
    assert settings.value(settings.FFMPEG) == str(mine)
    choice.take("")
    qtbot.waitUntil(lambda: settings.value(settings.FFMPEG) == "")
    dialog.done(0)
